"""Run folders and panels that tests write themselves, file by file."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

METRICS = {"images_per_s": 900.0, "grad_norm": 0.5, "lr": 2e-4, "data_wait": 0.1, "loss_q": [0.1, 0.2, 0.3, 0.4]}


def line(**event: Any) -> bytes:
    """One event."""
    return json.dumps(event).encode() + b"\n"


def rows(count: int, first: int = 1) -> bytes:
    """Metrics, one a step."""
    at = time.time() - count
    return b"".join(
        line(kind="metrics", time=at + step, step=step, images=8 * step, loss=1 / step, **METRICS)
        for step in range(first, first + count)
    )


def make_run(
    runs: Path,
    name: str,
    *,
    state: str = "done",
    info: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    events: bytes = b"",
    recipe: str = 'recipe = 1\nname = "toy"\n',
    steps: int = 40,
) -> Path:
    """A run as a trainer leaves it: history, one preview, one checkpoint."""
    root = runs / name
    for folder in ("events", "previews", "checkpoints/step-00000040"):
        (root / folder).mkdir(parents=True)
    argv = ["difftool", "train", "toy"]
    about = {"recipe": "toy", "device": "cpu", "created": "2026-11-20T10:15:30+00:00", "argv": argv}
    (root / "run.json").write_text(json.dumps({**about, **(info or {})}))
    spoken = {"state": state, "step": steps, "total": steps, "heartbeat": time.time(), "loss": 0.1, "curve": [0.5, 0.1]}
    (root / "status.json").write_text(json.dumps({**spoken, **(status or {})}))
    (root / "recipe.toml").write_text(recipe, "utf-8", "surrogatepass")
    begun = line(kind="start", time=time.time(), attempt=0, from_step=0)
    preview = line(kind="preview", time=time.time(), step=steps, path=f"previews/step-{steps:08}.png", seeds="0-3")
    (root / "events/00000.jsonl").write_bytes(begun + rows(steps) + preview + events)
    Image.new("RGB", (16, 16), "orange").save(root / f"previews/step-{steps:08}.png")
    return root


def make_panel(folder: Path, code: str, names: dict[str, str]) -> dict[str, str]:
    """Installs a package of panels (name, class) into a folder of its own; what the environment must say."""
    about = folder / "throwaway-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "throwaway.py").write_text(code)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: throwaway\nVersion: 1.0\n")
    points = "".join(f"{name} = throwaway:{kind}\n" for name, kind in names.items())
    (about / "entry_points.txt").write_text(f"[difftool.panels]\n{points}", "utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[2])])}


def most(values, quick):
    """All of them, those that are not quick among the slow tests."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]
