"""Eyes: lids, iris, pupil, light, lashes, brows. In an eye's own measure: 1 is half its width, 1 outwards."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from difftool.builtin.avatar_art import Part, Points, bow, disc, moved, stroke
from difftool.builtin.avatar_colours import Ink


class Lids(NamedTuple):
    """Heights of both lids at seven places from the inner to the outer corner; sizes of iris, lash and eye."""

    upper: tuple[float, ...]
    lower: tuple[float, ...]
    iris: tuple[float, float]
    lash: float
    width: float


SHAPES: dict[str, Lids] = {
    "round": Lids((0.15, -0.66, -0.94, -1.02, -0.94, -0.66, 0.0), (0.15, 0.66, 0.86, 0.92, 0.88, 0.66, 0.0),
                  (0.73, 0.94), 0.28, 1.0),
    "almond": Lids((0.35, -0.30, -0.68, -0.84, -0.82, -0.62, -0.22), (0.35, 0.60, 0.72, 0.76, 0.68, 0.40, -0.22),
                   (0.64, 0.82), 0.28, 1.1),
    "cat": Lids((0.50, -0.10, -0.56, -0.82, -0.94, -0.90, -0.56), (0.50, 0.70, 0.76, 0.72, 0.56, 0.16, -0.56),
                (0.64, 0.82), 0.30, 1.08),
    "droopy": Lids((-0.10, -0.70, -0.92, -0.94, -0.78, -0.42, 0.24), (-0.10, 0.50, 0.74, 0.88, 0.92, 0.80, 0.24),
                   (0.68, 0.90), 0.29, 1.02),
    "wide": Lids((0.10, -0.84, -1.10, -1.16, -1.10, -0.84, -0.1), (0.10, 0.80, 1.00, 1.04, 1.00, 0.80, -0.1),
                 (0.68, 0.94), 0.23, 0.98),
    "narrow": Lids((0.25, -0.22, -0.46, -0.56, -0.56, -0.44, -0.18), (0.25, 0.46, 0.56, 0.58, 0.52, 0.30, -0.18),
                   (0.55, 0.69), 0.26, 1.16),
    "sleepy": Lids((0.05, -0.34, -0.42, -0.46, -0.46, -0.44, -0.05), (0.05, 0.60, 0.80, 0.86, 0.82, 0.60, -0.05),
                   (0.68, 0.88), 0.33, 1.06),
    "doll": Lids((0.20, -0.86, -1.20, -1.28, -1.20, -0.86, -0.05), (0.20, 0.86, 1.06, 1.12, 1.08, 0.84, -0.05),
                 (0.81, 1.12), 0.33, 0.96),
    "sharp": Lids((0.42, -0.16, -0.50, -0.74, -0.88, -0.92, -0.66), (0.42, 0.58, 0.60, 0.56, 0.40, 0.0, -0.66),
                  (0.55, 0.75), 0.35, 1.12),
    "soft": Lids((0.20, -0.60, -0.88, -0.98, -0.92, -0.70, -0.12), (0.20, 0.64, 0.82, 0.86, 0.78, 0.50, -0.12),
                 (0.75, 0.98), 0.30, 1.06),
}  # fmt: skip

AT = np.linspace(-1, 1, 7)
FINE = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 21))
_BLEND = np.stack([np.interp(FINE, AT, unit) for unit in np.eye(7)], axis=1)
# Rounds the seven-cornered curve off: each fine height is a mean of its neighbours.
_SOFT = np.eye(21) * 0.5 + np.eye(21, k=1) * 0.25 + np.eye(21, k=-1) * 0.25
_SOFT[0], _SOFT[-1] = np.eye(21)[0], np.eye(21)[-1]
ROUND = _SOFT @ _SOFT @ _BLEND
RING = disc(0, 0, 1, count=22)
LIGHTEST = np.clip((FINE + 1) / 1.5, 0, 1)  # a lash is thin at the nose
CREASE = 0.042 * np.sin(np.pi * np.linspace(0, 1, 12))
BROW = 0.5 * np.array([0.5, 0.7, 0.85, 0.95, 1.0, 0.92, 0.75, 0.45, 0.05])
LOWER_LASH = 0.065 * np.minimum(1, 0.2 + 0.9 * np.linspace(0, 1, 13))


@functools.cache
def _lids(shape: str) -> tuple[Points, Points]:
    """Heights of the upper and the lower lid along `FINE`."""
    return ROUND @ SHAPES[shape].upper, ROUND @ SHAPES[shape].lower


def eye(shape: str, opened: float, slope: float, gaze: tuple[float, float], pupil: float, side: int) -> list[Part]:
    """One open eye. `slope` lifts the outer end of the upper lid, `side` is 1 where outwards is to the right."""
    lids, (upper, lower) = SHAPES[shape], _lids(shape)
    upper = upper * opened - slope * FINE * 0.35
    upper = np.minimum(upper, lower - 0.02)
    top, bottom = _curve(upper), _curve(lower)
    rx, ry = lids.iris
    x = gaze[0] * side
    y = (lids.lower[3] + lids.upper[3]) / 2 + gaze[1]
    light = -side * rx  # light falls from the upper left on both eyes

    def oval(dx: float, dy: float, half: float, tall: float, cut: float = -9.0) -> Points:
        """An ellipse, cut off flat at the top."""
        points = RING * (half, tall) + (x + dx, y + dy)
        points[:, 1] = np.maximum(points[:, 1], y + ry * cut)
        return points

    shapes = (
        (Ink.WHITE_SHADE, np.concatenate([top, moved(top, 0, 0.34)[::-1]])),
        (Ink.IRIS_DARK, oval(0, 0, rx, ry)),
        (Ink.IRIS, oval(0, 0, rx * 0.84, ry * 0.88, -0.24)),
        (Ink.IRIS_LIGHT, oval(0, ry * 0.12, rx * 0.72, ry * 0.70, 0.14)),
        (Ink.PUPIL, oval(0, -0.02, rx * pupil, ry * pupil * 1.1)),
        (Ink.GLINT, oval(0.42 * light, -0.42 * ry, rx * 0.35, ry * 0.32)),
        (Ink.GLINT, oval(-0.40 * light, 0.46 * ry, rx * 0.17, ry * 0.15)),
    )
    every = np.concatenate([points for _, points in shapes])  # held between the lids, all at once
    high, low = np.interp(every[:, 0], FINE, upper), np.interp(every[:, 0], FINE, lower)
    every[:, 1] = np.minimum(np.maximum(every[:, 1], high), low)
    parts, start = [Part(np.concatenate([top, bottom[::-1]]), Ink.WHITE)], 0
    for ink, points in shapes:
        parts.append(Part(every[start : start + len(points)], ink))
        start += len(points)
    return [*parts, *_lashes(top, bottom, lids.lash)]


def _curve(heights: Points) -> Points:
    points = np.empty((len(FINE), 2))
    points[:, 0], points[:, 1] = FINE, heights
    return points


def _lashes(top: Points, bottom: Points, thick: float) -> list[Part]:
    """The heavy upper line with its wing, the fine lower one, the crease above."""
    above = _curve(top[:, 1] - thick * (0.45 + 0.55 * LIGHTEST))
    above[:, 0] *= 1.05
    wing = top[-1] + ((0.24, -0.26), (0.10, 0.02), (0.16, 0.10), (0.02, 0.20))
    line = np.concatenate([above, wing, moved(top, 0, 0.05)[::-1]])
    return [
        Part(line, Ink.LASH),
        Part(_ribbon(moved(bottom[8:], 0, 0.03), LOWER_LASH), Ink.LASH),
        Part(_ribbon(moved(above[6:18], 0, -0.20), CREASE), Ink.SKIN_LINE),
    ]


def _ribbon(line: Points, half: Points) -> Points:
    """A line given thickness up and down."""
    upper, lower = line.copy(), line[::-1].copy()
    upper[:, 1] -= half
    lower[:, 1] += half[::-1]
    return np.concatenate([upper, lower])


@functools.cache
def closed_eye() -> tuple[Part, ...]:
    """A winking eye: one bow, open downwards."""
    line = bow((-0.95, 0.42), (1.0, 0.30), 0.30, 13)
    lash = stroke(bow((0.86, 0.14), (1.22, 0.22), 0.1, 4), 0.12, start=1.0)
    return Part(stroke(line, 0.26, start=0.4, stop=0.8), Ink.LASH), Part(lash, Ink.LASH)


# Height of the inner and of the outer end, bend, all upwards.
BROWS: dict[str, tuple[float, float, float]] = {
    "neutral": (0.0, 0.0, 0.14),
    "smile": (0.0, -0.04, 0.20),
    "laugh": (0.10, 0.02, 0.22),
    "surprised": (0.24, 0.14, 0.24),
    "sad": (0.26, -0.26, 0.02),
    "angry": (-0.34, 0.26, 0.04),
    "wink": (0.04, 0.0, 0.20),
}


@functools.cache
def _brow_line(expression: str) -> Points:
    inner, outer, bend = BROWS[expression]
    return bow((-0.80, -inner), (0.92, -outer), bend, 9)


def brow(expression: str, height: float, thick: float) -> Part:
    """One brow, above an eye."""
    return Part(_ribbon(moved(_brow_line(expression), 0, height), thick * BROW), Ink.BROW)
