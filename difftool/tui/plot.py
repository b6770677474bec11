"""Curves on a canvas of braille dots: what is drawn of a stretch is its lowest and its highest, so no spike is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from difftool.tui.column import Bin
from difftool.tui.glyphs import DOTS, LOST_MARKS, cell, gauge, spark
from difftool.tui.ticks import along

__all__ = ["EMPTY", "LOST", "Curve", "bounds", "gauge", "plot", "smoothed", "spark"]

EMPTY = -1
"""The colour of a cell where nothing is."""

LOST = -2
"""The colour of the mark over a place where a value was not finite."""

ABOVE = "^"
"""Stands at the top where a curve goes on above the chart."""

_MARGIN = 0.04
_FAR = 5.0  # so many times the 99th percentile is out of all proportion
_ENOUGH = 20  # of fewer bins none can be told to be an exception


@dataclass(frozen=True)
class Curve:
    """One metric as it is to be drawn: a bin for each column of dots, two to a cell."""

    bins: Sequence[Bin]
    colour: int
    mean: bool = False
    """a line through the means; without it, from the lowest to the highest of each bin"""


def plot(
    curves: Sequence[Curve], width: int, height: int, lo: float, hi: float, log: bool = False, ascii: bool = False
) -> list[list[tuple[str, int]]]:
    """The chart as rows of (character, colour), from the top; later curves win a cell's colour."""
    width, height = max(0, width), max(0, height)
    bits = [[0] * width for _ in range(height)]
    colours = [[EMPTY] * width for _ in range(height)]
    marks: dict[int, tuple[str, int]] = {}
    for curve in curves if height and math.isfinite(lo) and math.isfinite(hi) else ():
        mine: dict[tuple[int, int], int] = {}
        for x, y in _dots(curve, 2 * width, 4 * height, lo, hi, log):
            mine[y // 4, x // 2] = mine.get((y // 4, x // 2), 0) | DOTS[y % 4][x % 2]
        for (row, column), found in mine.items():
            # A line of means takes a cell over: among the dots of what it is the mean of, nobody would see it.
            bits[row][column] = found if curve.mean else bits[row][column] | found
            colours[row][column] = curve.colour
        for x, found_bin in enumerate(curve.bins[: 2 * width]):
            if found_bin.count and (found_bin.mean if curve.mean else found_bin.high) > hi:
                marks[x // 2] = (ABOVE, curve.colour)
    marks |= {
        x // 2: (LOST_MARKS[ascii], LOST)
        for curve in curves
        for x, found_bin in enumerate(curve.bins[: 2 * width])
        if found_bin.lost
    }
    rows = [[(cell(b, ascii), c) for b, c in zip(*pair, strict=True)] for pair in zip(bits, colours, strict=True)]
    if rows:
        for column, mark in marks.items():
            rows[0][column] = mark
    return rows


def bounds(curves: Sequence[Curve], log: bool = False, clip: bool = False) -> tuple[float, float] | None:
    """The range that shows the curves, with a little margin; None where there is nothing to show.

    With `clip`, a few values out of all proportion, as the first of a training are, do not press the rest flat: they
    are drawn at the top edge, marked. A logarithmic axis has room for them.
    """
    lows, highs = [], []
    for curve in curves:
        for found in curve.bins:
            low, high = (found.mean, found.mean) if curve.mean else (found.low, found.high)
            if found.count and math.isfinite(low) and math.isfinite(high) and (high > 0 or not log):
                lows.append(low)
                highs.append(high)
    if log:
        lows = [low for low in lows if low > 0] or highs
    if not highs:
        return None
    lo, hi = min(lows), max(highs)
    if clip and not log and len(highs) >= _ENOUGH:
        usual = sorted(highs)[int(0.99 * (len(highs) - 1))]
        if usual > 0 and hi > _FAR * usual:
            hi = usual
    return _with_margin(lo, hi, log)


def smoothed(bins: Sequence[Bin], share: float) -> list[Bin]:
    """The same bins with means over what came before: an exponential window of this share (0 to 0.5) of them.

    The window is unbiased from its first bin on, and a bin weighs as much as it has values.
    """
    window = (0.0 if math.isnan(share) else min(0.5, max(0.0, share))) * len(bins)
    keep = 1.0 - 2.0 / (window + 1.0) if window > 1 else 0.0
    mean = weight = 0.0
    result = []
    for found in bins:
        weight *= keep
        if found.count:
            weight += found.count
            new = found.count / weight
            mean = mean * (1.0 - new) + found.mean * new
        result.append(found._replace(mean=mean) if found.count else found)
    return result


def _with_margin(lo: float, hi: float, log: bool) -> tuple[float, float]:
    if log:
        factor = (hi / lo) ** _MARGIN if lo < hi and hi / lo < math.inf else 2.0
        wide = (lo / factor, hi * factor)
        return (wide[0] or lo, wide[1] if math.isfinite(wide[1]) else hi)
    margin = (hi - lo) * _MARGIN if lo < hi else abs(lo) * _MARGIN or 1.0
    if not (math.isfinite(lo - margin) and math.isfinite(hi + margin)):
        return (lo, hi) if lo < hi else (lo / 2, hi) if lo > 0 else (lo, hi / 2)
    # A metric that cannot be negative should not look as if it could.
    return (0.0 if lo >= 0 > lo - margin and hi > 0 else lo - margin, hi + margin)


def _dots(curve: Curve, width: int, height: int, lo: float, hi: float, log: bool) -> Iterator[tuple[int, int]]:
    """Every dot of a curve; in a column from its top to its bottom, and lines to the next column that has any."""
    before: tuple[int, int, int] | None = None  # column, top, bottom of the last one drawn
    for x, found in enumerate(curve.bins[:width]):
        if not found.count:
            if found.lost:
                before = None  # a line over a place where the run was not finite would hide it
            continue
        ends = (found.mean, found.mean) if curve.mean else (found.high, found.low)
        top, bottom = (height - 1 - round(along(end, lo, hi, log) * (height - 1)) for end in ends)
        for y in range(top, bottom + 1):
            yield x, y
        if before is not None:
            yield from _line(*_joint(before, (x, top, bottom)))
        before = x, top, bottom


def _joint(one: tuple[int, int, int], two: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The line between two columns: from where they are nearest, or level where they overlap."""
    if one[2] < two[1]:
        return one[0], one[2], two[0], two[1]
    if two[2] < one[1]:
        return one[0], one[1], two[0], two[2]
    level = (max(one[1], two[1]) + min(one[2], two[2])) // 2
    return one[0], level, two[0], level


def _line(x0: int, y0: int, x1: int, y1: int) -> Iterator[tuple[int, int]]:
    """The dots between two dots, each next to the one before, corners included."""
    far = max(x1 - x0, abs(y1 - y0))
    for k in range(far + 1):
        yield x0 + (2 * k * (x1 - x0) + far) // (2 * far), y0 + (2 * k * (y1 - y0) + far) // (2 * far)
