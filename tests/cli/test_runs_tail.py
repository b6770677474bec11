"""`difftool runs tail`: lines for people, everything as JSON for a viewer, and ends as it should."""

import base64
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from difftool.cli.runs_stream import as_json
from difftool.run.lock import RunLock
from difftool.run.reader import history, summary
from difftool.run.writer import RunWriter

from .conftest import wait_for

PNG = b"\x89PNG\r\n\x1a\n and so on"
ROW = {"loss": 0.5, "images_per_s": 80.0, "lr": 1e-4}


def rows(writer, *steps):
    for step in steps:
        writer.event("metrics", step=step, images=step * 8, **ROW)


@pytest.fixture
def run(make):
    """A run that ended, with something of every kind."""
    run = make()
    writer = RunWriter(run)
    writer.event("start", attempt=0, from_step=0, total=40)
    writer.event("system", cpu=0.5)
    rows(writer, *range(1, 31))
    writer.event("preview", step=30, path="previews/step-00000030.png", strip="previews/step-00000030.strip.png")
    writer.event("log", level="warning", message="be\x1bware\nof it")
    writer.event("ack", id="1", step=30, ok=True, message="paused at step 30", command="pause")
    writer.event("invented", x=1)
    writer.event("checkpoint", step=30, path="checkpoints/step-00000030", seconds=1.0)
    writer.event("end", state="stopped", exit=75, step=30)
    writer.status(force=True, state="stopped", step=30, total=40, exit=75)
    writer.close()
    run.preview(30).write_bytes(PNG)
    return run


def test_the_last_lines_for_people(cli, run):
    code, out, err = cli("runs", "tail", "toy", "-n", "7")
    assert code == 0
    assert [line[21:] for line in out.splitlines()] == [
        "step 29/40  loss 0.5000  80 pictures/s  1 s left",
        "step 30/40  loss 0.5000  80 pictures/s  1 s left",
        f"preview  {run.preview(30)}",
        "warning: be\\x1bware\\nof it",
        "asked to pause: paused at step 30",
        f"checkpoint  {run.checkpoint(30)}",
        "stopped at step 30",
    ]
    assert err == "toy is stopped, step 30 of 40\n"


@pytest.mark.parametrize("lines", [0, 1, 20, 36, 1000])
def test_as_many_lines_as_asked_for(cli, run, lines):
    out = cli("runs", "tail", "toy", "-n", lines)[1]
    assert len(out.splitlines()) == min(lines, 36)
    if lines > 36:
        assert out.splitlines()[0].endswith("begins, 40 steps in all")


def test_lines_that_are_rare_are_found_far_back(cli, make):
    run = make()
    writer = RunWriter(run)
    rows(writer, 1)
    for _ in range(3000):
        writer.event("system", cpu=0.5)
    rows(writer, 2)
    writer.close()
    assert [line[21:28] for line in cli("runs", "tail", "toy", "-n", "2")[1].splitlines()] == ["step 1 ", "step 2 "]


@pytest.mark.parametrize(
    "event", [{"time": "x"}, {"time": 1e99}, {"path": 7}, {"step": "x", "loss": "y", "images_per_s": []}]
)
@pytest.mark.parametrize("kind", ["start", "metrics", "preview", "checkpoint", "log", "ack", "end"])
def test_nonsense_is_no_bug(cli, make, kind, event):
    run = make()
    (run.events / "00000.jsonl").write_text(json.dumps({"kind": kind, **event}) + "\n")
    code, out, _ = cli("runs", "tail", "toy")
    assert (code, len(out.splitlines())) == (0, 1)


def test_everything_as_json(cli, run):
    code, out, err = cli("runs", "tail", "toy", "--json")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    first, *events, last = lines
    assert (first["kind"], first["name"], first["state"], first["recipe"]) == ("run", "toy", "stopped", "recipe = 1\n")
    assert first["info"] == json.loads(run.info.read_text())
    written = [json.loads(line) for line in (run.events / "00000.jsonl").read_text().splitlines()]
    assert events == written
    assert {**last, "age": 0} == {"kind": "state", **summary(run), "age": 0}


