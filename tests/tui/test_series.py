"""A run's numbers as columns: every summary equals what one gets by looking at each row."""

import json
import math
import random

import pytest

from difftool.run.records import encode
from difftool.tui.column import BLOCK
from difftool.tui.series import AXES, MOST_COLUMNS, Table

INF = math.inf


def row(step, **more):
    return {"kind": "metrics", "time": 1.7e9 + step, "step": step, "images": step * 8, "loss": step / 4, **more}


def same(found, wanted):
    """Equal up to single precision, nan equal to nan."""
    return (math.isnan(found) and math.isnan(wanted)) or math.isclose(found, wanted, rel_tol=1e-5, abs_tol=1e-6)


class Plain:
    """What Table is, without any of its tricks: the oracle."""

    def __init__(self):
        self.rows = {}

    def add(self, rows):
        for one in rows:
            lost = one.get("nonfinite", [])
            numbers = {}
            for key, value in one.items():
                if key in {"kind", "time", "step", "images", "nonfinite"}:
                    continue
                for k, member in enumerate(value if isinstance(value, list) else [value]):
                    name = f"{key}.{k + 1}" if isinstance(value, list) else key
                    if member is not None:
                        numbers[name] = member if math.isfinite(member) else INF
                    elif key in lost:
                        numbers[name] = INF
            self.rows[one["step"]] = (one["time"], one["images"], numbers)

    def cut(self, step):
        self.rows = {s: r for s, r in self.rows.items() if s <= step}

    def places(self, axis):
        steps = sorted(self.rows)
        if axis == "step":
            return [float(s) for s in steps]
        if axis == "images":
            return [float(self.rows[s][1]) for s in steps]
        return [self.rows[s][0] - self.rows[steps[0]][0] for s in steps]

    def bins(self, name, axis, lo, hi, count):
        edges = [lo + (hi - lo) * (k / count) for k in range(count)]
        found = [[] for _ in range(count)]
        for place, step in zip(self.places(axis), sorted(self.rows), strict=True):
            if lo <= place <= hi:
                found[sum(edge <= place for edge in edges) - 1].append(self.rows[step][2].get(name, math.nan))
        summaries = []
        for values in found:
            finite = [v for v in values if math.isfinite(v)]
            ends = (min(finite), max(finite), sum(finite) / len(finite)) if finite else (math.nan,) * 3
            summaries.append((*ends, len(finite), values.count(INF)))
        return summaries


def assert_alike(table, plain, seed):
    rng = random.Random(seed)
    assert len(table) == len(plain.rows)
    for axis in AXES:
        places = plain.places(axis)
        assert table.span(axis) == (places[0], places[-1])
        for name in table.names:
            lo = rng.choice([places[0], rng.choice(places) - 0.3])
            hi = max(lo, rng.choice([places[-1], rng.choice(places) + 0.3]))
            count = rng.choice([1, 2, 7, 40])
            found, wanted = table.bins(name, axis, lo, hi, count), plain.bins(name, axis, lo, hi, count)
            assert len(found) == count
            for mine, right in zip(found, wanted, strict=True):
                assert all(map(same, mine[:3], right[:3])), (name, axis)
                assert mine[3:] == right[3:], (name, axis)
                assert not mine.count or mine.low <= mine.mean <= mine.high
    for name in table.names:
        values = [plain.rows[s][2].get(name, math.nan) for s in sorted(plain.rows)]
        finite = [v for v in values if math.isfinite(v)]
        assert table.lost(name) == values.count(INF)
        assert (table.last(name) is None) == (not finite)
        assert not finite or same(table.last(name), finite[-1])


