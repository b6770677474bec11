"""The preconditioning of EDM: the network sees and says numbers of size 1, however much noise there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from difftool.api import Field, Target

if TYPE_CHECKING:
    from torch import Tensor


class Preconditioned(Target):
    """c_skip, c_out and c_in of Karras et al. 2022, table 1, for any alpha and sigma.

    Almost clean, the network says the noise; almost noise, the picture; and always numbers of variance 1.
    """

    sigma_data: float = Field(0.5, gt=0)
    """standard deviation of the pixels, which lie in -1..1"""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]:
        """(skip, out, scale)."""
        signal = alpha * self.sigma_data
        power = signal**2 + sigma**2  # the variance of x_t
        return self.sigma_data * signal / power, self.sigma_data * sigma / power.sqrt(), 1 / power.sqrt()
