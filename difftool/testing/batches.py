"""Training batches as a loss sees them, and what a network might answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from difftool.core.schedule import Schedule
from difftool.core.target import add_noise
from difftool.core.types import Noised
from difftool.errors import InputError
from difftool.plugin.component import Loss
from difftool.testing.known import PATHS, TARGETS, pictures
from difftool.testing.rules import FoundError, generator

SHAPE = (3, 6, 4)
TENSORS = tuple(each.name for each in fields(Noised) if each.name not in ("cond", "schedule"))


def noised(target: str, schedule: Schedule, levels: Tensor, seed: int, shape: tuple[int, ...] = SHAPE) -> Noised:
    """A batch of pictures of bytes, noised to the given levels."""
    x0 = pictures(seed, len(levels), shape)
    eps = torch.randn(x0.shape, generator=generator(seed))
    return add_noise(x0, eps, levels.double(), TARGETS[target], schedule, {})[1]


def cases(seed: int) -> Iterator[tuple[str, Noised]]:
    """(what it is, a batch) for every target on every path, from the first level to the last."""
    some = 1 + 998 * torch.rand(2, generator=generator(seed), dtype=torch.float64)
    levels = torch.cat([torch.tensor([1.0, 2.0, 30.0], dtype=torch.float64), some, torch.tensor([1000.0]).double()])
    for path, make in PATHS.items():
        schedule = make()
        for target in TARGETS:
            try:
                yield f"{target} on the {path} path", noised(target, schedule, levels, seed)
            except InputError:  # eps, where no signal is left
                yield f"{target} on the {path} path", noised(target, schedule, levels[:-1], seed)


def answer_of(part: Loss, batch: Noised, error: Tensor | float, seed: int) -> Tensor:
    """What a network says that is wrong by `error`; a second half, if the loss wants one, within -1..1."""
    first = batch.target + error
    if part.outputs == 1:
        return first
    more = torch.rand((1, first.shape[1] * (part.outputs - 1), *first.shape[2:]), generator=generator(seed + 1))
    return torch.cat([first, (1.8 * more - 0.9).expand(len(first), *more.shape[1:])], dim=1)


def error_of(batch: Noised, seed: int) -> Tensor:
    """Errors of size 1."""
    return torch.randn(batch.target.shape, generator=generator(seed + 2))


def patterns(batch: Noised) -> dict[str, Tensor]:
    """Errors of many kinds."""
    nothing = torch.zeros_like(batch.target)
    _, channels, height, width = nothing.shape
    checks = 1 - 2.0 * ((torch.arange(height)[:, None] + torch.arange(width)) % 2)
    found = {
        "an error of the same size everywhere": nothing + 1,
        "a checkerboard of errors": nothing + checks,
        "an answer a tenth too small": -0.1 * batch.target,
        "an error in the left half": nothing + (torch.arange(width) < width / 2),
        "the same error up in one channel and down in another": nothing.clone(),
    }
    found["the same error up in one channel and down in another"][:, 0] = 1
    found["the same error up in one channel and down in another"][:, 1] = -1
    for channel in range(channels):
        found[f"an error in channel {channel} alone"] = nothing.index_fill(1, torch.tensor([channel]), 1.0)
    for name, y, x in (("the first", 0, 0), ("the last", -1, -1), ("an inner", height // 2, width // 2)):
        found[f"an error in {name} pixel alone"] = nothing.clone()
        found[f"an error in {name} pixel alone"][:, :, y, x] = 3
    return found


def read(part: Loss, gradient: Tensor) -> Tensor:
    """The part of an answer, or of its gradient, that a denoiser reads."""
    return gradient[:, : gradient.shape[1] // part.outputs]


def gradient_of(part: Loss, answer: Tensor, batch: Noised) -> Tensor:
    """Where the answer is pulled; nowhere is an error."""
    answer = answer.clone().requires_grad_()
    values = part(answer, batch)
    if not values.requires_grad:
        raise FoundError("no gradient reaches the network: the value does not depend on its answer")
    (gradient,) = torch.autograd.grad(values.sum(), answer)
    return gradient


def cost(part: Loss, batch: Noised, offset: Tensor, seed: int) -> Tensor:
    """How much more than the truth an answer costs that is off by this.

    Of two outputs the second may judge the error itself, with `detach` on it, so that only gradients mean something:
    then what pulls at the first is summed up on the way there.
    """
    if part.outputs == 1:
        return part(answer_of(part, batch, offset, seed), batch) - part(answer_of(part, batch, 0.0, seed), batch)
    stops = [(k + 0.5) / 6 for k in range(6)]
    pulls = [gradient_of(part, answer_of(part, batch, stop * offset, seed), batch) for stop in stops]
    return torch.stack([(read(part, pull) * offset).flatten(1).sum(1) for pull in pulls]).mean(0)


def others_changed(answer: Tensor) -> Tensor:
    """A factor for each picture: 1 for the first, something else for the rest."""
    factor = torch.full((len(answer), 1, 1, 1), 0.4)
    factor[0] = 1
    return factor


def with_tensors(batch: Noised, change: Callable[[Tensor], Tensor]) -> Noised:
    """The batch with every tensor changed."""
    changed: dict[str, Any] = {name: change(getattr(batch, name)) for name in TENSORS}
    return replace(batch, **changed)
