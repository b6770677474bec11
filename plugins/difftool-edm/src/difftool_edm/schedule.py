"""The variance exploding schedule of EDM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftool.api import Field, NoiseSchedule

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


class Exploding(NoiseSchedule):
    """x_t = x0 + sigma eps, with sigma^(1 / rho) even over the levels 1 to T (Karras et al. 2022, equation 5)."""

    keeps = "signal"

    lowest: float = Field(0.002, gt=0, lt=1)
    """sigma at level 1"""
    highest: float = Field(80.0, ge=10)
    """sigma at level T; the data's own size is about 1"""
    rho: float = Field(7.0, ge=3, le=1000)
    """the larger, the more of the levels have little noise; 1000: as good as even in ln(sigma)"""

    def build(self) -> Schedule:
        """Alpha is 1; below level 1, where nobody asks a network, sigma falls straight to 0."""
        import torch

        from difftool.api import Schedule

        high = self.highest ** (1 / self.rho)
        low = self.lowest ** (1 / self.rho) if self.T > 1 else high

        def curve(t: Tensor) -> tuple[Tensor, Tensor]:
            share = (t - 1).clamp(min=0) / max(1, self.T - 1)
            return torch.ones_like(t), t.clamp(max=1) * (low + share * (high - low)) ** self.rho

        return Schedule(*curve(torch.arange(self.T + 1, dtype=torch.float64)), curve)
