"""Is the network right? The rules of every network, and two promises of its own."""

import pytest
import torch
from difftool.api import Spec
from difftool.testing import check_backbone, check_module

from difftool_sprout import Sprout


@pytest.mark.parametrize("depth", [3, 5])
def test_it_keeps_the_rules_of_every_network(depth):
    check_backbone(Sprout(width=16, depth=depth))


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def spec(size):
    return Spec(channels=1, out_channels=1, height=size, width=size, T=1000, conditions={})


def test_a_corner_hears_of_the_opposite_corner():
    # YOURS: what only your network promises.
    net = Sprout(width=8, depth=4).build(spec(16))
    torch.nn.init.ones_(net.leave.weight)
    x = torch.randn(1, 1, 16, 16, requires_grad=True)
    net(x, torch.zeros(1), {})[0, 0, 0, 0].backward()
    assert x.grad[0, 0, 15, 15] != 0


def test_pictures_that_it_cannot_see_across_are_refused():
    assert list(Sprout(depth=4).check(spec(16))) == []
    assert list(Sprout(depth=4).check(spec(17))) == [("depth", "4 layers cannot see across 17 pixels; 5 can")]
