"""A run small enough to train in every test: eight pixels square, a U-Net of a few thousand numbers."""

import json
import os
import signal
import subprocess
import sys
from unittest import mock

import pytest

from difftool.cli import app
from difftool.engine.resume import ahead
from difftool.engine.start import resume, start
from difftool.engine.watch import Watcher
from difftool.plugin.loader import installed
from difftool.recipe.load import prepare
from difftool.recipe.source import parse
from difftool.run.lock import RunLock

TINY = """
recipe = 1
name = "tiny"
seed = 7
[data]
name = "shapes"
size = 8
count = 10
[schedule]
name = "linear"
T = 20
scale = true
last = 0.3
[backbone]
name = "unet"
width = 8
mults = [1, 2]
blocks = 1
dropout = 0.2
[sampler]
name = "ddpm"
[sample]
count = 4
batch = 4
[optim]
lr = 1e-3
warmup = 3
lr_decay = "linear"
[train]
steps = 8
batch = 6
accumulate = 2
flip = true
precision = "float32"
ema = 0.9
device = "cpu"
[preview]
every = 0
count = 4
[checkpoint]
every = 100
[log]
every = 2
"""


@pytest.fixture
def registry():
    return installed().registry


@pytest.fixture
def recipe(registry, tmp_path):
    def make(*sets):
        source = parse(TINY.encode(), label="tiny.toml", folder=tmp_path)
        return prepare(source, registry, sets=list(sets)).recipe("none")[0]

    return make


@pytest.fixture
def train(recipe, registry, tmp_path):
    """Trains the tiny recipe with changes; returns the run."""

    def go(*sets, name="run", watcher=None, **options):
        return start(recipe(*sets), registry, tmp_path / "runs", watcher or Watcher(), name=name, **options)

    return go


@pytest.fixture
def go_on(registry):
    """Resumes a run."""

    def go(run, *sets, allow=(), watcher=None):
        with RunLock(run):
            coming = ahead(run, registry, sets, allow)
            resume(run, registry, watcher or Watcher(), coming)
            return not coming.complete

    return go


@pytest.fixture
def difftool(tmp_path, monkeypatch, capsys):
    """The command line in this process, in an empty folder: what it says, and its exit code."""

    def run(*arguments, check=None):
        argv = ["difftool", *map(str, arguments)]
        capsys.readouterr()  # what was printed before is not the command's
        with monkeypatch.context() as here, mock.patch.dict(os.environ):  # what --debug sets goes again
            here.chdir(tmp_path)
            here.setattr(sys, "argv", argv)
            with pytest.raises(SystemExit) as left:
                app.main()
        return _checked(subprocess.CompletedProcess(argv, left.value.code, *capsys.readouterr()), check)

    return run


@pytest.fixture
def difftool_apart(tmp_path):
    """The same in a process of its own, which takes seconds: for what is about processes."""

    def run(*arguments, check=None, **env):
        done = subprocess.run(
            [sys.executable, "-m", "difftool", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **env},
        )
        return _checked(done, check)

    return run


def _checked(done, check):
    if check is not None:
        assert done.returncode == check, done.stderr + done.stdout
    return done


@pytest.fixture
def hears_signals():
    """No signal is ignored, here and in processes begun here, though the tests may have been started so (nohup, &)."""
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def events(run, kind):
    lines = [line for path in sorted(run.events.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if record["kind"] == kind]
