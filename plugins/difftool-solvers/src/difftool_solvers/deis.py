"""DEIS (Zhang and Chen 2022, arXiv 2204.13902): the linear part of the step is exact, eps is a polynomial."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from difftool.api import Denoiser, Draw, Step
from difftool_solvers.path import Fast, along, blend, shares

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


class DEIS(Fast):
    """DEIS, Adams-Bashforth: eps is extrapolated by a polynomial through the last guesses. One call a step."""

    order: Literal[2, 3, 4] = 3
    """how many guesses the polynomial goes through: of degree order - 1 (the paper's tAB3 is 4)"""
    variable: Literal["logrho", "t", "rho"] = "logrho"
    """of what eps is a polynomial: ln(sigma / alpha), best at few steps; the level (tAB); or sigma / alpha (rhoAB)"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s / alpha_s = x_t / alpha_t + sum of C_j eps_j, C_j the integral of L_j over d(sigma / alpha)."""
        past: list[tuple[float, Tensor]] = []  # (lambda, eps), newest first
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess, start, h = denoiser(x, t), hop.lam_t, hop.h
            eps = guess.eps
            if start > -math.inf:  # a guess without signal is infinitely far away, and counts nothing
                past = [(start, eps), *past][: self.order]
            if h < math.inf:
                weights = self._weights(denoiser.schedule, [each for each, _ in past], h)
                eps = blend(weights, [each for _, each in past])
            x = along(hop, guess, eps)
            yield Step(index, len(times) - 1, s, x, guess.x0)

    def _weights(self, schedule: Schedule, lams: list[float], h: float) -> list[float]:
        """C_j, as shares of the step in sigma / alpha."""

        def variable(us: list[float]) -> list[float]:
            from torch import float64, tensor

            there = [lams[0] + u * h for u in us]
            if self.variable == "t":
                return schedule.level(tensor(there, dtype=float64)).tolist()
            return [math.exp(-each) for each in there] if self.variable == "rho" else us

        return shares([(each - lams[0]) / h for each in lams], -h, variable)
