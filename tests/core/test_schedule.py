"""Schedules: hops of any length, levels between the integers, what is refused."""

import math
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest
import torch

from difftool.builtin.schedules import Constant, Cosine, Linear
from difftool.core.schedule import Schedule
from difftool.core.types import Hop
from difftool.errors import InputError


def flow(T=1000, curve=True):
    """alpha = 1 - t / T, sigma = t / T: no signal is left at T."""

    def line(t):
        return 1 - t / T, t / T

    return Schedule(*line(torch.arange(T + 1, dtype=torch.float64)), curve=line if curve else None)


def exploding(T=1000, top=80.0):
    """Variance exploding: alpha = 1 everywhere."""

    def line(t):
        return torch.ones_like(t), top * (t / T) ** 3

    return Schedule(*line(torch.arange(T + 1, dtype=torch.float64)), curve=line)


SCHEDULES = {
    "linear": Linear().build(),
    "cosine": Cosine().build(),
    "flow": flow(),
    "flow-table": flow(curve=False),
    "exploding": exploding(),
    "one-level": Constant(T=1, beta=0.99).build(),
    "one-level-flow": flow(1, curve=False),
}


@pytest.fixture(params=SCHEDULES)
def schedule(request):
    return SCHEDULES[request.param]


def close(actual, expected, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=tolerance, atol=tolerance)


def lam(schedule, t):
    """ln(alpha / sigma) as `at` has it."""
    alpha, sigma = schedule.at(t)
    return alpha.log() - sigma.log()


# ---- hops


def test_diffuse_is_the_closed_form_at_whole_and_broken_levels(schedule):
    x0, eps = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for t in (0.0, 1.0, 0.25 + 0.5 * schedule.T, schedule.T):
        if t <= schedule.T and not (schedule.T == 1 and 0 < t < 1):
            alpha, sigma = schedule.at(t)
            close(schedule.diffuse(x0, eps, t), alpha * x0 + sigma * eps, 1e-15)


def triples(schedule):
    """t > u > s, neighbours and far apart, whole and broken, ends included."""
    T = schedule.T
    rows = [(T, T / 2, 0), (T, T - 1, T - 2), (3, 2, 1), (2, 1, 0), (T, T - 0.5, 1.5), (T / 3, 7.7, 1)]
    return [row for row in rows if T > 2 or row == (T, T / 2, 0)]


@pytest.mark.parametrize("name", ["linear", "cosine", "flow", "flow-table", "exploding"])
def test_a_hop_is_the_composition_of_its_parts(name):
    """Chapman and Kolmogorov, forward and backward, for hops over any levels, whole or broken."""
    schedule = SCHEDULES[name]
    for t, u, s in triples(schedule):
        far, upper, lower = schedule.hop(t, s), schedule.hop(t, u), schedule.hop(u, s)
        r = upper.alpha_t / upper.alpha_s
        close(far.beta, upper.beta + r**2 * lower.beta)  # noise added between s and t
        close(far.mean_xt, lower.mean_xt * upper.mean_xt)
        close(far.mean_x0, lower.mean_x0 + lower.mean_xt * upper.mean_x0)
        close(far.posterior, lower.posterior + lower.mean_xt**2 * upper.posterior)


def test_a_hop_keeps_the_marginal_of_a_known_picture(schedule):
    """q(x_s | x_t, x0) over q(x_t | x0) is q(x_s | x0): mean alpha_s x0, variance sigma_s^2."""
    T = schedule.T
    for t, s in {(T, 0), (T, T - 1), (1, 0), (T, T / 2), (0.7 * T, 0.3 * T)}:
        if T == 1 and not (t == 1 and s == 0):
            continue
        hop = schedule.hop(t, s)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule.at(t), schedule.at(s)
        close([hop.alpha_t, hop.sigma_t, hop.alpha_s, hop.sigma_s], [alpha_t, sigma_t, alpha_s, sigma_s], 0)
        close(hop.mean_x0 + hop.mean_xt * hop.alpha_t, hop.alpha_s)
        close(hop.mean_xt**2 * hop.sigma_t**2 + hop.posterior, hop.sigma_s**2)
        close(hop.posterior, hop.beta * hop.sigma_s**2 / hop.sigma_t**2)
        assert (hop.t, hop.s) == (t, s)


