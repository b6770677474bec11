"""Losses: closed forms, one value a sample, and the levels they are asked at."""

import math
from dataclasses import fields, replace

import pytest
import torch
from torch.nn import functional

from difftool.builtin.losses import L1, L2, Huber
from difftool.builtin.schedules import Linear
from difftool.builtin.targets import Eps, V
from difftool.core.target import add_noise
from difftool.plugin.component import Loss

LINEAR = Linear(T=10, scale=True).build()
LOSSES = [L1(), L2(), Huber(), Huber(delta=0.3), L2(weight="min-snr"), L1(weight="p2"), Huber(weight="p2", p2_k=0.1)]


def batch(target=None, size=4):
    """(a noised batch, an output that is wrong by `error`, error); errors of every size, a different mean a sample."""
    g = torch.Generator().manual_seed(5)
    x0, eps, error = torch.randn(3, size, 2, 5, 5, generator=g)
    error = error * torch.tensor([0.1, 1.0, 3.0, 0.0])[:size, None, None, None]
    _, noised = add_noise(x0, eps, torch.arange(1.0, size + 1, dtype=torch.float64), target or V(), LINEAR, {})
    return noised, noised.target + error, error


def test_each_loss_is_its_formula_averaged_over_the_sample():
    noised, output, e = batch()
    e = output - noised.target
    for loss, formula in (
        (L2(), e**2),
        (L1(), e.abs()),
        (Huber(), torch.where(e.abs() < 1, e**2 / 2, e.abs() - 0.5)),
        (Huber(delta=0.3), torch.where(e.abs() < 0.3, e**2 / 2, 0.3 * (e.abs() - 0.15))),
    ):
        torch.testing.assert_close(loss(output, noised), formula.flatten(1).mean(1))


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        (L1(), functional.l1_loss),
        (L2(), functional.mse_loss),
        (Huber(), functional.huber_loss),
        (Huber(delta=0.3), lambda a, b: functional.huber_loss(a, b, delta=0.3)),
    ],
)
def test_the_batch_mean_is_torchs_own_loss(loss, theirs):
    noised, output, _ = batch()
    torch.testing.assert_close(loss(output, noised).mean(), theirs(output, noised.target))


@pytest.mark.parametrize("loss", LOSSES)
def test_one_value_a_sample_and_nobody_elses_business(loss):
    """[B]; a sample without error costs nothing, and a sample alone costs what it costs in company."""
    noised, output, _ = batch()
    values = loss(output, noised)
    assert values.shape == (4,)
    assert values[3] == 0
    assert bool((values[:3] > 0).all())
    each = {field.name: getattr(noised, field.name) for field in fields(noised)}
    alone = replace(noised, **{name: value[1:2] for name, value in each.items() if isinstance(value, torch.Tensor)})
    torch.testing.assert_close(loss(output[1:2], alone), values[1:2])
    swapped = output.clone()
    swapped[1] += 5
    assert torch.equal(loss(swapped, noised)[[0, 2, 3]], values[[0, 2, 3]])


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_even_and_zero_only_at_the_target(loss):
    noised, _, e = batch(Eps())
    torch.testing.assert_close(loss(noised.target + e, noised), loss(noised.target - e, noised), rtol=1e-4, atol=1e-6)
    assert bool((loss(noised.target, noised) == 0).all())


def test_hubers_slope_ends_at_delta():
    """d/de is e up to delta and delta beyond, on both sides, also exactly at the seam."""
    noised, _, _ = batch(size=1)
    output = noised.target.clone().requires_grad_()
    size = output[0].numel()
    for e, slope in ((0.0, 0.0), (0.2, 0.2), (0.5, 0.5), (0.7, 0.5), (40.0, 0.5), (-0.2, -0.2), (-9.0, -0.5)):
        loss = Huber(delta=0.5)(output + e, noised).sum() * size
        (gradient,) = torch.autograd.grad(loss, output)
        torch.testing.assert_close(gradient, torch.full_like(gradient, slope), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("T", [1, 2, 7, 1000])
def test_levels_are_uniform_over_1_to_T(T):
    """Each of T equal parts of [0, 1) goes to its own whole level; neither 0 nor T + 1 is ever reached."""
    schedule = Linear(T=T, last=0.5).build()
    middles = (torch.arange(T, dtype=torch.float64) + 0.5) / T
    assert Loss().levels(middles, schedule).tolist() == list(range(1, T + 1))
    edges = torch.tensor([0.0, math.nextafter(1, 0)], dtype=torch.float64)
    assert Loss().levels(edges, schedule).tolist() == [1, T]
    assert all(torch.equal(loss.levels(middles, schedule), Loss().levels(middles, schedule)) for loss in LOSSES)
