"""Samplers that are right and do not ship: what is unusual is no error."""

import math
from itertools import pairwise

import pytest

from difftool.api import Sampler, Step, spaced
from difftool.testing import conformance

from .mutants import broken
from .right_samplers import Heun, Learned, OnlyFlows, Right, RightODE


class Midpoint(RightODE):
    """Asks between its levels."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop, middle = denoiser.schedule.hop(t, s), (t + s) / 2
            guess = denoiser(x, t)
            x0 = guess.x0
            if s >= 1:
                half = denoiser.schedule.hop(t, middle)
                x0 = denoiser(half.alpha_s * x0 + half.sigma_s * guess.eps, middle).x0
            x = hop.alpha_s * x0 + hop.sigma_s / hop.sigma_t * (x - hop.alpha_t * x0)
            yield Step(index, len(times) - 1, s, x, guess.x0)


ADAMS = ((1,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


class Multistep(RightODE):
    """PLMS (Liu et al. 2022): looks back up to three steps, with the weights of even ones."""

    def run(self, denoiser, x, times, draw):
        seen = []
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop, guess = denoiser.schedule.hop(t, s), denoiser(x, t)
            seen = [guess.eps, *seen[:3]]
            x0, eps = guess.x0, guess.eps
            if s > 0 and hop.alpha_t > 0:
                eps = sum(weight * each for weight, each in zip(ADAMS[len(seen) - 1], seen, strict=True))
                x0 = (x - hop.sigma_t * eps) / hop.alpha_t
            x = hop.alpha_s * x0 + hop.sigma_s * eps
            yield Step(index, len(times) - 1, s, x, guess.x0)


class Corrected(RightODE):
    """A step of Langevin dynamics after each hop: another question, at the level below."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop, guess = denoiser.schedule.hop(t, s), denoiser(x, t)
            x = self.move(hop, guess, x)
            if s > 0:
                size = 0.1 * hop.sigma_s
                x = x - size**2 / 2 * denoiser(x, s).eps / hop.sigma_s + size * draw()
            yield Step(index, len(times) - 1, s, x, guess.x0)


class Thresholds(Right):
    """Saharia et al. 2022, per picture: not affine, and so it is counted."""

    def guess(self, denoiser, x, t, s):
        x0 = denoiser(x, t).x0
        most = x0.flatten(1).abs().quantile(0.995, dim=1).clamp(min=2)[:, None, None, None]
        return x0.clamp(-most, most)


class TwoDraws(Sampler):
    """Its noise is made of two draws, one of which is wasted at the end."""

    def run(self, denoiser, x, times, draw):
        yield from Right().run(denoiser, x, times, lambda: 0.6 * draw() + 0.8 * draw())


class Renoises(Right):
    """Ancestral in another form: down further than asked, and up again."""

    def mean(self, hop, x0, x):
        down = math.sqrt(max(0.0, hop.sigma_s**2 - hop.posterior))
        return hop.alpha_s * x0 + down / hop.sigma_t * (x - hop.alpha_t * x0)


class OwnLevels(RightODE):
    def times(self, schedule, n=None):
        return spaced(schedule, n or min(18, schedule.T), "karras")


RIGHT = [Right, RightODE, Heun, Learned, OnlyFlows]
UNUSUAL = [Midpoint, Multistep, Corrected, Thresholds, TwoDraws, Renoises, OwnLevels]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [*RIGHT, *UNUSUAL])
def test_a_sampler(sampler):
    assert broken([sampler()], conformance.RULES["sampler"], range(5)) == []
