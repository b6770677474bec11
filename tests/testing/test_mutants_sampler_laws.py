"""Samplers that make something else than they should; each differs from a right one in one place."""

import math
from itertools import pairwise

import torch

from difftool.api import Sampler, Step
from difftool.testing import laws

from .mutants import caught, mutants
from .right_samplers import Learned, Right, RightODE


class VarianceForDeviation(Right):
    def size(self, hop, schedule):
        return hop.posterior


class HalfTheNoise(Right):
    def size(self, hop, schedule):
        return math.sqrt(hop.posterior) / 2


class ALittleLessNoise(Right):
    def size(self, hop, schedule):
        return 0.96 * math.sqrt(hop.posterior)


class NoNoise(Right):
    def size(self, hop, schedule):
        return 0.0


class NoiseOfOneLevel(Right):
    """The posterior of a hop of one level, while the walk goes down ten at a time."""

    def size(self, hop, schedule):
        return math.sqrt(schedule.hop(hop.t, hop.t - 1).posterior)


class NoiseOfTheFirstHop(Right):
    def size(self, hop, schedule):
        return math.sqrt(schedule.hop(schedule.T, schedule.T - (hop.t - hop.s)).posterior)


class SigmaOfT(Right):
    def size(self, hop, schedule):
        return hop.sigma_t


class MeanSwapped(Right):
    def mean(self, hop, x0, x):
        return hop.mean_xt * x0 + hop.mean_x0 * x


class MeanForgetsX(Right):
    def mean(self, hop, x0, x):
        return hop.alpha_s * x0


class MeanOfAHopOfOneLevel(Right):
    def mean(self, hop, x0, x):
        shrink = (hop.alpha_s * hop.sigma_s - hop.mean_xt * hop.alpha_t) / (hop.alpha_s + 1e-9)
        return hop.mean_x0 * x0 + (hop.mean_xt + 0.02 * shrink) * x


class KnowsOnlyPower(RightODE):
    """sigma = sqrt(1 - alpha^2), which holds on some paths only."""

    def move(self, hop, guess, x):
        return hop.alpha_s * guess.x0 + math.sqrt(1 - hop.alpha_s**2) * guess.eps


class SigmaOfTheLevelItLeaves(RightODE):
    def move(self, hop, guess, x):
        return hop.alpha_s * guess.x0 + (hop.sigma_t if hop.s else 0) * guess.eps


class AlphaForItsSquare(RightODE):
    def move(self, hop, guess, x):
        return hop.alpha_s**2 * guess.x0 + hop.sigma_s * guess.eps


class Shrinks(RightODE):
    def move(self, hop, guess, x):
        return hop.alpha_s * guess.x0 + (0.99 * hop.sigma_s) * guess.eps


class NoiseOnTop(RightODE):
    """DDIM with noise that is not taken from the share of eps."""

    def move(self, hop, guess, x):
        return hop.alpha_s * guess.x0 + math.hypot(hop.sigma_s, math.sqrt(hop.posterior)) * guess.eps


class ClipsX(RightODE):
    """The guess may be clipped; x has noise on it."""

    def move(self, hop, guess, x):
        return super().move(hop, guess, x).clamp(-1, 1)


class NoNoiseNearTheEnd(Right):
    def size(self, hop, schedule):
        return math.sqrt(hop.posterior) if hop.s > 100 else 0.0


class FirstNoiseForever(RightODE):
    """Its eps is that of the first step."""

    def run(self, denoiser, x, times, draw):
        first = denoiser(x, times[0]).eps
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess = denoiser(x, t).x0
            x = hop.alpha_s * guess + hop.sigma_s * first
            yield Step(index, len(times) - 1, s, x, guess)


class AllNoiseNew(Right):
    """Forgets what x already knows."""

    def mean(self, hop, x0, x):
        return hop.alpha_s * x0

    def size(self, hop, schedule):
        return hop.sigma_s


class Overshoots(RightODE):
    """Trusts each guess three per cent too much."""

    def move(self, hop, guess, x):
        x0 = guess.x0 * (1.03 if hop.s else 1.0)
        return hop.alpha_s * x0 + hop.sigma_s / hop.sigma_t * (x - hop.alpha_t * x0)


class SlopeUpsideDown(RightODE):
    """A second-order step with the sign of its correction turned."""

    def run(self, denoiser, x, times, draw):
        before = None
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess = denoiser(x, t)
            eps = guess.eps if before is None else guess.eps + 2 * (before - guess.eps)
            before = guess.eps
            x = hop.alpha_s * guess.x0 + hop.sigma_s * eps
            yield Step(index, len(times) - 1, s, x, guess.x0)


class ThresholdTooLow(Right):
    """Scales each picture so that its largest pixel is 0.5."""

    def guess(self, denoiser, x, t, s):
        x0 = denoiser(x, t).x0
        return x0 / (x0.flatten(1).abs().amax(1).clamp(min=0.5) / 0.5)[:, None, None, None]


