"""Every rule of difftool's kit, and what only these samplers promise."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from truth import SAMPLERS, Known, no_noise

import difftool_solvers
from difftool.api import Sampler, Schedule, spaced
from difftool.testing import PATHS, Gaussian, check_sampler, variants
from difftool_solvers import DPM2MSDE, Heun, UniPC

OFFERED = {}
difftool_solvers.register_samplers(OFFERED.__setitem__)


@pytest.mark.parametrize("name", OFFERED)
def test_it_keeps_every_rule(name):
    check_sampler(OFFERED[name]())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "other"), [(f"{name} {field}", other) for name, cls in OFFERED.items() for field, other in variants(cls())]
)
def test_it_keeps_every_rule_in_every_setting(name, other):
    check_sampler(other, seed=1)


def test_churned_heun_keeps_every_rule():
    check_sampler(Heun(churn=20, churn_to=50, churn_size=1.0))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("path", PATHS)
def test_levels_are_few_and_hardly_any_lie_where_a_picture_is_drowned(name, path):
    sampler, schedule = SAMPLERS[name], PATHS[path]()
    times = sampler.times(schedule)
    assert len(times) == 21
    assert (times[0], times[-2], times[-1]) == (1000, 1, 0)
    assert all(t > s for t, s in pairwise(times))
    assert int((ratios(schedule, times) > 80).sum()) <= 3


@pytest.mark.parametrize("n", [1, 2, 12])
@pytest.mark.parametrize("spacing", ["uniform", "quadratic", "logsnr", "karras"])
@pytest.mark.parametrize("path", PATHS)
def test_levels_are_those_of_difftool(spacing, path, n):
    schedule = PATHS[path]()
    assert UniPC(spacing=spacing).times(schedule, n) == spaced(schedule, n, spacing)


def ratios(schedule, times):
    """sigma / alpha at the levels above 0."""
    alpha, sigma = schedule.at(torch.tensor(times[:-1], dtype=torch.float64))
    return sigma / alpha


def even(values):
    steps = values.diff()
    return torch.allclose(steps, steps[:1].expand_as(steps), rtol=1e-6)


@pytest.mark.parametrize("path", PATHS)
def test_bent_levels_are_even_and_few_lie_above_80(path):
    schedule = PATHS[path]()
    r = ratios(schedule, UniPC().times(schedule, 12))
    assert even((1 / r + 1 / 80).log())
    assert int((r > 80).sum()) <= 2
    heard = r[r < 1]
    assert torch.allclose(heard.log().diff()[1:], heard.log().diff()[:-1], rtol=0.02)  # there, in log SNR too


@pytest.mark.parametrize("path", PATHS)
def test_edm_levels_are_those_of_its_grid_from_80(path):
    schedule = PATHS[path]()
    r = ratios(schedule, Heun().times(schedule, 12))
    assert even(torch.cat([r[:1].clamp(max=80), r[1:]]) ** (1 / 7))


@pytest.mark.parametrize("spacing", ["bent", "edm"])
def test_a_schedule_that_is_noise_from_level_1_on_has_levels_too(spacing):
    alpha = torch.tensor([1.0, 1e-3, 1e-4, 1e-5, 0.0], dtype=torch.float64)
    schedule = Schedule(alpha, (1 - alpha**2).sqrt())
    times = UniPC(spacing=spacing).times(schedule, 4)
    assert (times[0], times[-2], times[-1]) == (4, 1, 0)
    assert all(t > s for t, s in pairwise(times))


def spread(sampler, schedule, std, n):
    """Mean and spread of what comes out of Gaussian data N(0.3, std^2), without sampling error: the walk is an affine
    map of its draws, picture d is given draw d alone, and the last none."""
    count = 0

    def draw():
        nonlocal count
        z = torch.zeros(2 * n + 2, 1, 1, 1, dtype=torch.float64)
        z[count], count = 1.0, count + 1
        return z

    far = math.hypot(float(schedule.alpha[-1]), float(schedule.sigma[-1]))
    *_, last = sampler.run(Gaussian(schedule, 0.3, std), far * draw(), spaced(schedule, n, "logsnr"), draw)
    moved = last.x - last.x[-1]
    return float(last.x[-1]), float(moved.norm())


@pytest.mark.parametrize("eta", [0.3, 1.0])
@pytest.mark.parametrize("path", PATHS)
def test_fresh_noise_leaves_mean_and_variance_right(path, eta):
    schedule = PATHS[path]()
    found = {n: spread(DPM2MSDE(eta=eta), schedule, 0.4, n) for n in (100, 200)}
    (_, few), (mean, many) = found[100], found[200]
    assert abs(mean - 0.3) < 2e-3
    assert abs(many - 0.4) < 2e-3
    assert abs((4 * many - few) / 3 - 0.4) < 2e-4  # second order: the rest is gone when it is extrapolated


@pytest.mark.parametrize("path", PATHS)
def test_churn_leaves_mean_and_variance_right(path):
    schedule = PATHS[path]()
    found = [spread(Heun(churn=churn, churn_from=0.05, churn_to=50), schedule, 0.4, 200) for churn in (0, 10)]
    for mean, std in found:
        assert abs(mean - 0.3) < 5e-3
        assert abs(std - 0.4) < 5e-3
    assert found[0] != found[1]


class Levels:
    """A denoiser that remembers where it was asked."""

    def __init__(self, known):
        self.inner, self.schedule, self.asked = known.oracle, known.schedule, []

    def __call__(self, x, t):
        self.asked.append(t)
        return self.inner(x, t)


@pytest.mark.parametrize("path", PATHS)
def test_churn_goes_up_within_its_bounds_and_never_above_the_start(path):
    known = Known(PATHS[path]())
    denoiser = Levels(known)
    times = (700.0, 699.0, 500.0, 300.0, 100.0, 10.0, 1.0, 0.0)
    x = known.noise.new_zeros(2, 1, 1, 1)
    part = Heun(churn=2.8, churn_from=0.05, churn_to=1e9, churn_size=1.003)
    steps = list(part.run(denoiser, x, times, lambda: torch.ones_like(x)))
    assert len(steps) == 7
    assert max(denoiser.asked) == 700
    raised = [t for t in denoiser.asked if t not in times]

    def ratio(t):
        alpha, sigma = known.schedule.at(t)
        return float(sigma / alpha)

    assert raised
    for top in raised:
        below = max(t for t in times if t < top)
        assert ratio(top) == pytest.approx(1.4 * ratio(below), rel=1e-9)
        assert ratio(below) >= 0.05
    assert not [t for t in raised if ratio(t) < 0.05]


@pytest.mark.parametrize("name", ["heun", "unipc", "deis"])
def test_calls(name):
    """heun asks twice a step, but for the first out of pure noise and the last; the others once."""
    known = Known(PATHS["linear"]())
    denoiser = Levels(known)
    sampler = OFFERED[name]()
    list(sampler.run(denoiser, known.noise, sampler.times(known.schedule, 10), no_noise))
    assert len(denoiser.asked) == (18 if name == "heun" else 10)


def test_heun_asks_twice_from_80_on_however_80_is_rounded():
    ratio = torch.linspace(0, math.nextafter(80, 81), 1001, dtype=torch.float64)
    known = Known(Schedule(torch.ones_like(ratio), ratio))
    denoiser = Levels(known)
    list(Heun().run(denoiser, known.noise, Heun().times(known.schedule, 10), no_noise))
    assert len(denoiser.asked) == 19


def test_all_are_samplers_with_help():
    for cls in OFFERED.values():
        assert issubclass(cls, Sampler)
        assert all(field.description for field in cls.model_fields.values())
