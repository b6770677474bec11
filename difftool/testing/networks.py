"""Networks under observation: what they are built for, woken up with, and asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from difftool.core.denoiser import heard
from difftool.core.types import Spec
from difftool.plugin.component import Backbone
from difftool.testing.known import linear
from difftool.testing.rules import FoundError, generator

SIDES = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Told:
    """What a network is called with."""

    x: Tensor
    c: Tensor
    cond: dict[str, Tensor]

    def __call__(self, net: nn.Module) -> Tensor:
        answer = net(self.x, self.c, self.cond)
        if not isinstance(answer, Tensor):
            raise FoundError(f"the network answers a {type(answer).__name__}, not a tensor")
        return answer

    def of(self, which: slice) -> Told:
        """Some of the pictures."""
        return Told(self.x[which], self.c[which], {key: rows[which] for key, rows in self.cond.items()})

    def others_changed(self) -> Told:
        """Picture 1 as it is, everything about the others changed."""
        others = torch.arange(len(self.x)) != 1

        def changed(rows: Tensor, factor: float) -> Tensor:
            return torch.where(others.reshape(-1, *[1] * (rows.ndim - 1)), factor * rows + 0.5, rows)

        return Told(changed(self.x, -2), changed(self.c, 0.7), {k: changed(rows, -1) for k, rows in self.cond.items()})


def specs_of(part: Backbone) -> list[Spec]:
    """A square of the smallest size that `check` permits, then others that it permits too."""
    objections: list[str] = []
    for side in SIDES:
        square = Spec(3, 3, side, side, 1000, conditions_of(part, side, side))
        if told := list(part.check(square)):
            objections += [f"{field}: {text}" for field, text in told]
            continue
        wide = replace(square, width=2 * side, conditions=conditions_of(part, side, 2 * side))
        tall = replace(square, height=2 * side, conditions=conditions_of(part, 2 * side, side))
        grey = replace(square, channels=1, out_channels=1)
        others = (
            replace(square, out_channels=6),
            grey,
            replace(square, conditions={}),
            replace(square, T=10),
            wide,
            tall,
        )
        return [square, *(spec for spec in others if not list(part.check(spec)))]
    raise FoundError(f"check() permits no square picture of {SIDES[0]} to {SIDES[-1]} pixels: {objections[0]}")


def conditions_of(part: Backbone, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """Those it takes of: a label, some words, a picture."""
    every = {"label": (5,), "words": (4, 12), "picture": (3, height, width)}
    return {key: shape for key, shape in every.items() if part.takes(key, shape)}


def built(part: Backbone, spec: Spec, seed: int, awake: bool = True) -> nn.Module:
    """The network; awake, every weight is moved: layers that start at 0 would hide what is behind them."""
    torch.manual_seed(seed)
    net = part.build(spec)
    if not isinstance(net, nn.Module):
        raise FoundError(f"build() gives a {type(net).__name__}, not a torch.nn.Module")
    if awake:
        g = generator(seed)
        with torch.no_grad():
            for p in net.parameters():
                size = 0.5 / math.sqrt(p[0].numel()) if p.ndim > 1 else 0.1
                p.add_(size * torch.randn(p.shape, generator=g).to(p))
    return net


def told_of(part: Backbone, spec: Spec, seed: int, count: int = 3) -> Told:
    """Pictures of noise at levels from the first to the last, whole and fractional, told something."""
    g = generator(seed + 1)
    x = torch.randn((count, spec.channels, spec.height, spec.width), generator=g)
    t = 1 + (spec.T - 1) * torch.tensor([0.31, 0.75, 0.0, 1.0, 0.5])[torch.arange(count) % 5].double()
    cond = {}
    for key, shape in spec.conditions.items():
        rows = torch.randn((count, *shape), generator=g)
        cond[key] = torch.eye(shape[0])[torch.arange(count) % shape[0]] if len(shape) == 1 else rows
    return Told(x, heard(part.hears, linear(spec.T), t).float(), cond)
