"""Driving a sampler: the levels it visits, the noise it draws, the stream of Steps it yields.

Progress bars, film strips and tests are consumers of that one stream.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import pairwise
from typing import Protocol, get_args

import torch
from torch import Tensor

from difftool.core.randomness import Stream, normal
from difftool.core.schedule import Schedule
from difftool.core.start import Start
from difftool.core.types import Denoiser, Draw, Spacing, Step
from difftool.errors import InputError


class Sampler(Protocol):
    """A component that walks from noise to pictures."""

    def times(self, schedule: Schedule, n: int | None = None) -> tuple[float, ...]: ...

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]: ...


def spaced(schedule: Schedule, n: int, spacing: Spacing) -> tuple[float, ...]:
    """n + 1 strictly falling levels from T to 0; the smallest above 0 is never below 1."""
    T = schedule.T
    if not 1 <= n <= T:
        raise InputError(f"a schedule of {T} levels takes 1 to {T} steps, not {n}")
    if n == 1:
        return (float(T), 0.0)
    if spacing == "uniform":
        return tuple(T * (n - i) / n for i in range(n + 1))
    if spacing == "quadratic":
        return _between(T, [(1 + (math.sqrt(T) - 1) * (n - 1 - i) / (n - 1)) ** 2 for i in range(n)])
    # Even in a function of the noise-to-signal ratio. Where no signal is left at T the ratio is infinite:
    # T is then a level of its own, and the even stretch starts one below.
    top = T if schedule.alpha[-1] > 0 else T - 1
    count = n - (T - top)
    high, low = (float(s / a) for a, s in (schedule.at(float(top)), schedule.at(1.0)))
    f = torch.arange(count, dtype=torch.float64) / max(1, count - 1)
    if spacing == "logsnr":
        lam = -(math.log(high) + f * (math.log(low) - math.log(high)))
    elif spacing == "karras":  # Karras et al. 2022, rho = 7
        lam = -7 * (high ** (1 / 7) + f * (low ** (1 / 7) - high ** (1 / 7))).log()
    else:
        raise InputError(f"there is no spacing {spacing!r}; there are {', '.join(get_args(Spacing))}")
    levels = schedule.level(lam).tolist()
    return _between(T, [float(T), *levels] if top < T else levels)


def _between(T: int, levels: list[float]) -> tuple[float, ...]:
    """The levels with their ends made exact, against rounding, and 0 after them."""
    return (float(T), *levels[1:-1], 1.0, 0.0) if len(levels) > 1 else (float(T), 0.0)


def check_times(times: Sequence[float], T: int) -> None:
    """Levels a walk can use: from any level down to 0, strictly, and nothing between 0 and 1."""
    falling = all(t > s for t, s in pairwise(times))
    if len(times) < 2 or not falling or times[-1] != 0 or not 1 <= times[-2] <= times[0] <= T:
        shown = ", ".join(f"{t:g}" for t in times[:3]) + (", ..." if len(times) > 3 else "")
        raise InputError(f"levels must fall from at most {T} to 0, the smallest above 0 not below 1; got {shown}")


class SeededNoise:
    """Draw d of image k depends on (seed of k, d) only, whatever the batch."""

    def __init__(self, seeds: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.seeds, self.shape = list(seeds), tuple(shape)
        self.slots = torch.zeros(len(self.seeds), dtype=torch.int64, device=device)
        self.count = 0

    def __call__(self) -> Tensor:
        drawn = normal(self.seeds, Stream.SAMPLE, self.count, self.slots, self.shape)
        self.count += 1
        return drawn


@torch.no_grad()
def walk(
    sampler: Sampler, denoiser: Denoiser, times: tuple[float, ...], draw: Draw, start: Start | None = None
) -> Generator[Step, None, None]:
    """x_T first, as index 0, then every Step of the sampler. Gradients are off inside, not in the consumer."""
    schedule = denoiser.schedule
    if start:
        times = start.times(times, schedule.T)
    check_times(times, schedule.T)
    if start:
        x = start.x(schedule, draw)
    else:
        alpha, sigma = (float(v) for v in schedule.at(times[0]))
        x = math.sqrt(alpha * alpha + sigma * sigma) * draw()
    total = len(times) - 1
    yield Step(0, total, times[0], x, x)
    step = None
    for step in sampler.run(denoiser, x, times, draw):
        yield step
    if step is None or step.t != 0:
        reached = "yielded nothing" if step is None else f"stopped at level {step.t:g}"
        raise InputError(f"the sampler {type(sampler).__name__} {reached}; a walk ends at level 0")


def last(steps: Iterator[Step], each: Callable[[Step], None] = lambda step: None) -> Step:
    """Runs to the end, showing each Step on the way."""
    final = None
    for step in steps:
        each(step)
        final = step
    if final is None:
        raise InputError("there was nothing to sample")
    return final


def to_bytes(x: Tensor) -> Tensor:
    """[-1, 1] floats [B, C, H, W] to uint8 [B, H, W, C], rounded, never stretched."""
    return ((x.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).contiguous().cpu()


def from_bytes(pixels: Tensor) -> Tensor:
    """uint8 [B, H, W, C] to [-1, 1] floats [B, C, H, W]."""
    return pixels.movedim(-1, 1).float() / 127.5 - 1
