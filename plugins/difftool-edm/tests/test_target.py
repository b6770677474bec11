"""The preconditioning against table 1 of the paper, and what it is made for: numbers of variance 1."""

import pytest
import torch

from difftool_edm.schedule import Exploding
from difftool_edm.target import Preconditioned

ALPHAS = [1.0, 0.6, 1e-3]


def ratios():
    """sigma / alpha from the paper's least to its largest."""
    return torch.logspace(-2.7, 1.9, 47, dtype=torch.float64)


@pytest.mark.parametrize("sigma_data", [0.2, 0.5, 1.0])
def test_with_alpha_1_it_is_the_paper_s(sigma_data):
    s = ratios()
    skip, out, scale = Preconditioned(sigma_data=sigma_data).coefficients(torch.ones_like(s), s)
    torch.testing.assert_close(skip, sigma_data**2 / (s**2 + sigma_data**2), rtol=1e-12, atol=0)
    torch.testing.assert_close(out, s * sigma_data / (sigma_data**2 + s**2) ** 0.5, rtol=1e-12, atol=0)
    torch.testing.assert_close(scale, 1 / (s**2 + sigma_data**2) ** 0.5, rtol=1e-12, atol=0)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_on_any_path_it_is_the_paper_s_for_x_over_alpha(alpha):
    s = ratios()
    one = torch.ones_like(s)
    skip, out, scale = Preconditioned().coefficients(one, s)
    mine = Preconditioned().coefficients(alpha * one, alpha * s)
    for got, wanted in zip(mine, (skip / alpha, out, scale / alpha), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("sigma_data", [0.2, 0.5, 1.0])
def test_the_network_hears_and_says_numbers_of_variance_1(alpha, sigma_data):
    one = torch.ones(47, dtype=torch.float64)
    alpha, sigma = alpha * one, alpha * ratios()
    skip, out, scale = Preconditioned(sigma_data=sigma_data).coefficients(alpha, sigma)
    of_x0, of_eps = (1 - skip * alpha) / out, -skip * sigma / out  # the only answer that gives x0 back
    torch.testing.assert_close(scale**2 * (alpha**2 * sigma_data**2 + sigma**2), one, rtol=1e-9, atol=0)
    torch.testing.assert_close(of_x0**2 * sigma_data**2 + of_eps**2, one, rtol=1e-7, atol=0)


@pytest.mark.parametrize("step", [1e-6, -1e-6])
def test_no_other_skip_asks_for_a_smaller_out(step):
    """The paper's reason for c_skip: what the network gets wrong counts as little as it can."""
    s, data = ratios(), 0.5
    skip, out, _ = Preconditioned(sigma_data=data).coefficients(torch.ones_like(s), s)
    moved = skip + step
    assert ((1 - moved) ** 2 * data**2 + moved**2 * s**2 > out**2).all()


def test_at_every_level_of_the_schedule():
    schedule = Exploding().build()
    skip, out, scale = Preconditioned().coefficients(schedule.alpha[1:], schedule.sigma[1:])
    assert skip[0] > 0.9999
    assert skip[-1] < 1e-4
    assert (skip.diff() < 0).all()
    assert (out.diff() > 0).all()
    assert (scale.diff() < 0).all()
