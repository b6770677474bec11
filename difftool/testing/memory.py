"""What a sampler gets from looking back: its walk beside the same hops, each of them a walk of its own.

A sampler that remembers nothing comes to the same twice. One that looks back does so to be nearer to the truth: those
that are right are off by half as much or less, one whose correction has the wrong sign by twice as much. No other
sampler need be known for that, and none is called wrong because its steps are coarse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from difftool.core.schedule import Schedule
from difftool.core.types import Denoiser, Draw, Step
from difftool.plugin.component import Sampler
from difftool.testing.laws import Basis, law
from difftool.testing.oracles import Gaussian
from difftool.testing.walks import Witness, paths_of

HOPS, ENDS = 40, 3.0
"""Hops from lambda = ln(alpha / sigma) of -3 to one of 3, evenly: nothing there is extreme."""
WORSE, SEEN = 1.5, 0.002
"""How many times as far off looking back may bring it, and what is too little to be judged."""


class OneByOne(Sampler):
    """Another sampler, which begins anew at each level."""

    part: Sampler
    """who takes the hops"""

    @property
    def outputs(self) -> int:
        """As the other one."""
        return self.part.outputs

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """The first hop of many walks, each of which would go on to level 0."""
        for t, s in pairwise(times):
            step = next(iter(self.part.run(denoiser, x, tuple(dict.fromkeys((t, s, 0.0))), draw)))
            x = step.x
            yield step


def looks_back_to_be_nearer(part: Sampler, seed: int) -> str | None:
    """Looks back to be nearer, if at all: not half again as far from the truth as its hops one by one."""
    if part.gives == "means":
        return None
    for name, schedule in paths_of(part).items():
        (walk, calls, draws), (alone, more, as_many) = (_off(each, schedule) for each in (part, OneByOne(part=part)))
        # Whoever looks back to ask less, or draws otherwise in the middle than at first, is not to be compared.
        if calls >= more and draws == as_many and walk > max(SEEN, WORSE * alone):
            return (
                f"in {HOPS} steps on the {name} path it is {walk:.2g} of the spread away from the truth, and "
                f"{alone:.2g} if it may not look back: is the sign of its correction right?"
            )
    return None


def _off(part: Sampler, schedule: Schedule) -> tuple[float, int, int]:
    """(How far off Gaussian data is on the way as shares of its spread, calls, draws); 0 where that is not exact."""
    ends = torch.linspace(-ENDS, ENDS, HOPS + 1, dtype=torch.float64)
    mean, std = 0.3, 0.8
    asked, draw = Witness(Gaussian(schedule, mean, std)), Basis(torch.linspace(-1, 1, 2 * HOPS, dtype=torch.float64))
    levels = {t: [float(each) for each in schedule.at(t)] for t in (*schedule.level(ends).tolist(), 0.0)}
    true = {t: (mean * alpha, math.hypot(std * alpha, sigma)) for t, (alpha, sigma) in levels.items()}
    found, blur = law(part, asked, tuple(true), 0, 0.5, next(iter(true.values())), draw)
    misses = [math.dist(here, true[t]) / true[t][1] for t, *here in found if t > 0]
    return (0.0 if blur else math.sqrt(sum(miss**2 for miss in misses) / HOPS)), len(asked.levels), draw.count