def test_pictures_are_sent_if_they_are_ours_and_small(cli, run, tmp_path):
    (tmp_path / "secret.png").write_bytes(PNG)
    run.previews.joinpath("text.png").write_text("no picture")
    run.previews.joinpath("large.png").write_bytes(PNG + bytes(2 << 20))
    run.previews.joinpath("linked.png").symlink_to(tmp_path / "secret.png")
    paths = ["../../secret.png", str(tmp_path / "secret.png"), "previews/linked.png", "previews/large.png"]
    paths += ["previews/text.png", "previews/none.png", "previews", "run.json", "a\0b", 7, None]
    with (run.events / "00000.jsonl").open("a") as file:
        file.writelines(json.dumps({"kind": "preview", "path": path, "raw": path}) + "\n" for path in paths)
    plain = [json.loads(line) for line in cli("runs", "tail", "toy", "--json")[1].splitlines()]
    assert not [line for line in plain if "png" in line]
    code, out, _ = cli("runs", "tail", "toy", "--json", "--pictures")
    lines = [json.loads(line) for line in out.splitlines()]
    sent = [line for line in lines if line.keys() & {"png", "png_raw", "png_strip"}]
    assert (code, [base64.b64decode(line["png"]) for line in sent]) == (0, [PNG])
    assert "png_strip" not in sent[0], "it was not drawn"
    run.preview(30, "strip").write_bytes(PNG + b"strip")
    sent = [json.loads(line) for line in cli("runs", "tail", "toy", "--json", "--pictures")[1].splitlines()]
    assert [base64.b64decode(line["png_strip"]) for line in sent if "png_strip" in line] == [PNG + b"strip"]


def test_pictures_need_json(cli, run):
    assert cli("runs", "tail", "toy", "--pictures")[0] == 2


@pytest.mark.parametrize(
    "record", [{"a": "猫\x7f\u202e\x85"}, {"a": "\ud800"}, {"a": 10**400}, {"a": [1e-5, None, True, 1e300, -0.0]}]
)
def test_a_line_is_ascii_and_says_the_same(record):
    line = as_json(record)
    assert all(32 <= byte < 127 for byte in line[:-1])
    assert repr(json.loads(line)) == repr(record)


@pytest.fixture
def tailing(environment, tmp_path):
    """Starts `difftool runs tail toy ...` in a process of its own."""
    begun = []

    def start(*options, stdout=subprocess.PIPE):
        command = [sys.executable, "-m", "difftool", "runs", "tail", "toy", *options]
        pipes = {"stdout": stdout, "stderr": subprocess.PIPE, "text": True}
        begun.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_it_follows_while_the_run_is_trained_and_ends_with_it(make, tailing):
    run = make()
    with RunLock(run):
        writer = RunWriter(run)
        writer.status(force=True, state="running", step=1, total=3)
        rows(writer, 1)
        process = tailing()
        assert "step 1/3" in process.stdout.readline()
        rows(writer, 2)
        assert "step 2/3" in process.stdout.readline()
        rows(writer, 3)
        writer.status(force=True, state="done", step=3)
        writer.close()
    out, err = process.communicate(timeout=60)
    assert ("step 3/3" in out, process.returncode) == (True, 0)
    assert err == "toy is running, step 1 of 3\ntoy is done, step 3 of 3\n"


def test_json_tells_of_states_and_of_a_run_in_its_place(make, tailing):
    run = make()
    with RunLock(run):
        writer = RunWriter(run)
        writer.status(force=True, state="running", step=1, total=3)
        rows(writer, 1)
        process = tailing("--json")
        heard = []

        def next_of(kind, **fields):
            while True:
                heard.append(json.loads(process.stdout.readline()))
                if heard[-1]["kind"] == kind and fields.items() <= heard[-1].items():
                    return heard[-1]

        next_of("state", state="running")
        writer.status(force=True, state="paused")
        next_of("state", state="paused")
        next_of("state", state="paused")  # nothing changes, and yet it is told of again
        os.truncate(run.events / "00000.jsonl", 0)
        next_of("again")
        next_of("run")
        rows(writer, 2)
        assert next_of("metrics")["step"] == 2
        writer.status(force=True, state="stopped")
        writer.close()
    next_of("state", state="stopped")
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


@pytest.mark.usefixtures("hears_ctrl_c")
@pytest.mark.parametrize("options", [["-f"], ["-f", "--json"]])
def test_ctrl_c_ends_it_quietly(run, tailing, options):
    process = tailing(*options)
    process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err in ("", "toy is stopped, step 30 of 40\n")


@pytest.mark.parametrize("options", [["-f", "-n", "1"], ["-f", "--json"]])
def test_a_reader_that_goes_away_ends_it_quietly_though_nothing_happens(run, tailing, options):
    process = tailing(*options)
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.replace("toy is stopped, step 30 of 40\n", "")) == (0, "")


@pytest.mark.parametrize("options", [["--no-follow"], ["--json", "--no-follow"]])
def test_it_need_not_follow(make, tailing, options):
    run = make()
    with RunLock(run):
        RunWriter(run).status(force=True, state="running")
        assert tailing(*options).wait(timeout=60) == 0


def test_into_a_file(run, tailing, tmp_path):
    with (tmp_path / "out").open("w") as out:
        assert tailing("--json", stdout=out).wait(timeout=60) == 0
    wait_for(lambda: (tmp_path / "out").stat().st_size)
    steps = [json.loads(line).get("step") for line in (tmp_path / "out").read_text().splitlines()][3:33]
    assert steps == [row["step"] for row in history(run)]
