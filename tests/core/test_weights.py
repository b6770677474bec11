"""Weights of the levels: the same gradient on x0 whatever the network predicts, and the textbook's on eps and v."""

import math

import pytest
import torch

from difftool.builtin.losses import L1, L2, Huber
from difftool.builtin.schedules import Cosine, Linear
from difftool.builtin.targets import X0, Eps, V, Velocity
from difftool.core.schedule import Schedule
from difftool.core.target import add_noise

LINEAR, COSINE = Linear().build(), Cosine().build()
TARGETS = {"eps": Eps(), "x0": X0(), "v": V(), "velocity": Velocity()}
LEVELS = torch.tensor([1.0, 7.0, 100.5, 400.0, 999.0], dtype=torch.float64)


def flow(T=1000):
    t = torch.arange(T + 1, dtype=torch.float64) / T
    return Schedule(1 - t, t)


def batch(target, schedule, t=LEVELS):
    g = torch.Generator().manual_seed(2)
    x0, eps, error = torch.randn(3, len(t), 2, 3, 3, generator=g)
    return add_noise(x0, eps, t, target, schedule, {})[1], error


def snr(schedule, t=LEVELS):
    alpha, sigma = schedule.at(t)
    return (alpha / sigma) ** 2


def slope_on_x0(loss, target, schedule, error):
    """The loss as a function of the guess of x0, differentiated where that guess is off by `error`."""
    noised, _ = batch(target, schedule)
    off = error.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(noised.target + off / noised.gain, noised).sum(), off)
    return slope


@pytest.mark.parametrize("loss", [L1, L2, Huber])
@pytest.mark.parametrize("weight", ["min-snr", "p2"])
@pytest.mark.parametrize("schedule", [LINEAR, COSINE, flow()], ids=["linear", "cosine", "flow"])
def test_with_a_weight_every_target_learns_the_same(loss, weight, schedule):
    error = 0.1 * batch(X0(), schedule)[1]
    slopes = [slope_on_x0(loss(weight=weight), target, schedule, error) for target in TARGETS.values()]
    assert float(slopes[0].abs().max()) > 0
    for slope in slopes[1:]:
        torch.testing.assert_close(slope, slopes[0], rtol=2e-3, atol=1e-9)


def test_without_a_weight_they_learn_differently():
    error = 0.1 * batch(X0(), LINEAR)[1]
    eps, x0 = (slope_on_x0(L2(), TARGETS[name], LINEAR, error) for name in ("eps", "x0"))
    torch.testing.assert_close(eps, x0 * snr(LINEAR).float()[:, None, None, None], rtol=2e-3, atol=0)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_without_a_weight_the_networks_own_error_counts(target):
    """To the bit: the numbers of weights change nothing either."""
    noised, error = batch(target, LINEAR)
    output = noised.target + error
    e = output - noised.target
    for loss, cost in (
        (L2(snr_cap=1, p2_k=3), e.square()),
        (L1(p2_gamma=2), e.abs()),
        (Huber(delta=0.5), torch.where(e.abs() < 0.5, e.square() / 2, 0.5 * (e.abs() - 0.25))),
    ):
        torch.testing.assert_close(loss(output, noised), cost.flatten(1).mean(1), rtol=1e-6, atol=0)


def weight_of(loss, target, schedule, t=LEVELS):
    """What the squared error of the network is multiplied with, by level."""
    noised, error = batch(target, schedule, t)
    output = noised.target + error
    return (loss(output, noised) / L2()(output, noised)).double()


@pytest.mark.parametrize("cap", [5.0, 1.0, 20.0])
@pytest.mark.parametrize("schedule", [LINEAR, COSINE], ids=["linear", "cosine"])
def test_min_snr_is_the_textbooks(schedule, cap):
    """Hang et al. 2023, section 3.4: min(SNR, g) on x0, min(SNR, g) / SNR on eps, min(SNR, g) / (SNR + 1) on v."""
    loss, ratio = L2(weight="min-snr", snr_cap=cap), snr(schedule)
    least = ratio.clamp(max=cap)
    for name, expected in (("x0", least), ("eps", least / ratio), ("v", least / (ratio + 1))):
        torch.testing.assert_close(weight_of(loss, TARGETS[name], schedule), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("k", "gamma"), [(1.0, 1.0), (1.0, 0.5), (2.0, 1.0), (1.0, 0.0)])
def test_p2_is_the_textbooks(k, gamma):
    """Choi et al. 2022, equation 8: 1 / (k + SNR)^gamma on eps."""
    loss, ratio = L2(weight="p2", p2_k=k, p2_gamma=gamma), snr(LINEAR)
    expected = (k + ratio) ** -gamma
    torch.testing.assert_close(weight_of(loss, Eps(), LINEAR), expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(weight_of(loss, X0(), LINEAR), expected * ratio, rtol=1e-4, atol=0)


def test_the_weight_lies_inside_the_cost():
    """l1 and huber of sqrt(w) times the error of x0: where huber bends is the same for every target."""
    t = torch.tensor([50.0], dtype=torch.float64)
    noised, _ = batch(V(), LINEAR, t)
    root = math.sqrt(min(float(snr(LINEAR, t)), 5))
    e = 0.3
    output = noised.target + e / noised.gain  # the guess of x0 is off by 0.3 everywhere
    assert float(L1(weight="min-snr")(output, noised)) == pytest.approx(root * e, rel=1e-4)
    assert float(L2(weight="min-snr")(output, noised)) == pytest.approx((root * e) ** 2, rel=1e-4)
    bent = Huber(weight="min-snr", delta=0.1)(output, noised)
    assert float(bent) == pytest.approx(0.1 * (root * e - 0.05), rel=1e-4)


@pytest.mark.parametrize("loss", [L1, L2, Huber])
@pytest.mark.parametrize("weight", ["min-snr", "p2"])
def test_nothing_is_infinite_at_the_ends(loss, weight):
    """No signal at T, hardly any noise at 1: the loss and its gradient stay finite, and no signal weighs nothing."""
    tiny = Schedule(*torch.tensor([[1, 1, 0.5, 1e-18, 0], [0, 1e-42, 0.5, 1, 1]], dtype=torch.float64))
    t = torch.tensor([1.0, 1.5, 2.0, 3.0, 4.0], dtype=torch.float64)
    for name, target in TARGETS.items():
        levels = t[:4] if name == "eps" else t
        noised, error = batch(target, tiny, levels)
        output = (noised.target + error).requires_grad_()
        assert bool(torch.isinf(noised.alpha / noised.sigma)[0])
        values = loss(weight=weight)(output, noised)
        (slope,) = torch.autograd.grad(values.sum(), output)
        values = values.detach()
        assert bool(torch.isfinite(values).all())
        assert bool(torch.isfinite(slope).all())
        if name != "eps":
            assert float(values[4]) == 0
        else:
            torch.testing.assert_close(values[3], loss()(output.detach(), noised)[3])  # min(SNR, 5) / SNR is 1 for eps
