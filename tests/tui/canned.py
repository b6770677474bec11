"""A small folder of runs made by code: the same bytes every time, no training, no clock.

What the machine with two GPUs says is in machine.jsonl: sixty seconds, made up after what such machines tell, with a
checkpoint in the middle.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image, ImageDraw

from difftool.run.layout import RunDir
from difftool.run.records import encode

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
HERE = "desk"
ELSEWHERE = "gpu-box"
MACHINE = Path(__file__).parent / "machine.jsonl"
NO_GPU = "no NVIDIA driver on this machine"

RUNNING = "anime64-20261120-101530-7f3a"
STOPPED = "digits-20261120-093000-11aa"
DONE = "quickstart-20261119-180000-c0de"
CRASHED = "overnight"
FAILED = "too-hot"


def freeze(patch: Any) -> None:
    """It is noon on the machine HERE, in UTC, for as long as the monkeypatch lasts."""
    patch.setattr("difftool.run.state.time", SimpleNamespace(time=lambda: NOW))
    patch.setattr("difftool.run.state.socket", SimpleNamespace(gethostname=lambda: HERE))
    patch.setattr("difftool.tui.panels.entry_points", lambda **_: [])  # what is installed here is not the tests' affair
    for name, value in {"TZ": "UTC", "DIFFTOOL_ASCII": "0"}.items():
        patch.setenv(name, value)
    for name in ("NO_COLOR", "TEXTUAL_DRIVER"):
        patch.delenv(name, raising=False)
    time.tzset()


def make(folder: Path) -> dict[str, RunDir]:
    """All of them, the newest first."""
    return {
        run.name: run for run in (_running(folder), _stopped(folder), _done(folder), _crashed(folder), _failed(folder))
    }


# The pieces


def line(kind: str, when: float, **words: Any) -> bytes:
    """An event as it stands in a segment."""
    return encode({"kind": kind, "time": round(when, 3), **words})


def rows(
    last: int, since: float, first: int = 0, pace: float = 0.08, seed: int = 1, **odd: Mapping[str, Any]
) -> list[bytes]:
    """Rows of metrics, one in fifty steps of `pace` seconds; `odd` replaces values of a row: `at_250={"loss": 3.0}`."""
    dice, found = random.Random(seed), []
    for step in range(first + 50, last + 1, 50):
        loss = 0.04 + 0.35 * math.exp(-step / 700) + 0.004 * dice.random()
        row = {
            "step": step,
            "images": step * 64,
            "loss": loss,
            "loss_q": [loss * share for share in (1.9, 1.1, 0.6, 0.4)],
            "grad_norm": 0.2 + 1.5 * math.exp(-step / 400) + 0.05 * dice.random(),
            "lr": 2e-4 * min(1.0, step / 500),
            "images_per_s": 1480 + 40 * dice.random(),
            "data_wait": 0.01 + 0.02 * dice.random(),
            "ema_decay": min(0.9999, (1 + step) / (10 + step)),
        }
        found.append(line("metrics", since + pace * (step - first), **(row | odd.get(f"at_{step}", {}))))
    return found


def sheet(count: int, size: int, grown: float, seed: int = 0) -> Image.Image:
    """A square of faces that are the clearer the more they are grown, from 0 to 1."""
    across = math.ceil(math.sqrt(count))
    picture = Image.new("RGB", (across * size, math.ceil(count / across) * size), (20, 20, 28))
    for k in range(count):
        dice = random.Random(f"{seed}-{k}")
        x, y = k % across * size, k // across * size
        pixels = [tuple(dice.randrange(256) for _ in range(3)) for _ in range(size * size)]
        noise = Image.new("RGB", (size, size))
        noise.putdata(pixels)
        face = Image.new("RGB", (size, size), tuple(dice.randrange(60, 200) for _ in range(3)))
        draw = ImageDraw.Draw(face)
        draw.ellipse((size // 8, size // 8, size - size // 8, size - size // 8), fill=(240, 200, 170))
        for eye in (size // 3, size - size // 3):
            draw.rectangle((eye - 1, size // 2 - 1, eye, size // 2), fill=(30, 30, 60))
        picture.paste(Image.blend(noise, face, grown), (x, y))
    return picture


def strip(size: int, seed: int = 0) -> Image.Image:
    """The first four faces, each in five frames from noise to itself."""
    picture = Image.new("RGB", (5 * size, 4 * size))
    for frame in range(5):
        four = sheet(4, size, frame / 4, seed)
        for k in range(4):
            x, y = k % 2 * size, k // 2 * size
            picture.paste(four.crop((x, y, x + size, y + size)), (frame * size, k * size))
    return picture


def preview(
    run: RunDir, step: int, when: float, grown: float, kinds: Sequence[str] = ("strip",), count: int = 16
) -> bytes:
    """Draws the pictures of a step, and returns the event that tells of them."""
    words: dict[str, Any] = {"path": f"previews/{run.preview(step).name}"}
    sheet(count, 16, grown).save(run.preview(step))
    for kind in kinds:
        words[kind] = f"previews/{run.preview(step, kind).name}"
        (strip(16) if kind == "strip" else sheet(count, 16, grown * 0.7)).save(run.preview(step, kind))
    sampler = {"name": "ddpm", "variance": "full"}
    return line("preview", when, step=step, seeds=f"0-{count - 1}", sampler=sampler, steps=50, ema=True, **words)


def system(when: float, busy: float = 0.9) -> dict[str, Any]:
    """The figures of a machine without a GPU."""
    gib = 2**30
    return {
        "time": when,
        "cpu": busy,
        "cores": 8,
        "memory": 9.5 * gib,
        "memory_total": 32 * gib,
        "process": 1.6 * gib,
        "disk_free": 40 * gib,
        "disk_total": 480 * gib,
        "gpus": [],
        "absent": {"gpus": NO_GPU},
    }


def machine(since: float) -> Iterator[bytes]:
    """Sixty seconds of the machine with two GPUs."""
    for number, text in enumerate(MACHINE.read_text().splitlines()):
        yield line("system", since + number, **json.loads(text))


@dataclass(frozen=True)
class Told:
    """What status.json and run.json say besides what is the same for all."""

    state: str
    step: int
    total: int
    host: str = HERE
    loss: float | None = 0.0421
    rate: float | None = 151.0
    eta: float | None = None
    exit: int | None = None
    heartbeat: float = NOW - 3600
    curve: Sequence[float | None] = tuple(0.3 * 0.8**k + 0.04 for k in range(24))
    device: str = "cpu (x86_64, 8 threads)"
    recipe: str = "quickstart"
    attempt: int = 0


def write(
    run: RunDir, created: float, told: Told, segments: Sequence[Sequence[bytes]], log: str = "", **info: Any
) -> RunDir:
    """The files of a run, all but its pictures."""
    for folder in (run.events, run.previews, run.checkpoints):
        folder.mkdir(parents=True, exist_ok=True)
    for number, lines in enumerate(segments):
        (run.events / f"{number:05d}.jsonl").write_bytes(b"".join(lines))
    when = datetime.fromtimestamp(created, UTC).isoformat(timespec="microseconds")
    about = {
        "format": 1,
        "name": run.name,
        "created": when,
        "recipe": told.recipe,
        "seed": 0,
        "device": told.device,
        "precision": "bf16",
        "parameters": 10_178_672,
        "versions": {"difftool": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
        "argv": ["difftool", "train", told.recipe, "--name", run.name],
        "git": "0123456789abcdef0123456789abcdef01234567",
        "data": {"pictures": 8192, "fingerprint": "342f2c1bcf6cc4de"},
        "differs": {"name": told.recipe, "optim.lr": 2e-4, "train.steps": told.total, "backbone.mults": [1, 2, 4]},
        **info,
    }
    status = {
        "state": told.state,
        "step": told.step,
        "total": told.total,
        "heartbeat": told.heartbeat,
        "pid": 4242,
        "host": told.host,
        "eta": told.eta,
        "rate": told.rate,
        "loss": told.loss,
        "exit": told.exit,
        "attempt": told.attempt,
        "curve": list(told.curve),
    }
    run.recipe.write_text(recipe(told.recipe, told.total))
    run.status.write_bytes(encode(status))
    run.lock.write_bytes(encode({"pid": 4242, "host": told.host, "started": when}))
    if log:
        run.log.write_text(log)
    run.info.write_bytes(encode(about, indent=2))
    return run


def recipe(name: str, steps: int, lr: float = 2e-4) -> str:
    """A resolved recipe, the beginning of it."""
    return f"""recipe = 1
