"""Is the loss right? The rules of every loss, and one promise of its own."""

from types import SimpleNamespace

import pytest
import torch
from difftool.testing import check_loss, check_module

from difftool_sprout import Sprout


@pytest.mark.parametrize("soft", [0.1, 1.0])
def test_it_keeps_the_rules_of_every_loss(soft):
    check_loss(Sprout(soft=soft))


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


@pytest.mark.parametrize(("error", "cost"), [(0.01, 0.01**2 / 2), (-0.01, 0.01**2 / 2), (300, 0.5 * 300)])
def test_small_errors_cost_half_their_square_and_large_ones_soft_times_their_size(error, cost):
    # YOURS: what only your loss promises. All that this one looks at is the target.
    noised = SimpleNamespace(target=torch.zeros(2, 1, 4, 4))
    found = Sprout(soft=0.5)(noised.target + error, noised)
    assert found.tolist() == pytest.approx([cost, cost], rel=0.01)
