"""Heun's method as in EDM (Karras et al. 2022, arXiv 2206.00364, algorithm 2), for any alpha and sigma."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from difftool.api import Denoiser, Draw, Field, Hop, Step
from difftool_solvers.path import CEILING, Fast, Levels, along

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


class Heun(Fast):
    """EDM's Heun: n steps cost 2 n - 1 calls at most. For 36 calls and more.

    It is known to be bad under 18 calls (9 steps), behind ddim even; every other sampler here needs fewer.
    """

    spacing: Levels = "edm"
    """where the levels lie, unless sample.spacing says it. bent: even in log SNR, but sparse where sigma / alpha is
    above 80;  edm: even in (sigma / alpha)^(1/7) from 80 down;  others: as in sample.spacing"""
    churn: float = Field(0.0, ge=0)
    """how much noise is fresh (S_churn): a step first raises sigma / alpha by churn / n, at most by sqrt(2) - 1"""
    churn_from: float = Field(0.0, ge=0)
    """no fresh noise where sigma / alpha is below (S_tmin)"""
    churn_to: float | None = Field(None, gt=0)
    """no fresh noise where sigma / alpha is above (S_tmax); absent: no such end"""
    churn_size: float = Field(1.0, gt=0)
    """standard deviation of the fresh noise (S_noise); a little above 1 makes up for detail that gets lost"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """d(x / alpha) = eps d(sigma / alpha), with the mean of eps at both ends of the step."""
        schedule, n = denoiser.schedule, len(times) - 1
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = schedule.hop(t, s)
            # First order into clean data; and above EDM's levels, where x is straight and hops are huge: a mean of
            # slopes would spoil it. Where the walk stands decides, and not where churn lifts it.
            twice = s > 0 and hop.sigma_t <= CEILING * hop.alpha_t * (1 + 1e-9)
            top = self._churned(schedule, hop, n, times[0])
            if top > t:
                back, hop = schedule.hop(top, t), schedule.hop(top, s)
                x = back.alpha_t / back.alpha_s * x + self.churn_size * math.sqrt(back.beta) * draw()
            guess = denoiser(x, hop.t)
            x = along(hop, guess, guess.eps)
            if twice:
                x = along(hop, guess, (guess.eps + denoiser(x, s).eps) / 2)
            yield Step(index, n, s, x, guess.x0)

    def _churned(self, schedule: Schedule, hop: Hop, n: int, highest: float) -> float:
        """The level where sigma / alpha is 1 + churn / n times what it is, but none above the walk's first."""
        least, most = self.churn_from, math.inf if self.churn_to is None else self.churn_to
        if self.churn == 0 or hop.t == highest or not least * hop.alpha_t <= hop.sigma_t <= most * hop.alpha_t:
            return hop.t
        return min(float(schedule.level(hop.lam_t - math.log1p(min(self.churn / n, math.sqrt(2) - 1)))), highest)
