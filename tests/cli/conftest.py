"""The command line in this process, and runs that need no training."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from difftool.cli import app
from difftool.run.reader import summary
from difftool.run.writer import create_run

TRAINER = Path(__file__).with_name("trainer.py")


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Runs the command line in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def cli(*argv):
        monkeypatch.setattr(sys, "argv", ["difftool", *map(str, argv)])
        with pytest.raises(SystemExit) as caught:
            app.main()
        return caught.value.code, *capsys.readouterr()

    return cli


@pytest.fixture
def make(tmp_path):
    """Makes a run of this name in runs/."""

    def make(name="toy", recipe="recipe = 1\n", **info):
        return create_run(tmp_path / "runs" / name, {"recipe": "toy", "parameters": 1234, **info}, recipe)

    return make


@pytest.fixture
def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


@pytest.fixture
def trained(environment):
    """Starts a process that owns a run and obeys; it is gone when the test ends."""
    with contextlib.ExitStack() as ends:

        def start(run, manner=""):
            process = subprocess.Popen([sys.executable, str(TRAINER), str(run.root), manner], env=environment)
            ends.callback(process.wait)
            ends.callback(process.kill)
            wait_for(lambda: summary(run)["state"] == "running")
            return process

        yield start


@pytest.fixture
def hears_ctrl_c():
    """Processes begun here hear Ctrl-C, though the tests may have been started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def wait_for(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
