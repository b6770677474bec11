"""Is the target right? The rules of every target, and one promise of its own."""

import pytest
import torch
from difftool.testing import check_module, check_target

from difftool_sprout import Sprout


@pytest.mark.parametrize("picture", [0.0, 0.3, 0.5, 1.0])
def test_it_keeps_the_rules_of_every_target(picture):
    check_target(Sprout(picture=picture))


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


@pytest.mark.parametrize("angle", [0.1, 0.8, 1.5])
def test_the_mix_leads_back_to_the_picture(angle):
    # YOURS: what your target is. A network that says just that must give x0 back.
    x0, eps = torch.tensor([0.4, -1.0]).double(), torch.tensor([1.3, 0.2]).double()
    alpha, sigma = torch.tensor([angle]).double().cos(), torch.tensor([angle]).double().sin()
    skip, out, _ = Sprout(picture=0.25).coefficients(alpha, sigma)
    assert torch.allclose(skip * (alpha * x0 + sigma * eps) + out * (0.75 * eps - 0.25 * x0), x0)
