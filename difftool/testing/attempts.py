"""What happens in a run, without a trainer: its folder, and its events as docs/run-directory.md has them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from difftool.core.types import RunInfo

Event = dict[str, Any]

RECIPE: dict[str, Any] = {
    "recipe": 1,
    "name": "small",
    "seed": 0,
    "predict": "eps",
    "data": {"name": "shapes", "size": [8, 8]},
    "schedule": {"name": "linear", "T": 1000},
    "sampler": {"name": "ddim", "eta": 0.0},
    "train": {"steps": 40, "batch": 16, "betas": [0.9, 0.999]},
    "log": {"every": 10, "sinks": []},
}
TEXT = 'recipe = 1\nname = "small"\nseed = 0\n'


def run_in(folder: Path, name: str = "small-20261120-101530-7f3a", seed: int = 0) -> RunInfo:
    """A run's folder, with what a trainer puts there before it tells anyone."""
    root = folder / name
    for sub in ("events", "previews", "checkpoints/step-00000020"):
        (root / sub).mkdir(parents=True)
    about = {"format": 1, "name": name, "created": "2026-11-20T10:15:30.250000+01:00", "recipe": "small", "seed": seed}
    (root / "run.json").write_text(json.dumps(about) + "\n")
    (root / "recipe.toml").write_text(TEXT)
    (root / "status.json").write_text(json.dumps({"state": "running", "step": 0, "total": 40}) + "\n")
    (root / "events" / "00000.jsonl").write_text(json.dumps(start()) + "\n")
    for step, colour in ((10, (200, 30, 40)), (20, (20, 160, 90))):
        Image.new("RGB", (18, 10), colour).save(root / "previews" / f"step-{step:08}.png")
    return RunInfo(str(root.absolute()), name, copy.deepcopy(RECIPE), seed, "cpu")


def start(attempt: int = 0, from_step: int = 0) -> Event:
    """The first event of an attempt."""
    versions = {"difftool": "0.1.0", "torch": "2.8.0", "python": "3.11.9"}
    changes = {"optim.lr": [0.0002, 0.0001]} if attempt else {}
    return {
        "kind": "start",
        "time": 1795166130.25,
        "attempt": attempt,
        "from_step": from_step,
        "total": 40,
        "versions": versions,
        "changes": changes,
    }


def row(step: int, **numbers: Any) -> Event:
    """A row of metrics."""
    return {
        "kind": "metrics",
        "time": 1795166131.0 + step,
        "step": step,
        "images": 16 * step,
        "loss": 0.5 + 1 / step,
        "loss_q": [0.1, 0.2, 0.3, 0.4],
        "grad_norm": 1.25,
        "lr": 0.0002,
        "images_per_s": 310.5,
        "data_wait": 0.01,
        "ema_decay": 0.9,
        **numbers,
    }


def end(step: int, state: str = "done") -> Event:
    """The last event of an attempt."""
    code = {"done": 0, "stopped": 75}.get(state, 1)
    return {"kind": "end", "time": 1795166200.0 + step, "state": state, "exit": code, "step": step}


def preview(step: int, **more: Any) -> Event:
    """Pictures were drawn; there are files of the steps 10 and 20."""
    return {
        "kind": "preview",
        "time": 1795166131.5 + step,
        "step": step,
        "path": f"previews/step-{step:08}.png",
        "strip": f"previews/step-{step:08}.strip.png",
        "seeds": "0-15",
        "steps": 50,
        "sampler": "ddim(eta=0.0)",
        "ema": True,
        **more,
    }


def whole(from_step: int = 0) -> Iterator[tuple[str, Event]]:
    """(what it is, the event) of an attempt in which everything happens that may happen."""
    attempt = 1 if from_step else 0
    a, b, c = from_step + 10, from_step + 20, from_step + 30
    yield "a start", start(attempt, from_step)
    yield "a log event", {"kind": "log", "time": 1795166130.5, "level": "warning", "message": "a line, for 'people'"}
    yield "a row of metrics", row(a)
    yield "a row with null", row(b, loss=None, loss_q=[0.1, None, None, 0.4], grad_norm=None, nonfinite=["loss"])
    yield "a row with numbers of a plugin", row(c, fid=12.5, **{'odd/"key", ü': 3, "listed": [1, 2.5], "word": "x"})
    yield "a preview", preview(10)
    yield "a preview with a second picture", preview(20, raw="previews/step-00000020.raw.png")
    yield "a preview whose file is gone", preview(c)
    path = f"checkpoints/step-{b:08}"
    yield "a checkpoint", {"kind": "checkpoint", "time": 1795166140.0, "step": b, "path": path, "seconds": 0.31}
    yield "a system event", {"kind": "system", "time": 1795166141.0, "cpu": 0.5, "cores": 2, "gpus": None, "absent": {}}
    answer = {"id": "k3", "command": "checkpoint", "step": c, "ok": True, "message": f"checkpoint written: step {c}"}
    yield "an ack", {"kind": "ack", "time": 1795166142.0, **answer}
    yield "a kind that is not known yet", {"kind": "eclipse", "time": 1795166143.0, "moon": {"phase": [1, None, "new"]}}
    yield "an unknown key", {**row(c + 1), "later": {"deep": [{"er": None}]}}
    yield "an end", {**end(c + 1, "stopped"), "later": None}


def plain(events: Iterable[tuple[str, Event]]) -> list[Event]:
    """The events alone."""
    return [event for _, event in events]