@pytest.mark.parametrize("name", ["linear", "cosine", "flow", "exploding"])
def test_hops_over_many_levels_are_the_hops_of_a_respaced_schedule(name):
    """Exactly: nothing needs to be respaced."""
    schedule = SCHEDULES[name]
    few = Schedule(schedule.alpha[::40], schedule.sigma[::40])
    for k in range(1, few.T + 1):
        short, long = few.hop(k, k - 1), schedule.hop(40 * k, 40 * (k - 1))
        for field in ("alpha_t", "sigma_t", "alpha_s", "sigma_s", "mean_x0", "mean_xt", "beta", "posterior"):
            assert getattr(short, field) == getattr(long, field)


@pytest.mark.parametrize("name", ["linear", "cosine", "flow", "flow-table", "exploding"])
def test_a_hop_knows_lambda_and_by_how_much_it_rises(name):
    schedule = SCHEDULES[name]
    for t, s in [(1000, 0), (1000, 999), (1000, 1), (999.5, 3), (700.25, 400), (2, 1), (1, 0)]:
        hop, low, high = schedule.hop(t, s), float(lam(schedule, t)), float(lam(schedule, s))
        close([hop.lam_t, hop.h], [low, high - low])
        assert (hop.h == math.inf) == (s == 0 or (t == 1000 and "flow" in name))


EXTREMES = [  # alpha_t, sigma_t, alpha_s, sigma_s
    (1e-300, 1e10, 3e-300, 1e-300),
    (5e-324, 1.0, 1e-320, 1.0),
    (1.0, 1e300, 1.0, 1e-300),
    (0.6, 0.8, 0.6 + 1e-13, 0.8 - 1e-13),
    (1.0, 80.0, 1.0, math.nextafter(80.0, 0)),
    (math.nextafter(0.5, 1), 0.5, 0.9, 0.1),
    (0.5, 0.8, 0.5, 0.4),
]


@pytest.mark.parametrize("coefficients", EXTREMES)
def test_both_are_right_to_the_last_digits_however_large_or_near_the_coefficients_are(coefficients):
    with localcontext(prec=50):
        alpha_t, sigma_t, alpha_s, sigma_s = map(Decimal, coefficients)
        lam_t, lam_s = (alpha_t / sigma_t).ln(), (alpha_s / sigma_s).ln()
        expected = float(lam_t), float(lam_s - lam_t)
    hop = Hop(2.0, 1.0, *coefficients, 0.0, 0.0, 0.0, 0.0)
    assert (hop.lam_t, hop.h) == pytest.approx(expected, rel=1e-12, abs=0)


def test_a_hop_goes_down_within_the_schedule():
    linear = SCHEDULES["linear"]
    for t, s in [(5, 5), (5, 6), (1001, 5), (5, -1), (math.nan, 1), (5, math.nan)]:
        with pytest.raises(InputError, match="a hop goes down"):
            linear.hop(t, s)


# ---- levels between the integers


def test_at_whole_levels_stand_the_tables_to_the_bit(schedule):
    alpha, sigma = schedule.at(torch.arange(schedule.T + 1, dtype=torch.float64))
    assert alpha.dtype == sigma.dtype == torch.float64
    assert torch.equal(alpha, schedule.alpha)
    assert torch.equal(sigma, schedule.sigma)
    alpha, sigma = schedule.at(schedule.T)  # a plain number is as good as a tensor
    assert (alpha, sigma) == (schedule.alpha[-1], schedule.sigma[-1])
    assert alpha.shape == ()


@pytest.mark.parametrize("name", ["linear", "cosine", "flow", "flow-table", "exploding"])
def test_noise_grows_everywhere_in_between(name):
    levels = torch.linspace(0, 1000, 7001, dtype=torch.float64)
    alpha, sigma = SCHEDULES[name].at(levels)
    assert bool((sigma[1:] * alpha[:-1] > sigma[:-1] * alpha[1:]).all())
    assert torch.isfinite(alpha).all()
    assert torch.isfinite(sigma).all()


@pytest.mark.parametrize("name", ["linear", "cosine", "flow-table"])
def test_lambda_and_log_power_are_straight_between_levels(name):
    """The rule of levels 1..T-1, with weights that a swap of the two ends would change."""
    schedule = SCHEDULES[name]
    for low in (1, 2, 500, 997):
        for f in (0.1, 0.25, 0.9):
            straight = (1 - f) * lam(schedule, low) + f * lam(schedule, low + 1)
            close(lam(schedule, low + f), straight, 1e-11)
            power = [(schedule.alpha[k] ** 2 + schedule.sigma[k] ** 2).log() for k in (low, low + 1)]
            alpha, sigma = schedule.at(low + f)
            close((alpha**2 + sigma**2).log(), (1 - f) * power[0] + f * power[1], 1e-11)


