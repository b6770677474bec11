"""Samplers that walk wrongly: steps, questions, levels; each differs from a right one in one place."""

import math
from itertools import pairwise

import torch

from difftool.api import Step
from difftool.testing import samplers

from .mutants import caught, mutants
from .right_samplers import Heun, Learned, Right, RightODE


class NoiseAtTheEnd(Right):
    def run(self, denoiser, x, times, draw):
        for step in super().run(denoiser, x, times, draw):
            yield Step(step.index, step.total, step.t, step.x + 1e-3 * draw() * (step.t == 0), step.x0)


class ClipsTooMuch(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, t).x0.clamp(-0.5, 0.5)


class StopsShort(Right):
    def run(self, denoiser, x, times, draw):
        yield from super().run(denoiser, x, times[:-1], draw)


class HopsUpOnTheFlow(Right):
    """What difftool's own mathematics refuses is no path that the sampler refuses."""

    def run(self, denoiser, x, times, draw):
        alpha, sigma = (float(value) for value in denoiser.schedule.at(times[0] / 2))
        if abs(alpha**2 + sigma**2 - 1) > 1e-6:
            denoiser.schedule.hop(0.0, times[0])
        yield from super().run(denoiser, x, times, draw)


class YieldsTheStart(Right):
    def run(self, denoiser, x, times, draw):
        yield Step(0, len(times) - 1, times[0], x, x)
        yield from super().run(denoiser, x, times, draw)


class YieldsTheLastOnly(Right):
    def run(self, denoiser, x, times, draw):
        *_, last = super().run(denoiser, x, times, draw)
        yield last


class CountsFromZero(Right):
    def step(self, index, total, t, s, x, x0):
        return Step(index - 1, total, s, x, x0)


class WrongTotal(Right):
    def step(self, index, total, t, s, x, x0):
        return Step(index, total + 1, s, x, x0)


class SaysWhereItWas(Right):
    def step(self, index, total, t, s, x, x0):
        return Step(index, total, t, x, x0)


class YieldsTuples(Right):
    def step(self, index, total, t, s, x, x0):
        return index, total, s, x, x0


class ShowsX(Right):
    def step(self, index, total, t, s, x, x0):
        return Step(index, total, s, x, x)


class NeverEnds(Right):
    def run(self, denoiser, x, times, draw):
        while True:
            yield from super().run(denoiser, x, times, draw)


class AsksWhereItGoes(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, max(s, 1.0)).x0


class AsksOneLevelLower(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, max(t - 1, 1.0)).x0


class AsksWholeLevels(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, float(math.floor(t))).x0


class AsksAtZero(Heun):
    def run(self, denoiser, x, times, draw):
        for step in super().run(denoiser, x, times, draw):
            denoiser(step.x, step.t)
            yield step


class AsksBetweenZeroAndOne(Right):
    """A midpoint of the last hop lies where no network was trained."""

    def guess(self, denoiser, x, t, s):
        denoiser(x, (t + s) / 2)
        return denoiser(x, t).x0


class AsksWithTensors(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, torch.tensor(t)).x0


class AsksAboutScaledX(Right):
    def guess(self, denoiser, x, t, s):
        alpha = float(denoiser.schedule.at(t)[0])
        return denoiser(x / max(alpha, 0.1), t).x0


class StartsAtT(Right):
    """Takes x for noise of level T, wherever the walk begins."""

    def run(self, denoiser, x, times, draw):
        yield from super().run(denoiser, x, (float(denoiser.schedule.T), *times[1:]), draw)


