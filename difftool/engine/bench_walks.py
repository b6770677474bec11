"""Walks samplers from the same noise, and measures how near they come to where it leads and what that costs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from difftool.core.model import Model
from difftool.core.sampling import SeededNoise, to_bytes, walk
from difftool.core.schedule import Schedule
from difftool.core.types import Denoiser, Prediction
from difftool.engine.bench_results import Measurement
from difftool.engine.device import wait
from difftool.errors import DifftoolError, InputError, out_of_memory
from difftool.plugin.component import Sampler

Watch = Callable[[int], None]
"""Hears after each step of how often the denoiser was asked meanwhile. That is within the time that is measured."""

SHOWN = 2
"""Pictures that are kept of every walk."""
QUICK = 0.5
"""Seconds: a shorter walk is done three times, and the middle one counts."""


@dataclass
class _Counted:
    """A denoiser that counts how often it is asked."""

    inner: Denoiser
    calls: int = 0

    @property
    def schedule(self) -> Schedule:
        return self.inner.schedule

    def __call__(self, x: Tensor, t: float) -> Prediction:
        self.calls += 1
        return self.inner(x, t)


@dataclass(frozen=True)
class _Walked:
    """All pictures of one sampler at one number of steps."""

    x: Tensor  # [N, C, H, W] on the CPU
    calls: float
    seconds: float
    draws_noise: bool


class Bench:
    """Measures samplers from the same noise against one reference."""

    def __init__(self, model: Model, seeds: Sequence[int], batch: int) -> None:
        self.model, self.seeds = model, list(seeds)
        self.parts = [self.seeds[i : i + batch] for i in range(0, len(self.seeds), batch)]
        self.reference: Tensor | None = None
        self._done: dict[tuple[str, tuple[float, ...]], Measurement] = {}

    def warm(self) -> float:
        """Seconds that a call with a whole batch takes; the first one, which pays for kernels, does not count."""
        device, denoiser = self.model.device, self._denoiser(self.parts[0])
        x = SeededNoise(self.parts[0], self.model.shape, device)()
        took = []
        with torch.no_grad():
            for _ in range(3):
                wait(device)
                began = time.perf_counter()
                denoiser(x, float(self.model.schedule.T))
                wait(device)
                took.append(time.perf_counter() - began)
        return min(took[1:])

    def measure_reference(self, name: str, sampler: Sampler, steps: int, watch: Watch) -> Measurement:
        """Walks with the sampler that makes the reference; all distances are from there."""
        try:
            walked = self._walk(sampler, sampler.times(self.model.schedule, steps), watch)
        except InputError as error:
            raise InputError(f"there is no reference: {name} with {steps} steps: {error}") from None
        self.reference = walked.x
        return self._measured(name, sampler, steps, steps, walked)

    def measure(self, name: str, sampler: Sampler, asked: int, watch: Watch) -> Measurement:
        """One sampler at one number of steps; whatever it does wrong becomes the reason why there is no number."""
        if self.reference is None:
            raise InputError("there is no reference yet")
        try:
            times = tuple(sampler.times(self.model.schedule, asked))
            if known := self._done.get((name, times)):  # it takes no more steps than it wants: nothing new to learn
                return known
            if all(name != other for other, _ in self._done):
                self._walk(sampler, times, parts=self.parts[:1])  # it pays for its imports and kernels
            walked = self._walk(sampler, times, watch)
            again = [walked.seconds]
            while walked.seconds * len(self.seeds) < QUICK and len(again) < 3:
                again.append(self._walk(sampler, times).seconds)
            walked = replace(walked, seconds=statistics.median(again))
            return self._done.setdefault((name, times), self._measured(name, sampler, asked, len(times) - 1, walked))
        except (Exception, SystemExit) as error:
            return Measurement(name, asked, reason=_told(error))

    def _walk(
        self,
        sampler: Sampler,
        times: tuple[float, ...],
        watch: Watch = lambda calls: None,
        parts: list[list[int]] | None = None,
    ) -> _Walked:
        """The clock runs from x_T to x_0, and only there it waits for the device."""
        model, device = self.model, self.model.device
        ends, calls, seconds, drew = [], 0, 0.0, False
        for seeds in parts or self.parts:
            draw = SeededNoise(seeds, model.shape, device)
            denoiser, told = _Counted(self._denoiser(seeds)), 0
            steps = walk(sampler, denoiser, times, draw)
            next(steps)  # x_T
            wait(device)
            began = time.perf_counter()
            for step in steps:
                x = step.x
                watch(denoiser.calls - told)
                told = denoiser.calls
            wait(device)
            seconds += time.perf_counter() - began
            if x.shape != (len(seeds), *model.shape):
                raise InputError(f"it ends with {list(x.shape)}, not with pictures {[len(seeds), *model.shape]}")
            ends.append(x.float().cpu())
            calls += denoiser.calls * len(seeds)
            drew = drew or draw.count > 1
        x, many = torch.cat(ends), sum(map(len, ends))
        if not bool(x.isfinite().all()):
            raise InputError("its pictures are not finite: NaN or infinity")
        return _Walked(x, calls / many, seconds / many, drew)

    def _measured(self, name: str, sampler: Sampler, asked: int, steps: int, walked: _Walked) -> Measurement:
        assert self.reference is not None
        squares = (walked.x.double() - self.reference.double()).square().flatten(1).mean(1)  # [N]
        return Measurement(
            name=name,
            asked=asked,
            steps=steps,
            calls=walked.calls,
            seconds=walked.seconds,
            distance=math.sqrt(float(squares.mean())),
            median=float(squares.sqrt().quantile(0.5)),
            draws_noise=walked.draws_noise,
            gives=sampler.gives,
            pictures=to_bytes(walked.x[:SHOWN]).numpy(),
        )

    def _denoiser(self, seeds: Sequence[int]) -> Denoiser:
        how = self.model.how
        return self.model.denoiser(clip=how.clip, told=self.model.told(seeds, how), guidance=how.guidance)


def _told(error: BaseException) -> str:
    """One line on what went wrong."""
    if isinstance(error, DifftoolError):
        return str(error)
    if out_of_memory(error):
        return "out of memory; a smaller --batch"
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
