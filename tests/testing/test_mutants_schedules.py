"""Noise schedules with one error each."""

import math

import numpy as np
import torch

from difftool.api import NoiseSchedule, Schedule
from difftool.testing import schedules

from .mutants import broken, caught, mutants


def betas(T, dtype=torch.float64):
    return (torch.linspace(1e-4, 0.02, T, dtype=dtype) * 1000 / T).clamp(max=0.999)


def abar_of(T, dtype=torch.float64):
    return torch.cat([torch.ones(1, dtype=dtype), (1 - betas(T, dtype)).cumprod(0)])


class Right(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(self.T))


class Float32Betas(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(self.T, torch.float32))


class Float32Product(NoiseSchedule):
    def build(self):
        abar = abar_of(self.T, torch.float32).double()
        return Schedule(abar.sqrt(), (1 - abar).sqrt())


class Float32Roots(NoiseSchedule):
    keeps = "nothing"

    def build(self):
        abar = abar_of(self.T)
        return Schedule(abar.sqrt().float().double(), (1 - abar).sqrt())


class Float32Tables(NoiseSchedule):
    def build(self):
        abar = abar_of(self.T, torch.float32)
        return Schedule(abar.sqrt(), (1 - abar).sqrt())


class ForgottenRoots(NoiseSchedule):
    def build(self):
        return Schedule(abar_of(self.T), 1 - abar_of(self.T))


class ForgottenRootOfSigma(NoiseSchedule):
    def build(self):
        return Schedule(abar_of(self.T).sqrt(), 1 - abar_of(self.T))


class FlowThatSaysPower(NoiseSchedule):
    def build(self):
        u = torch.linspace(0, 1, self.T + 1, dtype=torch.float64)
        return Schedule(1 - u, u)


class ExplodingThatSaysSum(NoiseSchedule):
    keeps = "sum"

    def build(self):
        sigma = torch.cat([torch.zeros(1), torch.logspace(-2, 2, self.T)]).double() * (1 + 1e-12)
        return Schedule(torch.ones_like(sigma), sigma)


class KeepsWhat(NoiseSchedule):
    keeps = "variance"

    def build(self):
        return Right(T=self.T).build()


class ReversedBetas(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(self.T).flip(0))


class ShuffledBetas(NoiseSchedule):
    def build(self):
        order = torch.arange(self.T) * 617 % self.T
        return Schedule.from_betas(
            (torch.logspace(-5, -1.3, self.T, dtype=torch.float64) * 1000 / self.T)[order].clamp(max=0.9)
        )


