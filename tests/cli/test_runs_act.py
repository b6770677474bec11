"""Orders to a trainer: heard, answered and told; refused where nobody could hear them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from difftool.cli import owner, runs_act
from difftool.run.lock import RunLock, is_locked
from difftool.run.reader import Tail, summary

from .conftest import wait_for


@pytest.mark.parametrize("command", ["checkpoint", "preview", "pause", "resume"])
def test_an_order_is_carried_out_and_its_answer_told(cli, make, trained, command):
    run = make()
    trained(run)
    code, out, err = cli("runs", command, "toy")
    assert code == 0
    assert f"{command} heard at step 7" in err
    files = {"checkpoint": "checkpoints", "preview": "previews"}
    assert out == (f"{run.root}/{files[command]}/step-00000007\n" if command in files else "")
    assert summary(run)["state"] == ("paused" if command == "pause" else "running")


@pytest.mark.parametrize("command", ["checkpoint", "preview"])
def test_what_was_not_asked_for_is_not_printed(cli, make, trained, command):
    run = make()
    trained(run, "busy")
    assert cli("runs", command, "toy")[1] == f"{run.root}/{command}s/step-00000007\n"


def test_a_checkpoint_that_was_there_is_printed_all_the_same(cli, make, trained):
    run = make()
    trained(run, "saved")
    assert cli("runs", "checkpoint", "toy")[:2] == (0, "")
    run.checkpoint(7).mkdir()
    assert cli("runs", "checkpoint", "toy")[:2] == (0, f"{run.checkpoint(7)}\n")


def test_json(cli, make, trained):
    run = make()
    trained(run)
    code, out, err = cli("runs", "preview", "toy", "--raw", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["message"] == "preview heard at step 7 {'raw': True}"
    assert (told["ok"], told["command"], told["state"], told["run"]) == (True, "preview", "running", "toy")
    assert told["id"] == json.loads(run.control.read_text())["id"]


@pytest.mark.parametrize("options", [[], ["--kill"]])
def test_stop_waits_for_the_end(cli, make, trained, options):
    run = make()
    trained(run)
    run.checkpoint(8).mkdir()
    code, _, err = cli("runs", "stop", "toy", *options)
    assert code == 0
    assert ("kill" if options else "stop") + " heard at step 7" in err
    assert "toy is stopped, step 8 of 100" in err
    assert "difftool resume toy" in err
    assert not is_locked(run)


def test_stop_need_not_wait(cli, make, trained):
    run = make()
    trained(run)
    code, _, err = cli("runs", "stop", "toy", "--no-wait")
    assert (code, "toy is running" in err) == (0, True)
    wait_for(lambda: summary(run)["state"] == "stopped")


def test_a_no_is_told_as_one(cli, make, trained):
    trained(make(), "refusing")
    code, _, err = cli("runs", "pause", "toy")
    assert code == 2
    assert "toy says no to pause: pause heard at step 7" in err


def test_no_answer(cli, make, trained, monkeypatch):
    monkeypatch.setattr(runs_act, "NO_ANSWER", 0.3)
    run = make()
    trained(run, "deaf")
    code, _, err = cli("runs", "pause", "toy")
    assert code == 3
    assert "no answer to pause from toy" in err
    assert "it seems to be running, step 7 of 100" in err
    assert "difftool runs stop toy --kill" in err


def test_a_trainer_that_does_not_hear_is_killed(cli, make, trained, monkeypatch):
    monkeypatch.setattr(runs_act, "KILL_AFTER", 0.3)
    run = make()
    process = trained(run, "deaf")
    code, _, err = cli("runs", "stop", "toy", "--kill")
    assert code == 0
    assert f"killed process {process.pid}" in err
    assert "toy is crashed" in err
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("owner", [{}, {"pid": 1}, {"pid": "x"}, {"pid": -1}])
def test_nothing_is_killed_when_it_is_not_certain_whom(cli, make, trained, monkeypatch, owner):
    monkeypatch.setattr(runs_act, "KILL_AFTER", 0.3)
    killed = []
    run = make()
    process = trained(run, "deaf")
    run.lock.write_text(json.dumps({**owner, "host": json.loads(run.lock.read_text())["host"]}))
    with monkeypatch.context() as here:
        here.setattr(os, "kill", lambda *about: killed.append(about))
        assert cli("runs", "stop", "toy", "--kill")[0] == 3
    assert killed == []
    assert process.poll() is None


def test_a_stranger_of_the_trainers_number_is_not_killed(cli, make, trained, monkeypatch):
    """In two containers that share a hostname, a number means two processes."""
    monkeypatch.setattr(runs_act, "KILL_AFTER", 0.3)
    run = make()
    trained(run, "deaf")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        run.lock.write_text(json.dumps({**json.loads(run.lock.read_text()), "pid": stranger.pid}))
        code, _, err = cli("runs", "stop", "toy", "--kill", "--no-wait")
        assert stranger.poll() is None
        stranger.kill()
    assert code == 3
    assert "nothing was killed" in err
    assert f"process {stranger.pid} here does not hold its lock" in err


@pytest.mark.parametrize(
    ("taken", "certain"), [("2020-01-01T00:00:00+00:00", False), ("2999-01-01T00:00:00+00:00", True)]
)
def test_where_files_are_secret_the_trainer_is_older_than_its_lock(make, monkeypatch, taken, certain):
    def secret(pid):
        raise PermissionError

    run = make()
    monkeypatch.setattr(owner, "_open_files", secret)
    run.lock.write_text(json.dumps({"started": taken}))
    assert owner.owns(os.getpid(), run) is certain
    run.lock.write_text("{}")
    assert not owner.owns(os.getpid(), run)


def test_a_trainer_elsewhere_is_never_killed(cli, make, monkeypatch):
    monkeypatch.setattr(runs_act, "KILL_AFTER", 0.3)
    monkeypatch.setattr(os, "kill", lambda *about: pytest.fail("killed"))
    run = make()
    about = {"state": "running", "step": 5, "host": "far-away", "pid": os.getpid(), "heartbeat": time.time()}
    run.status.write_text(json.dumps(about))
    with RunLock(run):  # some network file systems show another machine's lock
        run.lock.write_text(json.dumps({"pid": os.getppid(), "host": "far-away"}))
        code, _, err = cli("runs", "stop", "toy", "--kill")
    assert code == 3
    assert "running on far-away" in err
    assert json.loads(run.control.read_text())["command"] == "kill"


@pytest.mark.parametrize(
    ("command", "state", "does"),
    [
        ("resume", "stopped", "do: difftool resume toy\n"),
        ("stop", "stopped", "do: difftool resume toy\n"),
        ("pause", "done", "do: difftool resume toy --set train.steps=N trains it longer\n"),
        ("checkpoint", "failed", "do: difftool resume toy\n"),
        ("preview", "stopped", "do: difftool sample toy -n 16\n"),
        ("stop", None, "do: difftool runs show toy\n"),
    ],
)
def test_where_nobody_trains_it_says_what_to_type(cli, make, command, state, does):
    run = make()
    if state:
        run.status.write_text(json.dumps({"state": state, "step": 3, "total": 9}))
    run.checkpoint(3).mkdir()
    code, out, err = cli("runs", command, "toy")
    assert (code, out) == (2, "")
    assert f"nobody trains toy: it is {state or 'unknown'}, step" in err
    assert err.endswith(does)
    assert not run.control.exists()


def test_a_run_that_ends_before_it_answers(make, trained, environment, tmp_path):
    run = make()
    trainer = trained(run, "deaf")
    command = [sys.executable, "-m", "difftool", "runs", "pause", "toy"]
    asking = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    wait_for(run.control.exists)
    trainer.kill()
    _, err = asking.communicate(timeout=60)
    assert asking.returncode == 3
    assert "toy ended before it could pause: it is crashed" in err
    assert "do: difftool resume toy" in err


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_while_waiting(make, trained, environment, tmp_path):
    run = make()
    trained(run, "deaf")
    command = [sys.executable, "-m", "difftool", "runs", "stop", "toy"]
    asking = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    wait_for(run.control.exists)
    time.sleep(0.3)
    asking.send_signal(signal.SIGINT)
    _, err = asking.communicate(timeout=60)
    assert asking.returncode == 130
    assert err == "no longer waited for; it stays asked: stop\n"
    assert Tail(run).poll()
