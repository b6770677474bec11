"""What a run will need, before it needs it: parameters, memory, disk, epochs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from difftool.core.schedule import Schedule
from difftool.core.target import add_noise
from difftool.engine.build import network, schedule_of
from difftool.errors import DiskError, PluginError
from difftool.plugin.registry import Registry
from difftool.recipe.model import Recipe
from difftool.run.spoken import size


@dataclass(frozen=True)
class Plan:
    """The figures of a run."""

    parameters: int
    tensors: int
    weights: int  # bytes of one copy of the weights
    activations: int | None  # bytes kept for the backward pass of one part of a batch; None if not known
    terminal: float  # abar_T
    shape: tuple[int, int, int]
    micro: int
    warning: str | None

    @property
    def memory(self) -> int | None:
        """Weights, gradient, two moments, the average, and what the backward pass keeps."""
        return None if self.activations is None else 5 * self.weights + self.activations

    def disk(self, keep: int) -> int:
        """Checkpoints (weights, average, two moments), one more while it is written, and model.safetensors."""
        return (4 * (keep + 1) + 1) * self.weights


def plan(recipe: Recipe, registry: Registry) -> Plan:
    """Builds the network without memory for its numbers and counts what it would keep."""
    schedule, warning = schedule_of(recipe, registry)
    try:
        net = network(recipe, registry, "meta")
    except (PluginError, RuntimeError):
        # A network that computes with numbers while it is built may be right with real ones.
        net = network(recipe, registry)
    counted = list(net.parameters())
    return Plan(
        parameters=sum(p.numel() for p in counted),
        tensors=len(counted),
        weights=sum(p.numel() * 4 for p in net.state_dict().values()),
        activations=_kept(net, recipe, schedule),
        terminal=schedule.terminal,
        shape=recipe.data.shape,
        micro=recipe.train.batch // recipe.train.accumulate,
        warning=warning,
    )


def _kept(net: nn.Module, recipe: Recipe, schedule: Schedule) -> int | None:
    """Bytes autograd would hold for one part of a batch, counted without computing anything."""
    micro = recipe.train.batch // recipe.train.accumulate
    seen: dict[int, int] = {}
    own = {id(p) for p in net.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        if id(tensor) not in own:
            seen[id(tensor)] = tensor.numel() * tensor.element_size()
            alive.append(tensor)  # an id may only be counted once if its tensor lives
        return tensor

    alive: list[Tensor] = []
    try:
        x0 = torch.empty(micro, *recipe.data.shape, device="meta")
        t = torch.ones(micro, dtype=torch.float64)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            cond = {key: torch.empty(micro, *told.shape, device="meta") for key, told in recipe.conditions.items()}
            scaled, noised = add_noise(x0, x0, t, recipe.predict, schedule, cond)
            output = net(scaled, noised.t, cond)
            recipe.loss(output, noised).sum()
    except Exception:
        return None  # a part that needs real numbers; the figure is a convenience
    return sum(seen.values())


def need_disk(folder: Path, needed: int) -> None:
    """Refuses a run that could not save itself."""
    there = next(parent for parent in [folder.absolute(), *folder.absolute().parents] if parent.exists())
    stats = os.statvfs(there)
    free = stats.f_bavail * stats.f_frsize
    if free < needed:
        raise DiskError(
            f"{size(needed)} are needed for checkpoints, {size(free)} are free",
            where=str(there),
            do="free some space, choose another folder with --runs, or keep fewer: --set checkpoint.keep=1",
        )
