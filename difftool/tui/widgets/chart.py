"""A chart: curves over the run, with a title that says the newest numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from difftool.tui.column import Bin
from difftool.tui.plot import EMPTY, LOST, Curve, bounds, plot, smoothed
from difftool.tui.series import Axis
from difftool.tui.theme import CURVES
from difftool.tui.ticks import along, place, short, ticks
from difftool.tui.view import SMOOTH, View
from difftool.tui.watched import Watched
from difftool.tui.widgets.drawn import Drawn, cut

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

LEFT = 9
"""Cells for the numbers beside a chart."""


@dataclass(frozen=True)
class Kind:
    """What a chart shows."""

    title: str
    metrics: tuple[tuple[str, str], ...]  # (column, label)
    log: bool = False  # how it reads best
    clip: bool = False  # whether early giants are cut off
    one_run: bool = False  # several curves of one run, not one of several runs


@dataclass(frozen=True)
class Drawing:
    """Curves, and how they are told apart."""

    curves: tuple[Curve, ...]
    legend: tuple[tuple[str, str, int], ...]  # (label, newest number, colour)
    lo: float = 0.0
    hi: float = 0.0
    lost: int = 0


class Chart(Drawn, can_focus=True):
    """One of the charts of a screen; what it shows is put together when there is something new."""

    app: DifftoolApp

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.strips: list[Strip] = []
        self._stamp: tuple[object, ...] | None = None

    def show(self, runs: Sequence[Watched], view: View) -> None:
        """These runs, looked at like this."""
        width, height = self.size
        if width < 1 or height < 1 or not self.display:
            return
        runs = runs[:1] if self.kind.one_run else runs
        looked = (view.axis, view.log, view.smooth, view.zoom, view.right)
        stamp = (
            (*looked, width, height, self.app.theme, self.has_focus),
            () if view.frozen else tuple((run.name, run.version) for run in runs),
        )
        if stamp == self._stamp or (view.frozen and self._stamp is not None and stamp[0] == self._stamp[0]):
            return
        self._stamp = stamp
        before, self.strips = self.strips, self._drawn(runs, view, width, height)
        if len(before) != height or before[0].cell_length != width:
            self.refresh()
        elif changed := [Region(0, y, width, 1) for y in range(height) if before[y] != self.strips[y]]:
            self.refresh(*changed)  # most lines stay: a slow connection is spared them

    def render_line(self, y: int) -> Strip:
        """A line that was put together before."""
        return self.strips[y] if y < len(self.strips) else self.strip_of([])

    def on_resize(self) -> None:
        """Another size is another chart."""
        self.show(self.app.looking.runs, self.app.view)

    def on_focus(self) -> None:
        """The one that is meant by enter is lit."""
        self.on_resize()

    def on_blur(self) -> None:
        """No longer."""
        self.on_resize()

    def _drawn(self, runs: Sequence[Watched], view: View, width: int, height: int) -> list[Strip]:
        log = self.kind.log if view.log is None else view.log
        room = max(1, width - LEFT)
        span = span_of(runs, view.axis)
        window = view.window(span) if span else None
        drawing = self._curves(runs, view, window, room, log)
        strips = [self._title(drawing, log, width)]
        if window is None or not drawing.curves:
            strips.append(self.strip_of([(" " * LEFT + "nothing yet", "dim")]))
            return [*strips, *(self.strip_of([]) for _ in range(height - 2))][:height]
        rows = height - 2 if height >= 5 else height - 1
        axis_name = "step" if view.axis == "images" else view.axis
        strips += curve_lines(self, drawing, room, rows, log)
        if rows == height - 2:
            strips.append(axis_line(self, window, room, axis_name))
        return strips[:height]

    def _curves(
        self, runs: Sequence[Watched], view: View, window: tuple[float, float] | None, room: int, log: bool
    ) -> Drawing:
        if window is None:
            return Drawing((), ())
        raw: list[Curve] = []
        means: list[Curve] = []
        legend: list[tuple[str, str, int]] = []
        lost = 0
        for run in runs:
            with run.guard:
                for number, (metric, label) in enumerate(self.kind.metrics):
                    if metric not in run.table.names:
                        continue
                    bins = run.table.bins(metric, view.axis, *window, 2 * room)
                    lost += run.table.lost(metric)
                    colour = self.app.looking.colour(run.name) if len(runs) > 1 else number
                    smooth = smoothed(bins, SMOOTH[view.smooth])
                    newest = next((each.mean for each in reversed(smooth) if each.count), math.nan)
                    legend.append(("" if len(runs) > 1 else label, short(newest), colour))
                    if len(runs) == 1 and not self.kind.one_run and number == 0:
                        raw.append(Curve(bins, len(CURVES)))  # dim, behind its own mean
                    elif SMOOTH[view.smooth] == 0:
                        raw.append(Curve(bins, colour))
                        continue
                    means.append(Curve(smooth, colour, mean=True))
        # Several smooth lines are scaled to themselves: what is raw is drawn for one curve alone.
        found = bounds([*raw, *means], log, self.kind.clip)
        if found is None:
            return Drawing((), tuple(legend), lost=lost)
        return Drawing((*raw, *means), tuple(legend), *found, lost=lost)

    def _title(self, drawing: Drawing, log: bool, width: int) -> Strip:
        parts: list[tuple[str, str | Style]] = [(f" {self.kind.title} ", "title")]
        if drawing.lost:
            parts.append((f"{drawing.lost:,} not finite  ", "bad"))
        room = width - sum(len(words) for words, _ in parts) - 4 * log
        whole = [f"{label} {number}  ".lstrip() for label, number, _ in drawing.legend]
        bare = [f"{label}  ".lstrip() for label, _, _ in drawing.legend]
        for words, (_, _, colour) in zip(whole if sum(map(len, whole)) <= room else bare, drawing.legend, strict=True):
            parts.append((words, Style(color=CURVES[colour % len(CURVES)])))
        if log:
            parts.append(("log", "dim"))
        return self.strip_of(parts, width)


def span_of(runs: Sequence[Watched], axis: Axis) -> tuple[float, float] | None:
    """From the first to the last row of any of the runs."""
    spans = []
    for run in runs:
        with run.guard:
            if found := run.table.span(axis):
                spans.append(found)
    if not spans:
        return None
    lo, hi = min(first for first, _ in spans), max(last for _, last in spans)
    return lo, hi if hi > lo else lo + 1


def curve_lines(widget: Drawn, drawing: Drawing, room: int, rows: int, log: bool) -> list[Strip]:
    """The plot with the numbers beside it."""
    cells = plot(drawing.curves, room, rows, drawing.lo, drawing.hi, log, widget.app.ascii)
    labels = {
        round((1 - along(value, drawing.lo, drawing.hi, log)) * (rows - 1)): label
        for value, label in ticks(drawing.lo, drawing.hi, rows, log, vertical=True)
    }
    inks = {EMPTY: Style.null(), LOST: widget.ink("bad"), len(CURVES): widget.ink("dim")}
    strips = []
    for y, row in enumerate(cells):
        parts: list[tuple[str, str | Style]] = [(labels.get(y, "")[: LEFT - 2].rjust(LEFT - 2) + " ▏", "dim")]
        start = 0
        for end in range(1, len(row) + 1):
            if end == len(row) or row[end][1] != row[start][1]:
                colour = row[start][1]
                ink = inks.get(colour) or Style(color=CURVES[colour % len(CURVES)])
                parts.append(("".join(char for char, _ in row[start:end]), ink))
                start = end
        strips.append(widget.strip_of(parts))
    return strips


def axis_line(widget: Drawn, window: tuple[float, float], room: int, kind: str) -> Strip:
    """The numbers below."""
    line, at = " " * LEFT, 0
    for start, label in place(ticks(*window, room, kind=kind), *window, room):  # type: ignore[arg-type]
        line += " " * (start - at) + label
        at = start + len(label)
    return widget.strip_of([(cut(line, widget.size.width), "dim")])


def binned(points: Sequence[tuple[float, float | None]], lo: float, hi: float, count: int) -> list[Bin]:
    """A few points in equal stretches, for figures that come once a second."""
    groups: list[list[float]] = [[] for _ in range(count)]
    for x, y in points:
        if y is not None and lo <= x <= hi and hi > lo:
            groups[min(count - 1, int((x - lo) / (hi - lo) * count))].append(y)
    empty = Bin(math.nan, math.nan, math.nan, 0, 0)
    return [Bin(min(g), max(g), sum(g) / len(g), len(g), 0) if g else empty for g in groups]
