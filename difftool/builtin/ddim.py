"""Samplers that need few steps or none: implicit models, and one jump."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from difftool.api import Denoiser, Draw, Field, Register, Sampler, Step, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


class DDIM(Sampler):
    """Denoising diffusion implicit models (Song et al. 2021): fewer steps, no noise unless `eta` asks for it."""

    eta: float = Field(0.0, ge=0, le=1)
    """0: deterministic;  1: the same as ddpm with variance full"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s = alpha_s x0 + sqrt(sigma_s^2 - v) eps + sqrt(v) z, with v = eta^2 times the posterior variance."""
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess = denoiser(x, t)
            variance = self.eta**2 * hop.posterior
            x = hop.alpha_s * guess.x0 + math.sqrt(max(0.0, hop.sigma_s**2 - variance)) * guess.eps
            if variance > 0:
                x = x + math.sqrt(variance) * draw()
            yield Step(index, len(times) - 1, s, x, guess.x0)


class Direct(Sampler):
    """x0 in one jump from wherever x stands: blurry, for comparison."""

    gives = "means"

    def times(self, schedule: Schedule, n: int | None = None) -> tuple[float, ...]:
        """Always one jump, whatever number of steps is asked for."""
        return (float(schedule.T), 0.0)

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """The guess is the answer."""
        x0 = denoiser(x, times[0]).x0
        yield Step(len(times) - 1, len(times) - 1, 0.0, x0, x0)


@hookimpl
def register_samplers(register: Register) -> None:
    """Few steps, or one."""
    register("ddim", DDIM)
    register("direct", Direct)
