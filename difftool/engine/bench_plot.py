"""Distance against calls of the network, both on logarithmic axes, drawn with Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from difftool.engine.lettering import GREY, INK, PALE, fitting, font

if TYPE_CHECKING:
    from difftool.engine.bench_results import Pixels, Results

COLOURS = (
    *((0, 104, 181), (214, 82, 0), (0, 135, 90), (190, 30, 90), (125, 80, 190), (150, 105, 0)),
    *((0, 140, 160), (90, 90, 90), (230, 60, 60), (70, 150, 30), (170, 60, 170), (60, 80, 220)),
)
"""Dark enough on white; the baseline is drawn in ink."""
WIDE, HIGH = 1100, 720
LEFT, TOP, RIGHT, BOTTOM = 96, 78, WIDE - 250, HIGH - 88
"""The edges between which lines are drawn."""
LETTERS, SMALL = 15, 13
FINE = 3
"""So many times as large, lines are drawn; made smaller, they are smooth."""
FARTHEST = 10.0
"""What explodes is drawn here, so that it does not squeeze the others."""

Point = tuple[float, float]


class _Axis:
    """Where values lie between two edges of the picture."""

    def __init__(self, values: Sequence[float], edges: Point) -> None:
        low, high = min(values), max(values)
        air = max(1.25, (high / low) ** 0.06)
        self.low, self.high, self.edges = low / air, high * air, edges
        self.ticks = ticks(self.low, self.high)

    def at(self, value: float) -> float:
        """The place of a value, in pixels."""
        start, end = self.edges
        return start + (end - start) * math.log(value / self.low) / math.log(self.high / self.low)


def ticks(low: float, high: float) -> list[float]:
    """Round values: 1, 2 and 5 in each power of ten; the powers alone where those are many, more where they are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = math.log10(high / low)
    steps = (1,) if decades > 3 else (1, 2, 5) if decades > 1 else (1, 1.5, 2, 3, 4, 5, 7)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def plot(results: Results, title: str) -> Pixels:
    """uint8 [H, W, 3]; a line for each sampler whose distance is an error, its name at the end of it."""
    from PIL import Image, ImageDraw

    points: dict[str, list[Point]] = {name: [] for name in results.order()}
    for each in results.table:
        if each.compares and each.calls > 0 and not results.is_reference(each):  # 0 has no logarithm
            points[each.name].append((each.calls, min(each.distance, FARTHEST)))
    every = [point for each in points.values() for point in each] or [(1.0, 1.0)]
    x = _Axis([calls for calls, _ in every], (LEFT, RIGHT))
    y = _Axis([distance for _, distance in every], (BOTTOM, TOP))
    names = sorted((name for name in points if points[name]), key=lambda name: name == results.baseline)
    lines = {name: [(x.at(calls), y.at(distance)) for calls, distance in sorted(points[name])] for name in names}
    colours = dict(zip(names, cycle(COLOURS), strict=False)) | {results.baseline: INK}
    large = Image.new("RGB", (WIDE * FINE, HIGH * FINE), "white")
    _lines(ImageDraw.Draw(large), x, y, lines, colours)
    canvas = large.resize((WIDE, HIGH), Image.Resampling.BOX)
    pen = ImageDraw.Draw(canvas)
    head = f"distance to {results.steps:,} steps of {results.baseline} from the same noise"
    apart = ", ".join(dict.fromkeys(each.name for each in results.table if not each.compares))
    foot = f"not here, for other pictures are what they are meant to make: {apart}" if apart else ""
    for high, text, ink, size in ((16, title, INK, 19), (46, head, GREY, LETTERS), (HIGH - 24, foot, GREY, SMALL)):
        pen.text((LEFT, high), fitting(text, size, WIDE - LEFT - 20), ink, font(size))
    for value in x.ticks:
        pen.text((x.at(value), BOTTOM + 8), f"{value:,.10g}", INK, font(SMALL), "ma")
    for value in y.ticks:
        pen.text((LEFT - 10, y.at(value)), f"{value:.10g}", INK, font(SMALL), "rm")
    pen.text(((LEFT + RIGHT) // 2, BOTTOM + 32), "calls of the denoiser for a picture", INK, font(LETTERS), "ma")
    _names(pen, {name: places[-1] for name, places in lines.items()}, colours)
    return np.asarray(canvas)


def _lines(pen: Any, x: _Axis, y: _Axis, lines: Mapping[str, list[Point]], colours: Mapping[str, Any]) -> None:
    """The axes, and every line with its measurements; the last one lies above the others."""

    def line(points: Iterable[Point], colour: Any, thick: float) -> None:
        pen.line([(across * FINE, down * FINE) for across, down in points], colour, round(thick * FINE))

    for value in x.ticks:
        line([(x.at(value), edge) for edge in y.edges], PALE, 1)
    for value in y.ticks:
        line([(edge, y.at(value)) for edge in x.edges], PALE, 1)
    line([(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], GREY, 1)
    for name, places in lines.items():
        line(places, colours[name], 2.6 if colours[name] == INK else 1.8)
        for place in places:
            pen.ellipse([(each + side * 4) * FINE for side in (-1, 1) for each in place], colours[name], "white", FINE)


def _names(pen: Any, ends: Mapping[str, Point], colours: Mapping[str, Any]) -> None:
    """At the right, level with the end of its line where there is room, and a thread from there."""
    names = sorted(ends, key=lambda name: (ends[name][1], ends[name][0], name))
    apart = min(LETTERS + 6.0, (HIGH - TOP - 20) / max(1, len(ends)))
    levels = spread([ends[name][1] for name in names], apart, TOP, HIGH - 30)
    for name, level in zip(names, levels, strict=True):
        x, y = ends[name]
        pen.line((x + 7, y, RIGHT + 8, y, RIGHT + 22, level), tuple((2 * 255 + c) // 3 for c in colours[name]))
        pen.text((RIGHT + 26, level), fitting(name, LETTERS, WIDE - RIGHT - 36), colours[name], font(LETTERS), "lm")


def spread(wished: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """The places that are nearest to the rising ones that are wished for (least squares), so far apart at least."""
    # Less k times `apart`, they need only rise: isotonic regression, here by its formula of mins and maxs of means.
    free, n = [wish - k * apart for k, wish in enumerate(wished)], len(wished)
    mean = {(i, j): sum(free[i:j]) / (j - i) for i in range(n) for j in range(i + 1, n + 1)}
    best = [max(min(mean[i, j] for j in range(k + 1, n + 1)) for i in range(k + 1)) for k in range(n)]
    return [max(low, min(place, high - (n - 1) * apart)) + k * apart for k, place in enumerate(best)]
