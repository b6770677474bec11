"""Is the condition right? The rules of every condition, and two promises of its own."""

import pytest
from difftool.api import InputError
from difftool.testing import check_condition, check_module

from difftool_sprout import Sprout


def test_it_keeps_the_rules_of_every_condition():
    check_condition(Sprout())


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def test_the_smallest_and_the_largest_are_the_ends():
    # YOURS: what only your condition promises.
    part = Sprout().fit(["31", "58", "40"])  # as a labels.csv has them
    assert (part.low, part.high) == (31, 58)
    assert part.encode(31).tolist() == [1, -1]
    assert part.encode("58").tolist() == [1, 1]
    assert part.encode(44.5).tolist() == [1, 0]


def test_what_is_no_number_is_refused():
    with pytest.raises(InputError, match="'old' is not a number"):
        Sprout(low=0.0, high=1.0).encode("old")
