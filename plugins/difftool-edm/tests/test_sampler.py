"""The sampler against algorithm 2 of the paper, its order, and its noise."""

import math
from itertools import pairwise

import pytest
import torch

from difftool import testing
from difftool.api import Prediction
from difftool.testing import Gaussian, Mixture
from difftool_edm.sampler import Heun
from difftool_edm.schedule import Exploding

PATHS = {"edm": Exploding().build, "linear": testing.PATHS["linear"], "cosine": testing.PATHS["cosine"]}


def noise(seed, count=64):
    """The same draws for whoever asks with the same seed."""
    g = torch.Generator().manual_seed(seed)
    return lambda: torch.randn((count, 1, 1, 1), generator=g, dtype=torch.float64)


def smooth(schedule):
    return Mixture(schedule, (-0.6, 0.1, 0.7), (0.3, 0.25, 0.35), (2, 1, 3))


def ratios(schedule, times):
    """sigma / alpha at each."""
    alpha, sigma = schedule.at(torch.tensor(times, dtype=torch.float64))
    return sigma / alpha


def started(schedule, draw, t=None):
    alpha, sigma = (float(each) for each in schedule.at(schedule.T if t is None else t))
    return math.hypot(alpha, sigma) * draw()


def algorithm_2(denoise, x, sigmas, draw, churn, least, most, size):
    """As printed in the paper: x = x0 + sigma n, sigmas fall to 0."""
    n = len(sigmas) - 1
    for sigma, below in pairwise(sigmas):
        gamma = min(churn / n, math.sqrt(2) - 1) if least <= sigma <= most else 0.0
        higher = sigma + gamma * sigma
        if gamma > 0:
            x = x + math.sqrt(higher**2 - sigma**2) * size * draw()
        slope = (x - denoise(x, higher)) / higher
        after = x + (below - higher) * slope
        if below != 0:
            second = (after - denoise(after, below)) / below
            after = x + (below - higher) * (slope / 2 + second / 2)
        x = after
    return x


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("churn", [(0, 0, math.inf, 1), (40, 0.05, 50, 1.003), (4, 0.0, 1.0, 1.0), (1e6, 0.3, 2.0, 1)])
def test_it_is_algorithm_2(path, churn):
    schedule = PATHS[path]()
    oracle, free = smooth(schedule), smooth(None)
    s_churn, least, most, size = churn
    fields = {"churn": s_churn, "churn_from": least, "churn_size": size, "highest": 1e6}
    sampler = Heun(**fields, **({} if most == math.inf else {"churn_to": most}))
    times = sampler.times(schedule, 18)
    draw = noise(1)
    x = started(schedule, draw)
    sigmas, start = ratios(schedule, times).tolist(), x / float(schedule.alpha[-1])
    wanted = algorithm_2(lambda x, s: free.expected(x, 1.0, s), start, sigmas, noise(2), s_churn, least, most, size)
    *_, last = sampler.run(oracle, x, times, noise(2))
    torch.testing.assert_close(last.x, wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", PATHS)
def test_churn_spoils_no_second_call(path):
    """Near `highest` it lifts x beyond, and the step is none of those that leap there."""
    asked = []

    class Counted(Gaussian):
        def __call__(self, x, t):
            asked[-1] += 1
            return super().__call__(x, t)

    schedule = PATHS[path]()
    for churn in (0.0, 40.0):
        asked.append(0)
        sampler = Heun(churn=churn)
        times = sampler.times(schedule, 36)
        list(sampler.run(Counted(schedule, 0.1, 0.3), started(schedule, noise(1)), times, noise(2)))
    assert asked[0] == asked[1] >= 69


@pytest.mark.parametrize("rho", [3.0, 7.0, 20.0])
@pytest.mark.parametrize("path", PATHS)
def test_the_steps_lie_on_the_paper_s_grid(path, rho):
    schedule, n = PATHS[path](), 18
    times = Heun(rho=rho, highest=1e6).times(schedule, n)
    assert (times[0], times[-2], times[-1]) == (1000, 1, 0)
    ratio = ratios(schedule, times[:-1])
    i = torch.arange(n, dtype=torch.float64)
    high, low = float(ratio[0]) ** (1 / rho), float(ratio[-1]) ** (1 / rho)
    torch.testing.assert_close(ratio, (high + i / (n - 1) * (low - high)) ** rho, rtol=1e-9, atol=0)


def test_on_its_own_schedule_the_grid_goes_from_80_to_0002_in_even_levels():
    schedule = Exploding().build()
    times = Heun().times(schedule)
    assert len(times) == 19
    assert ratios(schedule, times[:-1])[[0, -1]].tolist() == pytest.approx([80, 0.002])
    steps = torch.tensor(times[:-1], dtype=torch.float64).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, -999 / 17), rtol=1e-9, atol=0)


