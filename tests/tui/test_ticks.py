"""Labels of an axis are round, tell values apart, and never touch each other."""

import math
import random
import re
from itertools import pairwise

import pytest

from difftool.tui.ticks import GAP, along, place, short, ticks

KINDS = ["number", "step", "time"]
WILD = [0.0, -0.0, 1, -1, 5e-324, -5e-324, 1e-300, 1e300, 1.7e308, -1.7e308, math.nan, math.inf, -math.inf, 1e15, 0.1]


def ranges():
    rng = random.Random(0)
    for _ in range(1500):
        lo = rng.choice([0, 1, rng.uniform(-10, 10), 10 ** rng.uniform(-12, 12), rng.randrange(10**7)])
        yield lo, lo + rng.choice([1, 2, 59, 3600, 10 ** rng.uniform(-6, 9), rng.random(), abs(lo) or 1])


def assert_right(found, lo, hi, room, log, vertical):
    low = lo if lo > 0 or not log or hi <= 0 else 0  # without a logarithm, the low end is somewhere above 0
    assert all(low <= value <= hi for value, _ in found)
    assert [value for value, _ in found] == sorted({value for value, _ in found})
    assert len({label for _, label in found}) == len(found)
    if vertical:
        rows = [round(along(value, lo, hi, log) * (room - 1)) for value, _ in found]
        assert all(b - a >= 2 for a, b in pairwise(rows))
        return
    line = [" "] * room
    taken = -GAP
    for start, label in place(found, lo, hi, room, log):
        assert start >= taken + GAP
        taken = start + len(label)
        line[start:taken] = label
    assert len(line) == room
    assert re.split(r" {2,}", "".join(line).strip()) == ([label for _, label in found] or [""])


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_never_touch(kind, log, vertical):
    for lo, hi in ranges():
        for room in (1, 3, 7, 15, 40, 117):
            assert_right(ticks(lo, hi, room, log, kind, vertical), lo, hi, room, log, vertical)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("kind", ["number", "time"])
def test_there_are_two_labels_at_least_where_there_is_room(kind, log):
    for lo, hi in ranges():
        found = ticks(lo, hi, 40, log, kind)
        assert len(found) >= 2 or hi - lo < abs(lo) * 1e-9, (lo, hi, found)


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_no_range_is_an_error(kind, log, vertical):
    for lo in WILD:
        for hi in WILD:
            for room in (-1, 0, 1, 30):
                found = ticks(lo, hi, room, log, kind, vertical)
                if room <= 0 or not math.isfinite(lo) or not math.isfinite(hi) or lo > hi:
                    assert found == []
                else:
                    assert_right(found, lo, hi, room, log, vertical)


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        ((0, 1, 20), "0 0.5 1"),
        ((0, 1e5, 60, False, "step"), "0 20k 40k 60k 80k 100k"),
        ((0, 3, 60, False, "step"), "0 1 2 3"),
        ((0, 2.6e6, 24, False, "step"), "0 1M 2M"),
        ((0, 5000, 60, False, "time"), "0 10m 20m 30m 40m 50m 1h 1h10 1h20"),
        ((0, 45, 20, False, "time"), "0 15s 30s 45s"),
        ((3600, 3700, 60, False, "time"), "1h 1:00:30 1h01 1:01:30"),
        ((0, 200_000, 40, False, "time"), "0 12h 1d 1d12h 2d"),
        ((1e-4, 3, 40, True), "1e-4 0.001 0.01 0.1 1"),
        ((0.02, 0.9, 40, True), "0.02 0.05 0.1 0.2 0.5"),
        ((1000.1, 1000.3, 40), "1000.1 1000.2 1000.3"),
        ((1_234_500, 1_234_600, 40, False, "step"), "1.2345M 1.23455M 1.2346M"),
        ((5, 5, 40), "5"),
    ],
)
def test_labels_read_well(arguments, labels):
    assert " ".join(label for _, label in ticks(*arguments)) == labels


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(0, "0"), (1, "1"), (0.02, "0.02"), (1e-4, "1e-4"), (2.5e-4, "2.5e-4"), (1000, "1k"), (2.5e6, "2.5M")],
        *[(999.96, "1k"), (999_999, "1M"), (-0.00123, "-0.001"), (-123_456, "-123k"), (math.nan, "nan")],
        *[(-math.inf, "-inf"), (-1e-300, "-0"), (1e15, "1e15"), (12.345, "12.3"), (120, "120")],
    ],
)
def test_short(value, text):
    assert short(value) == text


def test_any_number_is_short_and_nearly_itself():
    rng = random.Random(1)
    suffixes = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    for _ in range(20_000):
        value = rng.choice([-1, 1]) * 10 ** rng.uniform(-320, 308)
        text = short(value)
        assert 0 < len(text) <= 6
        if text != "-0":
            number = float(text[:-1]) * suffixes[text[-1]] if text[-1] in suffixes else float(text)
            assert math.isclose(number, value, rel_tol=0.5)
