"""What parts are tried on: paths from picture to noise, and targets, each in closed form and independent of plugins."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from difftool.core.randomness import Stream, normal
from difftool.core.sampling import from_bytes
from difftool.core.schedule import Schedule


def linear(T: int = 1000) -> Schedule:
    """Betas that rise evenly, of the same noise whatever T (Ho et al. 2020)."""
    return Schedule.from_betas((torch.linspace(1e-4, 0.02, T, dtype=torch.float64) * 1000 / T).clamp(max=0.999))


def cosine(T: int = 1000) -> Schedule:
    """abar falls like a squared cosine (Nichol and Dhariwal 2021)."""
    u = torch.arange(T + 1, dtype=torch.float64) / T
    abar = ((u + 0.008) / 1.008 * math.pi / 2).cos().square()
    return Schedule.from_betas((1 - abar[1:] / abar[:-1]).clamp(max=0.999))


def flow(T: int = 1000) -> Schedule:
    """The straight path; at the end no signal is left at all."""

    def line(t: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - t / T, t / T

    return Schedule(*line(torch.arange(T + 1, dtype=torch.float64)), line)


def exploding(T: int = 1000) -> Schedule:
    """alpha = 1 throughout, sigma from 0.002 to 80 (Karras et al. 2022)."""
    low, high = 0.002 ** (1 / 7), 80 ** (1 / 7)
    sigma = torch.linspace(low, high, T, dtype=torch.float64) ** 7
    return Schedule(torch.ones(T + 1, dtype=torch.float64), torch.cat([sigma.new_zeros(1), sigma]))


PATHS: dict[str, Callable[..., Schedule]] = {
    "linear": linear,
    "cosine": cosine,
    "flow": flow,
    "exploding": exploding,
}
"""Made anew for each use: nobody can spoil them for the next."""


AT_ONCE = 8
"""Draws that are made together: one by one, small ones would cost more than the walks."""


@dataclass(frozen=True)
class Says:
    """A target given by a formula."""

    formula: Callable[[Tensor, Tensor], tuple[Any, Any, Any]]

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]:
        """(skip, out, scale)."""
        return self.formula(alpha, sigma)


TARGETS = {
    "eps": Says(lambda alpha, sigma: (1 / alpha, -sigma / alpha, 1.0)),
    "x0": Says(lambda alpha, sigma: (0.0, 1.0, 1.0)),
    "v": Says(lambda alpha, sigma: (alpha / (alpha**2 + sigma**2), -sigma / (alpha**2 + sigma**2), 1.0)),
    "velocity": Says(lambda alpha, sigma: (1 / (alpha + sigma), -sigma / (alpha + sigma), 1.0)),
}


def pictures(seed: int, count: int, shape: tuple[int, ...]) -> Tensor:
    """Pictures of bytes in -1..1, [count, *shape], none of them at the very ends."""
    g = torch.Generator().manual_seed(seed * 7919 + 29)
    pixels = torch.randint(12, 244, (count, *shape[1:], shape[0]), generator=g, dtype=torch.uint8)
    return from_bytes(pixels)


@dataclass
class Draws:
    """Standard normals of a shape, [B, ...]: draw d depends on the seed and d alone."""

    seed: int
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float64
    count: int = 0
    ready: Tensor | None = None

    def __call__(self) -> Tensor:
        place = self.count % AT_ONCE
        if place == 0 or self.ready is None:
            slots, shape = torch.arange(self.shape[0]), (AT_ONCE, *self.shape[1:])
            self.ready = normal(self.seed, Stream.SAMPLE, self.count // AT_ONCE, slots, shape)
        self.count += 1
        return self.ready[:, place].to(self.dtype, copy=True)
