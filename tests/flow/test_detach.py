"""A detached trainer is on its own: no terminal, no parent, and nothing is lost of what it says."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from typer.main import get_command

from difftool.cli.app import app
from difftool.cli.detach import OURS
from difftool.run import launch
from difftool.run.control import ask
from difftool.run.layout import RunDir, starting_log
from difftool.run.lock import RunLock, is_locked
from difftool.run.records import load

from .conftest import TINY, events

SINK = """
from difftool.api import Sink, hookimpl
from difftool.errors import MachineError

class Shut(Sink):
    'Never opens.'
    def open(self, run):
        raise MachineError("the sink is shut")

@hookimpl
def register_sinks(register):
    register("shut", Shut)
"""
LONG = ("--set", "train.steps=100000", "--set", "log.every=1")


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def run(tmp_path):
    """The run that is trained; whatever happens, nobody trains it afterwards."""
    run = RunDir(tmp_path / "runs" / "a")
    yield run
    if is_locked(run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(load(run.lock)["pid"], signal.SIGKILL)
    assert until(lambda: not is_locked(run))


def until(true):
    deadline = time.monotonic() + 90
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def state(run):
    return load(run.status).get("state")


@pytest.mark.usefixtures("recipe_file")
def test_it_begins_says_where_and_outlives_the_command(difftool_apart, run):
    done = difftool_apart("train", "tiny.toml", "--detach", "--name", "a", *LONG, check=0)
    assert done.stdout.strip() == str(run.root)
    for words in (str(run.root), "difftool tui a", "difftool runs stop a"):
        assert words in done.stderr
    assert state(run) == "running"
    assert is_locked(run)
    step = load(run.status)["step"]
    assert until(lambda: load(run.status)["step"] > step)
    assert "41,899 parameters" in run.log.read_text(), "its log moved into the run"
    assert list(starting_log(run.root.parent, "a").parent.iterdir()) == []
    ask(run, "stop")
    assert until(lambda: not is_locked(run))
    assert (state(run), load(run.status)["exit"]) == ("stopped", 75)

    done = difftool_apart("resume", "a", "--detach", "--ui", "json", check=0)
    (said,) = map(json.loads, done.stdout.splitlines())
    assert (said["kind"], said["name"], said["run"], said["log"]) == ("detached", "a", str(run.root), str(run.log))
    assert is_locked(run)
    assert load(run.lock)["pid"] == said["pid"]
    assert len(events(run, "start")) == 2
    busy = difftool_apart("resume", "a", "--detach", check=3)
    assert "difftool runs stop a" in busy.stderr
    ask(run, "kill")
    assert until(lambda: not is_locked(run))


@pytest.mark.usefixtures("recipe_file", "hears_signals")
def test_closing_the_terminal_it_was_started_from_does_not_end_it(run, tmp_path):
    command = [sys.executable, "-m", "difftool", "train", "tiny.toml", "--detach", "--name", "a", *LONG]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "-c", *command], cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(ours, 65536):
            shown += part
    assert process.wait(60) == 0, shown
    assert str(run.root).encode() in shown
    os.close(ours)
    step = load(run.status)["step"]
    assert until(lambda: load(run.status)["step"] > step)
    assert state(run) == "running"


@pytest.mark.usefixtures("recipe_file", "hears_signals")
def test_ctrl_c_while_it_starts_ends_it(run, tmp_path):
    command = [sys.executable, "-m", "difftool", "train", "tiny.toml", "--detach", "--name", "a", *LONG]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    assert until(starting_log(run.root.parent, "a").exists)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted while the trainer was starting" in stderr
    assert "Traceback" not in stderr
    assert until(lambda: not is_locked(run))
    assert state(run) in (None, "starting", "stopped")


@pytest.mark.usefixtures("recipe_file")
def test_a_trainer_that_cannot_begin_leaves_its_words_and_its_code(difftool_apart, run):
    done = difftool_apart("train", "tiny.toml", "--detach", "--name", "a", "--set", "train.device=cuda:77", check=5)
    assert "difftool: error: there is no cuda:77" in done.stderr
    assert done.stderr.count("difftool: error:") == 1
    assert done.stdout == ""
    assert not run.root.exists()


@pytest.mark.usefixtures("recipe_file")
def test_a_sink_that_cannot_be_opened_leaves_its_words_and_its_code(difftool_apart, run, tmp_path):
    site = tmp_path / "site"
    (site / "acme-1.dist-info").mkdir(parents=True)
    (site / "acme-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (site / "acme-1.dist-info" / "entry_points.txt").write_text("[difftool]\nacme = acme\n")
    (site / "acme.py").write_text(SINK)
    path = os.pathsep.join([str(site), *(p for p in sys.path if p)])
    sinks = ("--set", 'log.sinks=[{name="shut"}]', "--set", "train.steps=2")
    done = difftool_apart("train", "tiny.toml", "--detach", "--name", "a", *sinks, check=5, PYTHONPATH=path)
    assert "difftool: error: the sink is shut" in done.stderr
    assert done.stdout == ""
    assert (state(run), events(run, "start")) == ("failed", [])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("train", "tiny.toml", "--set", "train.steps=none"), 2, "train.steps"),
        (("train", "tiny.toml", "--data", "nowhere"), 2, "nowhere"),
        (("train", "tiny.toml", "--name", ".x"), 2, "cannot be a run's name"),
        (("resume", "nothing"), 2, "no run"),
    ],
)
@pytest.mark.usefixtures("recipe_file")
def test_what_needs_no_tensors_is_refused_before_anything_is_started(
    difftool, tmp_path, monkeypatch, arguments, code, says
):
    monkeypatch.setattr(launch, "_start", lambda *_: pytest.fail("started"))
    done = difftool(*arguments, "--detach", check=code)
    assert says in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("recipe_file")
def test_a_dashboard_without_a_terminal_is_refused(difftool, tmp_path):
    assert "terminal" in difftool("train", "tiny.toml", "--ui", "tui", check=2).stderr
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def started(monkeypatch):
    """What would have been started; nothing is."""
    seen = []

    class Begun:
        code, log = None, None

        def __init__(self, root):
            self.root, self.log, self.process = root, root / "train.log", subprocess

        def state(self):
            return "begun"

    def train(args, runs, name):
        seen.append((list(args), runs, name))
        return Begun((runs / name).absolute())

    def resume(run, args):
        seen.append((list(args), run))
        return Begun(run.root)

    monkeypatch.setattr(subprocess, "pid", 1, raising=False)
    monkeypatch.setattr(launch, "train", train)
    monkeypatch.setattr(launch, "resume", resume)
    return seen


@pytest.mark.usefixtures("recipe_file")
def test_what_was_typed_is_passed_on(difftool, started, train, tmp_path):
    whole = train("train.steps=1")
    (tmp_path / "w.safetensors").write_bytes(whole.weights.read_bytes())
    difftool(
        "train",
        "tiny.toml",
        "--detach",
        "--runs",
        "other",
        "--name",
        "n",
        "--ui",
        "json",
        "--set",
        "optim.lr=1e-4",
        "--set",
        "backbone.width=-8",
        "--profile",
        "cpu",
        "--from",
        "w.safetensors",
        "--allow-change",
        "backbone",
        check=2,
    )  # fmt: skip  (a width below 0 is refused, by the one that was typed at)
    assert started == []
    difftool(
        "train", "tiny.toml", "--detach", "--runs", "other", "--name=n", "--ui", "json", "--set", "optim.lr=1e-4",
        "--set=seed=3", "--profile", "cpu", "--from", "w.safetensors", "--allow-change", "backbone", check=0,
    )  # fmt: skip
    args, runs, name = started.pop()
    assert (str(runs), name) == ("other", "n")
    assert args == [
        "--from=w.safetensors", "--allow-change=backbone", "--set=optim.lr=1e-4", "--set=seed=3", "--profile=cpu",
        "--", "tiny.toml",
    ]  # fmt: skip
    difftool("resume", whole.root, "--detach", "--set", "train.steps=9", "--allow-change", "optim", check=0)
    args, run = started.pop()
    assert run.root == whole.root
    assert args == ["--set=train.steps=9", "--allow-change=optim"]


@pytest.mark.parametrize(("ended", "code"), [(None, 0), (0, 0), (75, 75)])
def test_the_dashboard_is_shown_at_once_and_the_trainer_has_the_last_word(
    difftool, started, recipe_file, tmp_path, monkeypatch, ended, code
):
    from difftool.cli import detach, tui

    shown = []
    monkeypatch.setenv("TEXTUAL_DRIVER", "a browser's")  # no terminal is needed then
    monkeypatch.setattr(tui, "watch", lambda launched, runs: shown.append((launched, runs)))
    monkeypatch.setattr(detach, "_fail", lambda launched: sys.exit(launched.code))
    begin = launch.train

    def train(args, runs, name):
        launched = begin(args, runs, name)
        launched.code = ended
        return launched

    monkeypatch.setattr(launch, "train", train)
    difftool("train", "tiny.toml", "--ui", "tui", "--name", "n", check=code)
    ((launched, runs),) = shown
    assert (launched.root, str(runs)) == (tmp_path / "runs" / "n", "runs")


def test_a_run_gets_a_name_of_its_own(difftool, started, recipe_file):
    for _ in range(2):
        difftool("train", "tiny.toml", "--detach", check=0)
    first, second = (name for _, _, name in started)
    assert first.startswith("tiny-")
    assert first != second


def test_a_dry_run_starts_nothing(difftool, started, recipe_file):
    assert "parameters" in difftool("train", "tiny.toml", "--detach", "--dry-run", check=0).stdout
    assert started == []


def test_resuming_what_is_complete_starts_nothing(difftool, started, train):
    run = train("train.steps=1")
    assert "already complete" in difftool("resume", run.root, "--detach", check=0).stderr
    assert started == []
    assert not is_locked(run)


@pytest.mark.parametrize("command", ["train", "resume"])
def test_every_option_is_passed_on_or_done_here(command):
    """A new option takes one value, is a switch, or is one of ours."""
    parameters = get_command(app).commands[command].params
    names = {parameter.name for parameter in parameters}
    assert names >= {"detach", "ui", "runs"}
    for parameter in parameters:
        assert parameter.name in OURS or parameter.nargs == 1, parameter.name
        assert not (parameter.is_flag if hasattr(parameter, "is_flag") else False) or (
            parameter.name in OURS and not parameter.secondary_opts
        ), parameter.name


def test_a_log_of_another_trainer_is_left_where_it_is(train, tmp_path):
    log = starting_log(tmp_path / "runs", "run")
    log.parent.mkdir(parents=True)
    log.write_text("difftool: error: an attempt of the same name that failed\n")
    run = train("train.steps=1")
    assert not run.log.exists()
    assert log.exists()


def test_a_busy_run_says_how_to_stop_it(difftool, train):
    run = train("train.steps=1")
    with RunLock(run):
        done = difftool("resume", "run", "--detach", check=3)
    assert "difftool runs stop run (it saves first)" in done.stderr


def test_pictures_are_drawn_by_a_process_of_their_own(train, tmp_path):
    run = train("train.steps=1")
    drawing = launch.sample(run, ["-n", "2", "--device", "cpu"], run.samples / "one")
    assert until(lambda: drawing.state() in ("ended", "failed"))
    assert drawing.state() == "ended", drawing.why()
    assert sorted(path.name for path in drawing.root.glob("seed-*")) == ["seed-00000000.png", "seed-00000001.png"]
    assert drawing.log == run.samples / "one.log"
    again = launch.sample(run, ["-n", "2"], run.samples / "one")
    assert until(lambda: again.state() in ("ended", "failed"))
    assert (again.state(), again.code) == ("failed", 2)
    assert "already there" in again.why()
