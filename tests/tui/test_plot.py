"""Charts: nothing that happened is lost between the dots, lines have no holes, gaps are where nothing was."""

import math
import random

import pytest

from difftool.tui.glyphs import DOTS
from difftool.tui.plot import EMPTY, LOST, Curve, bounds, gauge, plot, smoothed, spark
from difftool.tui.series import Bin, Table

NAN = math.nan
NONE = Bin(NAN, NAN, NAN, 0, 0)
GONE = Bin(NAN, NAN, NAN, 0, 3)


def at(value):
    return Bin(value, value, value, 1, 0)


def dots(rows):
    """The set dots as (x, y) from the top left."""
    found = set()
    for row, line in enumerate(rows):
        for column, (char, _) in enumerate(line):
            if 0x2800 <= ord(char) < 0x2900:
                bits = ord(char) - 0x2800
                found |= {(2 * column + c, 4 * row + r) for r in range(4) for c in range(2) if bits & DOTS[r][c]}
    return found


def test_bits_are_those_of_unicode():
    import unicodedata

    numbers = [[1, 4], [2, 5], [3, 6], [7, 8]]
    for r in range(4):
        for c in range(2):
            assert unicodedata.name(chr(0x2800 + DOTS[r][c])) == f"BRAILLE PATTERN DOTS-{numbers[r][c]}"


def test_a_straight_line_is_where_it_should_be():
    rows = plot([Curve([at(k) for k in range(20)], 3)], 10, 5, 0, 19)
    assert dots(rows) == {(k, 19 - k) for k in range(20)}
    assert {colour for line in rows for _, colour in line} == {3, EMPTY}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("mean", [False, True])
