"""What a process that was started is up to, told from its files; small programs stand in for a trainer."""

import os
import subprocess
import sys
import time

import pytest

from difftool.errors import DiskError, MachineError
from difftool.run import launch
from difftool.run.launch import Sampling, Training
from difftool.run.layout import RunDir, starting_log
from difftool.run.records import load

WRITER = """
import sys, time
from pathlib import Path
from difftool.run.layout import RunDir
from difftool.run.writer import RunWriter
writer = RunWriter(RunDir(Path(sys.argv[1])))
"""

BEGIN = 'writer.event("start", from_step=4)\nwriter.status(force=True, state="running", step=4)\n'
FAIL = 'writer.event("end")\nwriter.status(force=True, state="failed", step=4)\nsys.exit(6)\n'


@pytest.fixture
def start(run, tmp_path):
    """A program in place of a trainer, its standard error in a log as of one."""
    started = []

    def go(code, kind=Training, root=None, since=0.0, before=b""):
        log = tmp_path / "some.log"
        log.write_bytes(before)
        env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with log.open("ab") as file:
            command = [sys.executable, "-c", code, str(run.root)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=file, env=env)
        started.append(process)
        more = () if kind is Sampling else (since,)
        return kind(root or run.root, log, process, len(before), *more)

    yield go
    for process in started:
        process.stdin.close()
        process.kill()
        process.wait()


def becomes(launched, state):
    deadline = time.monotonic() + 60
    while launched.state() != state and time.monotonic() < deadline:
        time.sleep(0.02)
    return launched.state() == state


def test_it_starts_begins_and_ends(start):
    launched = start("import sys; sys.stdin.read(1)\n" + WRITER + BEGIN + "sys.stdin.read()")
    assert (launched.state(), launched.code) == ("starting", None)
    launched.process.stdin.write(b"x")
    launched.process.stdin.flush()
    assert becomes(launched, "begun")
    launched.process.stdin.close()
    assert becomes(launched, "ended")
    assert launched.code == 0


def test_one_that_begins_and_ends_between_two_looks_has_begun(start):
    launched = start(WRITER + BEGIN + FAIL)
    launched.process.wait()
    assert launched.state() == "ended"
    assert launched.code == 6


def test_one_that_is_only_getting_ready_has_not_begun_and_fails_if_it_ends_so(start, run):
    launched = start(WRITER + "sys.stdin.read(1)\n" + FAIL)
    deadline = time.monotonic() + 60
    while not run.status.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run.status.exists()
    assert launched.state() == "starting"
    launched.process.stdin.close()
    launched.process.wait()
    assert (launched.state(), launched.code) == ("failed", 6)


def test_an_earlier_trainer_of_the_same_number_is_not_taken_for_it(start, run):
    launched = start(WRITER + BEGIN + "sys.stdin.read()", since=time.time() + 1000)
    deadline = time.monotonic() + 60
    while load(run.status).get("state") != "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run.status.exists()
    assert launched.state() == "starting"


@pytest.mark.parametrize(("code", "state", "exit_code"), [("", "ended", 0), ("raise SystemExit(4)", "failed", 4)])
def test_one_that_never_begins(start, code, state, exit_code):
    launched = start(code)
    launched.process.wait()
    assert (launched.state(), launched.code) == (state, exit_code)


def test_a_signal_is_a_code_as_a_shell_has_it(start):
    launched = start("import os; os.kill(os.getpid(), 9)")
    launched.process.wait()
    assert (launched.state(), launched.code) == ("failed", 137)
    assert "signal 9 ended the process" in launched.why()


def test_its_error_is_told_and_an_earlier_one_is_not(start):
    before = b"difftool: error: old\nwhy: of another attempt\n"
    said = "loading\ndifftool: error: no \x1b[31msuch thing\nwhy: because\ndo: this\n\n"
    launched = start(f"import sys; sys.stderr.write({said!r}); sys.exit(2)", before=before)
    launched.process.wait()
    assert launched.why() == "difftool: error: no \\x1b[31msuch thing\nwhy: because\ndo: this"
    assert launched.last_line() == "do: this"


def test_without_an_error_of_ours_the_last_words_are_told(start):
    launched = start("import sys; print('one\\ntwo\\nthree', file=sys.stderr); sys.exit(3)", before=b"older\n")
    launched.process.wait()
    assert launched.why().splitlines() == [
        f"difftool: error: exit code 3 came from the process that was started for {launched.name}", "two", "three",
    ]  # fmt: skip


def test_nothing_said_yet_is_nothing(start):
    launched = start("import sys; sys.stdin.read()", before=b"older\n")
    assert launched.last_line() == ""
    launched.log.unlink()
    assert launched.last_line() == ""


@pytest.mark.parametrize(("code", "state"), [(0, "ended"), (1, "failed")])
def test_sampling_begins_with_a_picture_and_fails_if_not_all_come(start, tmp_path, code, state):
    root = tmp_path / "samples" / "one"
    launched = start(f"import sys; sys.stdin.read(); sys.exit({code})", Sampling, root)
    assert launched.state() == "starting"
    root.mkdir(parents=True)
    (root / "seed-00000000.png").touch()
    assert launched.state() == "begun"
    launched.process.stdin.close()
    assert becomes(launched, state)


def test_old_logs_of_trainers_that_never_began_go(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_start", lambda args, log: (None, 0))
    old, new = starting_log(tmp_path, "old"), starting_log(tmp_path, "new")
    old.parent.mkdir()
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    launch.train([], tmp_path, "mine")
    assert not old.exists()
    assert new.exists()


def test_what_cannot_be_started_is_told_as_that(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(MachineError, match=r"cannot start .*no-python"):
        launch.train(["quickstart"], tmp_path / "runs", "a")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(DiskError):
        launch.train(["quickstart"], tmp_path / "runs", "a")
    with pytest.raises(DiskError):
        launch.resume(RunDir(tmp_path / "runs" / "gone"))
