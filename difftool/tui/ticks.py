"""Where an axis has its labels, and what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

Kind = Literal["number", "step", "time"]
Tick = tuple[float, str]

GAP = 2  # blanks between two labels

_SUFFIXES = ("", "k", "M", "G", "T")
_SECONDS = (1, 2, 5, 10, 15, 30)
_CLOCK = (*_SECONDS, *(60 * k for k in _SECONDS), *(3600 * k for k in (1, 2, 3, 6, 12)))
_MOST_LABELS = 12  # more than that nobody reads


def along(value: float, lo: float, hi: float, log: bool = False) -> float:
    """How far along an axis a value lies: 0 at `lo`, 1 at `hi`, clamped; never raises, whatever they are."""
    if log and hi > 0:
        lo = lo if lo > 0 else hi * 1e-6  # what has no logarithm lies at the low end
        if value <= lo or not value <= hi:
            return 1.0 if value > hi else 0.0
        if lo > 0:
            value, lo, hi = math.log10(value), math.log10(lo), math.log10(hi)
    if not (lo < hi):
        return 0.5 if value == lo else 1.0 if value > lo else 0.0
    found = (value / 2 - lo / 2) / (hi / 2 - lo / 2) if hi / 2 > lo / 2 else 0.0  # halves: their difference is finite
    return min(1.0, max(0.0, found)) if not math.isnan(found) else 0.0


def ticks(
    lo: float, hi: float, room: int, log: bool = False, kind: Kind = "number", vertical: bool = False
) -> list[Tick]:
    """Round values from `lo` to `hi` and their labels: as many as read well, at least two if two have room.

    `room` is in cells: the width of a horizontal axis, where `place` prints labels without one touching another. With
    `vertical` it is in rows, and a label takes one of them and leaves the next one free.
    """
    if not (math.isfinite(lo) and math.isfinite(hi)) or lo > hi or room <= 0:
        return []
    lo, hi = float(lo), float(hi)
    if lo == hi:
        return _fitting([(lo, _label(lo, kind, 6, 0.0))], lo, hi, room, log, vertical)
    log = log and hi > 0
    if log and lo <= 0:
        lo = hi * 1e-6 or hi
    spare: list[Tick] = []
    for values, grain in _choices(lo, hi, log, kind, room):
        labels = [(value, _label(value, kind, _digits(values, grain), grain)) for value in values]
        if len({label for _, label in labels}) < len(labels):
            continue
        if len(labels) >= 2 and _fitting(labels, lo, hi, room, log, vertical):
            return labels
        ends = [labels[0], labels[-1]] if len(labels) > 2 else labels
        if len(ends) > len(spare) or (len(ends) == len(spare) == 1):
            ends = _fitting(ends, lo, hi, room, log, vertical) or _fitting(ends[:1], lo, hi, room, log, vertical)
            spare = ends if len(ends) >= len(spare) else spare
    if len(spare) < 2:
        ends = [(lo, _label(lo, kind, 3, 0.0)), (hi, _label(hi, kind, 3, 0.0))]
        if ends[0][1] != ends[1][1] and (kind != "step" or (lo.is_integer() and hi.is_integer())):
            spare = _fitting(ends, lo, hi, room, log, vertical) or spare
    return spare


def place(found: list[Tick], lo: float, hi: float, room: int, log: bool = False) -> list[tuple[int, str]]:
    """The first cell of each label on a horizontal axis: in the middle under its value, but within the axis."""
    printed = []
    for value, label in found:
        middle = round(along(value, lo, hi, log) * (room - 1))
        printed.append((max(0, min(middle - len(label) // 2, room - len(label))), label))
    return printed


def short(value: float) -> str:
    """Any number in at most six characters: 1.23k, 0.0123, 1.2e-4, nan."""
    for digits in (3, 2, 1):
        if len(text := _number(value, digits)) <= 6:
            return text
    return "-0" if abs(value) < 1 else text  # -1e-300: nothing, as far as a person is concerned


def _fitting(found: list[Tick], lo: float, hi: float, room: int, log: bool, vertical: bool) -> list[Tick]:
    """The labels themselves if none touches another or leaves the axis, else none at all."""
    spots = [round(along(value, lo, hi, log) * (room - 1)) for value, _ in found]
    if vertical:
        return found if all(b - a >= 2 for a, b in pairwise(spots)) else []
    printed = place(found, lo, hi, room, log)
    # Both as `place` prints them and begun right at their values, so that whoever prints them otherwise is safe too.
    for starts in ([start for start, _ in printed], spots):
        for k in range(1, len(found)):
            if starts[k] - starts[k - 1] < len(found[k - 1][1]) + GAP:
                return []
    return found if all(len(label) <= room for _, label in found) else []


def _choices(lo: float, hi: float, log: bool, kind: Kind, room: int) -> Iterator[tuple[list[float], float]]:
    """Sets of round values within the range, from many to few, each with the grain that tells them apart."""
    if log and hi / lo > 5:
        first, last = math.floor(math.log10(lo)) - 1, math.ceil(math.log10(hi)) + 1
        for every, mantissas in ((1, (1, 2, 5)), *((every, (1,)) for every in (1, 2, 3, 5, 10, 20, 50, 100))):
            powers = range(first - first % every, last + 1, every)
            values = [value for power in powers for m in mantissas if lo <= (value := float(f"{m}e{power}")) <= hi]
            if values and len(values) <= _MOST_LABELS:
                yield values, 0.0
    most = min(_MOST_LABELS, room // 2 + 1)
    for grain in _grains(lo, hi, kind):
        first, last = math.floor(lo / grain), math.ceil(hi / grain)
        if last - first < most + 2:
            # `3 * 0.1` is 0.30000000000000004: through text a round number stays one.
            round_ones = (float(f"{k * grain:.15g}") for k in range(first, last + 1))
            values = [value or 0.0 for value in round_ones if lo <= value <= hi]  # not -0.0
            if 0 < len(values) <= most:
                yield values, grain


def _grains(lo: float, hi: float, kind: Kind) -> Iterator[float]:
    width = hi / 2 - lo / 2
    if kind == "time" and width >= 2:
        yield from (float(seconds) for seconds in _CLOCK)
        days = 86400.0
        for power in range(0, max(0, math.ceil(math.log10(width / days))) + 2 if width > days else 2):
            yield from (days * m * 10.0**power for m in (1, 2, 5) if m * 10.0**power < 1e290)
        return
    power = math.floor(math.log10(width)) - 2 if width > 0 else -320
    for exponent in range(power, min(power + 5, 308)):
        for mantissa in (1, 2, 5):
            grain = float(f"{mantissa}e{exponent}")
            if grain > 0 and (kind != "step" or grain >= 1):
                yield grain


def _digits(values: list[float], grain: float) -> int:
    """How many digits tell values apart that lie a grain from each other."""
    most = max(map(abs, values))
    if not grain or not most:
        return 3
    return max(3, min(15, math.floor(math.log10(most)) - math.floor(math.log10(grain)) + 1))


def _label(value: float, kind: Kind, digits: int, grain: float) -> str:
    if kind == "time" and value.is_integer() and (grain >= 1 or abs(value) >= 1) and abs(value) < 1e12:
        return ("-" if value < 0 else "") + _clock(int(abs(value)))
    text = _number(value, digits)
    return text + "s" if kind == "time" and value else text


def _clock(seconds: int) -> str:
    """45s, 10m, 1m30, 1h20, 1:20:05, 2d, 2d12h, 2d12:30."""
    days, hours, minutes, rest = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    if days:
        head = f"{days}d"
        if rest:
            return f"{head}{hours:02}:{minutes:02}:{rest:02}"
        return f"{head}{hours:02}:{minutes:02}" if minutes else f"{head}{hours}h" if hours else head
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}" if rest else f"{hours}h{minutes:02}" if minutes else f"{hours}h"
    if minutes:
        return f"{minutes}m{rest:02}" if rest else f"{minutes}m"
    return f"{rest}s" if rest else "0"


def _number(value: float, digits: int) -> str:
    """A number of so many digits: k, M, G or T for thousands, a power of ten where it is very small or large."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = int(exponent)  # of the rounded value: 999.96 is 1000
    if -3 <= power < 15:
        thousands = 0 if power < 6 and digits > power + 1 else max(0, power // 3)  # 1000.1 reads better than 1.0001k
        decimals = max(0, digits - 1 - (power - 3 * thousands))
        text = f"{float(f'{mantissa}e{power - 3 * thousands}'):.{decimals}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) + _SUFFIXES[thousands]
    digit = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{digit}e{power}"
