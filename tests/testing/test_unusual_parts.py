"""Schedules, targets and losses that are right and do not ship: what is unusual is no error."""

import math

import pytest
import torch
from torch.nn import functional

from difftool.api import Loss, NoiseSchedule, Schedule, Target
from difftool.testing import conformance, gradients

from .mutants import broken
from .test_mutants_schedules import betas

# ---- schedules: from [T] or [T + 1] numbers in float64


def of_snr(log_snr):
    """alpha^2 / sigma^2 given as its logarithm at the levels 1 to T; alpha^2 + sigma^2 = 1."""
    zero = log_snr.new_zeros(1)
    return Schedule(torch.cat([zero + 1, log_snr.sigmoid().sqrt()]), torch.cat([zero, (-log_snr).sigmoid().sqrt()]))


def exploding(sigma):
    return Schedule(torch.ones(len(sigma) + 1, dtype=torch.float64), torch.cat([sigma.new_zeros(1), sigma]))


def even(low, high, T):
    return torch.linspace(low, high, T, dtype=torch.float64)


def no_signal_at_the_end(T):
    """Lin et al. 2023: sqrt(abar) moved and stretched so that its last value is 0."""
    root = Schedule.from_betas(betas(T)).alpha[1:]
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    alpha = torch.cat([root.new_ones(1), root])
    return Schedule(alpha, (1 - alpha.square()).sqrt())


def circle(T):
    def curve(t):
        angle = t / T * math.pi / 2
        return angle.cos().clamp(min=0) * (t < T), angle.sin()

    return Schedule(*curve(torch.arange(T + 1, dtype=torch.float64)), curve)


def below_power(T):
    """Song et al. 2021: sigma is 1 - alpha^2."""
    alpha = Schedule.from_betas(betas(T)).alpha
    return Schedule(alpha, 1 - alpha.square())


