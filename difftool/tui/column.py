"""The numbers of one metric, one a row, with summaries of their blocks so that a chart need not look at each."""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

BLOCK = 256
MOST_SINGLE = 3.4028234663852886e38  # the largest number of single precision

_NUMBERS = {float, int}
_NUMBERS_OR_NONE = {float, int, type(None)}


class Bin(NamedTuple):
    """What lies in one stretch of an axis; low, high and mean are nan where nothing does."""

    low: float
    high: float
    mean: float
    count: int  # type: ignore[assignment]  # hides a method of tuple that nobody asks a bin for
    """finite values"""
    lost: int
    """values that were not finite"""


EMPTY = Bin(math.nan, math.nan, math.nan, 0, 0)


def number(value: object, lost: bool = False) -> float:
    """A value as a column holds it: nan stands for none, inf for one that was not finite."""
    if value is None:
        return math.inf if lost else math.nan
    if type(value) is not float and type(value) is not int:  # a bool is an int to isinstance
        return math.nan
    try:
        found = float(value)
    except OverflowError:  # JSON knows integers of any length
        return math.inf
    return found if math.isfinite(found) else math.inf


def summed(values: Iterable[Bin]) -> Bin:
    """Several stretches as one."""
    kept, lost = [], 0
    for item in values:
        lost += item.lost
        if item.count:
            kept.append(item)
    count = sum(item.count for item in kept)
    if not count:
        return EMPTY._replace(lost=lost)
    low, high = min(item.low for item in kept), max(item.high for item in kept)
    # Shares, not totals: the total of large numbers may be beyond any float.
    mean = sum(item.mean * (item.count / count) for item in kept)
    return Bin(low, high, min(max(mean, low), high), count, lost)


def surveyed(values: Sequence[float]) -> Bin:
    """The summary of plain values, where nan is none and inf is lost."""
    if not values:
        return EMPTY
    total = sum(values)
    if math.isfinite(total):
        low, high, count = min(values), max(values), len(values)
        return Bin(low, high, min(max(total / count, low), high), count, 0)
    lost = values.count(math.inf)
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return EMPTY._replace(lost=lost)
    low, high, count = min(finite), max(finite), len(finite)
    total = sum(finite)
    mean = total / count if math.isfinite(total) else sum(value / count for value in finite)
    return Bin(low, high, min(max(mean, low), high), count, lost)


class Column:
    """One metric: single precision, which a chart cannot tell from double, until a number does not fit."""

    __slots__ = ("_blocks", "seen", "values")

    def __init__(self, rows: int) -> None:
        self.values: array[float] = array("f", [math.nan]) * rows
        self.seen = False
        """whether there ever was anything but null"""
        self._blocks: list[Bin] = []  # made when first asked for: what nobody draws costs nothing

    def extend(self, values: Sequence[object]) -> None:
        """Adds a value a row, as they came out of JSON."""
        if not self._extended(values):
            for value in values:
                self.append(number(value))

    def _extended(self, values: Sequence[object]) -> bool:
        """The usual values at once; False, and nothing done, if one needs a look of its own."""
        types = set(map(type, values))
        if not types <= _NUMBERS_OR_NONE:
            return False
        plain = [math.nan if value is None else value for value in values] if type(None) in types else values
        try:
            found: array[float] = array(self.values.typecode, plain)  # type: ignore[assignment, arg-type]  # all are numbers
        except OverflowError:
            return False
        if plain is values:
            if not math.isfinite(sum(found)):  # not one nan or inf gets past this
                return False
            self.seen = True
        else:
            absent = values.count(None)
            if sum(map(operator.ne, found, found)) != absent or math.inf in found or -math.inf in found:
                return False
            self.seen = self.seen or absent < len(values)
        self.values.extend(found)
        return True

    def append(self, value: float) -> None:
        """Adds one number, as `number` makes it."""
        self._make_room(value)
        self.values.append(value)

    def put(self, index: int, value: float) -> None:
        """Replaces the number of a row."""
        self._make_room(value)
        self.values[index] = value
        del self._blocks[index // BLOCK :]

    def insert(self, index: int, value: float) -> None:
        """Adds a number before that of a row."""
        self._make_room(value)
        self.values.insert(index, value)
        del self._blocks[index // BLOCK :]

    def blank(self, rows: int) -> None:
        """Adds rows without a value."""
        self.values.extend(array(self.values.typecode, [math.nan]) * rows)

    def cut(self, rows: int) -> None:
        """Keeps the first rows only."""
        del self.values[rows:]
        del self._blocks[rows // BLOCK :]

    def survey(self, start: int, stop: int) -> Bin:
        """The summary of the rows from `start` to before `stop`: whole blocks from memory, the rest by looking."""
        first, last = -(-start // BLOCK), stop // BLOCK
        if first >= last:
            return surveyed(self.values[start:stop].tolist())
        head = self.values[start : first * BLOCK].tolist()
        tail = self.values[last * BLOCK : stop].tolist()
        return summed([surveyed(head), *self._summaries(last)[first:last], surveyed(tail)])

    def last(self) -> float | None:
        """The newest finite value."""
        blocks = self._summaries(len(self.values) // BLOCK)
        for block in range(len(self.values) // BLOCK, -1, -1):
            if block == len(blocks) or blocks[block].count:
                for value in reversed(self.values[block * BLOCK : (block + 1) * BLOCK]):
                    if math.isfinite(value):
                        return self.rounded(value)
        return None

    def rounded(self, value: float) -> float:
        """Without the digits that single precision makes up: 0.0002, not 0.00019999999494757503."""
        return float(f"{value:.7g}") if self.values.typecode == "f" else value

    def _summaries(self, blocks: int) -> list[Bin]:
        for block in range(len(self._blocks), blocks):
            self._blocks.append(surveyed(self.values[block * BLOCK : (block + 1) * BLOCK].tolist()))
        return self._blocks

    def _make_room(self, value: float) -> None:
        self.seen = self.seen or not math.isnan(value)
        if self.values.typecode == "f" and MOST_SINGLE < abs(value) < math.inf:
            self.values = array("d", self.values)
