"""What is thrown away is the run that was meant, whole, and nothing else."""

import contextlib
import json
import os
import subprocess
import time

import pytest

from difftool.errors import BusyError, DiskError
from difftool.run import trash
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock
from difftool.run.writer import create_run


@pytest.fixture
def weights(run):
    run.weights.write_bytes(b"x" * 1000)
    return run.weights


def everything(folder):
    return {str(path.relative_to(folder)): path.lstat().st_ino for path in folder.rglob("*")}


def test_a_run_in_the_trash_is_whole_and_comes_back(run, weights):
    before = everything(run.root)
    place = trash.discard(run)
    assert place == run.root.parent / ".trash" / "toy-1"
    assert not run.root.exists()
    assert before.items() <= everything(place).items()
    place.rename(run.root)
    assert run.is_run()


def test_a_second_one_of_the_same_name_gets_a_number(run):
    places = [trash.discard(run)]
    for _ in range(2):
        create_run(run.root, {}, "")
        places.append(trash.discard(run))
    assert [place.name for place in places] == ["toy-1", "toy-1-2", "toy-1-3"]
    assert all(RunDir(place).is_run() for place in places)


def test_for_good(run, weights, tmp_path):
    kept = create_run(run.root.parent / "toy-2", {}, "")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (run.root / "link").symlink_to(tmp_path / "precious")
    assert trash.size_of(run) >= 1000
    trash.destroy(run)
    assert list(run.root.parent.iterdir()) == [kept.root]
    assert (tmp_path / "precious" / "file").exists()


def test_other_runs_in_the_trash_stay(run):
    place = trash.discard(run)
    create_run(run.root, {}, "")
    trash.destroy(run)
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("away", [trash.discard, trash.destroy])
def test_of_a_linked_run_only_the_link_is_touched(run, weights, tmp_path, away):
    before = everything(run.root)
    (tmp_path / "here").mkdir()
    link = tmp_path / "here" / "linked"
    link.symlink_to(run.root)
    assert trash.size_of(RunDir(link)) == 0
    away(RunDir(link))
    assert not os.path.lexists(link)
    assert everything(run.root) == before


@pytest.mark.parametrize("away", [trash.discard, trash.destroy])
def test_a_run_that_is_trained_is_refused(run, away):
    with RunLock(run), pytest.raises(BusyError, match="toy-1 is starting") as refused:
        away(run)
    assert "difftool runs stop" in refused.value.do
    assert run.is_run()


@pytest.mark.parametrize(("age", "state"), [(0, "running"), (3600, "stalled")])
def test_a_run_that_is_trained_elsewhere_is_refused(run, age, state):
    run.status.write_text(json.dumps({"state": "running", "host": "far-away", "heartbeat": time.time() - age}))
    with pytest.raises(BusyError, match=f"{state} on far-away"):
        trash.discard(run)
    assert run.is_run()


@pytest.mark.parametrize("away", [trash.discard, trash.destroy])
def test_a_silent_run_of_another_host_goes_by_force_alone(run, away):
    """A container that was started anew has another name, and could never remove the runs of its old one."""
    run.status.write_text(json.dumps({"state": "running", "host": "far-away", "heartbeat": time.time() - 7200}))
    with pytest.raises(BusyError) as refused:
        away(run)
    assert "nothing was heard of it for 2 h" in refused.value.why
    assert f"difftool runs rm --force {run.root}" in refused.value.do
    assert trash.check_idle(run, force=True).startswith(
        "toy-1 was trained on far-away; nothing was heard of it for 2 h"
    )
    away(run, force=True)
    assert not run.root.exists()


@pytest.mark.parametrize(("age", "locked"), [(0, False), (3600, True)])
def test_force_takes_no_run_that_speaks_or_is_locked(run, age, locked):
    run.status.write_text(json.dumps({"state": "running", "host": "far-away", "heartbeat": time.time() - age}))
    with RunLock(run) if locked else contextlib.nullcontext():
        if locked:  # some network file systems show another machine's lock
            run.lock.write_text(json.dumps({"pid": 7, "host": "far-away", "started": "2020-01-01T00:00:00+00:00"}))
        with pytest.raises(BusyError) as refused:
            trash.discard(run, force=True)
    assert "--force" not in refused.value.do
    assert run.is_run()


def test_no_trainer_can_begin_while_it_is_deleted(run, monkeypatch):
    held = []
    rename = type(run.root).rename

    def spy(path, target):
        asked = subprocess.run(["flock", "--nonblock", str(run.lock), "true"], check=False)
        held.append(asked.returncode)
        return rename(path, target)

    monkeypatch.setattr(type(run.root), "rename", spy)
    trash.discard(run)
    assert held == [1]


def test_what_cannot_be_moved_stays_and_says_why(run):
    (run.root.parent / ".trash").touch()
    with pytest.raises(DiskError, match="cannot move the run into the trash"):
        trash.discard(run)
    assert run.is_run()
