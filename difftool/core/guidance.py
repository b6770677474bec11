"""Classifier-free guidance (Ho and Salimans 2022): away from what nobody asked for, towards what was told."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from difftool.core.denoiser import settled
from difftool.core.schedule import Schedule
from difftool.core.types import Denoiser, Prediction
from difftool.errors import InputError


@dataclass(frozen=True)
class Guidance:
    """How much more than asked for."""

    scale: float = 1.0  # 0: as if nothing was told; 1: as told, no guidance
    levels: tuple[float, float] | None = None  # guided from the first to the second, elsewhere scale 1
    rescale: float = 0.0  # how far the guided guess gets the spread of the unguided one back

    def __post_init__(self) -> None:
        if not 0 <= self.scale < math.inf:
            raise InputError(f"a guidance of {self.scale:g}: 0 or more")

    def at(self, t: float) -> float:
        """The scale at level t."""
        return self.scale if self.levels is None or self.levels[0] <= t <= self.levels[1] else 1.0


UNGUIDED = Guidance()


@dataclass(frozen=True, eq=False)
class Guided:
    """x0 = x0(null) + scale (x0(told) - x0(null)), then clipped. Scales 0 and 1 run one branch only.

    Both branches come unclipped: what was cut off before could not be combined rightly after.
    """

    told: Denoiser
    null: Denoiser
    guidance: Guidance
    clip: bool

    @property
    def schedule(self) -> Schedule:
        """That of both branches."""
        return self.told.schedule

    def __call__(self, x: Tensor, t: float) -> Prediction:
        scale = self.guidance.at(t)
        guess = self.null(x, t) if scale == 0 else self.told(x, t)
        x0 = guess.x0
        if scale not in (0, 1):
            plain = self.null(x, t).x0
            guided = plain + scale * (x0 - plain)
            x0 = self._rescaled(guided, like=x0)
        alpha, sigma = (float(value) for value in self.schedule.at(t))
        return settled(x0, x, alpha, sigma, self.clip, guess.mix)

    def _rescaled(self, guided: Tensor, like: Tensor) -> Tensor:
        """Lin et al. 2023: guidance makes pictures loud; this brings each one's spread back, as far as asked."""
        if self.guidance.rescale == 0:
            return guided
        quiet = guided * (like.flatten(1).std(1) / guided.flatten(1).std(1).clamp(min=1e-8))[:, None, None, None]
        return guided + self.guidance.rescale * (quiet - guided)