@pytest.mark.parametrize("name", ["linear", "cosine", "flow-table"])
def test_below_level_1_the_noise_ratio_is_proportional_to_t(name):
    schedule = SCHEDULES[name]
    first = schedule.sigma[1] / schedule.alpha[1]
    for t in (1e-9, 0.1, 0.5, 0.99):
        alpha, sigma = schedule.at(t)
        close(sigma / alpha / t, first, 1e-11)
        power = schedule.alpha[1] ** 2 + schedule.sigma[1] ** 2
        close((alpha**2 + sigma**2).log(), t * power.log(), 1e-12)


def test_where_no_signal_is_left_the_signal_ratio_falls_straight_to_zero():
    """alpha[T] = 0: alpha / sigma is proportional to T - t on (T - 1, T]."""
    schedule = SCHEDULES["flow-table"]
    last = schedule.alpha[-2] / schedule.sigma[-2]
    for f in (0.1, 0.5, 0.9, 1 - 1e-9):
        alpha, sigma = schedule.at(999 + f)
        assert float(alpha / sigma) == pytest.approx((1 - f) * float(last), rel=1e-6 if f > 0.99 else 1e-10)
    assert schedule.at(1000)[0] == 0


def test_a_variance_preserving_schedule_stays_so_in_between():
    alpha, sigma = SCHEDULES["cosine"].at(torch.linspace(0, 1000, 3333, dtype=torch.float64))
    close(alpha**2 + sigma**2, torch.ones(3333), 1e-13)


def test_a_schedules_own_curve_is_used_between_the_tables():
    alpha, sigma = SCHEDULES["flow"].at(torch.tensor([0.5, 333.25, 999.9], dtype=torch.float64))
    close(alpha, [0.9995, 0.66675, 0.0001])
    close(sigma, [0.0005, 0.33325, 0.9999])


@pytest.mark.parametrize("which", ["alpha", "sigma"])
def test_a_curve_may_differ_from_its_tables_by_rounding_alone_and_then_they_are_right(which):
    right = flow()
    alpha, sigma = right.alpha, right.sigma

    def times(factor):
        def curve(t):
            a, s = right.curve(t)
            return (a * factor, s) if which == "alpha" else (a, s * factor)

        return curve

    schedule = Schedule(alpha, sigma, times(1 + 1e-9))
    assert [float(table) for table in schedule.at(300)] == [float(alpha[300]), float(sigma[300])]
    with pytest.raises(InputError, match=rf"must equal its tables .* its {which} is"):
        Schedule(alpha, sigma, times(1 + 1e-3))


def test_a_cosine_that_should_be_0_is():
    """cos(pi / 2) is 6e-17, with a curve and without; in hops one would divide by it."""

    def curve(t):
        angle = t / 20 * math.pi / 2
        return angle.cos(), angle.sin()

    alpha, sigma = curve(torch.arange(21, dtype=torch.float64))
    assert alpha[-1] != 0
    for schedule in (Schedule(alpha, sigma), Schedule(alpha, sigma, curve)):
        assert [float(schedule.at(t)[0]) for t in (20, 19.5)] == [0, pytest.approx(math.cos(19.5 / 40 * math.pi), 0.01)]
        assert (schedule.hop(20, 19).mean_xt, schedule.hop(20, 19).beta) == (0, 1)
    assert alpha[-1] != 0, "the table that was given is edited"
    tiny = Constant(T=1000, beta=0.25).build()
    assert 0 < float(tiny.at(1000)[0]) < 1e-60, "small, and no rounding"


@pytest.mark.parametrize("t", [-0.1, 1000.1, math.nan, math.inf])
def test_levels_outside_the_schedule_are_refused(t):
    with pytest.raises(InputError, match=r"levels lie in 0\.\.1000"):
        SCHEDULES["linear"].at(torch.tensor([1.0, t]))


