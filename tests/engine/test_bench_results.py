"""What follows from measurements of samplers, and the pictures that are drawn of them; no sampler is needed for it."""

from itertools import pairwise

import numpy as np
import pytest

from difftool.engine.bench_pictures import cell, sheet
from difftool.engine.bench_plot import COLOURS, RIGHT, plot, spread, ticks
from difftool.engine.bench_results import Measurement, Results


def measured(*found, **fields):
    made = [Measurement(name, steps, steps, calls, 0.1, distance, **fields) for name, steps, calls, distance in found]
    return {(each.name, each.asked): each for each in made}


def test_advice_is_the_fewest_calls_that_come_as_near_as_the_baseline():
    results = Results("ddim", 1000)
    assert results.advice() is None
    results.found = measured(("ddim", 5, 5, 0.3), ("ddim", 50, 50, 0.1), ("two", 5, 9, 0.09), ("multi", 10, 10, 0.05))
    results.found |= measured(("sde", 5, 5, 0.01), draws_noise=True) | measured(("mean", 5, 1, 0.0), gives="means")
    results.found["bad", 5] = Measurement("bad", 5, reason="it is bad")
    best, base = results.advice()
    assert (best.name, best.steps, base.steps) == ("two", 5, 50)
    assert [each.name for each in results.table] == ["two", "ddim", "mean", "sde", "multi", "ddim"]
    assert [each.name for each in results.table if results.nearest(each)] == ["ddim", "multi", "ddim"]  # two asks twice
    assert results.ratio(results.found["two", 5]) == pytest.approx(0.3)
    assert results.ratio(results.found["multi", 10]) is None  # ddim was not measured with as many
    assert list(results.order()) == ["two", "ddim", "multi", "mean", "sde"]


@pytest.mark.parametrize("distance", [0.0, 1e-7])
def test_the_reference_itself_wins_nothing(distance):
    """Asked for the reference's own steps, the baseline is at most a device's rounding away."""
    found = measured(("ddim", 10, 10, 0.2), ("ddim", 20, 20, distance), ("multi", 10, 10, 0.1), ("multi", 20, 20, 0.05))
    results = Results("ddim", 20, found=found)
    assert [(each.name, each.steps) for each in results.table if results.nearest(each)] == [
        ("multi", 10),
        ("multi", 20),
    ]
    assert [(each.name, each.steps) for each in results.advice()] == [("multi", 10), ("ddim", 10)]
    assert results.ratio(found["multi", 20]) is None
    assert Results("ddim", 20, found=measured(("ddim", 20, 20, distance))).advice() is None


def test_advice_goes_by_calls_not_by_steps():
    found = measured(("ddim", 5, 5, 0.5), ("ddim", 20, 20, 0.2), ("two", 10, 19, 0.1), ("three", 7, 21, 0.1))
    best, _ = Results("ddim", 1000, found=found).advice()
    assert best.name == "two"


@pytest.mark.parametrize("wished", [[0, 0, 0, 0], [10, 11, 50, 51, 52], [90, 95, 99], [-40, 5], [30.0]])
def test_names_at_the_ends_of_lines_do_not_touch(wished):
    places = spread(wished, 10, 0, 100)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(places))
    assert all(-1e-9 <= place <= 100 for place in places)
    assert spread([10, 30, 60], 10, 0, 100) == [10, 30, 60]


@pytest.mark.parametrize("ends", [(1, 2), (4, 60), (0.009, 0.7), (1e-7, 3), (9, 11), (0.5, 0.5000001)])
def test_an_axis_has_round_numbers_within_its_ends(ends):
    found = ticks(*ends)
    assert all(ends[0] <= value <= ends[1] for value in found)
    assert found == sorted(found)
    assert len(found) <= 10
    assert len(found) >= (2 if ends[1] / ends[0] > 1.9 else 0)


@pytest.mark.parametrize("shape", [(2, 8, 8, 1), (2, 8, 12, 3), (1, 64, 64, 3), (2, 300, 500, 3)])
def test_pictures_of_any_size_and_colour_stand_side_by_side(shape):
    """Each in its row and column: a cell that is one colour is found again."""
    results = Results("ddim", 20, np.full(shape, 9, np.uint8))
    for (name, n), grey in {("ddim", 2): 50, ("ddim", 5): 100, ("other", 5): 150}.items():
        pictures = np.full(shape, grey, np.uint8)
        results.found[name, n] = Measurement(name, n, n, n, 0.1, 0.2 / n, pictures=pictures)
    results.found["other", 2] = Measurement("other", 2, reason="it cannot")
    whole = sheet(results, [2, 5])
    places = {grey: np.argwhere((whole == grey).all(-1)).mean(0) for grey in (50, 100, 150)}
    assert places[50][0] == places[100][0] < places[150][0]
    assert places[50][1] < places[100][1] == places[150][1]
    assert (whole == 9).all(-1).sum() == 2 * (cell(results.pictures[: 2 if max(shape[1:3]) <= 160 else 1]) == 9).all(
        -1
    ).sum()
    assert max(whole.shape) < 2200


def test_a_marker_stands_where_its_numbers_say():
    """Calls to the right, distance upwards, both by their logarithms: c between a and b."""
    found = measured(("a", 10, 10, 0.1), ("b", 1000, 1000, 0.001), ("c", 100, 100, 0.05))
    drawn = plot(Results("ddim", 1000, found=found), "a title")[:, : RIGHT + 8].astype(int)
    order = ["a", "c", "b"]  # by steps
    where = {name: np.argwhere(abs(drawn - COLOURS[k]).sum(-1) < 90).mean(0) for k, name in enumerate(order)}
    (up_a, left_a), (up_b, left_b), (up_c, left_c) = (where[name] for name in "abc")
    assert left_a < left_b
    assert up_a < up_b  # rows are counted from the top
    assert (left_c - left_a) / (left_b - left_a) == pytest.approx(0.5, abs=0.005)
    assert (up_c - up_a) / (up_b - up_a) == pytest.approx(np.log(0.1 / 0.05) / np.log(0.1 / 0.001), abs=0.005)


def test_the_plot_stands_whatever_was_measured():
    """Nothing, one point, the reference itself, what explodes."""
    one = measured(("ddim", 5, 5, 0.1))
    wild = one | measured(("ddim", 1000, 1000, 0.0), ("a", 5, 5, 1e300), ("a", 10, 10, 0.0), ("b", 5, 9, 1e-12))
    for found in ({}, one, wild):
        assert plot(Results("ddim", 1000, found=found), "a title" * 50).min() < 100
