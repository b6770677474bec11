"""How near samplers come to where the noise leads, and what that costs: one sampler at one number of steps."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from difftool.core.model import Model
from difftool.core.sampling import Sampler, SeededNoise, last, to_bytes, walk
from difftool.core.schedule import Schedule
from difftool.core.types import Denoiser, Prediction
from difftool.engine.device import wait
from difftool.engine.rungs import Rung
from difftool.errors import DifftoolError, InputError, out_of_memory

Watch = Callable[[], None]
"""Hears of every call of the denoiser."""

SHOWN = 2
"""Pictures that are kept of every walk."""
QUICK = 0.5
"""Seconds: a shorter walk is done three times, and the middle one counts."""


@dataclass
class _Counted:
    """A denoiser that counts how often it is asked."""

    inner: Denoiser
    watch: Watch
    calls: int = 0

    @property
    def schedule(self) -> Schedule:
        return self.inner.schedule

    def __call__(self, x: Tensor, t: float) -> Prediction:
        self.calls += 1
        self.watch()
        return self.inner(x, t)


@dataclass(frozen=True)
class _Walked:
    """All pictures of one sampler at one number of steps."""

    x: Tensor  # [N, C, H, W] on the CPU
    calls: float
    seconds: float
    draws_noise: bool


class Ladder:
    """Measures samplers from the same noise against one reference."""

    def __init__(self, model: Model, seeds: Sequence[int], batch: int) -> None:
        self.model, self.seeds = model, list(seeds)
        self.parts = [self.seeds[i : i + batch] for i in range(0, len(self.seeds), batch)]
        self.reference: Tensor | None = None
        self._walked: dict[tuple[str, tuple[float, ...]], Rung] = {}

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

    def refer(self, name: str, sampler: Sampler, steps: int, watch: Watch) -> Rung:
        """Walks to the reference; all distances are from there."""
        try:
            walked = self._walk(sampler, sampler.times(self.model.schedule, steps), watch)
        except InputError as error:
            raise InputError(f"there is no reference: {name} with {steps} steps: {error}") from None
        self.reference = walked.x
        return self._rung(name, sampler, steps, steps, walked)

    def climb(self, name: str, sampler: Sampler, asked: int, watch: Watch) -> Rung:
        """One sampler at one number of steps; whatever it does wrong becomes the reason why there is no number."""
        if self.reference is None:
            raise InputError("there is no reference yet")
        try:
            times = tuple(sampler.times(self.model.schedule, asked))
            if rung := self._walked.get((name, times)):  # it takes no more steps than it wants: nothing new to learn
                return rung
            if all(name != other for other, _ in self._walked):
                self._walk(sampler, times, lambda: None, parts=self.parts[:1])  # it pays for its imports and kernels
            walked = self._walk(sampler, times, watch)
            again = [walked.seconds]
            while walked.seconds * len(self.seeds) < QUICK and len(again) < 3:
                again.append(self._walk(sampler, times, lambda: None).seconds)
            walked = replace(walked, seconds=statistics.median(again))
            rung = self._rung(name, sampler, asked, len(times) - 1, walked)
            self._walked[name, times] = rung
            return rung
        except (Exception, SystemExit) as error:
            return Rung(name, asked, reason=_told(error))

    def _walk(
        self, sampler: Sampler, times: tuple[float, ...], watch: Watch, parts: list[list[int]] | None = None
    ) -> _Walked:
        """The clock runs from x_T to x_0, and only there it waits for the device."""
        model, device = self.model, self.model.device
        ends, calls, seconds, drew = [], 0, 0.0, False
        for seeds in parts or self.parts:
            draw = SeededNoise(seeds, model.shape, device)
            denoiser = _Counted(self._denoiser(seeds), watch)
            steps = walk(sampler, denoiser, times, draw)
            next(steps)  # x_T
            wait(device)
            began = time.perf_counter()
            x = last(steps).x
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

    def _rung(self, name: str, sampler: Sampler, asked: int, steps: int, walked: _Walked) -> Rung:
        assert self.reference is not None
        squares = (walked.x.double() - self.reference.double()).square().flatten(1).mean(1)  # [N]
        return Rung(
            name=name,
            asked=asked,
            steps=steps,
            calls=walked.calls,
            seconds=walked.seconds,
            distance=math.sqrt(float(squares.mean())),
            median=float(squares.sqrt().quantile(0.5)),
            draws_noise=walked.draws_noise,
            gives=sampler.gives,  # type: ignore[attr-defined]  # a component; core's protocol does not ask for it
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
