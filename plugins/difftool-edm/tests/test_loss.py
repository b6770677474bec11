"""Where the loss trains, and what an error costs, against the formulas of the paper."""

import math
from statistics import NormalDist

import pytest
import torch

from difftool import testing
from difftool.api import Noised
from difftool_edm.loss import Lognormal
from difftool_edm.schedule import Exploding
from difftool_edm.target import Preconditioned

PATHS = {"edm": Exploding().build, "linear": testing.PATHS["linear"]}
DATA = 0.4
TARGETS = {"edm": Preconditioned(sigma_data=DATA), "eps": testing.TARGETS["eps"], "x0": testing.TARGETS["x0"]}


def noised(path, target, t):
    """What difftool hands a loss, put together from its description."""
    schedule = PATHS[path]()
    alpha, sigma = schedule.at(t)
    skip, out = (each + 0 * alpha for each in target.coefficients(alpha, sigma)[:2])
    x0, eps = torch.randn((2, len(t), 1, 2, 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    alpha, sigma, skip, out = (each[:, None, None, None] for each in (alpha, sigma, skip, out))
    x_t = alpha * x0 + sigma * eps
    tensors = {"x0": x0, "eps": eps, "x_t": x_t, "target": (x0 - skip * x_t) / out}
    return Noised(**tensors, t=t, times=t, alpha=alpha, sigma=sigma, gain=out, cond={}, schedule=schedule)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("mean", "std"), [(-1.2, 1.2), (-0.4, 1.0)])
def test_the_levels_have_the_quantiles_of_the_lognormal_law(path, mean, std):
    schedule = PATHS[path]()
    low, high = (math.log(float(sigma / alpha)) for alpha, sigma in map(schedule.at, (1.0, schedule.T)))
    u = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    alpha, sigma = schedule.at(Lognormal(mean=mean, std=std).levels(u, schedule))
    wanted = u.clone().apply_(NormalDist(mean, std).inv_cdf)
    torch.testing.assert_close((sigma / alpha).log(), wanted.clamp(low, high), rtol=0, atol=1e-9)


def test_no_level_is_below_the_first_or_above_the_last():
    schedule = Exploding(T=20).build()
    u = torch.tensor([0.0, 1e-300, 1e-9, 1 - 2.0**-53], dtype=torch.float64)
    assert Lognormal().levels(u, schedule).tolist() == [1, 1, 1, 20]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("target", TARGETS)
def test_the_error_of_the_picture_is_weighted_as_in_the_paper(path, target):
    t = torch.tensor([1.0, 7.5, 200.0, 641.25, 1000.0], dtype=torch.float64)
    batch = noised(path, TARGETS[target], t)
    wrong = 0.1 * torch.randn(batch.x0.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    cost = Lognormal(sigma_data=DATA)(batch.target + wrong, batch)
    alpha, sigma = batch.schedule.at(t)
    ratio = sigma / alpha
    weight = (ratio**2 + DATA**2) / (ratio * DATA) ** 2
    torch.testing.assert_close(cost, weight * (batch.gain * wrong).square().mean((1, 2, 3)), rtol=1e-9, atol=0)


@pytest.mark.parametrize("path", PATHS)
def test_for_the_target_edm_the_network_s_error_weighs_1_at_every_level(path):
    t = torch.linspace(1, 1000, 300, dtype=torch.float64)
    batch = noised(path, TARGETS["edm"], t)
    cost = Lognormal(sigma_data=DATA)(batch.target + 0.3, batch)
    torch.testing.assert_close(cost, torch.full_like(cost, 0.09), rtol=1e-6, atol=0)


def test_before_it_has_learned_anything_every_level_costs_1():
    """EDM's balance: a network that answers 0, on data of spread sigma_data."""
    t = torch.linspace(1, 1000, 40, dtype=torch.float64).repeat_interleave(2000)
    batch = noised("edm", TARGETS["edm"], t)
    skip, out, _ = TARGETS["edm"].coefficients(batch.alpha, batch.sigma)
    x0 = DATA * batch.x0
    target = (x0 - skip * (batch.alpha * x0 + batch.sigma * batch.eps)) / out
    batch = Noised(**{name: getattr(batch, name) for name in Noised.__slots__} | {"x0": x0, "target": target})
    cost = Lognormal(sigma_data=DATA)(torch.zeros_like(target), batch).reshape(40, 2000).mean(1)
    assert float((cost - 1).abs().max()) < 6 * math.sqrt(2 / 12000)
