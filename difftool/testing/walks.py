"""Sampling under observation: what a sampler asks, draws and yields."""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from difftool import core
from difftool.core.sampling import spaced
from difftool.core.schedule import Schedule
from difftool.core.types import Denoiser, Draw, Prediction, Step
from difftool.errors import InputError
from difftool.plugin.component import Sampler
from difftool.testing.known import PATHS
from difftool.testing.oracles import Point
from difftool.testing.rules import FoundError


@dataclass
class Witness:
    """A denoiser that answers as another does, and remembers what it was asked and what it answered."""

    inner: Denoiser
    mix: float | None = None  # what a network with learned variance would say everywhere
    levels: list[float] = field(default_factory=list)
    questions: list[Tensor] = field(default_factory=list)
    answers: list[tuple[Tensor, int]] = field(default_factory=list)  # with torch's count of edits in place

    @property
    def schedule(self) -> Schedule:
        """That of the denoiser inside."""
        return self.inner.schedule

    def __call__(self, x: Tensor, t: float) -> Prediction:
        if isinstance(t, bool) or not isinstance(t, int | float):
            raise FoundError(f"the denoiser is asked at a level that is a {type(t).__name__}, not a plain number")
        if not 1 <= t <= self.schedule.T:
            raise FoundError(
                f"the denoiser is asked at level {t:.6g}; networks learn the levels 1 to {self.schedule.T}, "
                "and level 0 needs no guess"
            )
        self.levels.append(float(t))
        self.questions.append(x.clone())
        guess = self.inner(x, t)
        x0, eps = guess.x0.clone(), guess.eps.clone()
        self.answers += [(x0, x0._version), (eps, eps._version)]
        return Prediction(x0, eps, None if self.mix is None else torch.full_like(x, self.mix))

    def edited(self) -> bool:
        """Whether somebody has edited an answer since, be it to the same numbers."""
        return any(given._version != before for given, before in self.answers)


def asking(part: Sampler, inner: Denoiser, mix: float = 0.5) -> Witness:
    """A denoiser as this sampler needs it: with learned variance if it wants that."""
    return Witness(inner, mix if part.outputs == 2 else None)


def steps_of(
    part: Sampler, denoiser: Denoiser, times: tuple[float, ...], draw: Draw, x: Tensor | None = None
) -> list[Step]:
    """Every Step of a walk, from x_T if x is not given; a walk that does not end is an error."""
    if x is None:
        alpha, sigma = (float(value) for value in denoiser.schedule.at(times[0]))
        x = math.sqrt(alpha * alpha + sigma * sigma) * draw()
    found: list[Step] = []
    with torch.no_grad():
        for step in part.run(denoiser, x, times, draw):
            if not isinstance(step, Step):
                raise FoundError(f"run() yields a {type(step).__name__}, not a Step")
            found.append(step)
            if len(found) > 2 * len(times) + 10:
                raise FoundError(f"run() goes on after {len(found)} steps; the walk has {len(times) - 1} hops")
    if not found:
        raise FoundError("run() yields nothing; a Step for each hop was expected")
    return found


def walks_of(part: Sampler, n: int, schedule: Schedule) -> list[tuple[float, ...]]:
    """Ways down in n steps: even, uneven and its own; its own alone if it gives means."""
    own = tuple(part.times(schedule, n))
    if part.gives == "means":
        return [own]
    even = tuple(schedule.T * (n - k) / n for k in range(n + 1))
    return list(dict.fromkeys([even, spaced(schedule, n, "quadratic"), own]))


def _raised_by_the_part(error: InputError) -> bool:
    """A refusal is the part's own; what the mathematics refuses, such as a hop that goes up, is a mistake of its."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return not Path(last.filename).is_relative_to(Path(core.__file__).parent)


def paths_of(part: Sampler) -> dict[str, Schedule]:
    """The paths that the sampler does not refuse in so many words; it must take one at least."""
    found, refusals = {}, []
    for name, make in PATHS.items():
        schedule = make()
        point = asking(part, Point(schedule, 0.1))
        try:
            steps_of(part, point, walks_of(part, 3, schedule)[0], lambda: torch.zeros(1, 1, 1, 1, dtype=torch.float64))
        except InputError as error:
            if _raised_by_the_part(error):
                refusals.append(str(error))
                continue
        except Exception:
            pass  # what went wrong is told by the rule that asks for this walk
        found[name] = schedule
    if not found:
        raise FoundError(f"it refuses every path: {refusals[0]}")
    return found
