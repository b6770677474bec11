"""Samplers that look back at earlier guesses, and what they get wrong: they converge all the same, only slowly."""

import math
from itertools import pairwise

import pytest

from difftool.api import Step
from difftool.testing import laws, memory
from difftool.testing.rules import findings

from .mutants import caught, mutants
from .right_samplers import RightODE


class LooksBack(RightODE):
    """Second order: the guess goes on as it changed in the step before. Subclasses get that wrong."""

    eta: float = 0.0
    """share of noise that is fresh"""

    def run(self, denoiser, x, times, draw):
        old, before = None, math.inf
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop, x0 = denoiser.schedule.hop(t, s), denoiser(x, t).x0
            fade = hop.sigma_s * hop.alpha_t / (hop.sigma_t * hop.alpha_s)
            h = -math.log(fade) if fade > 0 else math.inf
            ahead = x0 if old is None or s == 0 or before == math.inf else self.ahead(x0, old, h / before)
            kept = fade**self.eta
            x = hop.alpha_s * ahead + kept * hop.sigma_s / hop.sigma_t * (x - hop.alpha_t * ahead)
            if self.eta and s > 0:
                x = x + hop.sigma_s * math.sqrt(1 - kept**2) * draw()
            old, before = x0, h
            yield Step(index, len(times) - 1, s, x, x0)

    def ahead(self, x0, old, r):
        return x0 + r / 2 * (x0 - old)


class WrongSign(LooksBack):
    def ahead(self, x0, old, r):
        return x0 - r / 2 * (x0 - old)


class Swapped(LooksBack):
    def ahead(self, x0, old, r):
        return old + r / 2 * (old - x0)


class ThreeTimes(LooksBack):
    def ahead(self, x0, old, r):
        return x0 + 3 * r / 2 * (x0 - old)


@mutants(
    (WrongSign, memory.looks_back_to_be_nearer, "0.044 of the spread away from the truth, and 0.023"),
    (WrongSign(eta=1.0), memory.looks_back_to_be_nearer, "if it may not look back"),
    (Swapped, memory.looks_back_to_be_nearer, "if it may not look back"),
    (ThreeTimes, memory.looks_back_to_be_nearer, "if it may not look back"),
)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)


@pytest.mark.parametrize("part", [WrongSign(), ThreeTimes()], ids=repr)
def test_looking_back_wrongly_is_seen_by_no_law(part):
    """They converge, only later, and that is what the rule is for."""
    assert [law.__name__ for law in laws.LAWS for found in findings((law,), part, 0) if not found.kept] == []


class Churns(RightODE):
    """Adds noise before each hop but the first, which makes it coarser than its first hops alone."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            higher = min(times[0], 1.05 * t)
            if higher > t:
                up = denoiser.schedule.hop(higher, t)
                x = up.alpha_t / up.alpha_s * x + math.sqrt(up.beta) * draw()
            hop = denoiser.schedule.hop(higher, s)
            guess = denoiser(x, higher)
            x = self.move(hop, guess, x)
            yield Step(index, len(times) - 1, s, x, guess.x0)


class AsksHalfAsOften(RightODE):
    """Every other step does with the guess of the step before: coarser, and half the work."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            if index % 2:
                x0 = denoiser(x, t).x0
            x = hop.alpha_s * x0 + hop.sigma_s / hop.sigma_t * (x - hop.alpha_t * x0)
            yield Step(index, len(times) - 1, s, x, x0)


class Smooths(LooksBack):
    """A fifth of its guess is the one before, which steadies and slows it."""

    def ahead(self, x0, old, r):
        return 0.8 * x0 + 0.2 * old


@pytest.mark.parametrize(
    "part", [LooksBack(), LooksBack(eta=1.0), LooksBack(eta=0.3), Churns(), AsksHalfAsOften(), Smooths()], ids=repr
)
def test_whoever_looks_back_rightly_or_for_another_reason_is_let_alone(part):
    assert findings((memory.looks_back_to_be_nearer,), part, 0)[0].reason is None
