"""DPM-Solver++, multistep (Lu et al. 2022, arXiv 2211.01095): expansions of the guess x0 in lambda."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from difftool.api import Denoiser, Draw, Field, Step
from difftool_solvers.path import Fast, towards

if TYPE_CHECKING:
    from torch import Tensor


class DPM2M(Fast):
    """DPM-Solver++(2M): ddim that looks back one step. Second order, one call a step; robust from 10 steps on."""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s = (sigma_s / sigma_t) x + alpha_s (1 - e^-h) D, D = x0 + h / (2 h') (x0 - x0'), where ' is a step ago."""
        return _second_order(denoiser, x, times, draw, eta=0.0)


class DPM2MSDE(Fast):
    """SDE-DPM-Solver++(2M): as dpm-2m, with fresh noise in every step, which repairs errors of the network."""

    eta: float = Field(1.0, ge=0, le=1)
    """how much noise is fresh;  0: none, the same as dpm-2m;  1: as published"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s = sigma_s / sigma_t e^(-eta h) x + alpha_s (1 - e^(-h - eta h)) D + sigma_s sqrt(1 - e^(-2 eta h)) z."""
        return _second_order(denoiser, x, times, draw, self.eta)


def _second_order(denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw, eta: float) -> Iterator[Step]:
    old, h_old = None, math.inf
    for index, (t, s) in enumerate(pairwise(times), 1):
        hop = denoiser.schedule.hop(t, s)
        h, x0 = hop.h, denoiser(x, t).x0
        D = x0 if old is None or s == 0 else x0 + h / h_old / 2 * (x0 - old)
        kept = math.exp(-h) ** eta
        x = hop.alpha_s * D + kept * hop.sigma_s / hop.sigma_t * (x - hop.alpha_t * D)
        if eta > 0 and s > 0:
            x = x + hop.sigma_s * math.sqrt(-math.expm1(-2 * eta * h)) * draw()
        old, h_old = x0, h
        yield Step(index, len(times) - 1, s, x, x0)


class DPM3M(Fast):
    """DPM-Solver++(3M): looks back two steps. Third order only if `exact`."""

    exact: bool = False
    """doubles the second difference: published is half of what third order needs"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s = (sigma_s / sigma_t) x + alpha_s ((1 - e^-h) x0 + phi2 D1 - phi3 D2)."""
        past: list[tuple[float, Tensor]] = []  # (h of the step that followed, x0), newest first
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            h, x0 = hop.h, denoiser(x, t).x0
            x = towards(hop, x, x0)
            if s > 0 and len(past) == 1:
                ((h0, x1),) = past
                x = x + hop.alpha_s * -math.expm1(-h) * h / h0 / 2 * (x0 - x1)
            elif s > 0 and past:
                (h0, x1), (h1, x2) = past
                slope, before = h / h0 * (x0 - x1), h / h1 * (x1 - x2)
                D2 = h / (h0 + h1) * (slope - before) * (1 + self.exact)
                D1 = slope + h0 / (h0 + h1) * (slope - before)
                phi2 = 1 + math.expm1(-h) / h
                phi3 = phi2 / h - 0.5
                x = x + hop.alpha_s * (phi2 * D1 - phi3 * D2)
            past = [(h, x0), *past[:1]]
            yield Step(index, len(times) - 1, s, x, x0)