@pytest.mark.parametrize("name", ["linear", "cosine", "flow", "flow-table", "exploding"])
def test_level_undoes_at(name):
    """For whole and broken levels, the first and the last stretch included, in any shape at once."""
    schedule = SCHEDULES[name]
    inner = torch.linspace(1, 999, 94, dtype=torch.float64)
    t = torch.cat([torch.tensor([1e-3, 0.5, 999.5, 999.9, 1, 2], dtype=torch.float64), inner]).reshape(4, 25)
    close(schedule.level(lam(schedule, t)), t, 1e-8)
    one = schedule.level(float(lam(schedule, 123.4)))
    assert one.shape == ()
    assert float(one) == pytest.approx(123.4, abs=1e-8)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "one-level-flow"])
def test_levels_of_impossible_ratios_are_the_ends(name):
    schedule = SCHEDULES[name]
    ends = schedule.level(torch.tensor([math.inf, -math.inf], dtype=torch.float64))
    close(ends, [0, schedule.T], 1e-9)
    assert 0 <= float(schedule.level(60.0)) < 1
    assert float(schedule.level(-90.0)) == pytest.approx(schedule.T, abs=1e-6)


# ---- what is refused


def test_a_schedule_that_never_gets_near_noise_is_refused_with_the_reason():
    """abar_T above 0.1 is refused, above 0.01 a warning, below that silence; the number is said."""
    with pytest.raises(InputError, match=r"never gets near noise: abar_T = 0\.364.*T = 100") as refused:
        Linear(T=100).build().require_noise()
    assert "0.1" in refused.value.why
    assert "scale" in refused.value.do

    def left(abar):
        return Constant(T=1, beta=1 - abar).build().require_noise()

    with pytest.raises(InputError, match="never gets near noise"):
        left(0.1001)
    assert "0.0999" in (left(0.0999) or "")
    assert "abar_T" in (left(0.0101) or "")
    assert left(0.0099) is None
    assert Linear(T=100, scale=True).build().require_noise() is None
    for name in ("linear", "cosine", "flow", "exploding"):
        assert SCHEDULES[name].require_noise() is None


def test_terminal_is_the_share_of_power_that_is_signal():
    """Also where power is not 1: for alpha = 1, sigma = 3 a tenth is left."""
    tables = torch.tensor([[1.0, 1.0], [0.0, 3.0]], dtype=torch.float64)
    assert Schedule(*tables).terminal == pytest.approx(0.1)
    assert SCHEDULES["flow"].terminal == 0


def table(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("alpha", "sigma", "words"),
    [
        (table(1, 0.5), table(0, 0.5, 0.9), "two tables"),
        (table(1), table(0), "two tables"),
        (table(1, 0.5)[None], table(0, 0.5)[None], "two tables"),
        (table(1, 0.5).float(), table(0, 0.5).float(), "float64"),
        (table(1, 0.5), table(0, 0.5).float(), "float64"),
        (table(1, math.nan), table(0, 0.5), "finite"),
        (table(1, 0.5), table(0, math.inf), "finite"),
        (table(1, -0.5), table(0, 0.5), "negative; alpha is -0.5 at level 1"),
        (table(0.99, 0.5), table(0, 0.5), "level 0 is clean"),
        (table(1, 0.5), table(0.01, 0.5), "level 0 is clean"),
        (table(1, 0.5, 0.6, 0.1), table(0, 0.5, 0.5, 0.9), "from level 1 to 2"),
        (table(1, 0.5, 0.5), table(0, 0.5, 0.5), "from level 1 to 2"),
        (table(1, 0.0, 0.0), table(0, 0.5, 0.6), "from level 1 to 2"),
        (table(1, 1), table(0, 0), "from level 0 to 1"),
    ],
)
def test_tables_that_are_no_schedule_are_refused(alpha, sigma, words):
    with pytest.raises(InputError, match=words):
        Schedule(alpha, sigma)


def test_betas_out_of_range_are_refused():
    for betas in ([0.1, 0.0], [0.1, 1.5], [0.1, -0.1]):
        with pytest.raises(InputError):
            Schedule.from_betas(torch.tensor(betas))


def test_hops_down_the_whole_schedule_telescope():
    """All the noise of 1000 single hops is the noise of one: their betas, carried down, add up to sigma_T^2."""
    linear, total = SCHEDULES["linear"], 0.0
    for t, s in pairwise(range(1000, -1, -1)):
        total += float(linear.alpha[1000] / linear.alpha[t]) ** 2 * linear.hop(t, s).beta
    assert total == pytest.approx(float(linear.sigma[1000]) ** 2, rel=1e-12)
