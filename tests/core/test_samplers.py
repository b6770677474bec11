"""Samplers against closed forms: the exact law of what they make, not a picture of it.

Where the oracle is linear in x, a sampler is a linear map of its draws. Element k of the batch is then given draw k
alone (`Basis`), and the sum of squares over the batch is the exact variance, in float64, of the sampler as it stands.
"""

import itertools
import math

import pytest
import torch

from difftool.builtin.ddim import DDIM, Direct
from difftool.builtin.ddpm import DDPM
from difftool.builtin.schedules import Cosine, Linear
from difftool.core.sampling import SeededNoise, last, spaced, walk
from difftool.core.schedule import Schedule
from difftool.testing.oracles import Gaussian, Mixture, Point


def flow(T=1000):
    def line(t):
        return 1 - t / T, t / T

    return Schedule(*line(torch.arange(T + 1, dtype=torch.float64)), curve=line)


LINEAR, COSINE, FLOW = Linear().build(), Cosine().build(), flow()
FULL, BETA, ZERO = (DDPM(variance=v) for v in ("full", "beta", "zero"))
CHOSEN = {
    "full": FULL,
    "beta": BETA,
    "zero": ZERO,
    "ddim": DDIM(),
    "ddim-half": DDIM(eta=0.5),
    "ddim-one": DDIM(eta=1.0),
}


class Basis:
    """Draw d is 1 for element d and 0 for the others; counts the draws."""

    def __init__(self, size):
        self.rows, self.count = torch.eye(size, dtype=torch.float64), 0

    def __call__(self):
        self.count += 1
        return self.rows[self.count - 1]


def silent():
    """No sampler may ask for noise here."""
    raise AssertionError("drew noise")


def variances(sampler, denoiser, times, start=None):
    """[(level, exact variance of x there)], from x_T of variance `start`."""
    draw = Basis(len(times) + 1)
    alpha, sigma = denoiser.schedule.at(times[0])
    start = float(alpha**2 + sigma**2) if start is None else start
    steps = sampler.run(denoiser, math.sqrt(start) * draw(), times, draw)
    return [(step.t, float(step.x.square().sum())) for step in steps]


def seeded(size, seed=0):
    """Float64 noise of one generator: (draw, how often it was called)."""
    g, calls = torch.Generator().manual_seed(seed), []

    def draw():
        calls.append(1)
        return torch.randn(size, generator=g, dtype=torch.float64)

    return draw, calls


# ---- the two ends of section 3.2: each variance is exact where the other is not

FULL_STEPS = spaced(LINEAR, 1000, "uniform")


def test_on_standard_normal_data_beta_keeps_unit_variance_and_full_does_not():
    """To 1e-12 at every level above 0, over 999 noisy hops; `full` falls to 0.991."""
    data = Gaussian(LINEAR, 0.0, 1.0)
    kept = variances(BETA, data, FULL_STEPS)
    assert [t for t, _ in kept] == list(range(999, -1, -1))
    assert max(abs(v - 1) for t, v in kept if t > 0) < 1e-12
    assert kept[-1][1] == pytest.approx(float(LINEAR.alpha[1]) ** 2, rel=1e-12)  # the last step adds no noise
    lost = variances(FULL, data, FULL_STEPS)
    assert min(v for t, v in lost if t > 0) == pytest.approx(0.991, abs=1e-3)


def test_on_one_point_full_keeps_the_true_variance_and_beta_does_not():
    """sigma_t^2 at every level, from q(x_T); `beta` is too wide by up to 85 %."""
    data, start = Point(LINEAR, 0.0), float(LINEAR.sigma[-1]) ** 2
    for t, v in variances(FULL, data, FULL_STEPS, start):
        assert v == pytest.approx(float(LINEAR.sigma[int(t)]) ** 2, rel=1e-11, abs=1e-20)
    worst = max(v / float(LINEAR.sigma[int(t)]) ** 2 for t, v in variances(BETA, data, FULL_STEPS, start) if t > 0)
    assert worst == pytest.approx(1.85, abs=0.01)


