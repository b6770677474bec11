"""What only several keys together can get wrong; each message names the fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from difftool.core.conditions import unguided
from difftool.core.types import Spec
from difftool.plugin.blame import blamed
from difftool.plugin.component import Backbone, Condition, Loss
from difftool.plugin.registry import Registry
from difftool.recipe.explain import Problem


def spec_of(data_shape: tuple[int, int, int], T: int, outputs: int, conditions: Mapping[str, Condition]) -> Spec:
    """What the backbone must fit."""
    channels, height, width = data_shape
    told = {key: condition.shape for key, condition in conditions.items()}
    return Spec(channels, channels * outputs, height, width, T, told)


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
    sinks = [type(sink) for sink in parts["log"].sinks] if parts.get("log") else []
    for place, sink in enumerate(sinks):
        if sink in sinks[:place]:
            yield Problem(("log", "sinks", place), "this sink is there already: both would write to the same place")
    if "conditions" in parts:
        yield from _guided(parts, parts["conditions"])
    if "loss" in parts:
        yield from _learned(parts, parts["loss"], registry)
    if data and schedule and all(key in parts for key in ("backbone", "loss", "conditions")):
        with blamed(registry, data, "telling its shape"):
            spec = spec_of(data.shape, schedule.T, parts["loss"].outputs, parts["conditions"])
        yield from fitting(parts["backbone"], spec, registry)


def fitting(backbone: Backbone, spec: Spec, registry: Registry) -> Iterator[Problem]:
    """Whether the network suits the pictures and hears what it is told."""
    name = registry.offer(type(backbone)).owned
    with blamed(registry, backbone, "checking the recipe"):
        found = list(backbone.check(spec))
        deaf = [key for key, shape in spec.conditions.items() if not backbone.takes(key, shape)]
    yield from (Problem(("backbone", field), text) for field, text in found)
    for key in deaf:
        yield Problem(
            ("conditions", key), f"the backbone {name} does not listen to it; take another backbone, or leave it out"
        )


def _guided(parts: dict[str, Any], conditions: Mapping[str, Condition]) -> Iterator[Problem]:
    """Guidance that could not work."""
    for section in ("sample", "preview"):
        scale = getattr(parts.get(section), "guidance", None)
        if scale is not None and (text := unguided(scale, conditions)):
            yield Problem((section, "guidance"), text)


def _learned(parts: dict[str, Any], loss: Loss, registry: Registry) -> Iterator[Problem]:
    """A sampler that reads what the network does not say."""
    for section, sampler in (
        ("sampler", parts.get("sampler")),
        ("preview", getattr(parts.get("preview"), "sampler", None)),
    ):
        if sampler is not None and sampler.outputs > loss.outputs:
            yield Problem((section,), unlearned(registry.offer(type(loss)).owned))


def unlearned(loss: str) -> str:
    """The refusal of a sampler that needs a learned variance."""
    return f'needs a network that learns its variance, and the loss {loss} teaches none; train with loss = "hybrid"'