class RoundsItsHops(RightODE):
    """Looks its coefficients up in a table of whole levels."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            whole = sorted({float(round(t)), float(round(s))})
            hop = denoiser.schedule.hop(whole[-1], whole[0] if len(whole) > 1 else s)
            guess = denoiser(x, t)
            x = hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps
            yield Step(index, len(times) - 1, s, x, guess.x0)


class EvenStepsOnly(RightODE):
    """Goes down evenly, whatever levels it is given."""

    def run(self, denoiser, x, times, draw):
        n, T = len(times) - 1, float(denoiser.schedule.T)
        even = [T * (n - k) / n for k in range(n + 1)]
        for step, level in zip(super().run(denoiser, x, even, draw), times[1:], strict=True):
            yield Step(step.index, step.total, level, step.x, step.x0)


class MixesChannels(RightODE):
    def move(self, hop, guess, x):
        return super().move(hop, guess, x).flip(1)


class NeverAsks(Right):
    def guess(self, denoiser, x, t, s):
        return x


class Float32OnTheWay(Right):
    def mean(self, hop, x0, x):
        return (hop.mean_x0 * x0 + hop.mean_xt * x).float().to(x.dtype)


class DividesByAlpha(Right):
    def mean(self, hop, x0, x):
        eps = (x - hop.alpha_t * x0) / hop.sigma_t
        x0 = (x - hop.sigma_t * eps) / torch.tensor(hop.alpha_t)
        return hop.mean_x0 * x0 + hop.mean_xt * x


class Explodes(Right):
    def guess(self, denoiser, x, t, s):
        x0 = denoiser(x, t).x0
        return x0 if t > 10 or float(denoiser.schedule.alpha[-1]) > 0 else 1e4 * x0


class HalfALevel(Right):
    def times(self, schedule, n=None):
        return (*super().times(schedule, n)[:-2], 0.5, 0.0)


class WholeLevelsTwice(Right):
    def times(self, schedule, n=None):
        n = n or schedule.T
        return (*(float(round(schedule.T ** (1 - k / n))) for k in range(n)), 0.0)


class BelowT(Right):
    def times(self, schedule, n=None):
        times = super().times(schedule, n)
        return times if schedule.T == 1 else (times[0] - 0.1, *times[1:])


class Rising(Right):
    def times(self, schedule, n=None):
        return super().times(schedule, n)[::-1]


class LevelsAsTensor(Right):
    def times(self, schedule, n=None):
        return torch.tensor(super().times(schedule, n))


class OneStepMore(Right):
    def times(self, schedule, n=None):
        return super().times(schedule, min((n or schedule.T) + 1, schedule.T))


class IgnoresTheMix(Learned):
    def learned(self, hop, mix):
        return math.sqrt(hop.posterior)


class MixUpsideDown(Learned):
    def learned(self, hop, mix):
        return math.sqrt(hop.beta) * (hop.posterior / hop.beta) ** (mix / 2)


class ReadsAMixThatIsNotThere(Learned):
    @property
    def outputs(self):
        return 1


ROWS = [
    (HopsUpOnTheFlow, samplers.copes_with_every_path, "a hop goes down"),
    (NoiseAtTheEnd, samplers.lands_on_the_only_picture, "away from the only picture"),
    (ClipsTooMuch, samplers.lands_on_the_only_picture, "away from the only picture"),
    (StopsShort, samplers.one_step_a_hop, "yields"),
    (YieldsTheStart, samplers.one_step_a_hop, "a walk of 1 hops yields 2 steps"),
    (YieldsTheLastOnly, samplers.one_step_a_hop, "a walk of 2 hops yields 1 steps"),
    (CountsFromZero, samplers.one_step_a_hop, "says that it is 0 of 1"),
    (WrongTotal, samplers.one_step_a_hop, "says that it is 1 of 2"),
    (SaysWhereItWas, samplers.one_step_a_hop, "says level 1000"),
    (YieldsTuples, samplers.one_step_a_hop, "a tuple, not a Step"),
    (ShowsX, samplers.lands_on_the_only_picture, "not the guess"),
    (NeverEnds, samplers.one_step_a_hop, "goes on after"),
    (AsksWhereItGoes, samplers.asks_where_it_stands, "the first question is about level"),
    (AsksOneLevelLower, samplers.asks_where_it_stands, "the first question is about level 999"),
    (AsksWholeLevels, samplers.asks_where_it_stands, "it asks about level"),
    (AsksAtZero, samplers.asks_where_it_stands, "asked at level 0"),
    (AsksBetweenZeroAndOne, samplers.copes_with_every_path, "asked at level 0.5"),
    (AsksWithTensors, samplers.asks_where_it_stands, "not a plain number"),
    (AsksAboutScaledX, samplers.asks_where_it_stands, "not about x_T as it came"),
    (StartsAtT, samplers.asks_where_it_stands, "x stands at level 700"),
    (RoundsItsHops, samplers.stands_where_it_says, "it says that x has reached level"),
    (EvenStepsOnly, samplers.asks_where_it_stands, "the first question is about level 1000"),
    (MixesChannels, samplers.lands_on_the_only_picture, "away from the only picture"),
    (NeverAsks, samplers.asks_where_it_stands, "never asks"),
    (Float32OnTheWay, samplers.lands_on_the_only_picture, "from the only picture: are digits of float64 lost?"),
    (DividesByAlpha, samplers.copes_with_every_path, "not finite"),
    (Explodes, samplers.copes_with_every_path, "as large as"),
    (HalfALevel, samplers.places_its_levels, "levels must fall"),
    (WholeLevelsTwice, samplers.places_its_levels, "levels must fall"),
    (BelowT, samplers.places_its_levels, "begins at level 3.9"),
    (Rising, samplers.places_its_levels, "levels must fall"),
    (LevelsAsTensor, samplers.places_its_levels, "plain numbers"),
    (OneStepMore, samplers.places_its_levels, "asked for 1 steps, times() gives 2"),
    (IgnoresTheMix, samplers.hears_the_learned_variance, "adds noise of"),
    (MixUpsideDown, samplers.hears_the_learned_variance, "adds noise of"),
    (ReadsAMixThatIsNotThere, samplers.one_step_a_hop, "raises TypeError"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)
