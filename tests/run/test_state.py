"""A run's state is the truth, whatever its files say; a folder of runs is told without reading what rests."""

import json
import os
import shutil
import time

import pytest

from difftool.run import state
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock
from difftool.run.reader import STALE, Runs, summary
from difftool.run.writer import RunWriter, create_run


@pytest.fixture(autouse=True)
def _this_machine(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "here")


def say(run, **status):
    draft = run.root / ".draft"
    draft.write_text(json.dumps(status))
    draft.replace(run.status)


def test_summary_of_a_run(run):
    writer = RunWriter(run)
    writer.status(force=True, state="done", step=10, total=10, loss=0.5, rate=80.0, eta=0.0, exit=0, curve=[1.0, None])
    writer.close()
    run.checkpoint(5).mkdir()
    run.checkpoint(10).mkdir()
    found = summary(run)
    json.dumps(found, allow_nan=False)
    assert 0 <= found.pop("age") < 60
    assert abs(found.pop("heartbeat") - time.time()) < 60
    assert isinstance(found.pop("created"), str)
    assert found == {
        "name": "toy-1", "path": str(run.root), "state": "done", "step": 10, "total": 10, "loss": 0.5, "rate": 80.0,
        "eta": None, "curve": [1.0, None], "device": "cpu", "host": "here", "here": True, "pid": os.getpid(),
        "exit": 0, "attempts": 1, "checkpoint": 10, "recipe": "toy",
    }  # fmt: skip


@pytest.mark.parametrize("said", ["starting", "running", "paused"])
def test_without_its_lock_a_run_that_says_it_trains_has_crashed(run, said):
    say(run, state=said, host="here", heartbeat=time.time(), eta=5.0)
    assert (summary(run)["state"], summary(run)["eta"]) == ("crashed", None)
    with RunLock(run):
        say(run, state=said, host="here", heartbeat=time.time() + 0.01, eta=5.0)
        assert (summary(run)["state"], summary(run)["eta"]) == (said, 5.0)


@pytest.mark.parametrize("said", ["stopped", "done", "failed"])
def test_the_last_word_holds_until_somebody_takes_the_lock(run, said):
    say(run, state=said, host="here", heartbeat=time.time() - 5)
    assert summary(run)["state"] == said
    with RunLock(run):
        assert summary(run)["state"] == "starting", "the next attempt loads"
        say(run, state="running", host="here", heartbeat=time.time() + 0.01)
        assert summary(run)["state"] == "running"
        say(run, state=said, host="here", heartbeat=time.time() + 0.01)
        assert summary(run)["state"] == said, "its owner has ended, and lets go any moment"
    assert summary(run)["state"] == said


def test_a_lock_without_words(run):
    assert summary(run)["state"] == "unknown"
    with RunLock(run):
        assert summary(run)["state"] == "starting"
        os.truncate(run.lock, 0)  # a full disk
        say(run, state="done", host="here")
        assert summary(run)["state"] == "running"
        assert summary(run)["here"]


def test_a_trainer_that_gives_no_sign_of_life_is_stalled(run, monkeypatch):
    with RunLock(run):
        say(run, state="running", host="here", heartbeat=time.time() + 1)
        assert summary(run)["state"] == "running"
        now = time.time()
        monkeypatch.setattr(state.time, "time", lambda: now + STALE + 2)
        assert (summary(run)["state"], summary(run)["eta"]) == ("stalled", None)


@pytest.mark.parametrize("said", ["starting", "running", "paused"])
def test_the_state_of_another_machines_run(run, said):
    say(run, state=said, host="there", heartbeat=time.time() - STALE + 30, pid=7)
    found = summary(run)
    assert [found[key] for key in ("state", "host", "here", "pid")] == [said, "there", False, 7]
    say(run, state=said, host="there", heartbeat=time.time() - STALE - 1)
    assert summary(run)["state"] == "stalled"


def test_a_run_that_begins_while_we_look_has_not_crashed(run, monkeypatch):
    run.lock.touch()
    say(run, state="running", host="here")
    answers = iter([False, True])
    monkeypatch.setattr(state, "is_locked", lambda _: next(answers))
    assert summary(run)["state"] == "running"


def test_summary_tolerates_damage_and_absence(run, tmp_path):
    run.status.write_bytes(b"{half")
    run.info.write_bytes(b"\xff")
    run.lock.mkdir()
    assert summary(run)["state"] == "unknown"
    empty = summary(RunDir(tmp_path / "nowhere"))
    assert (empty["attempts"], empty["checkpoint"], empty["created"], empty["age"]) == (0, None, None, None)
    assert (empty["host"], empty["here"], empty["pid"], empty["heartbeat"], empty["curve"]) == (
        None,
        False,
        None,
        None,
        [],
    )


# A folder of runs


@pytest.fixture
def folder(run):
    return run.root.parent


def names(rows):
    return [row["name"] for row in rows]


def test_runs_come_newest_first_and_are_told_as_by_summary(run, folder):
    other = create_run(folder / "toy-2", {"recipe": "toy"}, "")
    (folder / "notes").mkdir()
    (folder / "file").touch()
    rows = Runs(folder).poll()
    assert names(rows) == ["toy-2", "toy-1"]
    for row, each in zip(rows, (other, run), strict=True):
        assert {**row, "age": 0} == {**summary(each), "age": 0}


def test_runs_come_change_and_go(run, folder):
    runs = Runs(folder)
    assert runs.poll()[0]["state"] == "unknown"
    say(run, state="stopped", host="here", heartbeat=1.0, step=1)
    assert [(row["state"], row["step"]) for row in runs.poll()] == [("stopped", 1)]
    say(run, state="stopped", host="here", heartbeat=1.0, step=2)
    assert runs.poll()[0]["step"] == 2
    run.checkpoint(2).mkdir()
    assert runs.poll()[0]["checkpoint"] == 2
    run.checkpoint(3).mkdir()
    assert runs.poll()[0]["checkpoint"] == 3, "also within one tick of the folder's clock"
    with RunLock(run):
        assert runs.poll()[0]["state"] == "starting"
        say(run, state="running", host="here", heartbeat=time.time() + 0.01)
        assert runs.poll()[0]["state"] == "running"
    assert runs.poll()[0]["state"] == "crashed"
    create_run(folder / "toy-2", {"recipe": "toy"}, "")
    assert names(runs.poll()) == ["toy-2", "toy-1"]
    shutil.rmtree(run.root)
    assert names(runs.poll()) == ["toy-2"]
    create_run(run.root, {"recipe": "other"}, "")
    newest = runs.poll()[0]
    assert (newest["name"], newest["recipe"], newest["state"]) == ("toy-1", "other", "unknown")


def test_a_run_that_rests_is_not_read_again(run, folder, monkeypatch):
    say(run, state="done", host="here", heartbeat=1.0, step=7)
    with RunLock(run):
        pass
    for each in (run.events, run.checkpoints):
        os.utime(each, (1, 1))
    runs = Runs(folder)
    first = runs.poll()
    for name in ("load", "is_locked", "segments", "checkpoint_steps"):
        monkeypatch.setattr(state, name, lambda _: pytest.fail("read again"))
    monkeypatch.setattr(RunDir, "is_run", lambda _: pytest.fail("read again"))
    again = runs.poll()
    assert [{**row, "age": 0} for row in again] == [{**row, "age": 0} for row in first]
    assert again[0]["age"] >= first[0]["age"]


@pytest.mark.parametrize("what", ["nowhere", "file"])
def test_a_folder_that_is_none_has_no_runs(tmp_path, what):
    (tmp_path / "file").touch()
    assert Runs(tmp_path / what).poll() == []
