"""Is the sampler right? The rules of every sampler, and one promise of its own."""

import pytest
import torch
from difftool.api import Schedule
from difftool.testing import Gaussian, check_module, check_sampler

from difftool_sprout import Sprout


@pytest.mark.parametrize("fresh", [0.0, 1.0])
def test_it_keeps_the_rules_of_every_sampler(fresh):
    check_sampler(Sprout(fresh=fresh))


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def test_without_fresh_noise_it_goes_where_the_exact_path_leads():
    # YOURS: what only your sampler promises. The best guess for data N(mean, std^2) is known exactly, and so is the way
    # down from x_T: it keeps (x_t - alpha mean) / sqrt(alpha^2 std^2 + sigma^2).
    mean, std = 0.3, 0.5
    schedule = Schedule.from_betas(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
    alpha, sigma = schedule.alpha[-1], schedule.sigma[-1]
    x = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(9, 1, 1, 1)

    sampler = Sprout(fresh=0)
    *_, last = sampler.run(Gaussian(schedule, mean, std), x, sampler.times(schedule, 1000), draw=None)

    exact = mean + std * (x - alpha * mean) / (alpha**2 * std**2 + sigma**2).sqrt()
    assert last.t == 0
    assert (last.x - exact).abs().max() < 0.01
