"""Losses that compare wrongly; each has one error."""

import torch
from torch.nn.functional import dropout

from difftool.api import Loss
from difftool.testing import losses

from .mutants import broken, caught, mutants
from .right_losses import Right, RightPair, mean


class Sums(Loss):
    def __call__(self, output, noised):
        return (output - noised.target).square().flatten(1).sum(1)


class Norm(Loss):
    """A length grows with the root of the number of pixels."""

    def __call__(self, output, noised):
        return (output - noised.target).flatten(1).norm(dim=1)


class FirstChannel(Loss):
    def __call__(self, output, noised):
        return mean((output - noised.target)[:, :1])


class TrimsTheBorder(Loss):
    def __call__(self, output, noised):
        return mean((output - noised.target)[:, :, 1:-1, 1:-1])


class BrightnessOnly(Loss):
    def __call__(self, output, noised):
        return (output - noised.target).flatten(1).mean(1).square()


class Angle(Loss):
    def __call__(self, output, noised):
        return 1 - torch.cosine_similarity(output.flatten(1), noised.target.flatten(1), dim=1)


class Smooths(Loss):
    def __call__(self, output, noised):
        return mean(output - noised.target) + 0.1 * output.diff(dim=-1).abs().flatten(1).mean(1)


class Cubes(Loss):
    def __call__(self, output, noised):
        return (output - noised.target).pow(3).flatten(1).mean(1)


class GainOfTheFirst(Loss):
    def __call__(self, output, noised):
        return mean(noised.gain[0] * (output - noised.target))


class OneForAll(Loss):
    def __call__(self, output, noised):
        return (output - noised.target).square().mean()


class MeanOfTheBatch(Loss):
    def __call__(self, output, noised):
        return (output - noised.target).square().mean().expand(len(output))


class PermutedNoise(Loss):
    """Regresses on the noise of another picture."""

    def __call__(self, output, noised):
        return mean(output - noised.target.roll(1, 0))


class ComparesWithThePicture(Loss):
    def __call__(self, output, noised):
        return mean(output - noised.x0)


class ComparesWithTheNoise(Loss):
    def __call__(self, output, noised):
        return mean(output - noised.eps)


class ComparesWithLess(Loss):
    def __call__(self, output, noised):
        return mean(output - 0.9 * noised.target)


class Blurs(Loss):
    def __call__(self, output, noised):
        target = noised.target
        return mean(output - (target + target.roll(1, -1)) / 2)


class Uphill(Loss):
    def __call__(self, output, noised):
        return -mean(output - noised.target)


class NoGradient(Loss):
    def __call__(self, output, noised):
        return mean(output.detach() - noised.target)


class Root(Loss):
    """The slope of a root at 0 is infinite."""

    def __call__(self, output, noised):
        return mean(output - noised.target).sqrt()


class OneOverAlpha(Loss):
    def __call__(self, output, noised):
        return mean((output - noised.target) * noised.gain / noised.alpha)


class Overflows(Loss):
    def __call__(self, output, noised):
        return mean(output - noised.target).exp() - 1


class Float64(Loss):
    def __call__(self, output, noised):
        return mean(output.double() - noised.target)


class NormalisedByTheBatch(Loss):
    def __call__(self, output, noised):
        weight = noised.gain.square()[:, 0, 0, 0]
        return weight / weight.mean() * mean(output - noised.target)


class ComparesNeighbours(Loss):
    """The worst picture of the batch counts, the others little."""

    def __call__(self, output, noised):
        values = mean(output - noised.target)
        return values * (values / values.max().detach())


class EditsTheOutput(Loss):
    def __call__(self, output, noised):
        return mean(output.data.sub_(noised.target)) + 0 * output.flatten(1).sum(1)


class EditsTheTarget(Loss):
    def __call__(self, output, noised):
        return mean(output - noised.target.mul_(1.1))


class EditsTheTimes(Loss):
    def __call__(self, output, noised):
        noised.times.sub_(1)
        return mean(output - noised.target)


class AsksForGradients(Loss):
    def __call__(self, output, noised):
        return mean(output - noised.target.requires_grad_())


class Drops(Loss):
    def __call__(self, output, noised):
        return mean(dropout(output - noised.target, 0.1))


class Remembers(Loss):
    """Normalises by all it has seen."""

    def __call__(self, output, noised):
        values = mean(output - noised.target)
        _seen.append(float(values.detach().mean()))
        return values / (sum(_seen) / len(_seen))


_seen = []


class ReadsEveryOtherChannel(Loss):
    outputs = 2

    def __call__(self, output, noised):
        return mean(output[:, ::2] - noised.target) + mean(output[:, 1::2])


class TableOnTheCPU(Loss):
    def __call__(self, output, noised):
        return torch.ones(1001)[: len(output)] * mean(output - noised.target)


ROWS = [
    (Sums, losses.same_for_any_size, "costs 4 times"),
    (Norm, losses.same_for_any_size, "costs 2 times"),
    (FirstChannel, losses.every_error_costs, "an error in channel 1 alone costs nothing"),
    (TrimsTheBorder, losses.every_error_costs, "an error in the first pixel alone costs nothing"),
    (BrightnessOnly, losses.every_error_costs, "a checkerboard of errors costs nothing"),
    (Angle, losses.every_error_costs, "an answer a tenth too small costs nothing"),
    (Smooths, losses.is_smallest_at_the_truth, "costs less than the truth"),
    (Cubes, losses.is_smallest_at_the_truth, "costs less than the truth"),
    (GainOfTheFirst, losses.each_picture_alone, "in one batch"),
    (OneForAll, losses.one_value_a_picture, "for 6 pictures it gives []"),
    (MeanOfTheBatch, losses.each_picture_alone, "in one batch"),
    (PermutedNoise, losses.is_smallest_at_the_truth, "costs less than the truth"),
    (ComparesWithThePicture, losses.is_smallest_at_the_truth, "the picture instead costs less"),
    (ComparesWithTheNoise, losses.is_smallest_at_the_truth, "the noise instead costs less"),
    (ComparesWithLess, losses.is_smallest_at_the_truth, "a tenth less costs less"),
    (Blurs, losses.is_smallest_at_the_truth, "a blurred answer costs less"),
    (Uphill, losses.is_smallest_at_the_truth, "costs less than the truth"),
    (NoGradient, losses.one_value_a_picture, "no gradient reaches the network"),
    (Root, losses.one_value_a_picture, "the gradient is not finite"),
    (OneOverAlpha, losses.one_value_a_picture, "not finite at level 1000"),
    (Overflows, losses.one_value_a_picture, "the value is not finite"),
    (Float64, losses.one_value_a_picture, "float64"),
    (NormalisedByTheBatch, losses.each_picture_alone, "in one batch"),
    (ComparesNeighbours, losses.each_picture_alone, "in one batch"),
    (EditsTheOutput, losses.edits_nothing, "edits output"),
    (EditsTheTarget, losses.edits_nothing, "edits noised.target"),
    (EditsTheTimes, losses.edits_nothing, "edits noised.times"),
    (AsksForGradients, losses.edits_nothing, "asks for gradients"),
    (Drops, losses.judges_the_same_again, "random generator of torch"),
    (Remembers, losses.judges_the_same_again, "differently"),
    (ReadsEveryOtherChannel, losses.is_smallest_at_the_truth, "costs less than the truth"),
    (TableOnTheCPU, losses.works_on_another_device, "stays on the CPU"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)


def test_the_ones_without_an_error_are_not():
    assert broken([Right(), RightPair()], losses.RULES, [0, 1]) == []
