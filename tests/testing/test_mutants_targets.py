"""Targets with one error each."""

import torch

from difftool.api import Target
from difftool.testing import targets

from .mutants import broken, caught, mutants


class Right(Target):
    """EDM's preconditioning, for data of standard deviation 1/2."""

    def coefficients(self, alpha, sigma):
        power = alpha**2 / 4 + sigma**2
        return alpha / 4 / power, sigma / 2 / power.sqrt(), 1 / power.sqrt()


class ForgetsAlpha(Target):
    def coefficients(self, alpha, sigma):
        return 1 / alpha, -sigma, 1.0


class VarianceForSigma(Target):
    def coefficients(self, alpha, sigma):
        return 1 / alpha, -(sigma**2) / alpha, 1.0


class EpsUpsideDown(Target):
    def coefficients(self, alpha, sigma):
        return 1 / sigma, -alpha / sigma, 1.0


class VSwapped(Target):
    def coefficients(self, alpha, sigma):
        return sigma, -alpha, 1.0


class SaysNothingHalfway(Target):
    """`out` passes through 0."""

    def coefficients(self, alpha, sigma):
        return 1 / alpha, -(sigma - 0.5) / alpha, 1.0


class InputFades(Target):
    def coefficients(self, alpha, sigma):
        return 0.0, 1.0, alpha**4


class Cancels(Target):
    """The network says nearly x_t, and the little that is missing is the picture."""

    def coefficients(self, alpha, sigma):
        return 1e6, -1e6, 1.0


class HearsTheRatio(Target):
    """The input is divided by sigma, which is nothing at the clean end."""

    def coefficients(self, alpha, sigma):
        return 0.0, 1.0, 1 / sigma


class Float32Out(Target):
    def coefficients(self, alpha, sigma):
        return 1 / alpha, (-sigma / alpha).float(), 1.0


class Float32Inside(Target):
    def coefficients(self, alpha, sigma):
        alpha = alpha.float().double()
        return 1 / alpha, -sigma / alpha, 1.0


class Float32Sigma(Target):
    def coefficients(self, alpha, sigma):
        return 0.0, 1.0, 1 / (0.25 + sigma.float() ** 2).sqrt().double()


class ComparesWithTheBatch(Target):
    def coefficients(self, alpha, sigma):
        return 0.0, 1.0, 1 / sigma.max()


class NothingToSayWhereClean(Target):
    def coefficients(self, alpha, sigma):
        return 1 / alpha, -sigma / alpha * (sigma > 0.2), 1.0


class NotANumber(Target):
    def coefficients(self, alpha, sigma):
        return 0.0, (sigma - 0.5).sqrt(), 1.0


class Switches(Target):
    """The picture where there is noise, the noise where there is picture."""

    def coefficients(self, alpha, sigma):
        noisy = sigma > 0.7
        return torch.where(noisy, 0, 1 / alpha), torch.where(noisy, 1, -sigma / alpha), 1.0


class RoundsItsLevels(Target):
    def coefficients(self, alpha, sigma):
        sigma = (sigma * 100).ceil() / 100
        return 0.0, 1.0, 1 / (0.25 + sigma**2).sqrt()


class EditsAlpha(Target):
    def coefficients(self, alpha, sigma):
        return 1 / alpha.clamp_(min=0.5), -sigma / alpha, 1.0


class Random(Target):
    def coefficients(self, alpha, sigma):
        return 0.0, 1.0 + 0.1 * float(torch.rand(())), 1.0


class Remembers(Target):
    def coefficients(self, alpha, sigma):
        _asked.append(1)
        return 0.0, 1.0, 1.0 + 0.001 * len(_asked)


_asked = []


class ForgetsScale(Target):
    def coefficients(self, alpha, sigma):
        return 0.0, 1.0


class OnlyForLists(Target):
    def coefficients(self, alpha, sigma):
        return torch.stack([1 / a for a in alpha]), -sigma / alpha, 1.0


ROWS = [
    (ForgetsAlpha, targets.asks_for_sane_numbers, "asked to say"),
    (VarianceForSigma, targets.asks_for_sane_numbers, "asked to say"),
    (EpsUpsideDown, targets.asks_for_sane_numbers, "asked to say"),
    (VSwapped, targets.asks_for_sane_numbers, "asked to say"),
    (SaysNothingHalfway, targets.says_something_everywhere, "at level 500 of the flow path"),
    (InputFades, targets.asks_for_sane_numbers, "would hear"),
    (Cancels, targets.the_picture_comes_back, "comes back"),
    (HearsTheRatio, targets.asks_for_sane_numbers, "would hear"),
    (Float32Out, targets.says_something_everywhere, "float32"),
    (Float32Inside, targets.keeps_all_digits, "digits of float32"),
    (Float32Sigma, targets.keeps_all_digits, "scale does not follow"),
    (ComparesWithTheBatch, targets.each_level_alone, "among other levels"),
    (NothingToSayWhereClean, targets.says_something_everywhere, "out is -0 at level"),
    (NotANumber, targets.says_something_everywhere, "out is nan"),
    (Switches, targets.changes_smoothly, "jumps by"),
    (RoundsItsLevels, targets.changes_smoothly, "hears jumps by"),
    (EditsAlpha, targets.each_level_alone, "edits alpha"),
    (Random, targets.answers_the_same_again, "random generator of torch"),
    (Remembers, targets.answers_the_same_again, "differently"),
    (ForgetsScale, targets.says_something_everywhere, "three"),
    (OnlyForLists, targets.each_level_alone, "raises"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)


def test_the_one_without_an_error_is_not():
    assert broken([Right()], targets.RULES, range(5)) == []
