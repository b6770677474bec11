"""Closed-form oracles, shipped for plugin authors: perfect denoisers of data so simple that E[x0 | x_t] is known.

A network trained without end would say the same. With one of these in its place a sampler, a schedule or a spacing
can be tested for being right, instead of for being the same as yesterday:

    denoiser = Gaussian(Linear().build(), mean=0.5, std=0.2)
    x = last(walk(sampler, denoiser, times, draw)).x      # must be N(0.5, 0.2^2) again

They work elementwise on any shape and in the precision of x, float64 included. Like every denoiser they are asked at
levels above 0 only: clean data needs no guess.
"""

from __future__ import annotations

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
