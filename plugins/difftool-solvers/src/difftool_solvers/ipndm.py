"""iPNDM (Liu et al. 2022, arXiv 2202.09778, as in Zhang and Chen 2022): ddim with eps from Adams and Bashforth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from difftool.api import Denoiser, Draw, Step
from difftool_solvers.path import Fast, along, blend

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
"""Of the newest guess, the one before, and so on, as if all steps were equal."""


class IPNDM(Fast):
    """iPNDM: the simplest multistep method, and a good one from 5 steps on. One call a step."""

    order: Literal[2, 3, 4] = 4
    """how many guesses of eps are used; the first steps use those there are"""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s / alpha_s = x_t / alpha_t + (sigma_s / alpha_s - sigma_t / alpha_t) (55 eps - 59 eps' + ...) / 24."""
        past: list[Tensor] = []
        for index, (t, s) in enumerate(pairwise(times), 1):
            guess = denoiser(x, t)
            past = [guess.eps, *past][: self.order]
            eps = blend(WEIGHTS[len(past) - 1], past) if s > 0 else guess.eps
            x = along(denoiser.schedule.hop(t, s), guess, eps)
            yield Step(index, len(times) - 1, s, x, guess.x0)
