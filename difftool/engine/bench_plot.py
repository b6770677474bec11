"""Distance against calls of the network, both on logarithmic axes, drawn with Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from difftool.engine.lettering import GREY, INK, PALE, fitting, font

if TYPE_CHECKING:
    from difftool.engine.rungs import Pixels, Rung, Rungs

COLOURS = (
    *((0, 104, 181), (214, 82, 0), (0, 135, 90), (190, 30, 90), (125, 80, 190), (150, 105, 0)),
    *((0, 140, 160), (90, 90, 90), (230, 60, 60), (70, 150, 30), (170, 60, 170), (60, 80, 220)),
)
"""Dark enough on white; the baseline is drawn in ink."""
WIDE, HIGH = 1100, 720
LEFT, TOP, RIGHT, BOTTOM = 96, 78, 250, 88
LETTERS, SMALL = 15, 13
FINE = 3
FARTHEST = 10.0
"""What explodes is drawn here, so that it does not squeeze the others."""

Point = tuple[float, float]


class _Axes:
    """Where values lie on the picture."""

    def __init__(self, xs: Iterable[float], ys: Iterable[float]) -> None:
        self.x = _range(xs)
        self.y = _range(ys)

    def at(self, calls: float, distance: float) -> Point:
        """The place of a value, in pixels."""
        along = (math.log(calls) - math.log(self.x[0])) / (math.log(self.x[1]) - math.log(self.x[0]))
        up = (math.log(distance) - math.log(self.y[0])) / (math.log(self.y[1]) - math.log(self.y[0]))
        return LEFT + along * (WIDE - LEFT - RIGHT), HIGH - BOTTOM - up * (HIGH - TOP - BOTTOM)


def _range(values: Iterable[float]) -> tuple[float, float]:
    """The values with some air around them."""
    found = list(values)
    low, high = min(found), max(found)
    air = max(1.25, (high / low) ** 0.06)
    return low / air, high * air


def ticks(low: float, high: float) -> list[float]:
    """Round values: 1, 2 and 5 in each power of ten; the powers alone where those are many, more where they are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = math.log10(high / low)
    steps = (1,) if decades > 3 else (1, 2, 5) if decades > 1 else (1, 1.5, 2, 3, 4, 5, 7)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def plot(rungs: Rungs, title: str) -> Pixels:
    """uint8 [H, W, 3]; a line for each sampler whose distance is an error, its name at the end of it."""
    from PIL import Image, ImageDraw

    lines = {name: _points(rungs, name) for name in rungs.order()}
    lines = {name: points for name, points in lines.items() if points}
    apart = list(dict.fromkeys(each.name for each in rungs.table if not each.compares))
    canvas = Image.new("RGB", (WIDE, HIGH), "white")
    every = [point for points in lines.values() for point in points] or [(1.0, 1.0)]
    axes = _Axes([x for x, _ in every], [y for _, y in every])
    colours = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(n for n in lines if n != rungs.baseline)}
    colours[rungs.baseline] = INK
    canvas = _lines(canvas, axes, lines, colours, rungs.baseline)
    pen = ImageDraw.Draw(canvas)
    _words(pen, (LEFT, 16), title, INK, 19)
    _words(pen, (LEFT, 46), f"distance to {rungs.steps:,} steps of {rungs.baseline} from the same noise", GREY, LETTERS)
    _numbers(pen, axes)
    _names(pen, axes, lines, colours)
    if apart:
        note = f"not here, for other pictures are what they are meant to make: {', '.join(apart)}"
        _words(pen, (LEFT, HIGH - 24), note, GREY, SMALL)
    return np.asarray(canvas)


def _points(rungs: Rungs, name: str) -> list[Point]:
    """Calls and distances of one sampler; a distance of 0, the reference itself, has no logarithm."""
    found: list[Rung] = [each for each in rungs.table if each.name == name and each.compares and each.distance > 0]
    return sorted((each.calls, min(each.distance, FARTHEST)) for each in found if each.calls > 0)