class OneDrawForAll(Sampler):
    def run(self, denoiser, x, times, draw):
        z = draw()
        yield from Right().run(denoiser, x, times, lambda: z)


class XTAsNoise(Sampler):
    def run(self, denoiser, x, times, draw):
        z = x / math.hypot(*map(float, denoiser.schedule.at(times[0])))
        yield from Right().run(denoiser, x, times, lambda: z)


class RemembersHops(Right):
    """By their levels alone: those of another schedule are others."""

    def mean(self, hop, x0, x):
        return super().mean(_hops.setdefault((hop.t, hop.s), hop), x0, x)


_hops = {}


class OneSidedNoise(Sampler):
    """Not affine in its draws, so it is counted."""

    def run(self, denoiser, x, times, draw):
        yield from Right().run(denoiser, x, times, lambda: draw().abs())


class UniformNoise(Sampler):
    def run(self, denoiser, x, times, draw):
        yield from Right().run(denoiser, x, times, lambda: 2 * torch.special.ndtr(draw()) - 1)


class PullsEachPixelToTheNearestPeak(Right):
    """Forgets that pixels depend on each other."""

    def guess(self, denoiser, x, t, s):
        x0 = denoiser(x, t).x0
        return x0 if t > 300 else 0.9 * x0.sign()


class OnePeakOnly(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, t).x0 + 0.3 * (t > 400)


class TurnsPixels(Right):
    def mean(self, hop, x0, x):
        return hop.mean_x0 * x0 + hop.mean_xt * (x if hop.t > 500 else x.flip(-1))


class NotTheMean(Sampler):
    gives = "means"

    def times(self, schedule, n=None):
        return (float(schedule.T), 0.0)

    def run(self, denoiser, x, times, draw):
        x0 = denoiser(x, times[0]).x0 * 0.9
        yield Step(1, 1, 0.0, x0, x0)


class MixOfVariances(Learned):
    """Forgets the root."""

    def learned(self, hop, mix):
        return hop.posterior * (hop.beta / hop.posterior) ** mix


ROWS = [
    (VarianceForDeviation, laws.gaussian_data_comes_back, "the spread of x"),
    (HalfTheNoise, laws.gaussian_data_comes_back, "the spread of x"),
    (ALittleLessNoise, laws.gaussian_data_comes_back, "the spread of x"),
    (NoNoise, laws.gaussian_data_comes_back, "the spread of x"),
    (NoiseOfOneLevel, laws.gaussian_data_comes_back, "the spread of x"),
    (NoiseOfTheFirstHop, laws.gaussian_data_comes_back, "the spread of x"),
    (SigmaOfT, laws.gaussian_data_comes_back, "the spread of x"),
    (MeanSwapped, laws.gaussian_data_comes_back, "of x tends to"),
    (MeanForgetsX, laws.gaussian_data_comes_back, "of x tends to"),
    (MeanOfAHopOfOneLevel, laws.gaussian_data_comes_back, "of x tends to"),
    (KnowsOnlyPower, laws.gaussian_data_comes_back, "of the flow path"),
    (SigmaOfTheLevelItLeaves, laws.gaussian_data_comes_back, "of x tends to"),
    (AlphaForItsSquare, laws.gaussian_data_comes_back, "of x tends to"),
    (Shrinks, laws.gaussian_data_comes_back, "the spread of x"),
    (NoiseOnTop, laws.gaussian_data_comes_back, "the spread of x"),
    (ClipsX, laws.gaussian_data_comes_back, "of x tends to"),
    (NoNoiseNearTheEnd, laws.gaussian_data_comes_back, "the spread of x"),
    (FirstNoiseForever, laws.gaussian_data_comes_back, "the spread of x"),
    (AllNoiseNew, laws.gaussian_data_comes_back, "the spread of x"),
    (Overshoots, laws.gaussian_data_comes_back, "of x tends to"),
    (SlopeUpsideDown, laws.gaussian_data_comes_back, "of x tends to"),
    (ThresholdTooLow, laws.gaussian_data_comes_back, "of x tends to"),
    (OneDrawForAll, laws.gaussian_data_comes_back, "the spread of x"),
    (XTAsNoise, laws.gaussian_data_comes_back, "the spread of x"),
    (RemembersHops, laws.gaussian_data_comes_back, "of the cosine path"),
    (OneSidedNoise, laws.gaussian_data_comes_back, "of x tends to"),
    (UniformNoise, laws.gaussian_data_comes_back, "the spread of x"),
    (PullsEachPixelToTheNearestPeak, laws.both_rings, "ring"),
    (OnePeakOnly, laws.both_peaks_in_their_shares, "come out below 0"),
    (TurnsPixels, laws.both_rings, "inner ring"),
    (NotTheMean, laws.gaussian_data_comes_back, "comes out with mean"),
    (MixOfVariances, laws.gaussian_data_comes_back, "the spread of x"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)
