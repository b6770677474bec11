"""What a network can predict: the noise, the picture, or a mixture of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from difftool.api import Register, Target, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class Eps(Target):
    """The noise, as in the paper: x0 = (x_t - sigma F) / alpha."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]:
        """(skip, out, scale)."""
        return 1 / alpha, -sigma / alpha, 1.0


class X0(Target):
    """The clean picture itself."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]:
        """(skip, out, scale)."""
        return 0.0, 1.0, 1.0


class V(Target):
    """v = alpha eps - sigma x0 (Salimans and Ho 2022): noise where there is picture, picture where there is noise."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]:
        """(skip, out, scale)."""
        power = alpha**2 + sigma**2
        return alpha / power, -sigma / power, 1.0


class Velocity(Target):
    """The flow's velocity eps - x0 (Lipman et al. 2023)."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]:
        """(skip, out, scale)."""
        return 1 / (alpha + sigma), -sigma / (alpha + sigma), 1.0


@hookimpl
def register_targets(register: Register) -> None:
    """The built-in targets."""
    register("eps", Eps)
    register("x0", X0)
    register("v", V)
    register("velocity", Velocity)
