"""The three densities of `two-pixel`: their pictures, and how probable each of the 65,536 possible pictures is.

A density is a mixture of points, circles and straight strokes, each blurred by the same round normal distribution. So
a picture is a point of one part plus normal noise; and as the noise of the two pixels is independent, the probability
of a cell is a mean of products of two normal probabilities, taken along the part. Along smooth curves the rules below
find that mean to the last digit that a float64 has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from difftool.api import ArrayImages

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

BLUR = 0.03
"""standard deviation of the noise: a feature is 0.07 wide at half its height"""
ROWS = 65_536
"""pictures drawn together, always as many, so that each is the same to the bit however many are wanted"""
CIRCLE_NODES, STROKE_NODES = 512, 128
"""nodes closer than half a blur: the rules' errors fall faster than any power of their distance"""


@dataclass(frozen=True)
class Point:
    """One spot."""

    weight: float
    x: float
    y: float

    def at(self, u: Floats) -> Floats:
        """The same wherever."""
        return np.broadcast_to(np.array([self.x, self.y]), (len(u), 2))

    def nodes(self) -> tuple[Floats, Floats]:
        """One."""
        return np.zeros(1), np.ones(1)


@dataclass(frozen=True)
class Circle:
    """A circle around the origin."""

    weight: float
    radius: float

    def at(self, u: Floats) -> Floats:
        """Once around."""
        angle = math.tau * u
        return self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def nodes(self) -> tuple[Floats, Floats]:
        """Evenly spaced: of a periodic function no rule is better."""
        return np.arange(CIRCLE_NODES) / CIRCLE_NODES, np.full(CIRCLE_NODES, 1 / CIRCLE_NODES)


@dataclass(frozen=True)
class Stroke:
    """A straight line from one end to the other."""

    weight: float
    start: tuple[float, float]
    stop: tuple[float, float]

    def at(self, u: Floats) -> Floats:
        """From start to stop."""
        start, stop = np.array(self.start), np.array(self.stop)
        places: Floats = start + (stop - start) * u[:, None]
        return places

    def nodes(self) -> tuple[Floats, Floats]:
        """Gauss and Legendre's."""
        places, shares = np.polynomial.legendre.leggauss(STROKE_NODES)
        return (places + 1) / 2, shares / 2


Part = Point | Circle | Stroke
"""Something to lie on: `at` runs through it evenly, u in [0, 1); `nodes` are places u and shares of them that sum to 1,
with which a smooth function's mean over it is found."""

PARTS: Mapping[str, tuple[Part, ...]] = {
    "gaussians": (
        Point(0.20, -0.60, -0.55),
        Point(0.16, 0.55, 0.60),
        Point(0.14, -0.50, 0.45),
        Point(0.12, 0.65, -0.50),
        Point(0.12, 0.05, 0.10),
        Point(0.10, 0.15, -0.70),
        Point(0.09, -0.10, 0.75),
        Point(0.07, 0.30, 0.00),
    ),
    "rings": (Circle(0.35, 0.35), Circle(0.65, 0.75)),
    "lines": (
        Stroke(0.30, (-0.75, -0.70), (0.75, 0.50)),
        Stroke(0.25, (-0.60, 0.70), (0.20, -0.75)),
        Stroke(0.20, (0.70, -0.65), (0.70, 0.15)),
        Stroke(0.15, (-0.30, 0.75), (0.60, 0.75)),
        Stroke(0.10, (-0.80, 0.20), (-0.80, -0.40)),
    ),
}


class Drawn(ArrayImages):
    """Pictures of two pixels, in memory, that know what they were drawn from."""

    def __init__(self, density: str, count: int, seed: int) -> None:
        super().__init__(draw(density, count, seed))
        self._density = density

    @cached_property
    def law(self) -> Floats:
        """[256, 256], sums to 1: the probability that a picture has the bytes (left, right)."""
        return law(self._density)


def draw(density: str, count: int, seed: int) -> Bytes:
    """Pictures uint8 [count, 1, 2, 1]: row i of the generator's numbers makes picture i."""
    generator = np.random.Generator(np.random.PCG64(seed))
    pixels = np.empty((count, 1, 2, 1), dtype=np.uint8)
    for first in range(0, count, ROWS):
        some = pixels[first : first + ROWS]
        some[:, 0, :, 0] = _bytes(_points(PARTS[density], generator.random((ROWS, 4))))[: len(some)]
    return pixels


def _points(parts: tuple[Part, ...], u: Floats) -> Floats:
    """[N, 2] from uniform numbers [N, 4]: which part, where on it, and the noise (Box and Muller)."""
    ends = np.cumsum([part.weight for part in parts])
    which = np.searchsorted(ends / ends[-1], u[:, 0], side="right")
    angle = math.tau * u[:, 3]
    noise = np.sqrt(-2 * np.log1p(-u[:, 2]))[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    places: Floats = np.choose(which[:, None], [part.at(u[:, 1]) for part in parts])
    places += BLUR * noise
    return places


def _bytes(x: Floats) -> Bytes:
    """Byte b stands for b / 127.5 - 1, and each number goes to the nearest."""
    return np.rint((x.clip(-1, 1) + 1) * 127.5).astype(np.uint8)


def law(density: str) -> Floats:
    """The density integrated over the square of each pair of bytes; the outermost bytes take what lies beyond."""
    table = np.zeros((256, 256))
    parts = PARTS[density]
    for part in parts:
        u, shares = part.nodes()
        places = part.at(u)
        table += part.weight * ((shares[:, None] * _cells(places[:, 0])).T @ _cells(places[:, 1]))
    table /= sum(part.weight for part in parts)
    return table


def _cells(means: Floats) -> Floats:
    """[N, 256]: how probable each byte is for a normal of that mean."""
    edges = (np.arange(1, 256) - 0.5) / 127.5 - 1
    z = (edges - means[:, None]) / (BLUR * math.sqrt(2))
    below = np.array([(1 + math.erf(each)) / 2 for each in z.ravel()]).reshape(z.shape)
    shares: Floats = np.diff(below, axis=1, prepend=0.0, append=1.0)
    return shares
