"""Losses between what the network said and what it should have said, one value a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftool.api import Field, Loss, Noised, Register, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class L2(Loss):
    """Mean squared error: the paper's L_simple (equation 14)."""

    def __call__(self, output: Tensor, noised: Noised) -> Tensor:
        """[B]."""
        return (output - noised.target).square().flatten(1).mean(1)


class L1(Loss):
    """Mean absolute error: less moved by single wrong pixels."""

    def __call__(self, output: Tensor, noised: Noised) -> Tensor:
        """[B]."""
        return (output - noised.target).abs().flatten(1).mean(1)


class Huber(Loss):
    """Squared up to `delta`, then straight: between l2 and l1."""

    delta: float = Field(1.0, gt=0)
    """where the square ends"""

    def __call__(self, output: Tensor, noised: Noised) -> Tensor:
        """[B]."""
        error = (output - noised.target).abs()
        near = error.clamp(max=self.delta)
        return (near * (error - near / 2)).flatten(1).mean(1)


@hookimpl
def register_losses(register: Register) -> None:
    """The built-in losses."""
    register("l1", L1)
    register("l2", L2)
    register("huber", Huber)
