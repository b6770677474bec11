"""What follows from measurements of samplers, and the pictures that are drawn of them; no sampler is needed for it."""

from itertools import pairwise

import numpy as np
import pytest

from difftool.engine.rung_plot import plot, spread, ticks
from difftool.engine.rung_sheet import cell, sheet
from difftool.engine.rungs import Rung, Rungs


def measured(*found, **fields):
    made = [Rung(name, steps, steps, calls, 0.1, distance, **fields) for name, steps, calls, distance in found]
    return {(each.name, each.asked): each for each in made}


def test_advice_is_the_fewest_calls_that_come_as_near_as_the_baseline():
    rungs = Rungs("ddim", 1000)
    assert rungs.advice() is None
    rungs.found = measured(("ddim", 5, 5, 0.3), ("ddim", 50, 50, 0.1), ("two", 5, 9, 0.09), ("multi", 10, 10, 0.05))
    rungs.found |= measured(("sde", 5, 5, 0.01), draws_noise=True) | measured(("mean", 5, 1, 0.0), gives="means")
    rungs.found["bad", 5] = Rung("bad", 5, reason="it is bad")
    best, base = rungs.advice()
    assert (best.name, best.steps, base.steps) == ("two", 5, 50)
    assert [each.name for each in rungs.table] == ["two", "ddim", "mean", "sde", "multi", "ddim"]
    assert [each.name for each in rungs.table if rungs.best(each)] == ["two", "multi", "ddim"]
    assert rungs.ratio(rungs.found["two", 5]) == pytest.approx(0.3)
    assert rungs.ratio(rungs.found["multi", 10]) is None  # ddim was not measured with as many
    assert list(rungs.order()) == ["two", "ddim", "multi", "mean", "sde"]


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
    rungs = Rungs("ddim", 20, np.full(shape, 9, np.uint8))
    for (name, n), grey in {("ddim", 2): 50, ("ddim", 5): 100, ("other", 5): 150}.items():
        pictures = np.full(shape, grey, np.uint8)
        rungs.found[name, n] = Rung(name, n, n, n, 0.1, 0.2 / n, pictures=pictures)
    rungs.found["other", 2] = Rung("other", 2, reason="it cannot")
    whole = sheet(rungs, [2, 5])
    places = {grey: np.argwhere((whole == grey).all(-1)).mean(0) for grey in (50, 100, 150)}
    assert places[50][0] == places[100][0] < places[150][0]
    assert places[50][1] < places[100][1] == places[150][1]
    assert (whole == 9).all(-1).sum() == 2 * (cell(rungs.pictures[: 2 if max(shape[1:3]) <= 160 else 1]) == 9).all(
        -1
    ).sum()
    assert max(whole.shape) < 2200


def test_the_plot_stands_whatever_was_measured():
    """Nothing, one point, what explodes; a line that is drawn has its colour on the picture."""
    empty, one = Rungs("ddim", 1000), Rungs("ddim", 1000, found=measured(("ddim", 5, 5, 0.1)))
    wild = Rungs("ddim", 1000, found=one.found | measured(("a", 5, 5, 1e300), ("a", 10, 10, 0.0), ("b", 5, 9, 1e-12)))
    inks = [int((plot(each, "a title" * 50).astype(int).sum(-1) < 600).sum()) for each in (empty, one, wild)]
    assert 0 < inks[0] < inks[1] < inks[2]
