"""Samplers that are right, in pieces that a mutant may replace."""

import math
from itertools import pairwise

from difftool.api import InputError, Sampler, Step


class Right(Sampler):
    """Ancestral sampling, in pieces that a mutant may replace."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            x0 = self.guess(denoiser, x, t, s)
            x = self.mean(hop, x0, x)
            if s > 0:
                x = x + self.size(hop, denoiser.schedule) * draw()
            yield self.step(index, len(times) - 1, t, s, x, x0)

    def guess(self, denoiser, x, t, s):
        return denoiser(x, t).x0

    def mean(self, hop, x0, x):
        return hop.mean_x0 * x0 + hop.mean_xt * x

    def size(self, hop, schedule):
        return math.sqrt(hop.posterior)

    def step(self, index, total, t, s, x, x0):
        return Step(index, total, s, x, x0)


class RightODE(Sampler):
    """DDIM, likewise."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess = denoiser(x, t)
            x = self.move(hop, guess, x)
            yield Step(index, len(times) - 1, s, x, guess.x0)

    def move(self, hop, guess, x):
        return hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps


class Heun(Sampler):
    """Karras et al. 2022, algorithm 1, on any path: two questions a step."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess = denoiser(x, t)
            y = hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps
            if s > 0 and hop.alpha_t > 0:
                slope = (guess.eps + denoiser(y, s).eps) / 2
                y = hop.alpha_s * (x / hop.alpha_t + (hop.sigma_s / hop.alpha_s - hop.sigma_t / hop.alpha_t) * slope)
            x = y
            yield Step(index, len(times) - 1, s, x, guess.x0)


class Learned(Right):
    """With a variance that the network knows."""

    @property
    def outputs(self):
        return 2

    def guess(self, denoiser, x, t, s):
        guess = denoiser(x, t)
        object.__setattr__(guess.x0, "mix", guess.mix)
        return guess.x0

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess = denoiser(x, t)
            x = self.mean(hop, guess.x0, x)
            if s > 0:
                x = x + self.learned(hop, guess.mix) * draw()
            yield Step(index, len(times) - 1, s, x, guess.x0)

    def learned(self, hop, mix):
        return math.sqrt(hop.posterior) * (hop.beta / hop.posterior) ** (mix / 2)


class OnlyFlows(RightODE):
    """Says which schedules it is for."""

    def run(self, denoiser, x, times, draw):
        if denoiser.schedule.alpha[-1] > 0:
            raise InputError("this sampler is for schedules that end without any signal")
        yield from super().run(denoiser, x, times, draw)