def _numbers(pen: Any, axes: _Axes) -> None:
    right, bottom = WIDE - RIGHT, HIGH - BOTTOM
    for value in ticks(*axes.x):
        pen.text((axes.at(value, axes.y[0])[0], bottom + 8), f"{value:,.10g}", INK, font(SMALL), "ma")
    for value in ticks(*axes.y):
        pen.text((LEFT - 10, axes.at(axes.x[0], value)[1]), f"{value:.10g}", INK, font(SMALL), "rm")
    pen.text(((LEFT + right) // 2, bottom + 32), "calls of the denoiser for a picture", INK, font(LETTERS), "ma")


def _words(pen: Any, place: Point, text: str, colour: tuple[int, ...], size: int) -> None:
    pen.text(place, fitting(text, size, WIDE - round(place[0]) - 20), colour, font(size))


def _lines(canvas: Any, axes: _Axes, lines: dict[str, list[Point]], colours: dict[str, Any], baseline: str) -> Any:
    """Axes and lines, drawn large and made smaller, which makes them smooth."""
    from PIL import Image, ImageDraw

    large = canvas.resize((WIDE * FINE, HIGH * FINE))
    pen = ImageDraw.Draw(large)

    def line(points: Iterable[Point], colour: Any, thick: float) -> None:
        pen.line([(x * FINE, y * FINE) for x, y in points], colour, round(thick * FINE))

    for value in ticks(*axes.x):
        line([axes.at(value, edge) for edge in axes.y], PALE, 1)
    for value in ticks(*axes.y):
        line([axes.at(edge, value) for edge in axes.x], PALE, 1)
    line([axes.at(axes.x[0], axes.y[1]), axes.at(axes.x[0], axes.y[0]), axes.at(axes.x[1], axes.y[0])], GREY, 1)
    for name, points in sorted(lines.items(), key=lambda each: each[0] == baseline):  # that one above all others
        places = [axes.at(*point) for point in points]
        line(places, colours[name], 2.6 if name == baseline else 1.8)
        for x, y in places:
            box = [(each + side * 4) * FINE for side in (-1, 1) for each in (x, y)]
            pen.ellipse(box, colours[name], "white", FINE)
    return large.resize((WIDE, HIGH), Image.Resampling.BOX)


def _names(pen: Any, axes: _Axes, lines: dict[str, list[Point]], colours: dict[str, Any]) -> None:
    """At the right, level with the end of its line where there is room, and a thread from there."""
    ends = sorted((axes.at(*points[-1])[::-1], name) for name, points in lines.items())
    apart = min(LETTERS + 6.0, (HIGH - TOP - 20) / max(1, len(ends)))
    places = spread([y for (y, _), _ in ends], apart, TOP, HIGH - 30)
    for ((y, x), name), level in zip(ends, places, strict=True):
        edge = WIDE - RIGHT + 26
        pen.line((x + 7, y, edge - 18, y, edge - 4, level), tuple((2 * 255 + c) // 3 for c in colours[name]))
        pen.text((edge, level), fitting(name, LETTERS, RIGHT - 36), colours[name], font(LETTERS), "lm")


def spread(wished: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Rising places near those that are wished for, at least so far apart."""
    groups: list[list[float]] = []  # [first place, how many, sum of what each wishes for the first]
    for wish in wished:
        groups.append([wish, 1, wish])
        while len(groups) > 1 and groups[-2][0] + groups[-2][1] * apart > groups[-1][0]:
            _, many, total = groups.pop()
            before = groups[-1]
            before[2] += total - many * before[1] * apart
            before[1] += many
            before[0] = before[2] / before[1]
    places = [first + k * apart for first, many, _ in groups for k in range(int(many))]
    for k in reversed(range(len(places))):
        places[k] = min(places[k], high - (len(places) - 1 - k) * apart)
    for k in range(len(places)):
        places[k] = max(places[k], low + k * apart)
    return places
