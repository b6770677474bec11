"""Where a walk may begin besides pure noise: at a picture, or between two, brought to a level.

The higher the level, the more of the picture is made anew: details first, then colours, in the end everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from difftool.core.schedule import Schedule
from difftool.core.types import Draw
from difftool.errors import InputError


@dataclass(frozen=True, eq=False)
class Start:
    """x at `level`: of one picture, or (1 - share) of it and share of another (Ho et al. 2020, figure 8).

    Two pictures get noise of their own each, mixed like themselves.
    """

    level: float
    picture: Tensor  # [C, H, W] in -1..1
    other: Tensor | None = None
    shares: tuple[float, ...] = ()  # of `other`, one for each walk

    def of(self, places: Sequence[int]) -> Start:
        """The start of some of the walks."""
        return replace(self, shares=tuple(self.shares[place] for place in places)) if self.shares else self

    def x(self, schedule: Schedule, draw: Draw) -> Tensor:
        """[B, C, H, W]."""
        noise = draw()
        x = schedule.diffuse(self.picture.to(noise.device), noise, self.level)
        if self.other is None:
            return x
        noise = draw()
        end = schedule.diffuse(self.other.to(noise.device), noise, self.level)
        return x + torch.tensor(self.shares, device=x.device)[:, None, None, None] * (end - x)

    def times(self, times: tuple[float, ...], T: int) -> tuple[float, ...]:
        """What is left of a walk's levels from here."""
        if not 1 <= self.level <= T:
            raise InputError(f"a picture starts from a level of 1 to {T}, not {self.level:g}")
        return (self.level, *(t for t in times if t < self.level))