def random_rows(rng, steps):
    for step in steps:
        one = row(step, loss=rng.choice([rng.gauss(0, 1), rng.random(), 3]))
        one["loss_q"] = [rng.choice([rng.random(), None]) if rng.random() < 0.1 else rng.random() for _ in range(4)]
        if rng.random() < 0.02:
            one["loss"], one["nonfinite"] = None, ["loss"]
        if rng.random() < 0.01:
            one["loss_q"], one["nonfinite"] = [None, 0.5, 0.5, None], ["loss_q"]
        if rng.random() < 0.01:
            one["loss"] = rng.choice([math.nan, INF, -INF, 1e300])
        if rng.random() < 0.1 or step > 700:
            one["late"] = rng.randrange(100)
        if rng.random() < 0.01:
            del one["loss"]
        yield one


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("batch", [1, 100, 5000])
def test_bins_are_what_looking_at_every_row_gives(seed, batch):
    rng, table, plain = random.Random(seed), Table(), Plain()

    def feed(steps):
        rows = list(random_rows(rng, steps))
        for start in range(0, len(rows), batch):
            table.add(rows[start : start + batch])
            if rng.random() < 0.2:
                table.bins("loss", "step", 0, 1e4, 5)  # summaries made early must not go stale
        plain.add(rows)

    feed(range(10, 1500, rng.choice([1, 2, 3])))
    assert_alike(table, plain, seed)
    for _ in range(3):
        step = rng.randrange(10, 1600)
        table.cut(step)
        plain.cut(step)
        assert_alike(table, plain, seed)
        feed(range(step + 1, step + rng.randrange(2, 900)))
        assert_alike(table, plain, seed)
        feed([rng.randrange(1, step) for _ in range(5)])  # replaced, or put in their place
        assert_alike(table, plain, seed)
    assert [table.row(k)["step"] for k in range(len(table))] == sorted(plain.rows)


def test_one_spike_among_many_is_in_the_bin_it_belongs_to():
    table = Table()
    table.add(row(step, loss=100.0 if step == 77_777 else 0.5) for step in range(1, 100_001))
    for count in (1, 10, 200):
        spiked = [k for k, one in enumerate(table.bins("loss", "step", 1, 100_000, count)) if one.high == 100]
        assert spiked == [int((77_777 - 1) / (100_000 - 1) * count)]


def test_what_the_trainer_writes_of_nan_is_lost_and_null_is_absent():
    table = Table()
    told = row(1, loss=math.nan, loss_q=[0.5, math.inf, 0.25, None], lr=2e-4)
    table.add([json.loads(encode(told)), row(2, loss=None, loss_q=[None] * 4, lr=None)])
    assert table.names == ["loss", "loss_q.1", "loss_q.2", "loss_q.3", "loss_q.4", "lr"]
    assert table.row(0) == {
        **{"step": 1, "time": 0.0, "images": 8, "loss": INF},
        **{"loss_q.1": 0.5, "loss_q.2": INF, "loss_q.3": 0.25, "loss_q.4": INF, "lr": 2e-4},
    }
    assert table.row(1) == {"step": 2, "time": 1.0, "images": 16}
    assert table.lost("loss") == 1
    assert table.last("loss") is None
    assert table.last("lr") == 2e-4


def test_what_is_no_number_is_no_metric():
    table = Table()
    odd = {"note": "abc", "flag": True, "deep": {"a": 1}, "texts": ["a"], "never": None, "lists": [[1]], "none": []}
    table.add([row(step, **odd) for step in range(1, 1000)])
    assert table.names == ["loss"]
    assert len(table) == 999
    table.add([row(1000, **{**odd, "note": 5, "never": 1.5})])
    table.add([row(1001, **{**odd, "note": 5}), row(1002, **odd)])
    assert table.names == ["loss", "never", "note"]
    assert [table.row(k).get("note") for k in (998, 999, 1000, 1001)] == [None, 5, 5, None]


@pytest.mark.parametrize("position", [0, 5, 9])
@pytest.mark.parametrize("key", ["step", "time", "images", "loss", "loss_q", "nonfinite", "kind", "new"])
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "x",
        {},
        [],
        [1, "a", None, [2]],
        -1,
        10**400,
        -(10**400),
        1e308,
        -1e308,
        math.nan,
        INF,
        2.5,
        [10**400],
    ],
    ids=lambda value: repr(value)[:12],
)
def test_wild_values_neither_raise_nor_spoil_the_other_rows(position, key, value):
    rows = [row(step, loss_q=[1.0, 2.0]) for step in range(1, 11)]
    rows[position][key] = value
    table = Table()
    table.add(rows)
    for axis in AXES:
        lo, hi = table.span(axis)
        for name in [*table.names, "nobody"]:
            assert sum(one.count for one in table.bins(name, axis, lo, hi, 4)) <= 10
        places = [table.row(k).get(axis, -1) for k in range(len(table))]
        assert places == sorted(places)
    kept = [table.row(k)["step"] for k in range(len(table))]
    assert [step for step in kept if step != position + 1] == [step for step in range(1, 11) if step != position + 1]
    others = [table.row(k) for k in range(len(table)) if table.row(k)["step"] != position + 1]
    assert [one["loss"] for one in others] == [one["step"] / 4 for one in others]


