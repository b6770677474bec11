"""The command line from outside: exit codes, what is said and where, what is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import TINY, events

SMALL = ("--set", "train.steps=3", "--ui", "plain")


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_run_says_what_it_does_and_leaves_what_the_docs_say(difftool, difftool_apart, recipe_file, tmp_path):
    done = difftool_apart("train", "tiny.toml", "--name", "a", *SMALL, check=0)
    for words in ("10 pictures, 8x8, 3 channels", "parameters", "abar_T", "3 steps of 6", "disk", "checkpoint every"):
        assert words in done.stderr
    root = tmp_path / "runs" / "a"
    assert done.stdout.strip() == str(root)
    assert f"difftool sample {Path('runs') / 'a'}" in done.stderr
    assert "\x1b" not in done.stderr
    left = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert left == {
        "run.json",
        "recipe.toml",
        "lock",
        "status.json",
        "data.png",
        "events/00000.jsonl",
        "previews/step-00000003.png",
        "previews/step-00000003.json",
        "previews/step-00000003.strip.png",
        "model.safetensors",
        *(
            f"checkpoints/step-00000003/{name}"
            for name in ("model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json")
        ),
    }
    assert (root / "model.safetensors").stat().st_mode & 0o777 == 0o666 & ~_umask()
    info = json.loads((root / "run.json").read_text())
    assert info["versions"].keys() >= {"difftool", "torch", "python"}
    assert info["differs"]["backbone.width"] == 8
    assert info["argv"][1:3] == ["train", "tiny.toml"]
    assert json.loads((root / "status.json").read_text())["state"] == "done"
    done = difftool("runs", "show", "a", check=0)
    assert "done, step 3 of 3" in done.stdout
    (row,) = json.loads(difftool("runs", "list", "--json", check=0).stdout)
    assert (row["name"], row["state"], row["step"]) == ("a", "done", 3)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_metrics_rows_have_every_field(train):
    run = train("log.every=3")
    rows = events(run, "metrics")
    assert [row["step"] for row in rows] == [3, 6, 8]
    wanted = [
        "kind",
        "time",
        "step",
        "images",
        "loss",
        "loss_q",
        "grad_norm",
        "lr",
        "images_per_s",
        "data_wait",
        "ema_decay",
    ]
    assert all(list(row) == wanted for row in rows)
    assert rows[0]["images"] == 18
    assert all(len(row["loss_q"]) == 4 for row in rows)


def test_previews_come_from_the_same_noise_every_time(train):
    run = train("preview.every=2", "optim.lr=1e-12")
    shown = [run.preview(step).with_suffix(".json").read_text() for step in (2, 4, 6, 8)]
    assert all(json.loads(text)["seeds"] == "0-3" for text in shown)
    # With a learning rate of nothing the network stays, so the pictures stay: only the noise could move them.
    from PIL import Image

    assert len({Image.open(run.preview(step)).tobytes() for step in (2, 4, 6, 8)}) == 1


def test_previews_are_drawn_with_the_averaged_weights(train):
    """At the last step the preview is what model.safetensors, the average, draws from the same seeds."""
    import numpy as np
    from PIL import Image

    import difftool
    from difftool.data.sheet import sheet

    run = train("train.ema_warmup=false", "train.ema=0.999", "optim.lr=0.05", "optim.warmup=0")
    shown = np.asarray(Image.open(run.preview(8)))
    assert np.array_equal(shown, sheet(difftool.load(run.weights, "cpu").sample(range(4), batch=4).numpy()))
    raw = difftool.load(run.checkpoint(8) / "model.safetensors", "cpu").sample(range(4), batch=4)
    assert not np.array_equal(shown, sheet(raw.numpy()))


def test_a_second_run_gets_a_folder_of_its_own(difftool, recipe_file, tmp_path):
    for _ in range(2):
        difftool("train", "tiny.toml", "--set", "train.steps=1", check=0)
    assert len(list((tmp_path / "runs").iterdir())) == 2
    difftool("train", "tiny.toml", "--name", "x", "--set", "train.steps=1", check=0)
    refused = difftool("train", "tiny.toml", "--name", "x", check=2)
    assert "already a run called x" in refused.stderr
    assert "difftool resume" in refused.stderr


@pytest.mark.usefixtures("hears_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_and_has_its_exit_code(recipe_file, tmp_path, number):
    command = [sys.executable, "-m", "difftool", "train", "tiny.toml", "--name", "s", "--set", "train.steps=100000"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    root = tmp_path / "runs" / "s"
    deadline = time.monotonic() + 120
    while not any(p.stat().st_size > 800 for p in root.glob("events/*.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 75), stderr
    assert "Traceback" not in stderr
    assert "saved: step" in stderr
    assert "do: difftool resume" in stderr
    (folder,) = (root / "checkpoints").iterdir()
    step = int(folder.name.removeprefix("step-"))
    assert f"stopped at step {step} of 100000" in stderr
    assert json.loads((root / "status.json").read_text())["state"] == "stopped"


def test_a_reader_that_goes_away_does_not_end_the_training(recipe_file, tmp_path):
    """`difftool train ... 2>&1 | head -1`: the pipe breaks, the run goes on."""
    line = f"{sys.executable} -m difftool train tiny.toml --name p 2>&1 | head -1"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run(["bash", "-c", line], cwd=tmp_path, env=env, check=False, timeout=120, capture_output=True)
    deadline = time.monotonic() + 30
    status = tmp_path / "runs" / "p" / "status.json"
    while json.loads(status.read_text())["state"] == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert json.loads(status.read_text())["state"] == "done"


def test_a_busy_run_is_refused_and_by_whom_it_is_held(difftool_apart, train):
    from difftool.run.lock import RunLock

    run = train("train.steps=1")
    with RunLock(run):
        done = difftool_apart("resume", run.root, check=3)
    assert str(os.getpid()) in done.stderr


def test_non_finite_loss_stops_with_its_own_code_and_never_saves_it(train, tmp_path, monkeypatch):
    import torch

    from difftool.builtin.losses import L2
    from difftool.engine.sealed import open_sealed
    from difftool.engine.weights import tensors_of
    from difftool.errors import NonFiniteError

    plain, calls = L2.__call__, []

    def poisoned(self, output, noised):
        calls.append(1)
        return plain(self, output, noised) * (float("nan") if len(calls) > 9 else 1)

    monkeypatch.setattr(L2, "__call__", poisoned)
    with pytest.raises(NonFiniteError) as stopped:
        train("checkpoint.every=2", "train.steps=20")
    assert stopped.value.exit_code == 6
    assert "saved: step " in stopped.value.render()

    for path in (tmp_path / "runs" / "run").rglob("*.safetensors"):
        assert all(torch.isfinite(value).all() for value in tensors_of(open_sealed(path)).values()), path


def test_a_preview_that_fails_does_not_end_training(train, monkeypatch):
    from difftool.builtin.ddpm import DDPM

    def broken(self, denoiser, x, times, draw):
        raise RuntimeError("no picture today")
        yield

    monkeypatch.setattr(DDPM, "run", broken)
    run = train("preview.every=2")
    assert len([event for event in events(run, "log") if "no picture today" in event["message"]]) == 4
    assert events(run, "end")[0]["state"] == "done"


def test_dry_run_counts_and_changes_nothing(difftool, recipe_file, tmp_path):
    done = difftool(
        "train", "tiny.toml", "--dry-run", "--set",
        'backbone={name="unet",width=128,mults=[1,2,2,2],blocks=2,attention=[16]}', "--set", "data.size=32", check=0,
    )  # fmt: skip
    assert "35,746,307 parameters" in done.stdout  # Ho et al. 2020, CIFAR-10
    for words in ("[3, 32, 32]", "[6, 3, 32, 32]", "GiB", "not default", "optim.lr = 0.001"):
        assert words in done.stdout
    assert not (tmp_path / "runs").exists()


def test_json_ui_is_one_object_a_line(difftool, recipe_file):
    done = difftool("train", "tiny.toml", "--ui", "json", check=0)
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds[0] == "begin"
    assert kinds[-1] == "done"
    assert kinds.count("metrics") == 4


def test_missing_devices_are_said_so(difftool, recipe_file):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = difftool("train", "tiny.toml", "--set", "train.device=cuda", check=5)
    assert "there is no cuda here" in done.stderr


def test_doctor_says_what_is_here(difftool):
    facts = json.loads(difftool("doctor", "--json", check=0).stdout)["facts"]
    assert facts.keys() >= {"difftool", "python", "torch", "device", "faster", "recipes"}
    assert "ready" in difftool("doctor", check=0).stdout


def test_a_full_disk_is_foreseen(train, monkeypatch):
    from difftool.errors import DiskError

    real = os.statvfs

    class Full:
        f_bavail, f_frsize = 1, 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Full())
    with pytest.raises(DiskError, match="are needed for checkpoints") as full:
        train()
    assert full.value.exit_code == 74
    monkeypatch.setattr(os, "statvfs", real)


def test_observers_and_sinks_hear_of_a_run(train, monkeypatch):
    from difftool.engine import session
    from difftool.plugin.loader import Installed, Plugin, Source, installed

    heard = []
    plugin = Plugin(Source("acme", "1", "watch", "acme"))
    for hook in ("on_run_start", "on_log", "on_preview", "on_checkpoint", "on_run_end"):
        plugin.observers[hook] = lambda hook=hook, **given: heard.append((hook, sorted(given)))
    monkeypatch.setattr(session, "installed", lambda: Installed([plugin], installed().registry))
    train("train.steps=2")
    assert [hook for hook, _ in heard] == ["on_run_start", "on_log", "on_checkpoint", "on_preview", "on_run_end"]
    assert dict(heard)["on_preview"] == ["image", "run", "step"]


@pytest.mark.usefixtures("hears_signals")
def test_ctrl_c_while_torch_is_loaded_is_clean(recipe_file, tmp_path):
    """The import is let finish: a half-imported torch cannot be told from a bug."""
    code = (
        "import sys, os, signal, threading, importlib.abc\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.argv = ['difftool', 'train', 'tiny.toml']\n"
        "from difftool.cli.app import main\n"
        "main()\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
