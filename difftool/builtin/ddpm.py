"""The paper's sampler, step by step against the noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from difftool.api import Denoiser, Draw, Field, Register, Sampler, Step, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class DDPM(Sampler):
    """Ancestral sampling (Ho et al. 2020, algorithm 2), for any falling levels."""

    variance: Literal["full", "beta", "zero"] = "full"
    """full: sigma^2 = beta_t (1 - abar_{t-1}) / (1 - abar_t);  beta: sigma = sqrt(beta_t);  zero: the mean alone"""
    noise: float = Field(1.0, ge=0, le=1)
    """share of sigma that is used: sigma is an upper bound, less is allowed"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s = mean(x0, x_t) + sigma z; no noise at the last step."""
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            x0 = denoiser(x, t).x0
            x = hop.mean_x0 * x0 + hop.mean_xt * x
            variance = {"full": hop.posterior, "beta": hop.beta, "zero": 0.0}[self.variance]
            if s > 0 and variance * self.noise > 0:
                x = x + self.noise * math.sqrt(variance) * draw()
            yield Step(index, len(times) - 1, s, x, x0)


@hookimpl
def register_samplers(register: Register) -> None:
    """The paper's sampler."""
    register("ddpm", DDPM)