def test_integers_and_floats_beyond_range():
    table = Table()
    table.add([row(1, loss=10**400), row(2, loss=1e200), row(3, loss=-1e308), row(4, loss=1e308)])
    assert table.lost("loss") == 1
    (one,) = table.bins("loss", "step", 1, 4, 1)
    assert (one.low, one.high, one.count) == (-1e308, 1e308, 3)
    assert table.row(1)["loss"] == 1e200


def test_rows_without_a_place_on_an_axis_take_that_of_the_row_before():
    table = Table()
    table.add([{"step": step, "loss": 1.0} for step in (1, 2)])
    assert table.span("time") is None
    assert table.nearest("time", 0) == -1
    table.add([row(5), {"step": 6, "loss": 2.0}, row(9)])
    assert table.span("time") == (0, 4)
    assert [table.row(k).get("time") for k in range(5)] == [None, None, 0, 0, 4]
    assert [one.count for one in table.bins("loss", "time", 0, 4, 2)] == [2, 1]


def test_a_clock_that_is_set_back_does_not_turn_the_axis_round():
    table = Table()
    table.add([row(1), row(2), {**row(3), "time": 5.0}, row(4)])
    assert [table.row(k)["time"] for k in range(4)] == [0, 1, 1, 3]


def test_cut_leaves_nothing_of_what_it_cuts():
    table = Table()
    table.add(row(step, grad=step) for step in range(1, 3 * BLOCK))
    table.bins("grad", "step", 1, 3 * BLOCK, 2)
    table.cut(BLOCK + 10)
    table.add([row(BLOCK + 11, grad=-5)])
    (one,) = table.bins("grad", "step", 0, 3 * BLOCK, 1)
    assert (one.low, one.high, one.count) == (-5, BLOCK + 10, BLOCK + 11)
    table.cut(-1)
    assert len(table) == 0
    assert table.span("step") is None
    assert table.row(0) == table.row(-1) == {}
    table.add([row(7)])
    assert table.span("step") == (7, 7)


def test_a_row_that_comes_again_replaces_all_of_it():
    table = Table()
    table.add([row(1, extra=1), row(2, extra=2), row(3, extra=3)])
    table.add([row(2, loss=9)])
    assert len(table) == 3
    assert table.row(1) == {"step": 2, "time": 1, "images": 16, "loss": 9}


@pytest.mark.parametrize("axis", AXES)
def test_nearest_is_what_the_smallest_distance_says(axis):
    rng, table = random.Random(axis), Table()
    table.add(row(step) for step in sorted(rng.sample(range(1, 400), 60)))
    places = [table.row(k)[axis] for k in range(60)]
    for _ in range(300):
        x = rng.uniform(-50, 3500)
        assert abs(places[table.nearest(axis, x)] - x) == min(abs(place - x) for place in places)


def test_the_number_of_columns_has_an_end():
    table = Table()
    table.add(row(step, **{f"m{step}.{k}": 1.0 for k in range(30)}, many=[0.5] * 500) for step in range(1, 40))
    assert len(table.names) == MOST_COLUMNS
    assert len(table) == 39
    assert table.row(-1)["loss"] == 39 / 4


@pytest.mark.parametrize("count", [-1, 0, 3])
@pytest.mark.parametrize("ends", [(0, math.nan), (math.nan, 1), (-INF, INF), (5, 1), (1e308, 1e308), (-1e308, 1e308)])
def test_bins_of_no_range_are_empty_and_no_error(ends, count):
    table = Table()
    for _ in range(2):
        assert len(table.bins("loss", "time", *ends, count)) == max(0, count)
        table.add([row(1), row(2)])


def test_names_that_clash_do_not_mix_up_rows():
    table = Table()
    table.add(row(step, **{"a": [1.0, 2.0], "a.1": 7.0}) for step in range(1, 50))
    assert [table.row(k)["a.1"] for k in range(49)] == [7.0] * 49
    assert [table.row(k)["a.2"] for k in range(49)] == [2.0] * 49


@pytest.mark.parametrize("odd", [math.nan, INF, -INF, 1e300, -1e300])
def test_nulls_in_the_same_rows_hide_nothing(odd):
    values = [1.0, None, odd, None, 2.0]
    table = Table()
    table.add([row(1)])  # from here on rows like this one are taken by columns
    table.add([row(step + 2, loss=value) for step, value in enumerate(values)])
    assert [table.row(k).get("loss") for k in (2, 4)] == [None, None]
    assert table.row(3)["loss"] == (odd if math.isfinite(odd) else INF)
    assert table.lost("loss") == (not math.isfinite(odd))
