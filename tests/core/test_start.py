"""Walks that begin at a picture instead of at noise."""

import pytest
import torch

from difftool.builtin.ddim import DDIM
from difftool.builtin.ddpm import DDPM
from difftool.builtin.schedules import Linear
from difftool.core.sampling import SeededNoise, walk
from difftool.core.start import Start
from difftool.errors import InputError
from difftool.testing.oracles import Gaussian, Point

SCHEDULE = Linear().build()
SHAPE = (1, 32, 32)
A, B = torch.full(SHAPE, 0.8), torch.full(SHAPE, -0.4)


def steps(start, sampler=None, oracle=None, seeds=range(8)):
    sampler = sampler or DDPM()
    oracle = oracle or Gaussian(SCHEDULE, 0.0, 0.5)
    return list(walk(sampler, oracle, sampler.times(SCHEDULE, 100), SeededNoise(seeds, SHAPE), start))


def test_it_begins_with_the_picture_at_that_level():
    first, *_ = steps(Start(300.0, A))
    alpha, sigma = (float(v) for v in SCHEDULE.at(300.0))
    assert first.t == 300
    assert float(first.x.mean()) == pytest.approx(alpha * 0.8, abs=5 * sigma / 90)
    assert float(first.x.std()) == pytest.approx(sigma, rel=0.03)


@pytest.mark.parametrize("level", [1.0, 294.5, 300.0, 1000.0])
def test_it_goes_on_from_there_along_the_same_levels(level):
    walked = [step.t for step in steps(Start(level, A))]
    whole = DDPM().times(SCHEDULE, 100)
    assert walked == [level, *(t for t in whole if t < level)]


def test_the_lower_the_level_the_more_of_the_picture_stays():
    oracle = Gaussian(SCHEDULE, 0.0, 0.5)
    away = [float((steps(Start(t, A), oracle=oracle)[-1].x - A).abs().mean()) for t in (1.0, 100.0, 400.0, 1000.0)]
    assert away == sorted(away)
    assert away[0] < 0.02
    assert away[-1] == pytest.approx(float((0.8 - 0.5 * torch.randn(100_000)).abs().mean()), rel=0.1)


def test_data_of_one_picture_comes_back_from_anywhere():
    for start in (Start(700.0, A), Start(20.0, A, B, (0.5,) * 8)):
        assert torch.allclose(steps(start, oracle=Point(SCHEDULE, 0.3))[-1].x, torch.full((8, *SHAPE), 0.3), atol=1e-6)


def test_between_two_pictures_both_are_noised_apart_and_mixed():
    """x = (1 - share) q(x_t | A) + share q(x_t | B), each with noise of its own, the same at every share."""
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    first, *_ = steps(Start(250.0, A, B, shares), seeds=[6] * 5)
    draw = SeededNoise([6], SHAPE)
    ends = [SCHEDULE.diffuse(picture, draw(), 250.0) for picture in (A, B)]
    for share, x in zip(shares, first.x, strict=True):
        torch.testing.assert_close(x, ((1 - share) * ends[0] + share * ends[1])[0])
    alone, *_ = steps(Start(250.0, A), seeds=[6])
    assert torch.equal(first.x[0], alone.x[0])
    some, *_ = steps(Start(250.0, A, B, shares).of([3, 1]), seeds=[6] * 2)
    assert torch.equal(some.x, first.x[[3, 1]])


def test_the_ends_of_a_row_are_variations_of_the_two_and_the_way_is_even():
    shares = tuple(k / 8 for k in range(9))
    last = steps(Start(80.0, A, B, shares), DDIM(), seeds=[3] * 9)[-1].x.mean((1, 2, 3))
    assert (last.diff() < 0).all()
    torch.testing.assert_close(last.diff(), last.diff().mean().expand(8), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.5, 1000.5, float("nan")])
def test_levels_that_are_none(level):
    with pytest.raises(InputError, match="from a level of 1 to 1000"):
        steps(Start(level, A))
