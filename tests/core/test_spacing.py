"""The levels a walk visits: every spacing, every number of steps, every kind of schedule."""

import math
from itertools import pairwise
from typing import get_args

import pytest
import torch

from difftool.builtin.ddpm import DDPM
from difftool.builtin.schedules import Constant, Cosine, Linear
from difftool.core.sampling import Spacing, check_times, spaced, walk
from difftool.core.schedule import Schedule
from difftool.errors import InputError
from difftool.testing.oracles import Point


def line(t, T=1000):
    return 1 - t / T, t / T


def table(alpha, sigma, curve=None):
    return Schedule(alpha.double(), sigma.double(), curve)


LEVELS = torch.arange(1001, dtype=torch.float64)
SCHEDULES = {
    "linear": Linear().build(),
    "cosine": Cosine().build(),
    "flow": table(*line(LEVELS), curve=line),
    "flow-table": table(*line(LEVELS)),
    "exploding": table(torch.ones(1001), 80 * (LEVELS / 1000) ** 3),
}
SPACINGS = get_args(Spacing)


@pytest.fixture(params=SCHEDULES)
def schedule(request):
    return SCHEDULES[request.param]


@pytest.mark.parametrize("n", [1, 2, 7, 10, 13, 50, 250, 999, 1000])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_levels_fall_from_T_to_0_and_never_between_0_and_1(schedule, spacing, n):
    times = spaced(schedule, n, spacing)
    assert len(times) == n + 1
    assert times[0] == 1000
    assert times[-1] == 0
    assert times[-2] >= 1
    assert all(t > s for t, s in pairwise(times))
    assert all(type(t) is float for t in times)
    check_times(times, 1000)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("T", [1, 2, 3, 5])
def test_short_schedules_are_walked_whole(spacing, T):
    """n = T works down to a schedule of one level, with and without signal left at T."""
    k = torch.arange(T + 1, dtype=torch.float64)
    for short in (Constant(T=T, beta=0.5).build(), table(1 - k / T, k / T)):
        for n in range(1, T + 1):
            check_times(spaced(short, n, spacing), T)
            assert len(spaced(short, n, spacing)) == n + 1


@pytest.mark.parametrize("n", [0, -3, 1001])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_number_of_steps_out_of_range_is_refused(spacing, n):
    with pytest.raises(InputError, match=f"takes 1 to 1000 steps, not {n}"):
        spaced(SCHEDULES["linear"], n, spacing)


def test_uniform_levels_are_even_and_T_of_them_are_the_integers(schedule):
    assert spaced(schedule, 1000, "uniform") == tuple(float(t) for t in range(1000, -1, -1))
    assert spaced(schedule, 4, "uniform") == (1000, 750, 500, 250, 0)
    gaps = [t - s for t, s in pairwise(spaced(schedule, 7, "uniform"))]
    assert gaps == pytest.approx([1000 / 7] * 7)


def test_quadratic_levels_are_even_in_their_square_root(schedule):
    roots = [math.sqrt(t) for t in spaced(schedule, 50, "quadratic")[:-1]]
    assert [a - b for a, b in pairwise(roots)] == pytest.approx([(math.sqrt(1000) - 1) / 49] * 49)


def ratios(schedule, times):
    """sigma / alpha at the levels above 0 that have one."""
    alpha, sigma = schedule.at(torch.tensor(times[:-1], dtype=torch.float64))
    return (sigma / alpha)[alpha > 0]


@pytest.mark.parametrize("n", [7, 50])
@pytest.mark.parametrize(
    ("spacing", "even_in"),
    [("logsnr", lambda r: r.log()), ("karras", lambda r: r ** (1 / 7))],
    ids=["logsnr", "karras"],
)
def test_logsnr_and_karras_are_even_in_their_function_of_the_noise_ratio(schedule, spacing, even_in, n):
    """lambda, and (sigma / alpha)^(1/7); where no signal is left at T the even stretch begins at T - 1."""
    times = spaced(schedule, n, spacing)
    f = even_in(ratios(schedule, times))
    assert len(f) == n - int(schedule.alpha[-1] == 0)
    gaps = f[:-1] - f[1:]
    assert gaps.tolist() == pytest.approx([float(gaps.mean())] * len(gaps), rel=1e-6)
    if schedule.alpha[-1] == 0:
        assert times[1] == pytest.approx(999, abs=1e-9)
    assert times[-2] == 1


@pytest.mark.parametrize(
    "times",
    [
        (),
        (5.0,),
        (0.0,),
        (5.0, 1.0),
        (5.0, 5.0, 0.0),
        (5.0, 6.0, 0.0),
        (5.0, 0.5, 0.0),
        (11.0, 0.0),
        (5.0, math.nan, 0.0),
    ],
)
def test_levels_no_walk_can_use_are_refused(times):
    """Not down to 0, not falling, between 0 and 1, above T, not numbers."""
    with pytest.raises(InputError, match="levels must fall"):
        check_times(times, 10)
    with pytest.raises(InputError, match="levels must fall"):
        next(walk(DDPM(), Point(Linear(T=10).build(), 0.0), times, lambda: torch.zeros(1)))


def test_a_walk_may_begin_lower_than_T():
    check_times((5.0, 2.5, 1.0, 0.0), 10)