@pytest.mark.parametrize("spacing", ["uniform", "quadratic", "logsnr", "karras"])
@pytest.mark.parametrize("schedule", [LINEAR, COSINE, FLOW], ids=["linear", "cosine", "flow"])
def test_both_stay_exact_over_few_and_broken_levels(schedule, spacing):
    """`full` on one point for any schedule, `beta` on N(0, I) for those that preserve variance: no respacing."""
    times = spaced(schedule, 13, spacing)
    start = float(schedule.sigma[-1]) ** 2
    for t, v in variances(FULL, Point(schedule, 0.0), times, start):
        assert v == pytest.approx(float(schedule.at(t)[1]) ** 2, rel=1e-9, abs=1e-20)
    if schedule is not FLOW:
        kept = variances(BETA, Gaussian(schedule, 0.0, 1.0), times)
        assert max(abs(v - 1) for t, v in kept if t > 0) < 1e-10


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("n", [1, 7, 100])
def test_on_one_point_the_mean_is_exact_at_every_level_and_the_end_is_the_point(name, n):
    """From alpha_T c the mean without noise is alpha_t c; with any noise at all the walk still ends on c."""
    times = spaced(LINEAR, n, "uniform")
    x = torch.tensor([0.7 * float(LINEAR.alpha[-1])], dtype=torch.float64)
    for step in CHOSEN[name].run(Point(LINEAR, 0.7), x, times, lambda: torch.zeros(1, dtype=torch.float64)):
        assert float(step.x) == pytest.approx(0.7 * float(LINEAR.at(step.t)[0]), abs=1e-12)
    draw, _ = seeded(50)
    final = last(walk(CHOSEN[name], Point(LINEAR, 0.7), times, draw))
    torch.testing.assert_close(final.x, torch.full((50,), 0.7, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["full", "ddim", "ddim-half", "ddim-one"])
def test_on_one_point_every_eta_keeps_the_marginals(name):
    """What DDIM promises for any eta (lemma 1 of Song et al.): the variance at level t is sigma_t^2."""
    for spacing in ("uniform", "logsnr"):
        times = spaced(LINEAR, 20, spacing)
        for t, v in variances(CHOSEN[name], Point(LINEAR, 0.0), times, float(LINEAR.sigma[-1]) ** 2):
            assert v == pytest.approx(float(LINEAR.at(t)[1]) ** 2, rel=1e-9, abs=1e-20)


# ---- data of some width

WIDTH = {"full": 0.196, "beta": 0.201, "ddim": 0.199, "ddim-one": 0.196}


@pytest.mark.parametrize("name", WIDTH)
def test_gaussian_data_comes_back(name):
    """N(0.5, 0.2^2) by 1000 steps: the exact mean and standard deviation of what is made, no sampling error."""
    data = Gaussian(LINEAR, 0.5, 0.2)
    zero = last(CHOSEN[name].run(data, torch.zeros(1, dtype=torch.float64), FULL_STEPS, lambda: torch.zeros(1)))
    assert float(zero.x) == pytest.approx(0.5, abs=2e-3)
    spread = variances(CHOSEN[name], Gaussian(LINEAR, 0.0, 0.2), FULL_STEPS)[-1][1]
    assert math.sqrt(spread) == pytest.approx(WIDTH[name], abs=7e-4)


@pytest.mark.parametrize("name", ["full", "beta", "ddim"])
def test_more_steps_come_closer(name):
    """The error of the standard deviation falls at least in step with their number."""
    data = Gaussian(COSINE, 0.0, 0.5)
    errors = [
        abs(math.sqrt(variances(CHOSEN[name], data, spaced(COSINE, n, "logsnr"))[-1][1]) - 0.5) for n in (25, 100, 400)
    ]
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0
    assert errors[2] < 0.01


def test_zero_variance_collapses():
    """The mean alone loses the width of the data: a picture of the mean, for comparison."""
    spread = variances(ZERO, Gaussian(LINEAR, 0.0, 0.5), FULL_STEPS)[-1][1]
    assert math.sqrt(spread) < 0.05


# ---- two points with unequal shares


@pytest.mark.parametrize("steps", [100, 250])
@pytest.mark.parametrize("name", ["full", "beta", "ddim", "ddim-half"])
def test_two_points_come_back_in_their_shares(name, steps):
    """0.2 at -1 and 0.8 at 1: every sample lands on a point, shares within 4 standard errors and 0.01 of bias."""
    size = 20_000
    draw, _ = seeded(size, seed=steps)
    data = Mixture(COSINE, (-1, 1), (0, 0), (0.2, 0.8))
    x = last(walk(CHOSEN[name], data, spaced(COSINE, steps, "uniform"), draw)).x
    assert float((x.abs() - 1).abs().mean()) < 0.01
    assert float((x < 0).double().mean()) == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / size) + 0.01)


def test_ddim_cuts_the_noise_at_the_quantile_of_the_shares():
    """Without noise the map is rising, so the cut in x_T is where the normal law reaches 0.2: no sampling error."""
    z = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    data = Mixture(LINEAR, (-1, 1), (0, 0), (0.2, 0.8))
    x = last(DDIM().run(data, z, spaced(LINEAR, 500, "uniform"), silent)).x
    assert bool((x[1:] >= x[:-1]).all())
    cut = float(z[x > 0][0])
    assert (1 + math.erf(cut / math.sqrt(2))) / 2 == pytest.approx(0.2, abs=0.01)


