"""The rings oracle: its posterior mean against an integral over the plane, and its data against its own description."""

import math

import pytest
import torch

from difftool.builtin.schedules import Linear
from difftool.core.randomness import normal, uniform
from difftool.errors import InputError
from difftool.testing.oracles import Point, Rings

LINEAR = Linear().build()


def integral(rings, x, alpha, sigma, count=4000):
    """E[x0 | x] by summing over ring and direction; the thickness is integrated by hand, as for any Gaussian."""
    angle = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    middle = torch.stack([angle.cos(), angle.sin()], dim=1)  # [count, 2]
    top = torch.zeros_like(x)
    bottom = torch.zeros(*x.shape[:-1], 1, dtype=torch.float64)
    for radius, thick, share in zip(rings.radii, rings.thickness, rings.weights, strict=True):
        v = (alpha * thick) ** 2 + sigma**2
        off = x[..., None, :] - alpha * radius * middle
        weight = share / v * torch.exp(-off.square().sum(-1, keepdim=True) / (2 * v))  # [..., count, 1]
        guess = radius * middle + alpha * thick**2 / v * off
        top += (weight * guess).sum(-2)
        bottom += weight.sum(-2)
    return top / bottom


@pytest.mark.parametrize("t", [200.0, 450.5, 700.0, 1000.0])
@pytest.mark.parametrize("thickness", [(0.0, 0.0), (0.05, 0.2)])
def test_the_mean_is_bayes_rule(t, thickness):
    rings = Rings(LINEAR, (0.4, 0.9), thickness, (1, 3))
    x = torch.randn(50, 1, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    alpha, sigma = (float(value) for value in LINEAR.at(t))
    torch.testing.assert_close(rings(x, t).x0, integral(rings, x, alpha, sigma), rtol=0, atol=1e-10)


def test_where_the_integral_is_sharp_too():
    """At level 1 sigma is 0.01 and the concentration thousands: Bessel functions themselves would overflow."""
    rings = Rings(LINEAR, (0.4, 0.9), (0.0, 0.01), (1, 3))
    x = torch.tensor([[0.39, 0.05], [0.7, -0.55], [0.05, 0.9]], dtype=torch.float64)[:, None, None]
    alpha, sigma = (float(value) for value in LINEAR.at(1.0))
    torch.testing.assert_close(rings(x, 1.0).x0, integral(rings, x, alpha, sigma), rtol=0, atol=1e-9)


def test_sharper_than_any_float_still_means_the_nearest_place_on_the_ring():
    """A concentration of 1e12: the mean is the direction of x, a radius away, in float32 too."""
    rings = Rings(LINEAR, (0.8,), (0.0,), (1,))
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([[[[0.3, 0.4]]]], dtype=dtype)
        torch.testing.assert_close(rings.expected(x, 1.0, 1e-6), x * (0.8 / 0.5))


def test_no_radius_is_a_point_and_the_middle_has_no_direction():
    x = torch.randn(5, 1, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(Rings(LINEAR, (0.0,), (0.0,), (2,))(x, 300.0).x0, Point(LINEAR, 0.0)(x, 300.0).x0)
    middle = Rings(LINEAR, (0.4, 0.9), (0.1, 0.1), (1, 1))(torch.zeros(1, 1, 1, 2), 20.0)
    assert middle.x0.tolist() == [[[[0, 0]]]]


def test_a_turned_picture_has_a_turned_mean():
    """Every direction is alike; shape and precision are those of x."""
    rings = Rings(LINEAR, (0.3, 0.8), (0.05, 0.1), (2, 1))
    turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]], dtype=torch.float64)
    x = torch.randn(20, 1, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    guess = rings(x, 300.0)
    torch.testing.assert_close(rings(x @ turn, 300.0).x0, guess.x0 @ turn)
    torch.testing.assert_close(LINEAR.diffuse(guess.x0, guess.eps, 300.0), x)
    assert rings(x.float(), 300.0).x0.dtype == torch.float32
    assert rings(x.float(), 300.0).x0.shape == x.shape


def test_its_data_lie_on_the_rings_in_their_shares_and_all_directions():
    size = 20_000
    rings = Rings(LINEAR, (0.4, 0.9), (0.0, 0.05), (1, 3))
    slots = torch.arange(size)
    u = torch.stack([uniform(0, 200, step, slots) for step in (0, 1)], dim=1)
    x = rings.data(u, normal(0, 201, 0, slots, (1, 1, 2)).double())
    assert x.shape == (size, 1, 1, 2)
    radius = x.flatten(1).norm(dim=1)
    inner = radius < 0.65
    assert float(inner.double().mean()) == pytest.approx(0.25, abs=4 * math.sqrt(0.1875 / size))
    torch.testing.assert_close(radius[inner], torch.full_like(radius[inner], 0.4))
    assert float((radius[~inner] - 0.9).std()) == pytest.approx(0.05, rel=0.03)
    angle = torch.atan2(x[..., 1], x[..., 0])
    for k in (1, 2, 3):
        assert float((k * angle).cos().mean()) == pytest.approx(0, abs=4 / math.sqrt(2 * size))
    # What noised data make of the guess on average is the data's own mean: the two descriptions are one.
    x_t = LINEAR.diffuse(x, normal(0, 202, 0, slots, (1, 1, 2)).double(), 400.0)
    error = (rings(x_t, 400.0).x0 - x).flatten(1)
    for direction in (x_t.flatten(1), rings(x_t, 400.0).x0.flatten(1)):
        assert float((error * direction).mean()) == pytest.approx(
            0, abs=4 * float((error * direction).std()) / size**0.5
        )


@pytest.mark.parametrize(
    "bad", [((), (), ()), ((1,), (0, 0), (1,)), ((-1,), (0,), (1,)), ((1,), (-1,), (1,)), ((1,), (0,), (0,))]
)
def test_rings_that_are_none_are_refused(bad):
    with pytest.raises(InputError, match=r"[Rr]ings|radii"):
        Rings(LINEAR, *bad)
