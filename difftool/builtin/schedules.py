"""Noise schedules: the paper's linear one, the cosine one, and plain curves of beta."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from difftool.api import Field, NoiseSchedule, Register, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


class BetaSchedule(NoiseSchedule):
    """A schedule given by its betas: x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) z."""

    def build(self) -> Schedule:
        """The tables of the betas."""
        from difftool.api import Schedule

        return Schedule.from_betas(self.betas())

    def betas(self) -> Tensor:
        """float64 [T]."""
        raise TypeError(f"{type(self).__name__} does not define betas()")


class Ramp(BetaSchedule):
    """Betas that rise from `first` to `last`."""

    first: float = Field(1e-4, gt=0, lt=1)
    """beta at level 1"""
    last: float = Field(0.02, gt=0, lt=1)
    """beta at level T"""
    scale: bool = False
    """multiply both ends by 1000 / T, so that another T reaches the same noise"""

    @property
    def ends(self) -> tuple[float, float]:
        """(first, last) as used; scaled ends stay below 1."""
        factor = 1000 / self.T if self.scale else 1.0
        return min(self.first * factor, 0.999), min(self.last * factor, 0.999)

    def even(self) -> Tensor:
        """T numbers from 0 to 1, float64."""
        import torch

        return torch.linspace(0, 1, self.T, dtype=torch.float64)


class Linear(Ramp):
    """The paper's schedule: beta rises evenly (Ho et al. 2020)."""

    def betas(self) -> Tensor:
        """float64 [T]."""
        first, last = self.ends
        return first + (last - first) * self.even()


class Quadratic(Ramp):
    """Even in sqrt(beta): gentler at the start (the `quad` of the paper's code; "scaled linear" elsewhere)."""

    def betas(self) -> Tensor:
        """float64 [T]."""
        first, last = (math.sqrt(end) for end in self.ends)
        return (first + (last - first) * self.even()).square()


class Sigmoid(Ramp):
    """An S between the two ends: sigmoid over -6..6."""

    def betas(self) -> Tensor:
        """float64 [T]."""
        first, last = self.ends
        return first + (last - first) * (12 * self.even() - 6).sigmoid()


class Constant(BetaSchedule):
    """The same beta at every level."""

    beta: float = Field(0.02, gt=0, lt=1)
    """the variance each level adds"""

    def betas(self) -> Tensor:
        """float64 [T]."""
        import torch

        return torch.full((self.T,), self.beta, dtype=torch.float64)


class Cosine(BetaSchedule):
    """abar falls like a squared cosine (Nichol and Dhariwal 2021): noise is spread evenly over the levels."""

    s: float = Field(0.008, ge=0, lt=1)
    """offset that keeps the first betas from vanishing"""
    max_beta: float = Field(0.999, gt=0, lt=1)
    """cap on beta; the last levels would otherwise reach 1"""

    def betas(self) -> Tensor:
        """float64 [T]."""
        import torch

        u = torch.arange(self.T + 1, dtype=torch.float64) / self.T
        abar = ((u + self.s) / (1 + self.s) * math.pi / 2).cos().square()
        return (1 - abar[1:] / abar[:-1]).clamp(max=self.max_beta)


@hookimpl
def register_schedules(register: Register) -> None:
    """The built-in schedules."""
    register("linear", Linear)
    register("cosine", Cosine)
    register("quadratic", Quadratic)
    register("sigmoid", Sigmoid)
    register("constant", Constant)