def test_direct_lands_on_the_mean():
    """One jump from noise is the mean of all data: 0.6 for shares of 0.2 and 0.8; blurry, whatever n is asked for."""
    data = Mixture(FLOW, (-1, 1), (0, 0), (0.2, 0.8))
    assert Direct().times(FLOW) == Direct().times(FLOW, 50) == (1000, 0)
    draw, calls = seeded(100)
    steps = list(walk(Direct(), data, Direct().times(FLOW), draw))
    assert len(steps) == 2
    torch.testing.assert_close(steps[-1].x, torch.full((100,), 0.6, dtype=torch.float64), rtol=0, atol=1e-12)
    assert len(calls) == 1
    halfway = last(Direct().run(data, torch.tensor([0.1], dtype=torch.float64), (500.0, 0.0), silent)).x
    torch.testing.assert_close(halfway, data(torch.tensor([0.1], dtype=torch.float64), 500.0).x0)


# ---- noise: how much, how often, never at the last step


@pytest.mark.parametrize("n", [1, 2, 10])
@pytest.mark.parametrize(
    ("sampler", "per_step"),
    [(FULL, 1), (BETA, 1), (ZERO, 0), (DDPM(noise=0), 0), (DDIM(), 0), (DDIM(eta=0.3), 1), (DDIM(eta=1), 1)],
    ids=["full", "beta", "zero", "no-noise", "ddim", "ddim-0.3", "ddim-1"],
)
def test_draws_are_one_a_step_and_none_at_the_last(sampler, per_step, n):
    draw, calls = seeded(3)
    list(walk(sampler, Gaussian(LINEAR, 0.0, 0.5), spaced(LINEAR, n, "uniform"), draw))
    assert len(calls) == 1 + per_step * (n - 1)


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ["full", "beta"])
def test_noise_is_a_share_of_sigma(name, noise):
    """One hop from 600 to 400: the spread that a draw leaves is noise times sqrt(variance), the mean does not move."""
    hop = LINEAR.hop(600, 400)
    sigma = math.sqrt({"full": hop.posterior, "beta": hop.beta}[name])
    data, x = Gaussian(LINEAR, 0.3, 0.5), torch.tensor([0.4], dtype=torch.float64)

    def first(z):
        sampler = DDPM(variance=name, noise=noise)
        return float(next(sampler.run(data, x, (600.0, 400.0, 0.0), lambda: torch.full((1,), z).double())).x)

    assert first(1) - first(-1) == pytest.approx(2 * noise * sigma, abs=1e-14)
    x0 = float(data(x, 600.0).x0)
    assert first(0) == pytest.approx(hop.mean_x0 * x0 + hop.mean_xt * 0.4, abs=1e-14)
    assert first(0) == pytest.approx(float(next(ZERO.run(data, x, (600.0, 400.0, 0.0), silent)).x), abs=1e-15)


def test_posterior_and_beta_order_the_noise():
    """full < beta at every hop that adds noise: neither is taken for the other."""
    for t, s in ((1000.0, 500.0), (2.0, 1.0), (20.0, 10.0)):
        x = torch.zeros(1, dtype=torch.float64)
        full, beta = (
            float(next(sampler.run(Point(LINEAR, 0.0), x, (t, s, 0.0), lambda: torch.ones(1).double())).x)
            for sampler in (FULL, BETA)
        )
        assert 0 < full < 0.999 * beta


# ---- any schedule, any levels


@pytest.mark.parametrize("sampler", CHOSEN.values(), ids=CHOSEN)
def test_any_schedule_without_signal_at_T_can_be_walked(sampler):
    """alpha[T] = 0: nothing is divided by it. Float32 noise of the core, finite to the end, on the points."""
    noise = SeededNoise(range(200), (1,))
    data = Mixture(FLOW, (-1, 1), (0, 0), (0.5, 0.5))
    steps = list(walk(sampler, data, spaced(FLOW, 100, "uniform"), noise))
    assert all(bool(torch.isfinite(step.x).all()) for step in steps)
    assert steps[-1].x.dtype == torch.float32
    if sampler is not ZERO:
        assert 0.3 < float((steps[-1].x > 0).float().mean()) < 0.7


def test_index_and_total_count_the_hops():
    for sampler in (FULL, DDIM()):
        steps = sampler.run(Point(LINEAR, 0.0), torch.zeros(1), (1000.0, 30.5, 1.0, 0.0), lambda: torch.zeros(1))
        assert [(s.index, s.total, s.t) for s in steps] == [(1, 3, 30.5), (2, 3, 1.0), (3, 3, 0.0)]


def test_noise_is_drawn_in_order():
    """Draw 0 is x_T, draw d the noise of hop d: what makes a sample repeatable across samplers that draw each step."""
    order = itertools.count()
    seen = list(
        walk(
            FULL, Point(LINEAR, 0.0), (1000.0, 500.0, 100.0, 0.0), lambda: torch.full((1,), float(next(order))).double()
        )
    )
    hops = [LINEAR.hop(1000, 500), LINEAR.hop(500, 100)]
    first = math.sqrt(hops[0].posterior)
    assert [float(step.x) for step in seen[:2]] == [0, pytest.approx(first)]
    assert float(seen[2].x) == pytest.approx(hops[1].mean_xt * first + 2 * math.sqrt(hops[1].posterior))
