"""What a network predicts, as three numbers: x0 = skip x_t + out F(scale x_t).

From these follow the conversion to (x0, eps), the training target, preconditioning and loss weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from difftool.core.schedule import Schedule
from difftool.core.types import Noised
from difftool.errors import InputError


class Target(Protocol):
    """A component that places the network between x_t and x0."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]: ...


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Everything about a set of levels that training needs, float64 [B]."""

    alpha: Tensor
    sigma: Tensor
    skip: Tensor
    out: Tensor
    scale: Tensor
    of_x0: Tensor  # the training target is of_x0 * x0 + of_eps * eps
    of_eps: Tensor


def coefficients(target: Target, schedule: Schedule, t: Tensor | float) -> Coefficients:
    """The target's numbers at the levels t, with the training target as a mixture of x0 and eps."""
    alpha, sigma = schedule.at(t)
    raw = target.coefficients(alpha, sigma)
    skip, out, scale = (torch.as_tensor(value, dtype=torch.float64).expand_as(alpha) for value in raw)
    finite = torch.isfinite(skip) & torch.isfinite(out) & torch.isfinite(scale) & (out != 0)
    if not bool(finite.all()):
        level = torch.as_tensor(t, dtype=torch.float64).expand_as(alpha)[~finite].flatten()[0]
        raise InputError(
            f"the target {type(target).__name__} says nothing about x0 at level {level:g}",
            why="no signal is left there" if float(sigma[~finite].flatten()[0]) > 0 else "no noise is there",
            do='use predict = "v", "x0" or "velocity" with this schedule',
        )
    return Coefficients(alpha, sigma, skip, out, scale, (1 - skip * alpha) / out, -skip * sigma / out)


def add_noise(
    x0: Tensor, eps: Tensor, t: Tensor, target: Target, schedule: Schedule, cond: Mapping[str, Tensor]
) -> tuple[Tensor, Noised]:
    """(the network's input, all that a loss may want). t is float64 on the CPU; one transfer carries the numbers."""
    c = coefficients(target, schedule, t)
    numbers = torch.stack([c.alpha, c.sigma, c.out, c.scale, c.of_x0, c.of_eps, t]).float()
    alpha, sigma, gain, scale, of_x0, of_eps, level = numbers.to(x0.device, non_blocking=True)[..., None, None, None]
    x_t = alpha * x0 + sigma * eps
    noised = Noised(
        x0=x0,
        eps=eps,
        x_t=x_t,
        target=of_x0 * x0 + of_eps * eps,
        t=level.flatten(),
        times=t,
        alpha=alpha,
        sigma=sigma,
        gain=gain,
        cond=cond,
        schedule=schedule,
    )
    return scale * x_t, noised
