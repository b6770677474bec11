"""UniPC (Zhao et al. 2023, arXiv 2302.04867): each call of the network serves twice, to predict and to correct."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from difftool.api import Denoiser, Draw, Hop, Step
from difftool_solvers.path import Fast, shares, towards

if TYPE_CHECKING:
    from torch import Tensor


class UniPC(Fast):
    """UniPC, multistep, from x0: a predictor, and a corrector that costs no call. Good from 5 steps on.

    Step n yields what was predicted; step n + 1 begins with what was corrected.
    """

    order: Literal[2, 3] = 3
    """how many guesses the predictor uses; the corrector is one order higher"""
    variant: Literal["bh1", "bh2"] = "bh2"
    """B(h) = h or e^h - 1. It matters where just two guesses are known: in the predictor of order 2, and at first"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s = (sigma_s / sigma_t) x + alpha_s (1 - e^-h) D, D the mean of the polynomial through the guesses."""
        past: list[tuple[float, Tensor]] = []  # (lambda, x0), newest first
        hop: Hop | None = None
        start = x
        for index, (t, s) in enumerate(pairwise(times), 1):
            x0 = denoiser(x, t).x0
            here = denoiser.schedule.hop(t, s)
            now = here.lam_t, x0
            if hop is not None:
                x = towards(hop, start, self._mean(hop, past, now))
            past, hop, start = [now, *past][: self.order], here, x
            x = towards(hop, start, self._mean(hop, past) if s > 0 else x0)
            yield Step(index, len(times) - 1, s, x, x0)

    def _mean(self, hop: Hop, past: list[tuple[float, Tensor]], end: tuple[float, Tensor] | None = None) -> Tensor:
        """The guess over this step: from the past alone, or knowing the guess at its end as well."""
        h, (now, x0) = hop.h, past[0]
        older = [(each, guess) for each, guess in past[1:] if each > -math.inf]
        known = [((each - now) / h, guess) for each, guess in older] + ([(1.0, end[1])] if end else [])
        if not known:
            return x0
        if len(known) == 1:
            ((r, guess),) = known
            stretch = h / -math.expm1(-h) if self.variant == "bh1" and h < math.inf else 1.0
            return x0 + stretch / 2 / r * (guess - x0)
        _, *rest = shares([0.0, *(r for r, _ in known)], h)
        return x0 + sum(share * (guess - x0) for share, (_, guess) in zip(rest, known, strict=True))
