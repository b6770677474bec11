"""What the tests share: data whose way back from noise is known, and every sampler."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch

from difftool.api import Sampler, Schedule, Step
from difftool.testing import Mixture
from difftool_solvers import DEIS, DPM2M, DPM2MSDE, DPM3M, IPNDM, Heun, UniPC

SAMPLERS = {
    "dpm-2m": DPM2M(),
    "dpm-3m": DPM3M(),
    "dpm-3m exact": DPM3M(exact=True),
    "dpm-2m-sde": DPM2MSDE(),
    "unipc-2": UniPC(order=2),
    "unipc-2 bh1": UniPC(order=2, variant="bh1"),
    "unipc-3": UniPC(),
    "deis-2": DEIS(order=2),
    "deis-3": DEIS(),
    "deis-4": DEIS(order=4),
    "deis-3 t": DEIS(variable="t"),
    "deis-4 t": DEIS(variable="t", order=4),
    "deis-3 rho": DEIS(variable="rho"),
    "ipndm-2": IPNDM(order=2),
    "ipndm-3": IPNDM(order=3),
    "ipndm-4": IPNDM(),
    "heun": Heun(),
}


@dataclass
class Known:
    """Smooth data in one dimension. There the way back from noise keeps the order of the points, and the law at every
    level is known: so a point at level t stands at level s where the same share of the law lies below it."""

    schedule: Schedule
    means = (-0.6, 0.1, 0.7)
    stds = (0.35, 0.25, 0.3)
    weights = (2, 1, 3)

    @property
    def oracle(self):
        return Mixture(self.schedule, self.means, self.stds, self.weights)

    @property
    def noise(self):
        alpha, sigma = (float(each) for each in self.schedule.at(self.schedule.T))
        z = torch.linspace(-2.2, 2.2, 33, dtype=torch.float64)[:, None, None, None]
        return math.hypot(alpha, sigma) * z

    def below(self, x, t):
        """The share of the law at level t that lies below x."""
        alpha, sigma = (float(each) for each in self.schedule.at(t))
        found = torch.zeros_like(x)
        for mean, std, weight in zip(self.means, self.stds, self.weights, strict=True):
            found += weight * torch.special.ndtr((x - alpha * mean) / math.hypot(alpha * std, sigma))
        return found / sum(self.weights)

    def at(self, s):
        """Where the noise stands at level s, exactly."""
        share = self.below(self.noise, self.schedule.T)
        low, high = torch.full_like(share, -400.0), torch.full_like(share, 400.0)
        for _ in range(80):
            middle = (low + high) / 2
            under = self.below(middle, s) < share
            low, high = torch.where(under, middle, low), torch.where(under, high, middle)
        return (low + high) / 2

    def error(self, sampler, times, s):
        """How far the sampler is off at level s, root mean square."""
        found = next(step.x for step in sampler.run(self.oracle, self.noise, times, no_noise) if step.t == s)
        return float((found - self.at(s)).square().mean().sqrt())

    def order(self, sampler, spacing, few=40, many=160):
        """By which power of the number of steps the error at the last level above 0 falls."""
        ways = [UniPC(spacing=spacing).times(self.schedule, n) for n in (few, many)]
        errors = [self.error(sampler, way, way[-2]) for way in ways]
        return math.log(errors[0] / errors[1], many / few)

    def off(self, sampler, n):
        """The error of the finished pictures after n steps at the sampler's own levels."""
        return self.error(sampler, sampler.times(self.schedule, n), 0)


def no_noise():
    raise AssertionError("this sampler was not to draw noise")


class DDIM(Sampler):
    """What all are measured against: first order, levels even in t."""

    def run(self, denoiser, x, times, draw):
        """x_s = alpha_s x0 + sigma_s eps."""
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop, guess = denoiser.schedule.hop(t, s), denoiser(x, t)
            x = hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps
            yield Step(index, len(times) - 1, s, x, guess.x0)
