"""Noise schedules that are wrong between their levels, or on the way down; each has one error."""

import math

import torch

from difftool.api import NoiseSchedule, Schedule
from difftool.core.types import Hop
from difftool.testing import schedules

from .mutants import caught, mutants
from .test_mutants_schedules import Right, abar_of


class CurveOfAThousand(NoiseSchedule):
    """Right as long as T is 1000."""

    def build(self):
        def curve(t):
            angle = t / 1000 * math.pi / 2
            return angle.cos().clamp(min=0), angle.sin()

        angle = torch.linspace(0, math.pi / 2, self.T + 1, dtype=torch.float64)
        return Schedule(angle.cos().clamp(min=0), angle.sin(), curve)


class Stairs(NoiseSchedule):
    """A curve that is a table after all."""

    def build(self):
        table = abar_of(self.T)

        def curve(t):
            abar = table[t.round().long()]
            return abar.sqrt(), (1 - abar).sqrt()

        return Schedule(table.sqrt(), (1 - table).sqrt(), curve)


class Waves(NoiseSchedule):
    """A curve that swings between whole levels."""

    def build(self):
        def curve(t):
            angle = t / self.T * math.pi / 2 + 0.001 * (t * math.pi).sin()
            return angle.cos().clamp(min=0), angle.sin()

        whole = torch.arange(self.T + 1, dtype=torch.float64)
        return Schedule(*curve(whole), curve)


class Chords(NoiseSchedule):
    """A curve that is a circle at whole levels and cuts the corners between."""

    def build(self):
        angle = torch.linspace(0, math.pi / 2, self.T + 1, dtype=torch.float64)
        alpha, sigma = angle.cos().clamp(min=0), angle.sin()

        def curve(t):
            low = t.floor().clamp(max=self.T - 1).long()
            return torch.lerp(alpha[low], alpha[low + 1], t - low), torch.lerp(sigma[low], sigma[low + 1], t - low)

        return Schedule(alpha, sigma, curve)


class CurveEditsItsLevels(NoiseSchedule):
    def build(self):
        def curve(t):
            angle = t.div_(self.T).mul(math.pi / 2)
            return angle.cos().clamp(min=0), angle.sin()

        return Schedule(*curve(torch.arange(self.T + 1, dtype=torch.float64)), curve)


class CurveForgetsShapes(NoiseSchedule):
    def build(self):
        def curve(t):
            angle = t.flatten() / self.T * math.pi / 2
            return angle.cos().clamp(min=0), angle.sin()

        return Schedule(*curve(torch.arange(self.T + 1, dtype=torch.float64)), curve)


class PosteriorIsADeviation(NoiseSchedule):
    def build(self):
        class Own(Schedule):
            def hop(self, t, s):
                hop = super().hop(t, s)
                values = {name: getattr(hop, name) for name in Hop.__slots__}
                return Hop(**values | {"posterior": hop.posterior**0.5})

        plain = Right(T=self.T).build()
        return Own(plain.alpha, plain.sigma)


ROWS = [
    (CurveOfAThousand, schedules.builds_its_tables, "its tables at the integers"),
    (Stairs, schedules.between_its_levels, "does not grow"),
    (Waves, schedules.between_its_levels, "does not grow"),
    (Chords, schedules.keeps_what_it_says, "alpha^2 + sigma^2 is 0.99999"),
    (CurveEditsItsLevels, schedules.between_its_levels, "edits"),
    (CurveForgetsShapes, schedules.between_its_levels, "answers"),
    (PosteriorIsADeviation, schedules.hops_compose, "posterior variance"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)
