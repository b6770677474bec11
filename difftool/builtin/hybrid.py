"""A loss for networks that also learn how much noise their reverse steps add."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from difftool.api import Field, Loss, Noised, Register, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class Hybrid(Loss):
    """L_simple + `vlb` L_vlb (Nichol and Dhariwal 2021): the network learns the variance of its steps as well.

    The first half of its answer is learned as by `l2`. The second says where each step's log variance lies between its
    two bounds; it learns from the variational bound, in bits per dimension over all levels, with the means held fixed.
    """

    outputs: ClassVar[int] = 2

    vlb: float = Field(0.001, ge=0)
    """weight of the bound beside L_simple (their lambda)"""

    def __call__(self, output: Tensor, noised: Noised) -> Tensor:
        """[B]."""
        from difftool.api import Hops

        answer, raw = output.chunk(2, dim=1)
        error = answer - noised.target
        guess = noised.x0 + noised.gain * error.detach()
        # One level of T was drawn, so its term stands for all of them. Unclamped, or a variance beyond a bound would
        # never learn to come back.
        nats = Hops.of(noised.schedule, noised.times).term(noised.x0, guess, (raw + 1) / 2)
        bits = noised.schedule.T * nats / math.log(2)
        return error.square().flatten(1).mean(1) + self.vlb * bits


@hookimpl
def register_losses(register: Register) -> None:
    """Offers `hybrid`."""
    register("hybrid", Hybrid)
