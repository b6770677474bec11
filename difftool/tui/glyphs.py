"""Characters that draw: braille dots, blocks in eighths, and what stands for them where only ASCII can be shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille cell, four rows of two."""

LOST_MARKS = ("×", "x")  # in Unicode, in ASCII
_LEVELS = ("▁▂▃▄▅▆▇█", "_.-=#")
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_UPPER = DOTS[0][0] | DOTS[0][1] | DOTS[1][0] | DOTS[1][1]


def cell(bits: int, ascii: bool = False) -> str:
    """The character of one cell with these dots."""
    if not bits:
        return " "
    if not ascii:
        return chr(0x2800 + bits)
    if bits.bit_count() >= 5:
        return "*"
    upper, lower = bits & _UPPER, bits & ~_UPPER
    return ":" if upper and lower else "'" if upper else "."


def spark(values: Sequence[float | None], width: int, ascii: bool = False) -> str:
    """A small curve `width` characters wide: low for a low value, a mark where one was not finite, a blank for None."""
    if width <= 0:
        return ""
    groups = [list(values)] if not values else _groups(values, min(width, len(values)))
    means = [_mean(group) for group in groups]
    finite = [mean for mean in means if mean is not None and math.isfinite(mean)]
    lo, hi = (min(finite), max(finite)) if finite else (0.0, 0.0)
    levels, mark = _LEVELS[ascii], LOST_MARKS[ascii]
    drawn = ""
    for mean in means:
        if mean is None:
            drawn += " "
        elif not math.isfinite(mean):
            drawn += mark
        else:
            share = (mean / 2 - lo / 2) / (hi / 2 - lo / 2) if hi / 2 > lo / 2 else 0.0  # halves cannot overflow
            drawn += levels[min(len(levels) - 1, int(share * len(levels)))]
    return drawn.ljust(width)


def gauge(share: float, width: int, ascii: bool = False) -> str:
    """A bar that is full only when all is done, and not empty once something is."""
    if width <= 0:
        return ""
    share = 0.0 if math.isnan(share) else min(1.0, max(0.0, share))
    if ascii:
        return ("#" * int(share * width)).ljust(width, ".")
    eighths = max(int(share * width * 8), 1 if share > 0 else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(width)[:width]


def _groups(values: Sequence[float | None], count: int) -> list[list[float | None]]:
    edges = [len(values) * k // count for k in range(count + 1)]
    return [list(values[start:stop]) for start, stop in pairwise(edges)]


def _mean(group: list[float | None]) -> float | None:
    """None for nothing; nan if one of them was not finite, which is worth more than the others' mean."""
    known = [value for value in group if value is not None]
    if not all(map(math.isfinite, known)):
        return math.nan
    return sum(value / len(known) for value in known) if known else None
