"""Files are whole or absent, the umask is obeyed, and a full disk delays events instead of ending a run."""

import errno
import hashlib
import json
import os
import threading
import time

import pytest

from difftool.errors import DiskError, InputError
from difftool.run import writer as writer_module
from difftool.run.reader import Tail
from difftool.run.records import load
from difftool.run.writer import RunWriter, create_run, replace_file, write_new


@pytest.fixture
def writer(run):
    writer = RunWriter(run)
    yield writer
    writer.close()


class Disk:
    """os.write with a switch: how many more bytes it takes before it is full."""

    def __init__(self, monkeypatch):
        self.room, self.calls, self._write = None, 0, os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, fd, data):
        self.calls += 1
        if self.room is None:
            return self._write(fd, data)
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = self._write(fd, bytes(data)[: self.room])
        self.room -= done
        return done


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def test_replace_file(tmp_path):
    path = tmp_path / "a.json"
    before = os.umask(0o027)
    try:
        replace_file(path, b"one")
        replace_file(path, b"two")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [child.name for child in tmp_path.iterdir()] == ["a.json"]


def test_replace_file_syncs_the_bytes_before_the_name_and_then_the_folder(tmp_path, monkeypatch):
    order = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("rename"), rename(*names)))
    replace_file(tmp_path / "a", b"x")
    assert order == ["fsync", "rename", "fsync"]
    order.clear()
    replace_file(tmp_path / "a", b"x", sync=False)
    assert order == ["rename"]


def test_replace_file_on_a_full_disk_keeps_the_old_file_and_leaves_no_litter(tmp_path, disk):
    path = tmp_path / "a.json"
    replace_file(path, b"old")
    disk.room = 2
    with pytest.raises(DiskError) as caught:
        replace_file(path, b"newer")
    assert "free some space" in caught.value.do
    assert str(tmp_path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_replace_file_that_cannot_rename_leaves_no_litter(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(DiskError):
        replace_file(tmp_path / "a", b"x")
    assert [child.name for child in tmp_path.iterdir()] == ["a"]


def test_write_new(tmp_path, disk):
    data = os.urandom(5000)
    assert write_new(tmp_path / "w", data) == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "w").read_bytes() == data
    with pytest.raises(DiskError, match="cannot write w"):
        write_new(tmp_path / "w", b"other")
    assert (tmp_path / "w").read_bytes() == data, "an existing file is never touched"
    disk.room = 10
    with pytest.raises(DiskError):
        write_new(tmp_path / "half", data)
    assert not (tmp_path / "half").exists()


def test_create_run(tmp_path):
    run = create_run(tmp_path / "runs" / "toy", {"recipe": "toy", "lr": float("nan")}, "a = '猫'\n")
    assert run.is_run()
    assert run.recipe.read_text("utf-8") == "a = '猫'\n"
    info = json.loads(run.info.read_text())
    assert (info["format"], info["name"], info["recipe"], info["lr"]) == (1, "toy", "toy", None)
    assert "." in info["created"], "microseconds: two runs of one second have an order"
    assert sorted(path.name for path in run.root.iterdir()) == [
        "checkpoints", "events", "previews", "recipe.toml", "run.json",
    ]  # fmt: skip
    with pytest.raises(InputError, match="already there"):
        create_run(run.root, {}, "")
    assert create_run(tmp_path / "runs" / "b", {"created": "then"}, "").info.read_text().count("then") == 1


def test_create_run_on_a_full_disk_leaves_the_name_free(tmp_path, disk):
    disk.room = 0
    with pytest.raises(DiskError):
        create_run(tmp_path / "toy", {}, "")
    disk.room = None
    assert create_run(tmp_path / "toy", {}, "").is_run()


def test_every_attempt_has_its_segment(run):
    for attempt in range(3):
        writer = RunWriter(run)
        assert writer.attempt == attempt
        writer.event("start", attempt=attempt, from_step=0)
        writer.close()
        writer.close()
    assert sorted(path.name for path in run.events.iterdir()) == ["00000.jsonl", "00001.jsonl", "00002.jsonl"]


def test_an_event_is_one_write_and_returned_as_written(writer, run, disk):
    record = writer.event("metrics", step=1, loss=float("nan"))
    assert disk.calls == 1
    assert record == json.loads((run.events / "00000.jsonl").read_text())
    assert record["kind"] == "metrics"
    assert record["nonfinite"] == ["loss"]
    assert record["time"] == round(record["time"], 3)
    assert abs(record["time"] - time.time()) < 5


def test_events_survive_a_full_disk_and_come_later_whole_and_in_order(writer, run, disk):
    tail = Tail(run)
    writer.event("log", message="0")
    disk.room = 5
    for number in range(1, 4):
        writer.event("log", message=str(number))
    assert not writer.sync()
    assert [event["message"] for event in tail.poll()] == ["0"], "the half line waits"
    disk.room = None
    writer.event("log", message="4")
    assert [event["message"] for event in tail.poll()] == ["1", "2", "3", "4"]
    assert tail.bad == 0
    assert writer.sync()


def test_the_memory_for_events_is_bounded_and_the_loss_is_told(writer, run, disk, monkeypatch):
    monkeypatch.setattr(writer_module, "BUFFERED", 3)
    disk.room = 0
    for step in range(10):
        writer.event("metrics", step=step)
    assert writer.lost == 7
    disk.room = None
    writer.event("end", state="done")
    events = Tail(run).poll()
    assert [event.get("step") for event in events] == [0, 9, None, None], "the first may be the start record"
    assert "8 events were lost" in events[-1]["message"]


def test_events_after_close_write_nowhere(writer, run):
    writer.close()
    with (run.root / "innocent").open("wb"):
        writer.event("log", message="late")
    assert (run.root / "innocent").read_bytes() == b""


def test_threads_do_not_mix_their_lines(writer, run):
    def talk():
        for _ in range(50):
            writer.event("log", message="x" * 500)

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tail = Tail(run)
    assert len(tail.poll()) == 200
    assert tail.bad == 0


def test_status_merges_and_is_written_at_most_once_a_second(writer, run, monkeypatch):
    assert load(run.status)["state"] == "starting"
    assert load(run.status)["pid"] == os.getpid()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    writer.status(state="running", step=1, total=10)
    assert load(run.status)["state"] == "starting"
    now += 1.0
    writer.status(step=2, loss=float("inf"))
    status = load(run.status)
    assert (status["state"], status["step"], status["total"], status["loss"]) == ("running", 2, 10, None)
    assert abs(status["heartbeat"] - time.time()) < 5
    writer.status(force=True, state="done", exit=0)
    assert load(run.status)["state"] == "done"


def test_a_heartbeat_that_cannot_be_written_does_not_end_the_run(writer, run, disk):
    disk.room = 0
    writer.status(force=True, step=5)
    disk.room = None
    assert load(run.status)["step"] == 0
    writer.status(force=True)
    assert load(run.status)["step"] == 5


def test_the_litter_of_a_killed_trainer_is_swept(run):
    (run.root / ".status.json.0badf00d.tmp").write_text("{")
    RunWriter(run).close()
    assert not list(run.root.glob(".*"))


def test_a_run_that_cannot_be_written_says_so(run):
    run.events.rmdir()
    with pytest.raises(DiskError, match="events"):
        RunWriter(run)
