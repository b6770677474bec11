"""The maths that the samplers share: x_t = alpha x0 + sigma eps, lambda = ln(alpha / sigma), coefficients as floats.

Every step here is the first-order one (ddim) with a better x0 or eps than the last guess: the mean over the step, as
far as older guesses tell it. The first-order step needs no lambda, so it holds where lambda is infinite too: without
signal (-inf, at T) and without noise (inf, at 0). What betters the guess does need it: it is left out in a step to
level 0, and a guess without signal counts nothing in later steps where lambda tells guesses apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

from difftool.api import Hop, Prediction, Sampler

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


CEILING = 80.0
"""EDM's largest sigma / alpha. Cosine schedules go to 20,000 and flows have no signal at all at T: of ten steps, half
would be spent where a picture is drowned."""

Levels = Literal["bent", "edm", "uniform", "quadratic", "logsnr", "karras"]


class Fast(Sampler):
    """A sampler that is meant for few steps, and has a say in where they lie."""

    spacing: Levels = "bent"
    """where the levels lie, unless sample.spacing says it. bent: even in log SNR, but sparse where sigma / alpha is
    above 80;  edm: even in (sigma / alpha)^(1/7) from 80 down;  others: as in sample.spacing"""

    def times(self, schedule: Schedule, n: int | None = None) -> tuple[float, ...]:
        """n + 1 levels; n defaults to 20."""
        import torch

        from difftool.api import spaced

        n = n if n is not None else min(20, schedule.T)
        match self.spacing:
            case "uniform" | "quadratic" | "logsnr" | "karras" as even:
                return spaced(schedule, n, even)
        high, low = (schedule.hop(t, 0).lam_t for t in (schedule.T, 1))
        if n < 3 or low <= -math.log(CEILING):  # nothing between T and 1 to place, or nowhere to place it
            return spaced(schedule, n, "logsnr")
        places = [k / (n - 1) for k in range(1, n - 1)]
        if self.spacing == "bent":  # r is sigma / alpha: ln(1 / r + 1 / 80), which is finite where r is not
            first, last = (math.log(math.exp(lam) + 1 / CEILING) for lam in (high, low))
            ratios = [1 / (math.exp(first + place * (last - first)) - 1 / CEILING) for place in places]
        else:
            first, last = (math.exp(min(-lam, math.log(CEILING)) / 7) for lam in (high, low))
            ratios = [(first + place * (last - first)) ** 7 for place in places]
        levels = schedule.level(-torch.tensor(ratios, dtype=torch.float64).log()).tolist()
        return float(schedule.T), *levels, 1.0, 0.0


def towards(hop: Hop, x: Tensor, x0: Tensor) -> Tensor:
    """x_s = (sigma_s / sigma_t) x + alpha_s (1 - e^-h) x0."""
    return hop.alpha_s * x0 + hop.sigma_s / hop.sigma_t * (x - hop.alpha_t * x0)


def along(hop: Hop, guess: Prediction, eps: Tensor) -> Tensor:
    """x_s / alpha_s = x_t / alpha_t + (sigma_s / alpha_s - sigma_t / alpha_t) eps; without signal at t, as guessed."""
    x = hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps
    return x + (hop.sigma_s - hop.alpha_s / hop.alpha_t * hop.sigma_t) * (eps - guess.eps) if hop.alpha_t > 0 else x


def blend(weights: Sequence[float], guesses: Sequence[Tensor]) -> Tensor:
    """The weighted sum."""
    first, *rest = (weight * guess for weight, guess in zip(weights, guesses, strict=True))
    return sum(rest, first)


def shares(nodes: list[float], h: float, of: Callable[[list[float]], list[float]] = list) -> list[float]:
    """What each guess counts in the mean over a step, weighted by e^(h u) for u from 0 to 1: they sum to 1.

    The guesses stand at the u of `nodes`; between them lies the polynomial through them in of(u).
    """
    us, gauss = _gauss()
    weights = [weight * math.exp(h * (u - (h > 0))) for u, weight in zip(us, gauss, strict=True)]
    points, known = of(us), of(nodes)
    basis = [[math.prod((v - b) / (a - b) for b in known if b != a) for v in points] for a in known]
    return [sum(w * v for w, v in zip(weights, each, strict=True)) / sum(weights) for each in basis]


@cache
def _gauss() -> tuple[list[float], list[float]]:
    """Gauss-Legendre points and weights on 0..1: right to rounding for steps of any length that is of use."""
    import numpy as np

    points, weights = np.polynomial.legendre.leggauss(24)
    return ((points + 1) / 2).tolist(), weights.tolist()
