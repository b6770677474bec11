"""What every sampler must keep in how it walks: steps, questions, levels. What it makes is judged in laws."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from difftool.core.sampling import check_times
from difftool.errors import InputError
from difftool.plugin.component import Sampler
from difftool.testing.conduct import CONDUCT
from difftool.testing.known import PATHS, Draws, linear
from difftool.testing.laws import LAWS
from difftool.testing.memory import looks_back_to_be_nearer
from difftool.testing.oracles import Gaussian, Mixture, Point
from difftool.testing.rules import Rule, gap, generator
from difftool.testing.walks import asking, paths_of, steps_of, walks_of

EXACT = 1e-9
"""In float64, where nothing but rounding may be wrong."""


def one_step_a_hop(part: Sampler, seed: int) -> str | None:
    """Yields one Step for each hop, numbered 1 to N of N, at the level it reached; the last at level 0."""
    make = PATHS[next(iter(paths_of(part)))]
    for schedule in (make(), make(5)):
        for n in (1, 2, 5):
            for times in walks_of(part, n, schedule):
                hops = len(times) - 1
                denoiser = asking(part, Gaussian(schedule, 0.2, 0.5))
                steps = steps_of(part, denoiser, times, Draws(seed, (2, 1, 2, 2)))
                if len(steps) != hops:
                    return f"a walk of {hops} hops yields {len(steps)} steps"
                for index, (step, level) in enumerate(zip(steps, times[1:], strict=True), 1):
                    if (step.index, step.total) != (index, hops):
                        return f"step {index} of {hops} says that it is {step.index} of {step.total}"
                    if abs(step.t - level) > 1e-9:
                        return f"step {index} of {hops} says level {step.t:.6g}; it was to reach {level:.6g}"
                    if not step.x.shape == step.x0.shape == (2, 1, 2, 2):
                        return f"pictures [2, 1, 2, 2] become {list(step.x.shape)}, their guesses {list(step.x0.shape)}"
    return None


def asks_where_it_stands(part: Sampler, seed: int) -> str | None:
    """Asks about x_T at level T first, then only at levels of the walk, at each with x as it is there."""
    for schedule in paths_of(part).values():
        for n in (1, 7):
            for times in walks_of(part, n, schedule):
                starts = [times]
                if part.gives == "samples":
                    starts.append((0.7 * schedule.T, *(t for t in times if t < 0.7 * schedule.T)))
                for way in starts:
                    draw = Draws(seed, (2, 1, 1, 2))
                    alpha, sigma = (float(value) for value in schedule.at(way[0]))
                    x = math.hypot(alpha, sigma) * draw()
                    denoiser = asking(part, Gaussian(schedule, 0.2, 0.5))
                    steps_of(part, denoiser, way, draw, x)
                    if told := _misplaced(denoiser.levels, denoiser.questions, way, x):
                        return told
    return None


def _misplaced(asked: list[float], questions: list[Tensor], times: tuple[float, ...], x: Tensor) -> str | None:
    if not asked:
        return "it never asks the denoiser"
    if abs(asked[0] - times[0]) > 1e-6:
        return f"x stands at level {times[0]:.6g}, and the first question is about level {asked[0]:.6g}"
    if gap(questions[0], x) > 1e-6:
        return f"the first question is not about x_T as it came, but about something {gap(questions[0], x):.2g} away"
    if max(asked) > times[0] + 1e-6:
        return f"it asks about level {max(asked):.6g}, above the walk's first, {times[0]:.6g}"
    if len(asked) == len(times) - 1:
        for level, wanted in zip(asked, times[:-1], strict=True):
            if abs(level - wanted) > 1e-6:
                return f"at level {wanted:.6g} it asks about level {level:.6g}"
    return None


def lands_on_the_only_picture(part: Sampler, seed: int) -> str | None:
    """Lands exactly on data of one picture, in 1, 2, 5 or 50 steps: no noise is left, each guess is that picture."""
    picture = 1.8 * torch.rand((3, 2, 2), generator=generator(seed), dtype=torch.float64) - 0.9
    for name, schedule in paths_of(part).items():
        for n in (1, 2, 5, 50):
            for times in walks_of(part, n, schedule)[: 1 if n == 50 else None]:
                denoiser = asking(part, Point(schedule, picture), mix=(seed % 3) / 2)
                steps = steps_of(part, denoiser, times, Draws(seed, (3, 3, 2, 2)))
                off = float((steps[-1].x - picture).abs().max())
                if not off <= EXACT:
                    digits = ": are digits of float64 lost?" if off < 1e-5 else ""
                    hops = f"{len(times) - 1} step{'s' if len(times) > 2 else ''}"
                    return f"after {hops} on the {name} path it is {off:.3g} away from the only picture{digits}"
                for step in steps:
                    if not float((step.x0 - picture).abs().max()) <= EXACT:
                        return f"at step {step.index} on the {name} path its x0 is not the guess of the denoiser"
    return None


def stands_where_it_says(part: Sampler, seed: int) -> str | None:
    """Brings x where it says, to any level: the only picture, without noise, stays alpha times itself on the way."""
    if part.gives == "means":
        return None
    name = "flow" if "flow" in paths_of(part) else next(iter(paths_of(part)))
    schedule = PATHS[name](20)
    for times in walks_of(part, 12, schedule):
        alpha = float(schedule.at(times[0])[0])
        x = torch.full((1, 1, 1, 1), 0.7 * alpha, dtype=torch.float64)
        denoiser = asking(part, Point(schedule, 0.7))
        for step in steps_of(part, denoiser, times, lambda: torch.zeros(1, 1, 1, 1, dtype=torch.float64), x):
            wanted = 0.7 * float(schedule.at(step.t)[0])
            if abs(float(step.x) - wanted) > 0.01:
                return (
                    f"it says that x has reached level {step.t:.4g} of 20 on the {name} path; a picture of 0.7 is "
                    f"{wanted:.4g} there, and x is {float(step.x):.4g}"
                )
    return None


def places_its_levels(part: Sampler, seed: int) -> str | None:
    """Has levels for any number of steps: n + 1 plain numbers that fall from T to 0, none between 0 and 1."""
    for name, make in PATHS.items():
        for T in (1, 4, 1000):
            schedule = make(T)
            for n in (None, 1, 2, 7, T):
                if n is not None and n > T:
                    continue
                asked = "without n" if n is None else f"with n = {n}"
                try:
                    times = part.times(schedule) if n is None else part.times(schedule, n)
                except InputError as error:
                    if name == "linear":
                        return f"times() {asked} refuses a schedule of {T} levels: {error}"
                    continue
                if any(isinstance(t, bool) or not isinstance(t, int | float) for t in times):
                    return f"times() gives {type(times[0]).__name__}; plain numbers were expected"
                try:
                    check_times(times, T)
                except InputError as error:
                    return f"times() {asked}, on the {name} path of {T} levels: {error}"
                if times[0] != T:
                    return f"times() {asked}, of {T} levels, begins at level {times[0]:.6g}, where no noise starts"
                if n is not None and part.gives == "samples" and len(times) != n + 1:
                    return f"asked for {n} steps, times() gives {len(times) - 1}"
    return None


def copes_with_every_path(part: Sampler, seed: int) -> str | None:
    """Stays finite in float32 on every path: with no signal at T, fractional levels, few levels, starts below T."""
    for name in paths_of(part):
        for T in (1, 5, 1000):
            schedule = PATHS[name](T)
            data = Mixture(schedule, (-1, 1), (0.1, 0.1), (1, 1))
            ways = walks_of(part, min(T, 20), schedule)
            if part.gives == "samples" and T > 5:
                ways += [(1000.0, 700.3, 250.75, 1.5, 0.0), (620.4, 200.0, 1.0, 0.0), (1.0, 0.0)]
            for times in ways:
                draw = Draws(seed, (16, 1, 1, 1), torch.float32)
                alpha, sigma = (float(value) for value in schedule.at(times[0]))
                sign = torch.arange(16).reshape(16, 1, 1, 1) % 2 * 2 - 1
                steps = steps_of(part, asking(part, data), times, draw, alpha * sign + sigma * draw())
                for step in steps:
                    if not bool(torch.isfinite(step.x).all() and torch.isfinite(step.x0).all()):
                        where = f"at level {step.t:.6g} of the {name} path with T = {T}"
                        return f"{where}, from level {times[0]:.6g}, x is not finite"
                if (far := float(steps[-1].x.abs().max())) > 1000:
                    return f"data of -1 and 1 comes out as large as {far:.3g} on the {name} path with T = {T}"
    return None


def hears_the_learned_variance(part: Sampler, seed: int) -> str | None:
    """Adds more noise the nearer a learned variance is to its upper bound, if it wants one (outputs = 2)."""
    if part.outputs not in (1, 2):
        return f"outputs is {part.outputs}; it may be 1 or 2"
    if part.outputs == 1 or part.gives == "means":
        return None
    spreads = []
    for mix in (0.0, 0.5, 1.0):
        first = [
            next(
                iter(
                    part.run(
                        asking(part, Point(linear(), 0.0), mix), torch.zeros(1, 1, 1, 1), (600.0, 400.0, 0.0), draw
                    )
                )
            )
            for draw in (lambda: torch.ones(1, 1, 1, 1), lambda: -torch.ones(1, 1, 1, 1))
        ]
        spreads.append(float((first[0].x - first[1].x).abs()) / 2)
    hop = linear().hop(600, 400)
    bounds = [math.exp((m * math.log(hop.beta) + (1 - m) * math.log(hop.posterior)) / 2) for m in (0.0, 0.5, 1.0)]
    if all(a < b for a, b in pairwise(spreads)):
        return None
    return (
        f"from level 600 to 400 it adds noise of {', '.join(f'{each:.4g}' for each in spreads)} where the network says "
        f"0, 0.5 and 1 between the bounds; ddpm would add {', '.join(f'{each:.4g}' for each in bounds)}"
    )


RULES: tuple[Rule, ...] = (
    one_step_a_hop,
    asks_where_it_stands,
    lands_on_the_only_picture,
    stands_where_it_says,
    *LAWS,
    looks_back_to_be_nearer,
    *CONDUCT,
    places_its_levels,
    copes_with_every_path,
    hears_the_learned_variance,
)