class Spike(NoiseSchedule):
    """One beta is taken twice."""

    def build(self):
        values = betas(self.T).clone()
        values[self.T // 2] *= 2
        return Schedule.from_betas(values)


class JoinedWrong(NoiseSchedule):
    """Two halves, with a step of half the size between them."""

    def build(self):
        u = torch.linspace(0, 1, self.T + 1, dtype=torch.float64)
        u[self.T // 2] = (u[self.T // 2] + u[self.T // 2 - 1]) / 2
        angle = u * math.pi / 2
        return Schedule(angle.cos().clamp(min=0), angle.sin())


class Mirrored(NoiseSchedule):
    def build(self):
        right = Right(T=self.T).build()
        return Schedule(right.alpha.flip(0), right.sigma.flip(0))


class BeginsLate(NoiseSchedule):
    """A cosine with an offset that was not divided out again."""

    def build(self):
        u = torch.arange(self.T + 1, dtype=torch.float64) / self.T
        abar = ((u + 0.25) / 1.25 * math.pi / 2).cos().square().clamp(min=1e-8)
        abar[0] = 1
        return Schedule(abar.sqrt(), (1 - abar).sqrt())


class OneLevelShort(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(self.T)[:-1])


class AlwaysAThousand(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(1000))


class BeginsNoisy(NoiseSchedule):
    def build(self):
        abar = (1 - betas(self.T + 1)).cumprod(0)
        return Schedule(abar.sqrt(), (1 - abar).sqrt())


class FirstLevelTwice(NoiseSchedule):
    def build(self):
        abar = torch.cat([torch.ones(1, dtype=torch.float64), abar_of(self.T)[:-1]])
        return Schedule(abar.sqrt(), (1 - abar).sqrt())


class SumsTheBetas(NoiseSchedule):
    def build(self):
        abar = 1 - torch.cat([torch.zeros(1), betas(self.T)]).double().cumsum(0)
        return Schedule(abar.sqrt(), (1 - abar).sqrt())


class NeverNoise(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(self.T) / 10)


class Jittered(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(self.T) * (1 + 0.01 * torch.rand(self.T)))


class JitteredByItself(NoiseSchedule):
    def build(self):
        return Schedule.from_betas(betas(self.T) * (1 + 0.01 * np.random.default_rng().random()))


class Remembers(NoiseSchedule):
    def build(self):
        _made.append(self.T)
        return Schedule.from_betas(betas(self.T) * (1 - 1e-4 * len(_made)))


_made = []


class KeptByLength(NoiseSchedule):
    """Builds once for every T, whatever the last beta is."""

    end: float = 0.02

    def build(self):
        if self.T not in _kept:
            _kept[self.T] = Schedule.from_betas(betas(self.T) * self.end / 0.02)
        return _kept[self.T]


_kept = {}


class GivesTables(NoiseSchedule):
    def build(self):
        return abar_of(self.T)


ROWS = [
    (Float32Betas, schedules.is_computed_in_float64, "every beta"),
    (Float32Product, schedules.is_computed_in_float64, "every alpha^2"),
    (Float32Roots, schedules.is_computed_in_float64, "every alpha"),
    (Float32Tables, schedules.builds_its_tables, "float64 on the CPU"),
    (ForgottenRoots, schedules.keeps_what_it_says, "alpha^2 + sigma^2 is"),
    (ForgottenRootOfSigma, schedules.keeps_what_it_says, "alpha^2 + sigma^2 is"),
    (FlowThatSaysPower, schedules.keeps_what_it_says, "say keeps = 'sum'"),
    (ExplodingThatSaysSum, schedules.keeps_what_it_says, "say keeps = 'signal'"),
    (KeepsWhat, schedules.keeps_what_it_says, "'variance'"),
    (ReversedBetas, schedules.noise_comes_gradually, "reversed"),
    (ShuffledBetas, schedules.noise_comes_gradually, "out of order"),
    (Spike, schedules.noise_comes_gradually, "level 501 adds"),
    (JoinedWrong, schedules.noise_comes_gradually, "level 500 adds"),
    (BeginsLate, schedules.noise_comes_gradually, "level 1 has noise already, sigma / alpha = 0.32"),
    (Mirrored, schedules.builds_its_tables, "level 0 is clean"),
    (OneLevelShort, schedules.builds_its_tables, "T = 1000 asks for 1001 levels"),
    (AlwaysAThousand, schedules.builds_its_tables, "T = 50 asks for 51 levels"),
    (BeginsNoisy, schedules.builds_its_tables, "level 0 is clean"),
    (FirstLevelTwice, schedules.builds_its_tables, "from level 0 to 1"),
    (SumsTheBetas, schedules.builds_its_tables, "never negative"),
    (NeverNoise, schedules.ends_in_noise, "never gets near noise"),
    (Jittered, schedules.builds_the_same_again, "random generator of torch"),
    (JitteredByItself, schedules.builds_the_same_again, "randomness of its own"),
    (Remembers, schedules.builds_the_same_again, "differently"),
    (KeptByLength, schedules.builds_the_same_again, "with end = 0.018 it gives the tables that it built before"),
    (GivesTables, schedules.builds_its_tables, "not a Schedule"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)


def test_the_one_without_an_error_is_not():
    assert broken([Right()], schedules.RULES, range(5)) == []
