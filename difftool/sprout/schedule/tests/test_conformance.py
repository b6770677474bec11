"""Is the schedule right? The rules of every schedule, and one promise of its own."""

import math

import pytest
from difftool.testing import check_module, check_schedule

from difftool_sprout import Sprout


@pytest.mark.parametrize("part", [Sprout(), Sprout(T=100, bend=1), Sprout(bend=2)])
def test_it_keeps_the_rules_of_every_schedule(part):
    check_schedule(part)


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def test_half_of_the_way_is_half_of_the_angle_where_it_is_not_bent():
    # YOURS: what only your schedule promises.
    schedule = Sprout(T=1000, bend=1, left=0.01).build()
    assert float(schedule.alpha[1000]) == pytest.approx(0.01)
    assert float(schedule.alpha[500]) == pytest.approx(math.cos(math.acos(0.01) / 2))
