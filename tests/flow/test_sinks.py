"""The sinks that ship, in runs that end as they like."""

import contextlib
import csv
import os
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from difftool.engine.watch import Watcher
from difftool.errors import Stopped
from difftool.run.control import ask
from difftool.run.layout import RunDir
from difftool.run.reader import history

from .conftest import TINY, events

BOTH = ("log.sinks=['tensorboard', 'csv']", "checkpoint.every=4", "preview.every=2", "log.every=1")


class Kill(Watcher):
    """Has the run end at once, without saving, when a step was taken."""

    def __init__(self, run, at):
        self.run, self.at = run, at

    def step(self, step):
        if step == self.at:
            ask(self.run, "kill")


@pytest.fixture
def run(tmp_path):
    return RunDir(tmp_path / "runs" / "run")


def table(run):
    with (run.root / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read(run):
    return EventAccumulator(str(run.root), {"scalars": 0, "images": 0}).Reload()


def is_the_history(run):
    """Both sinks hold each step once, with the run's own numbers."""
    rows = history(run)
    assert [(int(row["step"]), float(row["loss"]), float(row["lr"])) for row in table(run)] == [
        (row["step"], row["loss"], row["lr"]) for row in rows
    ]
    for tag, key in (("loss", "loss"), ("grad_norm", "grad_norm"), ("images", "images")):
        found = [(each.step, each.value) for each in read(run).Scalars(tag)]
        assert found == [(row["step"], pytest.approx(row[key], rel=1e-7)) for row in rows]
    pictures = read(run).Images("preview/pictures")
    assert [each.encoded_image_string for each in pictures] == [
        run.preview(each.step).read_bytes() for each in pictures
    ]
    return [row["step"] for row in rows], [each.step for each in pictures]


def test_a_run_that_was_killed_and_resumed(train, difftool, run):
    with pytest.raises(Stopped):
        train(*BOTH, watcher=Kill(run, 7))
    assert is_the_history(run) == ([1, 2, 3, 4, 5, 6], [2, 4, 6])
    with (run.root / "metrics.csv").open("ab") as file:
        file.write(b"7,18")  # as a trainer leaves it that is killed for good
    (first,) = run.root.glob("events.out.tfevents.*")
    with first.open("ab") as file:
        file.write(b"\x80\0\0")
    difftool("resume", "run", check=0)
    assert [event["from_step"] for event in events(run, "start")] == [0, 4]
    assert is_the_history(run) == ([1, 2, 3, 4, 5, 6, 7, 8], [2, 4, 6, 8])
    assert len(list(run.root.glob("events.out.tfevents.*"))) == 2
    (strip, *_) = read(run).Images("preview/strip")
    with Image.open(run.preview(2, "strip")) as picture:
        assert (strip.width, strip.height) == picture.size


def test_a_run_from_the_command_line(difftool, run, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY + 'sinks = ["csv", { name = "tensorboard", previews = false }]\n')
    difftool("train", "tiny.toml", "--name", "run", check=0)
    assert [row["step"] for row in table(run)] == ["2", "4", "6", "8"]
    assert [each.step for each in read(run).Scalars("loss")] == [2, 4, 6, 8]
    assert read(run).Tags()["images"] == []
    done = difftool("resume", "run", "--set", "train.steps=10", "--allow-change", "train.steps", check=0)
    assert "switched off" not in done.stderr
    assert [row["step"] for row in table(run)] == ["2", "4", "6", "8", "10"]


def test_a_sink_that_cannot_begin_ends_the_run_in_words(train, difftool, run):
    train(*BOTH, "train.steps=2", "optim.lr_decay=none")
    (run.root / "metrics.csv").write_text("name,age\n")
    before = run.recipe.read_bytes()
    done = difftool("resume", "run", "--set", "train.steps=3", check=2)
    assert "difftool: error: there is a metrics.csv with other columns" in done.stderr
    assert "Traceback" not in done.stderr
    assert run.recipe.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
@pytest.mark.parametrize(("name", "writer"), [("events.out.*", "TensorBoardWriter"), ("metrics.csv", "CSVWriter")])
def test_a_disk_that_is_full_costs_only_what_the_sink_would_have_written(train, run, name, writer):
    said = []

    class Filling(Watcher):
        def step(self, step):
            if step == 3:
                (path,) = run.root.glob(name)
                with Path("/dev/full").open("wb") as full:
                    os.dup2(full.fileno(), descriptor(path))

        def say(self, text):
            said.append(text)

    train(*BOTH, "preview.every=0", watcher=Filling())
    assert said == [f"the sink {writer} failed and is switched off: [Errno 28] No space left on device"]
    assert [row["step"] for row in history(run)] == [1, 2, 3, 4, 5, 6, 7, 8]
    written = [int(row["step"]) for row in table(run)], [each.step for each in read(run).Scalars("loss")]
    assert sorted(map(len, written)) == [2, 8]
    assert len(written[name == "events.out.*"]) == 2


def descriptor(path):
    """By which this process has the file open."""
    place = path.stat()
    for number in range(3, 1024):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(number), place):
                return number
    raise AssertionError(f"{path} is not open")