def exactly(schedule, x, end):
    """The flow from level T down to a level, by Runge and Kutta's fourth order in ln(sigma), with 4,000 steps."""
    free = smooth(None)
    (alpha, _), (low_alpha, _) = (tuple(map(float, schedule.at(t))) for t in (schedule.T, end))
    high, low = (math.log(float(sigma / a)) for a, sigma in map(schedule.at, (float(schedule.T), end)))
    x, h = x / alpha, (low - high) / 4000

    def slope(x, log):
        return x - free.expected(x, 1.0, math.exp(log))

    for k in range(4000):
        log = high + k * h
        a = slope(x, log)
        b = slope(x + h / 2 * a, log + h / 2)
        c = slope(x + h / 2 * b, log + h / 2)
        x = x + h / 6 * (a + 2 * b + 2 * c + slope(x + h * c, log + h))
    return low_alpha * x


@pytest.mark.parametrize("path", PATHS)
def test_it_is_of_second_order(path):
    schedule = PATHS[path]()
    x = started(schedule, noise(3))
    truth = exactly(schedule, x, 1.0)
    errors = []
    for n in (40, 80, 160):
        *_, above, last = Heun().run(smooth(schedule), x, Heun().times(schedule, n), noise(0))
        assert (above.t, last.t) == (1, 0)
        errors.append(float((above.x - truth).abs().max()))
    assert math.log(errors[0] / errors[2], 4) >= 1.8
    assert math.log(errors[1] / errors[2], 2) >= 1.8
    assert errors[0] < 0.02


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("churn", [10.0, 60.0])
def test_noise_on_the_way_keeps_the_law(path, churn):
    """Each picture but the last gets one draw of its own: the sum of squares is the exact variance."""
    schedule, mean, std = PATHS[path](), 0.3, 0.5
    sampler, size = Heun(churn=churn), 900
    times = sampler.times(schedule, 400)
    count = iter(range(size))
    alpha, sigma = (float(each) for each in schedule.at(1000.0))

    def draw():
        z = torch.zeros(size + 1, 1, 1, 1, dtype=torch.float64)
        z[next(count)] = 1
        return z

    x = alpha * mean + math.hypot(alpha * std, sigma) * draw()
    for step in sampler.run(Gaussian(schedule, mean, std), x, times, draw):
        alpha, sigma = (float(each) for each in schedule.at(step.t))
        moved, spread = (step.x[:-1] - step.x[-1]).flatten(), math.hypot(alpha * std, sigma)
        assert float(moved.norm()) == pytest.approx(spread, rel=0.01)
        assert float(step.x[-1]) == pytest.approx(alpha * mean, abs=0.01 * spread)
    assert next(count) > 390


class Heard:
    """A denoiser that keeps the levels it is asked at."""

    def __init__(self, inner):
        self.inner, self.schedule, self.levels = inner, inner.schedule, []

    def __call__(self, x, t) -> Prediction:
        self.levels.append(t)
        return self.inner(x, t)


@pytest.mark.parametrize("first", [1000.0, 700.0])
def test_it_asks_twice_a_step_but_once_at_the_last_and_never_outside(first):
    schedule = Exploding().build()
    heard = Heard(smooth(schedule))
    times = tuple(t for t in Heun().times(schedule, 40) if t < first)
    draw = noise(0)
    list(Heun(churn=1e6).run(heard, started(schedule, draw, first), (first, *times), draw))
    assert len(heard.levels) == 2 * (len(times)) - 1
    assert max(heard.levels) == heard.levels[0] == first
    assert min(heard.levels) >= 1
    assert len(set(heard.levels)) > len(times) + 20  # the noise did take it upwards


def test_without_churn_nothing_is_drawn():
    schedule = PATHS["linear"]()
    x = started(schedule, noise(4))

    def never():
        raise AssertionError("it draws")

    *_, last = Heun().run(smooth(schedule), x, Heun().times(schedule), never)
    assert last.t == 0


@pytest.mark.parametrize("path", ["flow", "cosine"])
def test_a_schedule_that_goes_on_beyond_80_is_entered_there_by_one_call(path):
    schedule, sampler = testing.PATHS[path](), Heun()
    times = sampler.times(schedule, 60)
    assert times[0] == schedule.T
    i, high, low = torch.arange(1, 60), 80 ** (1 / 7), float(ratios(schedule, [1.0])) ** (1 / 7)
    torch.testing.assert_close(
        ratios(schedule, times[1:-1]), (high + i / 59 * (low - high)).double() ** 7, rtol=1e-5, atol=0
    )
    heard = Heard(Gaussian(schedule, 0.2, 0.5))
    *_, last = sampler.run(heard, started(schedule, noise(5)), times, noise(0))
    assert float((last.x - 0.2 - 0.5 * noise(5)()).abs().max()) < 0.02
    assert len(heard.levels) == 2 * 60 - 2


def test_more_steps_than_levels_lie_between_them():
    schedule = Exploding(T=4).build()
    times = Heun().times(schedule, 9)
    assert len(times) == 10
    assert all(a > b for a, b in pairwise(times))
