"""Losses between what the network said and what it should have said, one value a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from difftool.api import Field, Loss, Noised, Register, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

CLEAN = 1e15
"""alpha / sigma beyond which a picture is clean: its square is still a float32."""


class ErrorLoss(Loss):
    """The mean cost of an error: a subclass says what one error costs.

    With a weight, levels without any signal weigh nothing.
    """

    weight: Literal["none", "min-snr", "p2"] = "none"
    """none: the network's own error counts;  others: that of x0, weighted by SNR = (alpha / sigma)^2, for any target"""
    snr_cap: float = Field(5.0, gt=0)
    """min-snr: the weight on x0 is min(SNR, snr_cap) (Hang et al. 2023)"""
    p2_k: float = Field(1.0, ge=1e-3)
    """p2: the weight on x0 is SNR / (p2_k + SNR)^p2_gamma (Choi et al. 2022)"""
    p2_gamma: float = Field(1.0, ge=0, le=10)
    """p2: how much less the almost clean levels weigh"""

    def __call__(self, output: Tensor, noised: Noised) -> Tensor:
        """[B]."""
        error = output - noised.target
        if self.weight != "none":
            error = self._root(noised) * noised.gain * error
        return self.cost(error).flatten(1).mean(1)

    def _root(self, noised: Noised) -> Tensor:
        """The root of the weight on x0's error, [B, 1, 1, 1]: so it lies inside whatever the cost does."""
        ratio = (noised.alpha / noised.sigma).clamp(max=CLEAN)
        if self.weight == "min-snr":
            return ratio.clamp(max=self.snr_cap**0.5)
        return ratio * (self.p2_k + ratio.square()) ** (-self.p2_gamma / 2)

    def cost(self, error: Tensor) -> Tensor:
        """Elementwise, not negative."""
        raise TypeError(f"{type(self).__name__} does not define cost()")


class L2(ErrorLoss):
    """Mean squared error: the paper's L_simple (equation 14)."""

    def cost(self, error: Tensor) -> Tensor:
        """The square."""
        return error.square()


class L1(ErrorLoss):
    """Mean absolute error: less moved by single wrong pixels."""

    def cost(self, error: Tensor) -> Tensor:
        """The size."""
        return error.abs()


class Huber(ErrorLoss):
    """Squared up to `delta`, then straight: between l2 and l1."""

    delta: float = Field(1.0, gt=0)
    """where the square ends"""

    def cost(self, error: Tensor) -> Tensor:
        """Half the square, then delta times the size beyond."""
        size = error.abs()
        near = size.clamp(max=self.delta)
        return near * (size - near / 2)


@hookimpl
def register_losses(register: Register) -> None:
    """The built-in losses."""
    register("l1", L1)
    register("l2", L2)
    register("huber", Huber)
