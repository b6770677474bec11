"""The oracles themselves: each posterior mean against an integral, and against one another."""

import pytest
import torch

from difftool.builtin.schedules import Linear
from difftool.errors import InputError
from difftool.testing.oracles import Gaussian, Mixture, Point

LINEAR = Linear().build()
X = torch.linspace(-2.5, 2.5, 21, dtype=torch.float64)


def integral(density, alpha, sigma):
    """E[x0 | x] by Riemann sums over x0: Bayes' rule and nothing else."""
    x0 = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    weight = density(x0) * torch.exp(-(((X[:, None] - alpha * x0) / sigma) ** 2) / 2)
    return (weight * x0).sum(1) / weight.sum(1)


def bell(x, mean, std):
    return torch.exp(-(((x - mean) / std) ** 2) / 2) / std


@pytest.mark.parametrize("t", [40.0, 300.5, 1000.0])
def test_gaussian_and_mixture_are_bayes_rule(t):
    alpha, sigma = (float(v) for v in LINEAR.at(t))
    gaussian = Gaussian(LINEAR, 0.3, 0.5)(X, t)
    torch.testing.assert_close(gaussian.x0, integral(lambda x: bell(x, 0.3, 0.5), alpha, sigma), rtol=0, atol=1e-9)
    mixture = Mixture(LINEAR, (-1, 0.5), (0.1, 0.4), (1, 3))(X, t)
    shares = integral(lambda x: bell(x, -1, 0.1) + 3 * bell(x, 0.5, 0.4), alpha, sigma)
    torch.testing.assert_close(mixture.x0, shares, rtol=0, atol=1e-9)


def test_two_points_answer_with_the_tanh_of_the_log_odds():
    """Points at -1 and 1 with shares 0.2 and 0.8: E[x0 | x] = tanh(alpha x / sigma^2 + ln(0.8 / 0.2) / 2)."""
    for t in (1.0, 250.0, 1000.0):
        alpha, sigma = (float(v) for v in LINEAR.at(t))
        expected = torch.tanh(alpha * X / sigma**2 + torch.tensor(4.0, dtype=torch.float64).log() / 2)
        torch.testing.assert_close(Mixture(LINEAR, (-1, 1), (0, 0), (0.2, 0.8))(X, t).x0, expected)


def test_one_family():
    """A point is a Gaussian of no width, a Gaussian is a mixture of one."""
    for t in (1.0, 77.25, 1000.0):
        torch.testing.assert_close(Point(LINEAR, 0.3)(X, t).x0, Gaussian(LINEAR, 0.3, 0.0)(X, t).x0)
        torch.testing.assert_close(Gaussian(LINEAR, 0.3, 0.5)(X, t).x0, Mixture(LINEAR, [0.3], [0.5], [7])(X, t).x0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "oracle",
    [
        Point(LINEAR, torch.linspace(-1, 1, 5)),
        Gaussian(LINEAR, 0.3, 0.5),
        Mixture(LINEAR, (-1.0, 1.0), (0.0, 0.1), (0.2, 0.8)),
    ],
)
def test_shape_and_precision_are_those_of_x_and_the_halves_agree(oracle, dtype):
    """x = alpha x0 + sigma eps, for any shape."""
    x = torch.linspace(-2, 2, 2 * 3 * 4 * 5).reshape(2, 3, 4, 5).to(dtype)
    for t in (1.0, 2.5, 1000.0):
        guess = oracle(x, t)
        assert guess.x0.shape == guess.eps.shape == x.shape
        assert guess.x0.dtype == guess.eps.dtype == dtype
        torch.testing.assert_close(LINEAR.diffuse(guess.x0, guess.eps, t), x)


@pytest.mark.parametrize(
    "bad", [((), (), ()), ((1,), (0, 0), (1,)), ((1,), (-1,), (1,)), ((1,), (0,), (-1,)), ((1,), (0,), (0,))]
)
def test_a_mixture_that_is_none_is_refused(bad):
    with pytest.raises(InputError, match="mixture"):
        Mixture(LINEAR, *bad)
