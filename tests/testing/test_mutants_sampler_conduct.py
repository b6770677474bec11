"""Samplers that treat noise, tensors or other walks wrongly; each differs from a right one in one place."""

import torch

from difftool.api import Sampler, Step
from difftool.testing import conduct

from .mutants import caught, mutants
from .right_samplers import Right, RightODE


class GlobalNoise(Sampler):
    def run(self, denoiser, x, times, draw):
        yield from Right().run(denoiser, x, times, lambda: torch.randn_like(x))


class SeedsTheWorld(Sampler):
    def run(self, denoiser, x, times, draw):
        torch.manual_seed(0)
        yield from Right().run(denoiser, x, times, draw)


class DrawsForEachPicture(Sampler):
    """The first of the batch gets the first draw, the second the second, ..."""

    def run(self, denoiser, x, times, draw):
        yield from Right().run(denoiser, x, times, lambda: torch.stack([draw()[k] for k in range(len(x))]))


class ScalesByTheBatch(Right):
    def guess(self, denoiser, x, t, s):
        x0 = denoiser(x, t).x0
        return x0 / max(1.0, float(x0.abs().max()) / 0.3)


class TurnsTheBatch(RightODE):
    def move(self, hop, guess, x):
        x = super().move(hop, guess, x)
        return x if hop.s else x.flip(0)


class OwnNoise(Sampler):
    """A generator of its own, always with the same seed."""

    def run(self, denoiser, x, times, draw):
        g = torch.Generator().manual_seed(0)
        yield from Right().run(denoiser, x, times, lambda: torch.randn(x.shape, generator=g, dtype=x.dtype))


class SharesNoise(Sampler):
    def run(self, denoiser, x, times, draw):
        yield from Right().run(denoiser, x, times, lambda: draw().roll(1, 0))


class Remembers(Right):
    """Momentum that outlives the walk."""

    def guess(self, denoiser, x, t, s):
        x0 = denoiser(x, t).x0
        before = _memory.get(x.shape, x0)
        _memory[x.shape] = x0
        return x0 + 0.1 * (x0 - before)


_memory = {}


class EditsXT(Right):
    def mean(self, hop, x0, x):
        return x.mul_(hop.mean_xt).add_(hop.mean_x0 * x0)


class EditsWhatItYielded(Right):
    def run(self, denoiser, x, times, draw):
        yield from super().run(denoiser, x.clone(), times, draw)

    def mean(self, hop, x0, x):
        return x.mul_(hop.mean_xt).add_(hop.mean_x0 * x0)

    def size(self, hop, schedule):
        return 0.0

    def step(self, index, total, t, s, x, x0):
        _kept[:] = [*_kept[-1:], x]
        if index > 1:
            _kept[0].add_(1e-3)
        return Step(index, total, s, x, x0)


_kept = []


class EditsTheGuess(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, t).x0.mul_(1.0 + 1e-9)


class Float32(Right):
    def mean(self, hop, x0, x):
        return (hop.mean_x0 * x0 + hop.mean_xt * x).float()


class Float64(Right):
    def mean(self, hop, x0, x):
        return hop.mean_x0 * x0.double() + hop.mean_xt * x


class HalfGuesses(Right):
    def step(self, index, total, t, s, x, x0):
        return Step(index, total, s, x, x0.half())


class TableOnTheCPU(Right):
    def mean(self, hop, x0, x):
        return torch.tensor([hop.mean_x0]) * x0 + torch.tensor([hop.mean_xt]) * x


class RandomLevels(Right):
    def times(self, schedule, n=None):
        n = min(n or 10, schedule.T)
        inner = sorted((1 + (schedule.T - 1) * torch.rand(n - 1)).tolist(), reverse=True)
        return (float(schedule.T), *inner, 0.0)


class NoiseForAllChannels(Sampler):
    """The channels of a picture get the same noise."""

    def run(self, denoiser, x, times, draw):
        yield from Right().run(denoiser, x, times, lambda: draw()[:, :1].expand_as(x))


class EditsTheGuessToTheSame(Right):
    def guess(self, denoiser, x, t, s):
        return denoiser(x, t).x0.clamp_(-50, 50)


ROWS = [
    (NoiseForAllChannels, conduct.each_number_alone, "changes number"),
    (EditsTheGuessToTheSame, conduct.edits_nothing, "what the denoiser answered"),
    (GlobalNoise, conduct.walks_the_same_again, "random generator of torch"),
    (SeedsTheWorld, conduct.walks_the_same_again, "random generator of torch"),
    (DrawsForEachPicture, conduct.each_picture_alone, "others are made beside it"),
    (ScalesByTheBatch, conduct.each_picture_alone, "others are made beside it"),
    (TurnsTheBatch, conduct.each_picture_alone, "others are made beside it"),
    (OwnNoise, conduct.each_picture_alone, "others are made beside it"),
    (SharesNoise, conduct.each_picture_alone, "others are made beside it"),
    (Remembers, conduct.two_walks_do_not_meet, "remembers something"),
    (EditsXT, conduct.edits_nothing, "edits x_T"),
    (EditsWhatItYielded, conduct.edits_nothing, "after they were yielded"),
    (EditsTheGuess, conduct.edits_nothing, "what the denoiser answered"),
    (Float32, conduct.keeps_the_precision, "yields torch.float32"),
    (Float64, conduct.keeps_the_precision, "yields torch.float64"),
    (HalfGuesses, conduct.keeps_the_precision, "torch.float16"),
    (TableOnTheCPU, conduct.works_on_another_device, "stays on the CPU"),
    (RandomLevels, conduct.walks_the_same_again, "random generator of torch"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)
