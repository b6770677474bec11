"""Shoulders and collars, and what is behind it all."""

from __future__ import annotations

import functools

import numpy as np

from difftool.builtin.avatar_art import Art, Part, bow, disc, gather, mirrored, smooth, stroke
from difftool.builtin.avatar_colours import Ink

FAR = 40.0  # below any picture, however tall


@functools.cache
def clothes(kind: str) -> Art:
    """Drawn after the neck, before the face."""
    neckline = {"sailor": 1.12, "shirt": 0.86, "hoodie": 0.94, "turtleneck": 0.74, "kimono": 1.12, "dress": 1.06}[kind]
    half = ((0.0, neckline, 1), (0.21, 0.83), (0.42, 0.92), (0.72, 1.02), (1.0, 1.25, 1), (1.1, FAR, 1))
    shape = smooth([*half, *((-p[0], *p[1:]) for p in half[:0:-1])], steps=3)
    parts = [Part(shape, Ink.CLOTH)]
    fold = [Part(stroke(bow((0.46, 1.0), (0.40, 1.5), 0.1), 0.06), Ink.CLOTH_SHADE)]
    parts += [*fold, *mirrored(fold)]
    if kind == "sailor":
        flap = smooth(((0.17, 0.80, 1), (0.36, 0.90), (0.55, 1.02), (0.42, 1.3, 1), (0.0, 1.24, 1), (0.10, 1.0)))
        stripe = bow((0.47, 1.05), (0.05, 1.19), 0.1)
        one = [Part(flap, Ink.TRIM), Part(stripe, Ink.GLINT, 0.02), Part(flap, Ink.CLOTH_LINE, 0.014)]
        parts += [*mirrored(one), *one, *_bow_tie(0.0, 1.22, 0.16)]
    elif kind == "shirt":
        flap = smooth(((0.16, 0.74, 1), (0.28, 0.86), (0.30, 1.04, 1), (0.0, 0.93, 1), (0.07, 0.86)))
        one = [Part(flap, Ink.CLOTH), Part(np.concatenate([flap, flap[:1]]), Ink.CLOTH_LINE, 0.016)]
        parts += [*_bow_tie(0.0, 1.0, 0.20), *mirrored(one), *one]
    elif kind == "hoodie":
        hood = smooth(((0.17, 0.72), (0.44, 0.74), (0.62, 0.90), (0.34, 1.08), (0.0, 1.12), (0.10, 0.98)))
        one = [Part(hood, Ink.CLOTH_SHADE), Part(np.concatenate([hood, hood[:1]]), Ink.CLOTH_LINE, 0.016)]
        one.append(Part(stroke(bow((0.12, 1.05), (0.14, 1.4), 0.05), 0.035, 0.8, 0.8), Ink.TRIM))
        parts += [*mirrored(one), *one]
    elif kind == "turtleneck":
        band = smooth(((-0.20, 0.70, 1), (0.0, 0.76), (0.20, 0.70, 1), (0.24, 0.92, 1), (0.0, 0.98), (-0.24, 0.92, 1)))
        parts += [Part(band, Ink.CLOTH), Part(np.concatenate([band, band[:1]]), Ink.CLOTH_LINE, 0.016)]
        parts += [Part(stroke(bow((x, 0.76), (x * 1.1, 0.93), 0, 4), 0.02), Ink.CLOTH_SHADE) for x in (-0.1, 0.0, 0.1)]
    elif kind == "kimono":
        left = smooth(((-0.20, 0.76, 1), (-0.06, 1.0), (0.16, 1.3, 1), (0.0, 1.4, 1), (-0.20, 1.1), (-0.32, 0.84, 1)))
        right = left * (-1, 1)
        for flap in (right, left):
            parts += [Part(flap, Ink.TRIM), Part(np.concatenate([flap, flap[:1]]), Ink.CLOTH_LINE, 0.014)]
    else:
        lace = smooth(((0.20, 0.84), (0.30, 0.92), (0.20, 1.06), (0.0, 1.14), (0.0, 1.04), (0.14, 0.98)))
        one = [Part(lace, Ink.TRIM), Part(np.concatenate([lace, lace[:1]]), Ink.CLOTH_LINE, 0.014)]
        parts += [*mirrored(one), *one, Part(disc(0, 1.10, 0.05), Ink.TRIM_SHADE)]
    return gather([*parts, Part(shape, Ink.CLOTH_LINE, 0.016)])


def _bow_tie(x: float, y: float, r: float) -> list[Part]:
    wing = smooth(((x, y, 1), (x + r * 0.8, y - r * 0.5), (x + r * 1.1, y), (x + r * 0.8, y + r * 0.6)))
    tail = smooth(((x, y, 1), (x + r * 0.5, y + r * 0.9), (x + r * 0.35, y + r * 1.5, 1), (x - r * 0.05, y + r)))
    one = [Part(tail, Ink.TRIM_SHADE), Part(wing, Ink.TRIM)]
    return [*mirrored(one), *one, Part(disc(x, y, r * 0.22), Ink.TRIM_SHADE)]


@functools.cache
def ground(kind: str) -> Art:
    """A quiet pattern behind the head."""
    if kind == "circles":
        spots = ((-0.85, -0.7, 0.22), (0.8, -0.75, 0.16), (0.92, -0.1, 0.26), (-0.95, 0.2, 0.14), (-0.8, 0.75, 0.2),
                 (0.85, 0.65, 0.12))  # fmt: skip
        return gather([Part(disc(x, y, r), Ink.PATTERN) for x, y, r in spots])
    if kind == "stripes":
        rows = [np.array([(-3, y), (3, y - 1.6), (3, y - 1.36), (-3, y + 0.24)]) for y in np.arange(-3, 5, 0.5)]
        return gather([Part(row, Ink.PATTERN) for row in rows])
    if kind == "horizon":
        return gather([Part(smooth(((-40, 0.3, 1), (-1, 0.2), (0, 0.1), (1, 0.24), (40, 0.3, 1), (40, FAR, 1),
                                    (-40, FAR, 1))), Ink.PATTERN)])  # fmt: skip
    if kind == "window":
        panes = [(-1.1, -1.1), (0.52, -1.1), (-1.1, -0.05), (0.52, -0.05)]
        return gather([Part(np.array([(x, y), (x + 0.6, y), (x + 0.6, y + 0.9), (x, y + 0.9)]), Ink.PATTERN)
                       for x, y in panes])  # fmt: skip
    return gather([])
