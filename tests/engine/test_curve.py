"""Thirty-two points of a loss, whatever the run's length and however often it is taken up again."""

import math

import pytest

from difftool.engine.curve import Curve


def exact(losses, span):
    return [
        float(f"{sum(part) / len(part):.5g}") for part in (losses[i : i + span] for i in range(0, len(losses), span))
    ]


@pytest.mark.parametrize(
    ("steps", "span"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 4), (1000, 32), (1024, 32), (1025, 64)]
)
def test_a_point_is_the_mean_of_its_span(steps, span):
    losses = [math.sin(step) + 2 for step in range(steps)]
    curve = Curve()
    for step, loss in enumerate(losses, 1):
        points = curve.add(step, loss)
        assert len(points) <= 32
    assert points == pytest.approx(exact(losses, span), rel=1e-4)


@pytest.mark.parametrize("every", [7, 50, 300])
def test_rows_that_cover_many_steps_are_spread_over_their_spans(every):
    curve = Curve()
    for step in range(every, every * 20 + 1, every):
        points = curve.add(step, float(step))
    assert None not in points
    assert points == sorted(points)
    assert curve.add(every * 20, 0.0) == points, "a step counts once"


def test_what_is_not_finite_leaves_a_gap():
    curve = Curve()
    for step, loss in enumerate([1.0, math.nan, None, math.inf, 5.0], 1):
        points = curve.add(step, loss)
    assert points == [1.0, None, None, None, 5.0]


def test_it_reaches_to_steps_without_a_row():
    curve = Curve()
    curve.add(10, 1.0)
    assert curve.reach(12) == [1.0] * 10 + [None] * 2
    assert curve.reach(40) == [1.0] * 5 + [None] * 15
    assert curve.add(40, 3.0) == [1.0] * 5 + [3.0] * 15


@pytest.mark.parametrize("at", [5, 32, 33, 200, 777])
def test_a_resumed_curve_goes_on_as_if_it_had_never_stopped(at):
    losses = [1 + 1 / (step + 1) for step in range(1000)]
    whole, first = Curve(), Curve()
    for step, loss in enumerate(losses, 1):
        points = whole.add(step, loss)
        if step <= at:
            left = first.add(step, loss)
    again = Curve(left, at, at)
    for step in range(at + 1, 1001):
        resumed = again.add(step, losses[step - 1])
    assert resumed == pytest.approx(points, rel=1e-3)


def test_steps_that_are_trained_again_are_forgotten():
    curve = Curve()
    for step in range(1, 31):
        left = curve.add(step, float(step))
    again = Curve(left, 30, 10)
    assert again.reach(10) == [float(step) for step in range(1, 11)]
    assert again.add(11, 99.0)[-1] == 99.0


def test_a_curve_that_cannot_be_one_does_no_harm():
    assert Curve([1.0] * 50, 3, 2).reach(2) == [1.0, 1.0]
    assert Curve([], 100, 50).reach(50) == [None] * 25
