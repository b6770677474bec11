"""The training levels of EDM, neither almost clean nor almost noise, and its weighting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftool.api import Field, Loss, Noised

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Schedule


class Lognormal(Loss):
    """Squared error at levels whose ln(sigma / alpha) is normally distributed (Karras et al. 2022, table 1).

    The error of x0 is weighted with 1 / sigma_data^2 + (alpha / sigma)^2, for any target: for the target `edm` that
    weighs the network's own error alike at all levels.
    """

    mean: float = -1.2
    """of ln(sigma / alpha); larger pictures want more"""
    std: float = Field(1.2, gt=0)
    """of ln(sigma / alpha)"""
    sigma_data: float = Field(0.5, gt=0)
    """standard deviation of the pixels, which lie in -1..1: give the target `edm` the same"""

    def levels(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Quantile u of the normal law, kept to the schedule's levels 1..T."""
        from torch.special import ndtri

        return schedule.level(-(self.mean + self.std * ndtri(u))).clamp(min=1)

    def __call__(self, output: Tensor, noised: Noised) -> Tensor:
        """[B]."""
        weight = (noised.alpha / noised.sigma).square() + self.sigma_data**-2
        error = weight.sqrt() * noised.gain * (output - noised.target)
        return error.square().flatten(1).mean(1)
