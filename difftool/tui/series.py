"""A run's metrics as columns of numbers: a million rows in little memory, and any stretch of them quickly summed up."""

from __future__ import annotations

import math
import operator
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, Literal, NamedTuple

from difftool.tui.column import EMPTY, Bin, Column, number

__all__ = ["AXES", "MOST_COLUMNS", "Axis", "Bin", "Table"]

Axis = Literal["step", "time", "images"]
AXES: tuple[Axis, ...] = ("step", "time", "images")

MOST_COLUMNS = 200
"""Of more metrics than anyone can look at the rest is left out: names come from outside, and so does their number."""

_CHUNK = 256  # rows taken at once; also what one odd row can slow down
_PLAIN = ("kind", "nonfinite", *AXES)
_MOST = {"step": 2**53, "time": 1e11, "images": 2**53}  # beyond, a float cannot count, and no clock goes there
_NUMBERS = {float, int}
_OTHERS = {float, int, list, type(None)}


class _Layout(NamedTuple):
    """What rows with just these keys hold: where each number goes, so that many rows can be taken by columns."""

    fetch: Any  # an itemgetter of the three axes, then all other keys: as many keys as a row has leave no room for more
    parts: list[list[Column | None] | Column | None]  # a list's columns, a number's, or nowhere
    ignored: list[bool]
    absent: list[Column]