SCHEDULES = {
    "scaled linear": (
        lambda T: Schedule.from_betas((even(0.029, 0.11, T).square() * 1000 / T).clamp(max=0.999)),
        "power",
    ),
    "no signal at the end": (no_signal_at_the_end, "power"),
    "circle": (circle, "power"),
    "even in log SNR": (lambda T: of_snr(even(10, -10, T)), "power"),
    "Cauchy": (lambda T: of_snr((math.pi * (0.5 - even(0.03, 0.97, T))).tan()), "power"),
    "Laplace": (
        lambda T: of_snr(-(even(-0.497, 0.497, T).sign() * -(1 - 2 * even(-0.497, 0.497, T).abs()).log())),
        "power",
    ),
    "shifted cosine": (lambda T: of_snr(-2 * (math.pi / 2 * even(1 / T, 1 - 1 / T, T)).tan().log() - 2.8), "power"),
    "one over the levels left": (lambda T: Schedule.from_betas(1 / even(T, 1, T).clamp(min=1.001)), "power"),
    "Karras": (lambda T: exploding(even(0.002 ** (1 / 7), 80 ** (1 / 7), T) ** 7), "signal"),
    "geometric": (lambda T: exploding(10 ** even(-2, 1.7, T)), "signal"),
    "below power": (below_power, "nothing"),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule(name):
    tables, what = SCHEDULES[name]

    class Unusual(NoiseSchedule):
        keeps = what

        def build(self):
            return tables(self.T)

    assert broken([Unusual(), Unusual(T=300)], conformance.RULES["schedule"], [0, 1]) == []


# ---- targets

TARGETS = {
    "v of unit size": lambda a, s: (a / (a**2 + s**2), s / (a**2 + s**2).sqrt(), (a**2 + s**2) ** -0.5),
    "the picture less the noise": lambda a, s: (1 / (a + s), s / (a + s), 1.0),
    "half the picture, heard at unit size": lambda a, s: (0.0, 0.5, 1 / (a**2 / 4 + s**2).sqrt()),
    "the noise, heard at unit size": lambda a, s: (1 / a, -s / a, (a**2 + s**2) ** -0.5),
    "whole numbers": lambda a, s: (0, 1, 1),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target(name):
    class Unusual(Target):
        def coefficients(self, alpha, sigma):
            return TARGETS[name](alpha, sigma)

    assert broken([Unusual()], conformance.RULES["target"], [0, 1]) == []


# ---- losses: of the error e of the network, and of what noised knows


def mean(values):
    return values.flatten(1).mean(1)


def snr(n):
    return (n.alpha / n.sigma).square()


LOSSES = {
    "pseudo-Huber": lambda e, n: mean((e.square() + 0.03**2).sqrt() - 0.03),
    "log cosh": lambda e, n: mean(functional.softplus(2 * e.abs()) - e.abs() - math.log(2)),
    "soft min-SNR": lambda e, n: mean((n.gain * e).square() / (1 / snr(n).clamp(min=1e-8) + 1 / 5)),
    "error of the noise": lambda e, n: mean((n.alpha / n.sigma * n.gain * e).square()),
    "error of the picture": lambda e, n: mean((n.gain * e).abs()),
    "error of the guess, written out": lambda e, n: mean((n.x0 + n.gain * e - n.x0).abs()),
    "Fourier": lambda e, n: mean(torch.fft.fft2(e, norm="ortho").abs().square()),
    "two scales": lambda e, n: mean(e.square()) + mean(functional.avg_pool2d(e, 2).square()) / 2,
    "root": lambda e, n: (mean(e.square()) + 1e-6).sqrt(),
    "edges": lambda e, n: mean(e.square()) + 0.1 * mean(e.diff(dim=-1).square()),
    "relative to itself": lambda e, n: mean(e.square()) / (mean(e.square()).detach() + 1e-3),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss(name):
    class Unusual(Loss):
        def __call__(self, output, noised):
            return LOSSES[name](output - noised.target, noised)

    assert broken([Unusual()], conformance.RULES["loss"], [0]) == []


class LogOfItsError(Loss):
    """The second half learns the logarithm of what the first is off by: it costs least where that is small."""

    outputs = 2

    def __call__(self, output, noised):
        answer, said = output.chunk(2, dim=1)
        square = (answer - noised.target).square()
        return mean(square) + 0.1 * mean((said - (square.detach() + 1e-4).log()).square())


class Likelihood(Loss):
    """The second half is the logarithm of the variance."""

    outputs = 2

    def __call__(self, output, noised):
        answer, said = output.chunk(2, dim=1)
        return mean((answer - noised.target).square() * (-said).exp() + said)


class LoudPixels(Loss):
    """Cares for what the network sees itself: its best answer stays the mean."""

    def __call__(self, output, noised):
        return mean((output - noised.target).square() * (1 + noised.x_t.abs()))


def test_losses_of_two_halves():
    assert broken([LogOfItsError(), Likelihood()], conformance.RULES["loss"], [0, 1, 2]) == []


def test_a_weight_that_the_network_sees_leaves_the_mean_the_mean():
    assert broken([LoudPixels()], (gradients.learns_the_mean,), [0, 1, 2]) == []


class GuardedNormal(Loss):
    """Logarithms of sigma are normal, up to six times their spread."""

    def levels(self, u, schedule):
        sigma = (1.2 * torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6)) - 1.2).exp()
        return schedule.level(-sigma.log()).clamp(min=1)

    def __call__(self, output, noised):
        return mean((output - noised.target).square())


class LogitNormal(Loss):
    """Levels as Esser et al. 2024 place them."""

    def levels(self, u, schedule):
        return ((2**0.5 * (2 * u - 1).erfinv()).sigmoid() * schedule.T).clamp(min=1)

    def __call__(self, output, noised):
        return mean((output - noised.target).square())


class Karras(Loss):
    """Levels and weights of Karras et al. 2022."""

    def levels(self, u, schedule):
        return schedule.level(1.2 - 1.2 * 2**0.5 * (2 * u - 1).erfinv()).clamp(min=1)

    def __call__(self, output, noised):
        sigma = noised.sigma / noised.alpha.clamp(min=1e-4)
        weight = (sigma.square() + 0.25) / (sigma / 2).square()
        return mean(weight * (noised.gain * (output - noised.target)).square())


def test_losses_with_levels_of_their_own():
    assert broken([LogitNormal(), Karras(), GuardedNormal()], conformance.RULES["loss"], [0, 1]) == []