def test_lines_have_no_holes(mean, log):
    rng = random.Random(mean)
    for width in (1, 2, 5, 30):
        values = [
            NONE if rng.random() < 0.4 else Bin(a, a + b, a + b / 2, 2, 0)
            for a, b in ((rng.uniform(0.1, 9), rng.random() ** 4) for _ in range(2 * width))
        ]
        if not any(one.count for one in values):
            continue
        found = dots(plot([Curve(values, 0, mean)], width, 8, 0.1, 10, log))
        first, last = (edge(x for x, one in enumerate(values) if one.count) for edge in (min, max))
        assert {x for x, _ in found} == set(range(first, last + 1))
        reached, waiting = set(), [next(iter(found))]
        while waiting:
            x, y = waiting.pop()
            if (x, y) in found and (x, y) not in reached:
                reached.add((x, y))
                waiting += [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        assert reached == found


def test_every_dot_column_goes_from_its_lowest_to_its_highest():
    rng = random.Random(3)
    values = [Bin(a, a + b, a, 5, 0) for a, b in ((rng.random(), rng.random()) for _ in range(40))]
    found = dots(plot([Curve(values, 0)], 20, 10, 0, 2))
    for x, one in enumerate(values):
        ys = {39 - y for column, y in found if column == x}
        assert min(ys) <= round(one.low / 2 * 39)
        assert max(ys) >= round(one.high / 2 * 39)
        assert ys >= set(range(round(one.low / 2 * 39), round(one.high / 2 * 39) + 1))


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("width", [1, 20, 100])
@pytest.mark.parametrize("log", [False, True])
def test_a_spike_of_one_step_among_100_000_reaches_the_top(width, log, ascii):
    table = Table()
    spike = 61_803
    table.add(
        {"step": step, "time": step, "images": step, "loss": 50.0 if step == spike else 0.5 + 1e-6 * step}
        for step in range(100_000)
    )
    for lo, hi in ((0, 99_999), (60_000, 63_000), (spike - 3, spike + 9)):
        curve = Curve(table.bins("loss", "step", lo, hi, 2 * width), 0)
        rows = plot([curve], width, 6, *bounds([curve], log), log, ascii)
        drawn = {column for column, (char, _) in enumerate(rows[0]) if char != " "}
        assert min(width - 1, int((spike - lo) / (hi - lo) * 2 * width) // 2) in drawn
        assert len(drawn) == 1 or hi - lo < 2 * width  # of fewer rows than dots the slopes reach the top row too


def test_where_nothing_finite_was_there_is_a_gap_and_a_mark():
    values = [at(1)] * 8 + [GONE] * 4 + [at(1)] * 4 + [NONE] * 4 + [at(1), at(1)._replace(lost=1), at(1), at(1)]
    rows = plot([Curve(values, 0)], 12, 4, 0, 4)
    assert {x for x, _ in dots(rows)} == set(range(24)) - set(range(8, 12))
    assert [column for column, one in enumerate(rows[0]) if one == ("×", LOST)] == [4, 5, 10]
    plain = plot([Curve(values, 0)], 12, 4, 0, 4, ascii=True)
    assert [column for column, one in enumerate(plain[0]) if one == ("x", LOST)] == [4, 5, 10]
    assert "".join(char for line in plain for char, _ in line).isascii()


def test_later_curves_win_a_cell_and_a_mean_shows_within_its_band():
    band = Curve([Bin(0, 10, 5, 9, 0)] * 8, 1)
    middle = Curve(band.bins, 2, mean=True)
    rows = plot([band, middle], 4, 3, 0, 10)
    assert [line[0][1] for line in rows] == [1, 2, 1]
    assert len({y for _, y in dots([rows[1]])}) == 1
    assert [line[0][1] for line in plot([middle, band], 4, 3, 0, 10)] == [1, 1, 1]


def test_what_is_above_the_chart_is_marked_there():
    values = [at(100)] * 2 + [at(1)] * 198
    curve = Curve(values, 4)
    lo, hi = bounds([curve], clip=True)
    assert hi < 10
    rows = plot([curve], 100, 4, lo, hi)
    assert rows[0][0] == ("^", 4)
    assert "^" not in [char for char, _ in rows[0][1:]]
    assert bounds([curve])[1] > 100
    assert bounds([curve], log=True, clip=True)[1] > 100


def test_ascii_dots():
    def one(*rows):
        return plot([Curve([Bin(*ends, ends[0], 1, 0) for ends in rows], 0)], 1, 1, 0, 3, ascii=True)[0][0][0]

    assert [one((0, 0)), one((3, 3)), one((0, 3)), one((0, 3), (0, 3)), one()] == [".", "'", ":", "*", " "]


WILD = [0.0, 1.0, -1.0, 5e-324, 1e-300, 1.7e308, -1.7e308, NAN, math.inf, -math.inf]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("width", [-1, 0, 1, 5])
def test_no_numbers_and_no_size_are_an_error(width, log):
    curves = [Curve([at(value) for value in WILD if math.isfinite(value)] + [GONE, NONE], 0), Curve([], 1)]
    for lo in WILD:
        for hi in WILD:
            for height in (0, 2):
                rows = plot(curves, width, height, lo, hi, log)
                assert [len(row) for row in rows] == [max(0, width)] * height


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("log", [False, True])
def test_bounds_hold_every_value(log, clip):
    rng = random.Random(5)
    for _ in range(500):
        scale = 10 ** rng.uniform(-300, 300)
        values = [at(rng.choice([rng.random(), rng.gauss(0, 1), 0, 1.5]) * scale) for _ in range(rng.randrange(1, 9))]
        shown = [one.low for one in values if one.low > 0 or not log]
        found = bounds([Curve([*values, NONE, GONE], 0)], log, clip)
        if not shown:
            assert found is None
            continue
        lo, hi = found
        assert lo < hi
        assert math.isfinite(lo)
        assert math.isfinite(hi)
        assert lo <= min(shown)
        assert max(shown) <= hi
        assert lo > 0 or not log
        assert lo >= 0 or min(shown) < 0 or max(shown) == 0


@pytest.mark.parametrize("value", [v for v in WILD if math.isfinite(v)])
def test_bounds_of_a_single_value_are_a_range(value):
    lo, hi = bounds([Curve([at(value)], 0)])
    assert lo < hi
    assert lo <= value <= hi


def test_bounds_of_means_look_at_means_alone():
    lo, hi = bounds([Curve([Bin(-100, 100, 1, 9, 0), Bin(-100, 100, 2, 9, 0)], 0, mean=True)])
    assert 0 <= lo <= 1
    assert 2 <= hi < 3
    assert bounds([Curve([NONE, GONE], 0)]) is None


def test_smoothing_is_the_weighted_mean_with_falling_weights():
    rng = random.Random(6)
    values = [
        NONE if rng.random() < 0.3 else Bin(0, 2, rng.random(), rng.randrange(1, 9), rng.randrange(2))
        for _ in range(80)
    ]
    result = smoothed(values, 0.1)
    keep = 1 - 2 / (0.1 * 80 + 1)
    for k, one in enumerate(result):
        if not values[k].count:
            assert one is values[k]
            continue
        weights = [(keep ** (k - j) * values[j].count, values[j].mean) for j in range(k + 1) if values[j].count]
        assert one.mean == pytest.approx(sum(w * v for w, v in weights) / sum(w for w, _ in weights))
        assert one == values[k]._replace(mean=one.mean)


@pytest.mark.parametrize("share", [0, -1, NAN])
def test_no_smoothing_changes_nothing(share):
    values = [at(1), NONE, at(3), GONE]
    assert smoothed(values, share) == values


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 9])
def test_a_constant_stays_one_however_it_is_smoothed(share):
    assert all(one.mean == pytest.approx(2.5) for one in smoothed([at(2.5)] * 100, share))


@pytest.mark.parametrize(
    ("values", "width", "ascii", "text"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, False, "▁▂▃▄▅▆▇█"),
        ([8, 8, 1, 1, 0, 0], 3, False, "█▂▁"),
        ([2, 2], 4, False, "▁▁  "),
        ([1, None, math.nan, 2], 4, False, "▁ ×█"),
        ([1, None, math.inf, 2], 4, True, "_ x#"),
        ([0, 1, 2, 3, 4], 5, True, "_.-=#"),
        ([1, 1, 1, math.nan], 2, False, "▁×"),
        ([None, None, 3, None], 2, False, " ▁"),
        ([-1.7e308, 1.7e308], 2, False, "▁█"),
        ([None], 2, False, "  "),
        ([], 3, False, "   "),
        ([1], 0, False, ""),
    ],
)
def test_spark(values, width, ascii, text):
    assert spark(values, width, ascii) == text


@pytest.mark.parametrize(
    ("share", "width", "ascii", "text"),
    [
        (0, 4, False, "    "),
        (0.5, 4, False, "██  "),
        (0.53125, 4, False, "██▏ "),
        (1e-9, 3, False, "▏  "),
        (0.9999, 2, False, "█▉"),
        (1, 2, False, "██"),
        (7, 2, False, "██"),
        (-3, 2, False, "  "),
        (NAN, 2, True, ".."),
        (0.5, 4, True, "##.."),
        (0.5, 0, False, ""),
    ],
)
def test_gauge(share, width, ascii, text):
    assert gauge(share, width, ascii) == text
