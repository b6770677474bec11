"""Losses that place levels wrongly; each has one error."""

import torch

from difftool.testing import losses

from .mutants import caught, mutants
from .right_losses import Right


class Placed(Right):
    """Only its levels are wrong."""


class FromZero(Placed):
    def levels(self, u, schedule):
        return (u * schedule.T).floor()


class BeyondTheLast(Placed):
    def levels(self, u, schedule):
        return 1 + (u * schedule.T).round()


class NeverTheLast(Placed):
    def levels(self, u, schedule):
        return 1 + (u * (schedule.T - 1)).floor()


class UpperHalf(Placed):
    def levels(self, u, schedule):
        return (schedule.T + 1 + u * schedule.T) / 2 - 0.5 * (u < 1)


class AlwaysAThousand(Placed):
    def levels(self, u, schedule):
        return 1 + (u * 1000).floor()


class EndsOnly(Placed):
    def levels(self, u, schedule):
        return 1 + (schedule.T - 1) * u.round()


class Sorted(Placed):
    def levels(self, u, schedule):
        return 1 + (u.sort().values * schedule.T).floor()


class Spread(Placed):
    """One u for the whole batch, evenly spread."""

    def levels(self, u, schedule):
        places = (u[0] + torch.arange(len(u)) / len(u)) % 1
        return 1 + (places * schedule.T).floor()


class DrawsItsOwn(Placed):
    def levels(self, u, schedule):
        return 1 + (torch.rand(u.shape) * schedule.T).floor()


class EditsU(Placed):
    def levels(self, u, schedule):
        return 1 + u.mul_(schedule.T).floor()


class OneLevel(Placed):
    def levels(self, u, schedule):
        return 1 + (u[0] * schedule.T).floor()


class NotANumberAtTheEnd(Placed):
    def levels(self, u, schedule):
        return 1 + (schedule.T - 1) * (u - 1e-12).sqrt()


ROWS = [
    (FromZero, losses.places_levels, "at level 0"),
    (BeyondTheLast, losses.places_levels, "at level 5; levels lie above 0, up to T = 4"),
    (NeverTheLast, losses.places_levels, "only 1 to 3 are trained"),
    (UpperHalf, losses.places_levels, "of the levels 1 to 4"),
    (AlwaysAThousand, losses.places_levels, "up to T = 4"),
    (EndsOnly, losses.places_levels, "only 2 of 4 levels"),
    (Sorted, losses.places_levels, "other u of its batch"),
    (Spread, losses.places_levels, "other u of its batch"),
    (DrawsItsOwn, losses.judges_the_same_again, "random generator of torch"),
    (EditsU, losses.places_levels, "edits u"),
    (OneLevel, losses.places_levels, "levels() gives []"),
    (NotANumberAtTheEnd, losses.places_levels, "at level nan"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)
