"""The built-in schedules: the paper's tables, known numbers, formulas, and the forward process they stand for."""

import math

import numpy as np
import pytest
import torch

from difftool.builtin.schedules import Constant, Cosine, Linear, Quadratic, Sigmoid
from difftool.builtin.targets import Eps
from difftool.core.target import coefficients

BETA_KINDS = [Linear, Cosine, Quadratic, Sigmoid, Constant]
LINEAR = Linear().build()


def close(actual, expected, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=tolerance, atol=tolerance)


# ---- the paper's numbers


@pytest.fixture(scope="module")
def paper():
    """Ho et al.'s tables for 1e-4..0.02 at T = 1000, entry i for level i + 1, in numpy and float64."""
    betas = np.linspace(1e-4, 0.02, 1000, dtype=np.float64)
    abar = np.cumprod(1 - betas)
    before = np.append(1.0, abar[:-1])
    return {
        "betas": betas,
        "abar": abar,
        "posterior_variance": betas * (1 - before) / (1 - abar),
        "posterior_mean_coef1": betas * np.sqrt(before) / (1 - abar),
        "posterior_mean_coef2": (1 - before) * np.sqrt(1 - betas) / (1 - abar),
        "sqrt_recip_abar": np.sqrt(1 / abar),
        "sqrt_recipm1_abar": np.sqrt(1 / abar - 1),
    }


def test_hops_of_one_level_are_the_papers_posterior_tables(paper):
    """beta, posterior variance and both coefficients of the posterior mean, every level, relative 1e-9."""
    hops = [LINEAR.hop(t, t - 1) for t in range(1, 1001)]
    for table, field in {
        "betas": "beta",
        "posterior_variance": "posterior",
        "posterior_mean_coef1": "mean_x0",
        "posterior_mean_coef2": "mean_xt",
    }.items():
        np.testing.assert_allclose([getattr(hop, field) for hop in hops], paper[table], rtol=1e-9, atol=0)


def test_levels_are_the_papers_square_root_tables(paper):
    """sqrt(abar), sqrt(1 - abar), and the two tables that turn eps into x0; level t is the paper's entry t - 1."""
    linear, levels = LINEAR, torch.arange(1, 1001, dtype=torch.float64)
    alpha, sigma = linear.at(levels)
    close(alpha, np.sqrt(paper["abar"]))
    np.testing.assert_allclose(sigma, np.sqrt(1 - paper["abar"]), rtol=1e-9)
    c = coefficients(Eps(), linear, levels)
    np.testing.assert_allclose(c.skip, paper["sqrt_recip_abar"], rtol=1e-9)
    np.testing.assert_allclose(-c.out, paper["sqrt_recipm1_abar"], rtol=1e-9)


def test_numbers_printed_elsewhere():
    """abar_1, abar_T and the first posterior variance above 0, as known from the paper's code."""
    linear = LINEAR
    assert float(linear.alpha[1]) ** 2 == pytest.approx(0.9999, rel=1e-12)
    assert linear.terminal == pytest.approx(4.0358e-5, rel=1e-4)
    assert linear.hop(2, 1).posterior == pytest.approx(5.453e-5, rel=1e-3)
    assert linear.hop(1, 0).posterior == 0
    assert linear.hop(1, 0).mean_x0 == pytest.approx(1, abs=1e-15)
    assert linear.hop(1, 0).mean_xt == 0


# ---- the built-in curves


def test_cosine_of_300_levels_is_known_to_the_last_digit():
    betas = Cosine(T=300, max_beta=0.9999).betas()
    close(
        betas[:4],
        [0.0001564962795991276, 0.0002104677074292738, 0.00026444758275567803, 0.00031843882130155876],
        1e-15,
    )
    close(betas[-2:], [0.7499932543469323, 0.9999], 1e-13)
    assert float(Cosine(T=300).betas()[-1]) == 0.999


def test_cosine_offset_moves_the_whole_curve():
    """abar_t = f(t) / f(0) with f = cos^2((t / T + s) / (1 + s) pi / 2), until the cap."""
    f = [math.cos((t / 50 + 0.1) / 1.1 * math.pi / 2) ** 2 for t in range(50)]
    close(Cosine(T=50, s=0.1).build().alpha[:50] ** 2, np.array(f) / f[0])


@pytest.mark.parametrize("T", [2, 10, 300, 1000])
def test_linear_quadratic_and_sigmoid_are_their_formulas(T):
    first, last = 3e-4, 0.07
    close(Linear(T=T, first=first, last=last).betas(), np.linspace(first, last, T), 1e-14)
    root = np.linspace(math.sqrt(first), math.sqrt(last), T)
    close(Quadratic(T=T, first=first, last=last).betas(), root**2, 1e-14)
    s = 1 / (1 + np.exp(-np.linspace(-6, 6, T)))
    close(Sigmoid(T=T, first=first, last=last).betas(), first + (last - first) * s, 1e-14)
    close(Constant(T=T, beta=first).betas(), np.full(T, first), 0)


@pytest.mark.parametrize("T", [1, 2, 10, 300, 1000])
@pytest.mark.parametrize("kind", BETA_KINDS)
def test_every_schedule_has_T_noisy_levels_above_a_clean_one(kind, T):
    built = kind(T=T).build()
    assert built.T == T
    assert len(built.alpha) == len(built.sigma) == T + 1
    assert (built.alpha[0], built.sigma[0]) == (1, 0)
    close(built.alpha**2 + built.sigma**2, np.ones(T + 1), 1e-15)  # variance preserving
    assert built.terminal == pytest.approx(float(torch.prod(1 - kind(T=T).betas())), rel=1e-12)


@pytest.mark.parametrize("kind", [Linear, Quadratic, Sigmoid])
def test_scaled_ends_reach_the_same_noise_at_another_T(kind):
    """`scale` multiplies both ends by 1000 / T; below T = 20 the last would pass 1 and is held at 0.999."""
    assert kind(T=1000, scale=True).ends == (1e-4, 0.02)
    assert kind(T=250, scale=True).ends == (4e-4, 0.08)
    assert kind(T=250).ends == (1e-4, 0.02)
    assert kind(T=10, scale=True).ends == (0.01, 0.999)
    reached = [-math.log(kind(T=T, scale=True).build().terminal) for T in (100, 250, 1000, 4000)]
    assert max(reached) < 1.15 * min(reached)
    assert -math.log(kind(T=250).build().terminal) < 0.3 * reached[2]


# ---- the forward process


@pytest.mark.parametrize("T", [10, 300, 1000])
@pytest.mark.parametrize("kind", BETA_KINDS)
def test_noise_added_step_by_step_has_the_closed_forms_mean_and_variance(kind, T):
    """x_t = sqrt(1 - beta) x_(t-1) + sqrt(beta) z: the mean's factor is alpha[t], the variance sigma[t]^2, at every t.

    Tolerance 1e-12 beside 1: sigma is small where 1 - abar has lost digits.
    """
    betas, built = kind(T=T).betas().tolist(), kind(T=T).build()
    mean, variance = 1.0, 0.0
    for t, beta in enumerate(betas, 1):
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        assert float(built.alpha[t]) == pytest.approx(mean, rel=1e-12)
        assert float(built.sigma[t]) ** 2 == pytest.approx(variance, rel=1e-9, abs=1e-13)
