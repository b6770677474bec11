"""The sampler of EDM: two calls of the network for each step, and noise on the way only if it is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from difftool.api import Denoiser, Draw, Field, Hop, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


class Heun(Sampler):
    """Heun's method in the noise ratio sigma / alpha (Karras et al. 2022, algorithm 2), on any schedule.

    Each step asks the network twice, but for the last and those that begin above `highest`. Deterministic, unless
    `churn` adds noise.
    """

    rho: float = Field(7.0, ge=1)
    """spacing of the steps, even in (sigma / alpha)^(1 / rho): the larger, the more of them have little noise"""
    highest: float = Field(80.0, ge=10)
    """sigma / alpha where the spacing begins if the schedule goes further: the first step leaps there, by one call"""
    churn: float = Field(0.0, ge=0)
    """noise that is added on the way, shared among the steps (S_churn); 0: none"""
    churn_from: float = Field(0.0, ge=0)
    """no noise is added where sigma / alpha is below (S_tmin)"""
    churn_to: float | None = Field(None, gt=0)
    """no noise is added where sigma / alpha is above (S_tmax); absent: no such end"""
    churn_size: float = Field(1.0, gt=0)
    """standard deviation of the noise that is added (S_noise); a little above 1 makes up for detail that gets lost"""

    def times(self, schedule: Schedule, n: int | None = None) -> tuple[float, ...]:
        """n + 1 levels on the paper's grid (equation 5), from the schedule's last noise ratio to its first; then 0."""
        import torch

        T = float(schedule.T)
        n = min(18, schedule.T) if n is None else n
        if n == 1:
            return T, 0.0
        most = math.log(self.highest)
        high, low = (math.exp(min(-schedule.hop(t, 0).lam_t, most) / self.rho) for t in (T, 1))
        roots = torch.linspace(high, low, n, dtype=torch.float64)
        return T, *schedule.level(-self.rho * roots[1:-1].log()).tolist(), 1.0, 0.0

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """Up a little with new noise, down along the slope there, then again along the mean of both ends' slopes."""
        schedule, total = denoiser.schedule, len(times) - 1
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = schedule.hop(t, s)
            # Beyond, x is straight in sigma / alpha and hops are huge: the mean of two slopes would spoil it.
            twice = s > 0 and hop.sigma_t <= self.highest * hop.alpha_t * (1 + 1e-9)
            if (higher := self._higher(schedule, hop, times)) > t:
                up, hop = schedule.hop(higher, t), schedule.hop(higher, s)  # `up` leads back, and so tells the way
                x = up.alpha_t / up.alpha_s * x + self.churn_size * math.sqrt(up.beta) * draw()
            guess = denoiser(x, higher)
            x = hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps
            if twice:
                bend = hop.sigma_s - hop.alpha_s / hop.alpha_t * hop.sigma_t
                x = x + bend / 2 * (denoiser(x, s).eps - guess.eps)
            yield Step(index, total, s, x, guess.x0)

    def _higher(self, schedule: Schedule, hop: Hop, times: tuple[float, ...]) -> float:
        """The level that noise is added up to: t itself if none is, and never above where the walk began."""
        least, most = self.churn_from, math.inf if self.churn_to is None else self.churn_to
        if self.churn == 0 or hop.t == times[0] or not least * hop.alpha_t <= hop.sigma_t <= most * hop.alpha_t:
            return hop.t
        factor = 1 + min(self.churn / (len(times) - 1), math.sqrt(2) - 1)
        return min(max(hop.t, float(schedule.level(hop.lam_t - math.log(factor)))), times[0])
