"""Outlines: what a drawing is made of before it has a size. x to the right, y down, the picture is -1 to 1."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

Points = np.ndarray[Any, np.dtype[np.float64]]
Control = Sequence[Sequence[float]]


class Part(NamedTuple):
    """One polygon, or with a width one line, in one ink."""

    points: Points
    ink: int
    width: float = 0.0


class Art(NamedTuple):
    """Many parts, first to last, their points in one array so that they move together."""

    points: Points
    parts: tuple[tuple[int, int, int, float], ...]  # start, stop, ink, width


def gather(parts: Iterable[Part]) -> Art:
    """One array of points, and who owns which."""
    found = list(parts)
    spans, start = [], 0
    for part in found:
        stop = start + len(part.points)
        spans.append((start, stop, int(part.ink), part.width))
        start = stop
    points = np.concatenate([part.points for part in found]) if found else np.zeros((0, 2))
    return Art(points, tuple(spans))


def smooth(control: Control, closed: bool = True, steps: int = 4) -> Points:
    """A curve through the control points; a third number makes a point a corner."""
    rows = [(float(c[0]), float(c[1]), len(c) > 2) for c in control]
    if closed:
        first = next((k for k, row in enumerate(rows) if row[2]), None)
        if first is None:
            points = np.array([row[:2] for row in rows])
            return _spline(np.concatenate([points[-1:], points, points[:2]]), steps)[:-1]
        rows = [*rows[first:], *rows[: first + 1]]
    cuts = [0, *(k for k in range(1, len(rows) - 1) if rows[k][2]), len(rows) - 1]
    pieces = []
    for start, stop in itertools.pairwise(cuts):
        run = np.array([row[:2] for row in rows[start : stop + 1]])
        ends = np.concatenate([2 * run[:1] - run[1:2], run, 2 * run[-1:] - run[-2:-1]])
        pieces.append(_spline(ends, steps)[: None if stop == cuts[-1] else -1])
    return np.concatenate(pieces)


def _spline(p: Points, steps: int) -> Points:
    """Catmull-Rom through all but the first and the last point."""
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (p[k : len(p) - 3 + k, None, :] for k in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.reshape(-1, 2), p[-2:-1]])


def bow(start: Sequence[float], stop: Sequence[float], bulge: float, count: int = 7) -> Points:
    """From one point to another, bent to the left of the way by `bulge` of its length."""
    a, b = np.asarray(start, dtype=float)[:2], np.asarray(stop, dtype=float)[:2]
    way = b - a
    middle = (a + b) / 2 + 2 * bulge * np.array([way[1], -way[0]])
    t = np.linspace(0, 1, count)[:, None]
    curve: Points = (1 - t) ** 2 * a + 2 * t * (1 - t) * middle + t**2 * b
    return curve


def stroke(line: Points, width: float, start: float = 0.0, stop: float = 0.0, belly: float = 1.0) -> Points:
    """A brush stroke along a line: `width` thick where it is thickest, `start` and `stop` of that at its ends."""
    t = np.linspace(0, 1, len(line))
    thick = (np.sin(np.pi * t**belly) * (1 - np.maximum(start, stop)) + start * (1 - t) + stop * t) * width / 2
    way = np.gradient(line, axis=0)
    normal = np.stack([way[:, 1], -way[:, 0]], axis=1)
    normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9)[:, None]
    side = normal * thick[:, None]
    return np.concatenate([line + side, (line - side)[::-1]])


def disc(x: float, y: float, rx: float, ry: float | None = None, count: int = 20) -> Points:
    """An ellipse."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + (rx if ry is None else ry) * np.sin(angle)], axis=1)


def moved(points: Points, x: float, y: float) -> Points:
    """The same elsewhere."""
    placed: Points = points + np.array([x, y])
    return placed


def mirrored(parts: Iterable[Part]) -> list[Part]:
    """The same on the other side."""
    return [part._replace(points=part.points * (-1.0, 1.0)) for part in parts]
