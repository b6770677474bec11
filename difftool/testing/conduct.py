"""How a sampler treats what it is given: pictures, noise, tensors, and other walks."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from difftool.core.sampling import SeededNoise
from difftool.core.types import Step
from difftool.plugin.component import Sampler
from difftool.testing.known import PATHS, Draws
from difftool.testing.oracles import Gaussian, Mixture, Rings
from difftool.testing.rules import Rule, alike, elsewhere, gap, repeats
from difftool.testing.walks import asking, paths_of, steps_of, walks_of


def each_picture_alone(part: Sampler, seed: int) -> str | None:
    """Makes each picture from its own noise alone: the same by itself as in a batch."""
    schedule = next(iter(paths_of(part).values()))
    rings = Rings(schedule, (0.3, 0.8), (0.05, 0.05), (1, 2))

    def made(seeds: list[int]) -> Tensor:
        noise = SeededNoise(seeds, (1, 1, 2))
        times = walks_of(part, 12, schedule)[0]
        return steps_of(part, asking(part, rings), times, lambda: noise().double())[-1].x

    together = made([seed, seed + 7, seed + 1, seed + 5])
    for k, own in enumerate((seed, seed + 7, seed + 1, seed + 5)):
        if (off := float((made([own])[0] - together[k]).abs().max())) > 1e-7:
            return f"the picture of one seed differs by {off:.3g} when others are made beside it"
    turned = made([seed + 5, seed + 1, seed + 7, seed])
    return None if gap(turned.flip(0), together) < 1e-7 else "pictures change when their order in the batch does"


def each_number_alone(part: Sampler, seed: int) -> str | None:
    """Makes each number of a picture from its own noise alone, where the denoiser mixes none."""
    schedule = next(iter(paths_of(part).values()))
    times = walks_of(part, 12, schedule)[0]

    def made(other: int | None) -> Tensor:
        draw, changed = Draws(seed, (1, 2, 2, 2)), Draws(seed + 1, (1, 2, 2, 2))

        def drawn() -> Tensor:
            z, new = draw(), changed()
            if other is not None:
                z.flatten()[other] = new.flatten()[other]
            return z

        return steps_of(part, asking(part, Gaussian(schedule, 0.2, 0.5)), times, drawn)[-1].x.flatten()

    plain = made(None)
    for k in (0, 3, 6):
        off = (made(k) - plain).abs()
        off[k] = 0
        if float(off.max()) > 1e-7:
            return f"the noise of number {k} of a picture changes number {int(off.argmax())} by {float(off.max()):.3g}"
    return None


def walks_the_same_again(part: Sampler, seed: int) -> str | None:
    """Takes all randomness from x_T and `draw`: the same walk twice, and the global generators left alone."""
    schedule = next(iter(paths_of(part).values()))

    def made() -> list[Tensor]:
        oracle = Mixture(schedule, (-0.5, 0.7), (0.1, 0.2), (1, 2))
        steps = steps_of(part, asking(part, oracle), walks_of(part, 8, schedule)[0], Draws(seed, (3, 1, 2, 2)))
        return [step.x.clone() for step in steps]

    return repeats(lambda: (made(), part.times(schedule, 7)))


def two_walks_do_not_meet(part: Sampler, seed: int) -> str | None:
    """Keeps nothing from one walk to the next, and nothing between two walks at once."""
    ways = []
    make = PATHS[next(iter(paths_of(part)))]
    for k, schedule in enumerate((make(), make(600))):
        ways.append(
            (Gaussian(schedule, 0.3 - 0.5 * k, 0.4), walks_of(part, 4 + k, schedule)[0], Draws(seed + k, (2, 1, 1, 2)))
        )
    apart = [steps_of(part, asking(part, oracle), times, draw) for oracle, times, draw in ways]
    running = []
    for oracle, times, draw in ways:
        draw.count = 0
        start = math.hypot(*(float(value) for value in oracle.schedule.at(times[0]))) * draw()
        running.append(iter(part.run(asking(part, oracle), start, times, draw)))
    beside: list[list[Step]] = [[], []]
    with torch.no_grad():
        for _ in range(max(map(len, apart))):
            for walk, kept in zip(running, beside, strict=True):
                kept += [step for step in [next(walk, None)] if step is not None]
    for alone, other in zip(apart, beside, strict=True):
        if len(alone) != len(other) or any(gap(a.x, b.x) > 1e-9 for a, b in zip(alone, other, strict=True)):
            return "a walk comes out differently when another one runs beside it: the sampler remembers something"
    return None


def edits_nothing(part: Sampler, seed: int) -> str | None:
    """Never edits a tensor that others hold: x_T, what it yielded, what the denoiser answered."""
    schedule = next(iter(paths_of(part).values()))
    for times in walks_of(part, 6, schedule):
        draw = Draws(seed, (2, 1, 2, 2))
        x = math.hypot(*(float(value) for value in schedule.at(times[0]))) * draw()
        start, kept = x.clone(), []
        denoiser = asking(part, Gaussian(schedule, 0.2, 0.5))
        with torch.no_grad():
            for step in part.run(denoiser, x, times, draw):
                kept.append((step, step.x.clone(), step.x0.clone()))
        if not alike(x, start):
            return "it edits x_T in place"
        for step, was, guess in kept:
            if not (alike(step.x, was) and alike(step.x0, guess)):
                return f"the tensors of step {step.index} change after they were yielded"
        if denoiser.edited():
            return "it edits in place what the denoiser answered"
    return None


def keeps_the_precision(part: Sampler, seed: int) -> str | None:
    """Keeps the precision of x: float32 stays float32, float64 float64."""
    for dtype in (torch.float32, torch.float64):
        for schedule in paths_of(part).values():
            denoiser = asking(part, Gaussian(schedule, 0.2, 0.5))
            steps = steps_of(part, denoiser, walks_of(part, 5, schedule)[0], Draws(seed, (2, 1, 2, 2), dtype))
            for step in steps:
                if step.x.dtype != dtype or step.x0.dtype != dtype:
                    return f"x is {dtype}; step {step.index} yields {step.x.dtype} and a guess in {step.x0.dtype}"
            if wrong := [x.dtype for x in denoiser.questions if x.dtype != dtype]:
                return f"x is {dtype}; the denoiser is asked about {wrong[0]}"
    return None


def works_on_another_device(part: Sampler, seed: int) -> str | None:
    """Works where x is: coefficients are plain numbers, and no tensor is made on the CPU to be mixed with x."""
    schedule = next(iter(paths_of(part).values()))

    def there(device: torch.device) -> None:
        draw = Draws(seed, (2, 1, 2, 2), torch.float32)
        steps_of(
            part, asking(part, Gaussian(schedule, 0.2, 0.5)), walks_of(part, 4, schedule)[0], lambda: draw().to(device)
        )

    return elsewhere(there)


CONDUCT: tuple[Rule, ...] = (
    each_picture_alone,
    each_number_alone,
    walks_the_same_again,
    two_walks_do_not_meet,
    edits_nothing,
    keeps_the_precision,
    works_on_another_device,
)