class Table:
    """A run's metrics as columns, one row a step, in order of step."""

    def __init__(self) -> None:
        self._axes: dict[str, array[float]] = {axis: array("d") for axis in AXES}
        self._columns: dict[str, Column] = {}
        self._layouts: dict[int, _Layout] = {}  # by number of keys

    def __len__(self) -> int:
        return len(self._axes["step"])

    @property
    def names(self) -> list[str]:
        """The metrics in order of first appearance; one that was never anything but null is none yet."""
        return [name for name, column in self._columns.items() if column.seen]

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Takes metrics rows; one whose step is there already replaces it, and one without a step is left out."""
        waiting = iter(rows)
        while chunk := list(islice(waiting, _CHUNK)):
            self._take(chunk)

    def cut(self, step: int) -> None:
        """Forgets the rows beyond `step`: a resumed run trains them again."""
        rows = bisect_right(self._axes["step"], step)
        for axis in self._axes.values():
            del axis[rows:]
        for column in self._columns.values():
            column.cut(rows)

    def span(self, axis: Axis) -> tuple[float, float] | None:
        """The first and the last place on an axis; None where no row has one."""
        first = self._start(axis)
        return None if first is None else (self._at(axis, first), self._at(axis, -1))

    def bins(self, name: str, axis: Axis, lo: float, hi: float, count: int) -> list[Bin]:
        """A metric in `count` equal stretches of an axis from `lo` to `hi`, both of them included."""
        column = self._columns.get(name)
        if column is None or not len(self) or not (math.isfinite(lo) and math.isfinite(hi)) or lo > hi:
            return [EMPTY] * max(0, count)
        places, zero = self._axes[axis], self._zero(axis)
        edges = [bisect_left(places, zero + lo + (hi - lo) * (k / count)) for k in range(count)]
        edges.append(bisect_right(places, zero + hi))
        return [column.survey(start, stop) if start < stop else EMPTY for start, stop in pairwise(edges)]

    def last(self, name: str) -> float | None:
        """The newest finite value of a metric."""
        column = self._columns.get(name)
        return column.last() if column else None

    def lost(self, name: str) -> int:
        """How many values of a metric were not finite."""
        column = self._columns.get(name)
        return column.survey(0, len(self)).lost if column else 0

    def row(self, k: int) -> dict[str, float]:
        """One row: its places on the axes and its metrics; inf is one that was not finite. Empty if there is no row."""
        if not -len(self) <= k < len(self):
            return {}
        found: dict[str, float] = {axis: self._at(axis, k) for axis in AXES if math.isfinite(self._axes[axis][k])}
        found |= {axis: int(place) for axis, place in found.items() if axis != "time" and place.is_integer()}
        for name, column in self._columns.items():
            if not math.isnan(value := column.values[k]):
                found[name] = column.rounded(value)
        return found

    def nearest(self, axis: Axis, x: float) -> int:
        """The index of the row nearest to a place on an axis; -1 if there is none."""
        first = self._start(axis)
        if first is None or math.isnan(x):
            return -1
        places, x = self._axes[axis], x + self._zero(axis)
        after = bisect_left(places, x, lo=first)
        if after == len(places) or (after > first and x - places[after - 1] <= places[after] - x):
            return after - 1
        return after

    def _start(self, axis: Axis) -> int | None:
        """The first row with a place on this axis; those before it stand at -inf."""
        first = bisect_right(self._axes[axis], -math.inf)
        return first if first < len(self) else None

    def _zero(self, axis: Axis) -> float:
        first = self._start(axis) if axis == "time" else None
        return 0.0 if first is None else self._axes[axis][first]

    def _at(self, axis: Axis, k: int) -> float:
        return self._axes[axis][k] - self._zero(axis)

    def _take(self, rows: list[Mapping[str, Any]]) -> None:
        """Rows at once if they are alike; else in halves, until the odd ones stand alone."""
        if self._taken_at_once(rows):
            return
        if len(rows) <= 2:
            for row in rows:
                self._take_one(row)
        else:
            self._take(rows[: len(rows) // 2])
            self._take(rows[len(rows) // 2 :])

    def _taken_at_once(self, rows: list[Mapping[str, Any]]) -> bool:
        """Takes rows that have the same keys and go on where the last one ended; else False, nothing done."""
        layout = self._layouts.get(len(rows[0]))
        if layout is None or len(set(map(len, rows))) > 1:
            return False
        try:
            steps, times, images, *others = zip(*map(layout.fetch, rows), strict=True)
        except KeyError:
            return False
        if set(map(type, steps)) != {int} or not self._goes_on("step", steps, operator.lt):
            return False
        for axis, places in (("time", times), ("images", images)):
            if not set(map(type, places)) <= _NUMBERS or not self._goes_on(axis, places, operator.le):
                return False
        for values, part, ignored in zip(others, layout.parts, layout.ignored, strict=True):
            if ignored:
                if not _OTHERS.isdisjoint(map(type, values)):
                    return False
            elif isinstance(part, list):
                if set(map(type, values)) != {list} or set(map(len, values)) != {len(part)}:
                    return False
            elif list in set(map(type, values)):
                return False
        # From here on nothing fails: all columns are equally long, always.
        for axis, places in (("step", steps), ("time", times), ("images", images)):
            self._axes[axis].extend(array("d", places))
        for values, part in zip(others, layout.parts, strict=True):
            if isinstance(part, Column):
                part.extend(values)
            elif part is not None:
                for column, members in zip(part, zip(*values, strict=True), strict=True):
                    if column is not None:
                        column.extend(members)
        for column in layout.absent:
            column.blank(len(rows))
        return True

    def _goes_on(self, axis: str, places: Sequence[Any], before: Any) -> bool:
        mine = self._axes[axis]
        if not 0 <= places[0] <= places[-1] <= _MOST[axis] or (mine and not before(mine[-1], places[0])):
            return False
        return all(map(before, places, places[1:]))

    def _take_one(self, row: Mapping[str, Any]) -> None:
        step = row.get("step")
        if type(step) is not int or not 0 <= step <= _MOST["step"]:
            return
        numbers = _numbers(row)
        rows, index = len(self), bisect_left(self._axes["step"], step)
        for name in numbers:
            if name not in self._columns and len(self._columns) < MOST_COLUMNS:
                self._columns[name] = Column(rows)
                self._layouts.clear()
        there = index < rows and self._axes["step"][index] == step
        for axis in AXES:
            places = self._axes[axis]
            place = self._between(axis, row.get(axis), index - 1, index + there)
            if there:
                places[index] = place
            else:
                places.insert(index, place)
        for name, column in self._columns.items():
            value = numbers.get(name, math.nan)
            if there:
                column.put(index, value)
            elif index == rows:
                column.append(value)
            else:
                column.insert(index, value)
        if "nonfinite" not in row and all(type(row.get(axis)) in _NUMBERS for axis in AXES):
            self._learn(row)

    def _between(self, axis: Axis, value: object, before: int, after: int) -> float:
        """A place that keeps the axis in order: clocks are set back, and a row may lack one."""
        places = self._axes[axis]
        low = places[before] if before >= 0 else -math.inf
        high = places[after] if after < len(places) else math.inf
        place = number(value)
        return min(max(low, place if 0 <= place <= _MOST[axis] else low), high)

    def _learn(self, row: Mapping[str, Any]) -> None:
        """Keeps in mind how a row like this one is taken."""
        keys = [key for key in row if key not in AXES]
        names = [name for key in keys if key not in _PLAIN for name in _members(key, row[key])]
        if len(set(names)) < len(names):
            return  # "a.1" and the first of "a": who wins is decided row by row
        parts: list[list[Column | None] | Column | None] = []
        for key in keys:
            found = [self._columns.get(name) for name in _members(key, row[key])] if key not in _PLAIN else []
            parts.append(found if isinstance(row[key], list) else found[0] if found else None)
        ignored = [key not in _PLAIN and not _members(key, row[key]) for key in keys]
        absent = [column for name, column in self._columns.items() if name not in set(names)]
        self._layouts[len(row)] = _Layout(operator.itemgetter(*AXES, *keys), parts, ignored, absent)


def _members(key: str, value: object) -> list[str]:
    """The names under which a row's value is kept: none if it is no number."""
    if isinstance(value, list):
        told = any(member is None or type(member) in _NUMBERS for member in value)
        return [f"{key}.{k + 1}" for k in range(min(len(value), MOST_COLUMNS))] if told else []
    return [key] if value is None or type(value) in _NUMBERS else []


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    marked = row.get("nonfinite")
    lost = [name for name in marked if isinstance(name, str)] if isinstance(marked, list) else []
    found: dict[str, float] = {}
    for key, value in row.items():
        if key not in _PLAIN:
            members = value if isinstance(value, list) else [value]
            for name, member in zip(_members(key, value), members, strict=False):
                found[name] = number(member, lost=key in lost)
    return found
