"""Closed-form oracles, shipped for plugin authors: perfect denoisers of data so simple that E[x0 | x_t] is known.

A network trained without end would say the same. With one of these in its place a sampler, a schedule or a spacing
can be tested for being right, instead of for being the same as yesterday:

    denoiser = Gaussian(Linear().build(), mean=0.5, std=0.2)
    x = last(walk(sampler, denoiser, times, draw)).x      # must be N(0.5, 0.2^2) again

All but the rings work elementwise on any shape, and all in the precision of x, float64 included. Like every denoiser
they are asked at levels above 0 only: clean data needs no guess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from difftool.core.schedule import Schedule
from difftool.core.types import Prediction
from difftool.errors import InputError


@dataclass(frozen=True, eq=False)
class Oracle:
    """A denoiser that is given by its posterior mean alone."""

    schedule: Schedule

    def expected(self, x: Tensor, alpha: float, sigma: float) -> Tensor:
        """E[x0 | alpha x0 + sigma eps = x]."""
        raise TypeError(f"{type(self).__name__} does not define expected()")

    def __call__(self, x: Tensor, t: float) -> Prediction:
        alpha, sigma = (float(value) for value in self.schedule.at(t))
        x0 = self.expected(x, alpha, sigma)
        return Prediction(x0, (x - alpha * x0) / sigma)


@dataclass(frozen=True, eq=False)
class Point(Oracle):
    """All data is one picture (a number, or a tensor that broadcasts to x): whatever is asked, that is the answer."""

    value: float | Tensor

    def expected(self, x: Tensor, alpha: float, sigma: float) -> Tensor:
        """The picture."""
        return torch.as_tensor(self.value, dtype=x.dtype, device=x.device).expand_as(x)


@dataclass(frozen=True, eq=False)
class Gaussian(Oracle):
    """Independent pixels, each N(mean, std^2)."""

    mean: float
    std: float

    def expected(self, x: Tensor, alpha: float, sigma: float) -> Tensor:
        """Prior and observation, each weighted with the other's variance."""
        prior, noise = (alpha * self.std) ** 2, sigma**2
        return (noise * self.mean + alpha * self.std**2 * x) / (prior + noise)


@dataclass(frozen=True, eq=False)
class Mixture(Oracle):
    """Independent pixels, each N(means[k], stds[k]^2) with probability weights[k]; stds of 0 make it points.

    The weights need not sum to 1.
    """

    means: Sequence[float]
    stds: Sequence[float]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if not len(self.means) == len(self.stds) == len(self.weights) > 0:
            sizes = f"{len(self.means)} means, {len(self.stds)} stds and {len(self.weights)} weights"
            raise InputError(f"a mixture has one mean, one std and one weight for each component; got {sizes}")
        if min(self.stds) < 0 or min(self.weights) < 0 or max(self.weights) == 0:
            raise InputError("the stds and weights of a mixture are not negative, and one weight at least is above 0")

    def expected(self, x: Tensor, alpha: float, sigma: float) -> Tensor:
        """The components' means, each weighted with the probability that x came from it."""
        mean, std, weight = (x.new_tensor(list(values)) for values in (self.means, self.stds, self.weights))
        x = x[..., None]  # [..., 1] against [K]
        variance = (alpha * std) ** 2 + sigma**2
        log_share = weight.log() - (variance.log() + (x - alpha * mean) ** 2 / variance) / 2
        each = (sigma**2 * mean + alpha * std**2 * x) / variance
        return (log_share.softmax(-1) * each).sum(-1)


@dataclass(frozen=True, eq=False)
class Rings(Oracle):
    """Pictures of two pixels, [B, 1, 1, 2], that lie on rings around grey: the pixels depend on each other.

    Ring k has radius radii[k] and probability weights[k] (they need not sum to 1); every direction is equally likely.
    Both pixels are then moved by N(0, thickness[k]^2).
    """

    radii: Sequence[float]
    thickness: Sequence[float]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if not len(self.radii) == len(self.thickness) == len(self.weights) > 0:
            sizes = f"{len(self.radii)} radii, {len(self.thickness)} thicknesses and {len(self.weights)} weights"
            raise InputError(f"rings have one radius, one thickness and one weight each; got {sizes}")
        if min(*self.radii, *self.thickness, *self.weights) < 0 or max(self.weights) == 0:
            raise InputError("radii, thicknesses and weights of rings are not negative, and one weight is above 0")

    def expected(self, x: Tensor, alpha: float, sigma: float) -> Tensor:
        """Given ring and x, the direction has a von Mises law around that of x, of concentration kappa."""
        radius, thick, weight = (x.new_tensor(list(each)) for each in (self.radii, self.thickness, self.weights))
        length = x.norm(dim=-1, keepdim=True)  # [..., 1] against [K]
        variance = (alpha * thick) ** 2 + sigma**2
        kappa = alpha * radius * length / variance
        # Bessel functions without their exponential growth: right for rings as sharp as one likes.
        straight, turned = torch.special.i0e(kappa), torch.special.i1e(kappa)
        miss = (length - alpha * radius) ** 2
        share = (weight.log() - variance.log() - miss / (2 * variance) + straight.log()).softmax(-1)
        towards = (share * radius * sigma**2 / variance * turned / straight).sum(-1, keepdim=True)
        direction = x / length.clamp(min=torch.finfo(x.dtype).tiny)
        guess: Tensor = towards * direction + (share * alpha * thick**2 / variance).sum(-1, keepdim=True) * x
        return guess

    def data(self, u: Tensor, z: Tensor) -> Tensor:
        """Pictures [B, 1, 1, 2] from uniforms u [B, 2] in [0, 1), for ring and direction, and normals z like them."""
        radius, thick, weight = (z.new_tensor(list(each)) for each in (self.radii, self.thickness, self.weights))
        below = (weight.cumsum(0) / weight.sum())[:-1]
        ring = (u[:, :1] >= below).sum(1)
        angle = 2 * math.pi * u[:, 1]
        towards = torch.stack([angle.cos(), angle.sin()], dim=1).to(z.dtype)
        return (radius[ring, None] * towards)[:, None, None] + thick[ring, None, None, None] * z