name = "{name}"
seed = 0

[predict]
name = "eps"

[data]
name = "avatars"
size = 32
channels = 3
count = 8192

[schedule]
name = "linear"
T = 1000

[backbone]
name = "unet"
width = 64
mults = [
    1,
    2,
    4,
]
blocks = 2
dropout = 0.0

[optim]
lr = {lr}
warmup = 500
grad_clip = 1.0

[train]
steps = {steps}
batch = 64
precision = "bf16"
ema = 0.9999

[preview]
every = 4000
count = 16
"""


# The runs


def _running(folder: Path) -> RunDir:
    """On another machine with two GPUs, with all that a run can have."""
    run, since = RunDir(folder / RUNNING), NOW - 6270
    run.previews.mkdir(parents=True)
    odd = {"at_9000": {"loss": 1.9, "grad_norm": 40.0}, "at_14000": {"loss": math.nan, "grad_norm": math.nan}}
    lines = [
        line("start", since, attempt=0, from_step=0, total=40_000, versions={}, changes={}),
        *rows(20_000, since, pace=0.31, **odd),
        line("log", since + 0.31 * 9000, level="warning", message="gradient norm of 40 at step 9000: cut to 1"),
    ]
    for step in (4000, 8000, 12000, 16000, 20000):
        kinds = ("strip", "raw") if step == 16000 else ("strip",)
        when = since + 0.31 * step
        lines.append(line("checkpoint", when, step=step, path=f"checkpoints/{run.checkpoint(step).name}", seconds=1.5))
        lines.append(preview(run, step, when + 3, step / 20000, kinds))
    said = "checkpoint written: step 18400"
    lines.append(line("ack", since + 0.31 * 18_400, id="a1", command="checkpoint", step=18400, ok=True, message=said))
    lines.sort(key=lambda text: json.loads(text)["time"])
    lines += machine(NOW - 60)
    log = "difftool: 10,178,672 parameters on 2 GPUs\ndifftool: step 20000 of 40000\n"
    told = Told(
        "running", 20_000, 40_000, ELSEWHERE, 0.0402, 1497.0, 2710.0, None, NOW - 0.4,
        device="cuda:0 (NVIDIA H100 80GB HBM3)", recipe="anime64",
    )  # fmt: skip
    return write(run, since, told, [lines], log)


def _stopped(folder: Path) -> RunDir:
    """Asked to stop, gone on, asked again: two attempts, of which the second takes back 200 steps."""
    run, since = RunDir(folder / STOPPED), NOW - 9000
    run.previews.mkdir(parents=True)
    first = [
        line("start", since, attempt=0, from_step=0, total=5000, versions={}, changes={}),
        *rows(1200, since, seed=2),
        preview(run, 1000, since + 80, 0.4),
        line("end", since + 100, state="stopped", exit=75, step=1200),
    ]
    again = [
        line(
            "start", since + 600, attempt=1, from_step=1000, total=5000, versions={}, changes={"optim.lr": [2e-4, 1e-4]}
        ),
        *rows(2500, since + 600, first=1000, seed=3),
        preview(run, 2000, since + 700, 0.7),
        *(line("system", since + 700 + k, **_untimed(system(0.0, 0.5 + 0.04 * (k % 10)))) for k in range(60)),
        line("checkpoint", since + 790, step=2500, path="checkpoints/step-00002500", seconds=0.4),
        line("end", since + 800, state="stopped", exit=75, step=2500),
    ]
    run.checkpoint(2500).mkdir(parents=True)
    told = Told("stopped", 2500, 5000, exit=75, loss=0.0617, recipe="digits", attempt=1)
    return write(run, since, told, [first, again])


def _untimed(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if key != "time"}


def _done(folder: Path) -> RunDir:
    run, since = RunDir(folder / DONE), NOW - 64_800
    run.previews.mkdir(parents=True)
    lines = [
        line("start", since, attempt=0, from_step=0, total=2400, versions={}, changes={}),
        *rows(2400, since, seed=4),
        preview(run, 2400, since + 300, 1.0),
        *(line("system", since + 200 + k, **_untimed(system(0.0))) for k in range(30)),
        line("end", since + 301, state="done", exit=0, step=2400),
    ]
    return write(run, since, Told("done", 2400, 2400, exit=0, loss=0.0764), [lines])


def _crashed(folder: Path) -> RunDir:
    """Its status says that it runs, on this machine, where nobody holds its lock."""
    run, since = RunDir(folder / CRASHED), NOW - 200_000
    lines = [
        line("start", since, attempt=0, from_step=0, total=9000, versions={}, changes={}),
        *rows(3000, since, seed=5),
    ]
    run.checkpoint(2000).mkdir(parents=True)
    return write(run, since, Told("running", 3000, 9000, eta=500.0), [lines], "Killed\n")


def _failed(folder: Path) -> RunDir:
    """The loss was not finite any more, and nothing had been saved."""
    run, since = RunDir(folder / FAILED), NOW - 300_000
    lost = {f"at_{step}": {"loss": math.nan} for step in (900, 950, 1000)}
    lines = [
        line("start", since, attempt=0, from_step=0, total=9000, versions={}, changes={}),
        *rows(1000, since, seed=6, **lost),
        line("log", since + 81, level="error", message="the loss is not finite since step 900"),
        line("end", since + 82, state="failed", exit=6, step=1000),
    ]
    log = "difftool: error: the loss is not finite since step 900\ndo: difftool resume too-hot --set optim.lr=1e-4\n"
    told = Told("failed", 1000, 9000, exit=6, loss=None, curve=[0.3, 0.2, 0.15, 0.1, None])
    return write(run, since, told, [lines], log)
