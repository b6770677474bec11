"""What only several keys together can get wrong; each message names the fix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from difftool.core.types import Spec
from difftool.plugin.blame import blamed
from difftool.plugin.registry import Registry
from difftool.recipe.explain import Problem


def spec_of(data_shape: tuple[int, int, int], T: int, outputs: int) -> Spec:
    """What the backbone must fit."""
    channels, height, width = data_shape
    return Spec(channels, channels * outputs, height, width, T, {})


def cross_check(parts: dict[str, Any], registry: Registry) -> Iterator[Problem]:
    """Problems between sections that are each right by themselves; a missing one is somebody else's problem."""
    train, schedule, data = parts.get("train"), parts.get("schedule"), parts.get("data")
    if train and train.batch % train.accumulate:
        near = [k for k in range(1, train.batch + 1) if train.batch % k == 0]
        best = min(near, key=lambda k: abs(k - train.accumulate))
        yield Problem(
            ("train", "accumulate"),
            f"{train.accumulate} parts do not divide a batch of {train.batch}; the nearest that do are {best}",
        )
    for section in ("sample", "preview"):
        steps = getattr(parts.get(section), "steps", None)
        if schedule and steps and steps > schedule.T:
            yield Problem((section, "steps"), f"at most one step a level: {schedule.T} (schedule.T), got {steps}")
    if data and schedule and "backbone" in parts and "loss" in parts:
        with blamed(registry, data, "telling its shape"):
            spec = spec_of(data.shape, schedule.T, parts["loss"].outputs)
        with blamed(registry, parts["backbone"], "checking the recipe"):
            found = list(parts["backbone"].check(spec))
        yield from (Problem(("backbone", name), text) for name, text in found)
