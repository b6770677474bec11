"""Losses that teach the wrong thing, or with the wrong weight; each has one error."""

import torch

from difftool.api import Loss
from difftool.testing import gradients

from .mutants import caught, mutants
from .right_losses import RightPair, mean


class WeightOnTheNetwork(Loss):
    """min(SNR, 5), forgetting that it belongs to the error of x0."""

    def __call__(self, output, noised):
        snr = (noised.alpha / noised.sigma) ** 2
        return snr.clamp(max=5)[:, 0, 0, 0] * mean(output - noised.target)


class WeightForEpsOnly(Loss):
    """min(SNR, 5) / SNR, whatever the target is."""

    def __call__(self, output, noised):
        snr = (noised.alpha / noised.sigma) ** 2
        return (snr.clamp(max=5) / snr)[:, 0, 0, 0] * mean(output - noised.target)


class GainNotSquared(Loss):
    def __call__(self, output, noised):
        return noised.gain.abs()[:, 0, 0, 0] * mean(output - noised.target)


class GainUpsideDown(Loss):
    def __call__(self, output, noised):
        return mean((output - noised.target) / noised.gain)


class GainTwice(Loss):
    def __call__(self, output, noised):
        return mean(noised.gain.square() * (output - noised.target))


class LevelWeight(Loss):
    def __call__(self, output, noised):
        return (1 - noised.t / 2000) * mean(output - noised.target)


class NoGradientMode(Loss):
    def __call__(self, output, noised):
        with torch.no_grad():
            return mean(output - noised.target)


class ForgetsTheSecondHalf(Loss):
    outputs = 2

    def __call__(self, output, noised):
        return mean(output.chunk(2, dim=1)[0] - noised.target)


class ReadsTheWrongHalf(Loss):
    outputs = 2

    def __call__(self, output, noised):
        return mean(output.chunk(2, dim=1)[1] - noised.target)


class NoGroundBelow(Loss):
    """The likelihood of a normal with log variance s, and its log has the wrong sign."""

    outputs = 2

    def __call__(self, output, noised):
        answer, s = output.chunk(2, dim=1)
        return ((answer - noised.target).square() * (-s).exp() - s).flatten(1).mean(1)


class ThreeOutputs(RightPair):
    outputs = 3

    def __call__(self, output, noised):
        return super().__call__(output[:, :6], noised)


class Uphill(Loss):
    def __call__(self, output, noised):
        return -mean(output - noised.target)


class Pinball(Loss):
    """Learns a quantile."""

    def __call__(self, output, noised):
        error = output - noised.target
        return torch.maximum(0.7 * error, -0.3 * error).flatten(1).mean(1)


class BrightPixelsFirst(Loss):
    def __call__(self, output, noised):
        return ((1 + noised.x0) * (output - noised.target).square()).flatten(1).mean(1)


class LoudNoiseFirst(Loss):
    def __call__(self, output, noised):
        return (noised.eps.abs() * (output - noised.target).square()).flatten(1).mean(1)


class ClipsTheGuess(Loss):
    """Where the guess leaves -1..1 nothing is learned any more."""

    def __call__(self, output, noised):
        guess = noised.x0 + noised.gain * (output - noised.target)
        return mean(guess.clamp(-1, 1) - noised.x0)


class ErrorsCutOff(Loss):
    """An error above 2 is none that can be mended."""

    def __call__(self, output, noised):
        return (output - noised.target).square().clamp(max=4).flatten(1).mean(1)


class SmallErrorsForgiven(Loss):
    def __call__(self, output, noised):
        return mean(((output - noised.target).abs() - 0.2).clamp(min=0))


class FallsAgain(Loss):
    """Outliers are worth less than what can be learned."""

    def __call__(self, output, noised):
        square = (output - noised.target).square()
        return (square / (1 + square / 25).square()).flatten(1).mean(1)


class HuberInTwoPieces(Loss):
    """The line does not begin where the parabola ends."""

    def __call__(self, output, noised):
        size = (output - noised.target).abs()
        return torch.where(size < 1, size.square() / 2, size).flatten(1).mean(1)


class TenPercentMoreUpwards(Loss):
    def __call__(self, output, noised):
        error = output - noised.target
        return (error.square() * (1 + 0.1 * (error > 0))).flatten(1).mean(1)


class HarderAboveOne(Loss):
    """Even as long as errors are small."""

    def __call__(self, output, noised):
        error = output - noised.target
        return (error.square() + (error - 1).clamp(min=0).square()).flatten(1).mean(1)


class LightPicturesFirst(Loss):
    def __call__(self, output, noised):
        return (1 + noised.x0.flatten(1).mean(1) / 5) * mean(output - noised.target)


ROWS = [
    (ErrorsCutOff, gradients.pulls_at_every_error, "off by 3 everywhere, 0% of its pixels"),
    (SmallErrorsForgiven, gradients.pulls_at_every_error, "off by 0.003 everywhere, 0% of its pixels"),
    (FallsAgain, gradients.grows_without_jumps, "an error of"),
    (HuberInTwoPieces, gradients.grows_without_jumps, "its value jumps from 0.4"),
    (TenPercentMoreUpwards, gradients.learns_the_mean, "too low by it: by 9.1% of its"),
    (HarderAboveOne, gradients.learns_the_mean, "an answer too high by 2 is pulled at otherwise"),
    (LightPicturesFirst, gradients.learns_the_mean, "in another picture"),
    (Pinball, gradients.learns_the_mean, "too low by it"),
    (BrightPixelsFirst, gradients.learns_the_mean, "in another picture"),
    (LoudNoiseFirst, gradients.learns_the_mean, "in another picture"),
    (ClipsTheGuess, gradients.pulls_at_every_error, "is a guess clipped"),
    (WeightOnTheNetwork, gradients.weights_mean_the_same_for_every_target, "gain^2"),
    (WeightForEpsOnly, gradients.weights_mean_the_same_for_every_target, "gain^2"),
    (GainNotSquared, gradients.weights_mean_the_same_for_every_target, "gain^2"),
    (GainUpsideDown, gradients.weights_mean_the_same_for_every_target, "gain^2"),
    (GainTwice, gradients.weights_mean_the_same_for_every_target, "gain^2"),
    (LevelWeight, gradients.weights_mean_the_same_for_every_target, "gain^2"),
    (Uphill, gradients.learning_helps, "leads away"),
    (NoGradientMode, gradients.learning_helps, "no gradient reaches the network"),
    (ForgetsTheSecondHalf, gradients.both_halves_learn, "the second half"),
    (ReadsTheWrongHalf, gradients.both_halves_learn, "the first half"),
    (NoGroundBelow, gradients.both_halves_learn, "is pushed up whatever it says"),
    (ThreeOutputs, gradients.both_halves_learn, "outputs is 3"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)
