"""What is worn on the head: glasses, ribbon, hat, flower, headband, cat ears."""

from __future__ import annotations

import functools

import numpy as np

from difftool.builtin.avatar_art import Art, Part, Points, bow, disc, gather, mirrored, moved, smooth, stroke
from difftool.builtin.avatar_colours import Ink


def _closed(points: Points) -> Points:
    return np.concatenate([points, points[:1]])


@functools.cache
def glasses(kind: int) -> Art:
    """Frames around both eyes, with a glint; centred on the eyes' height."""
    if kind == 0:
        rim = disc(0.25, 0.02, 0.20, 0.185, 24)
    elif kind == 1:
        rim = smooth(((0.06, -0.13), (0.25, -0.15), (0.45, -0.13), (0.455, 0.05), (0.38, 0.17), (0.14, 0.17),
                      (0.06, 0.05)))  # fmt: skip
    else:
        rim = smooth(((0.05, 0.0), (0.08, 0.15), (0.25, 0.20), (0.42, 0.15), (0.45, 0.0)), closed=False)
    edge = rim if kind == 2 else _closed(rim)
    glint = np.array([(0.33, -0.10), (0.37, -0.10), (0.26, 0.14), (0.22, 0.14)])
    one = [Part(glint, Ink.WHITE), Part(edge, Ink.WORN, 0.028)]
    left = [Part(glint - (0.5, 0), Ink.WHITE), Part(edge * (-1, 1), Ink.WORN, 0.028)]
    arm = [Part(bow((0.44, -0.03), (0.56, -0.05), 0, 3), Ink.WORN_SHADE, 0.028)]
    bridge = bow((-0.06, -0.01), (0.06, -0.01), 0.25, 6)
    return gather([*arm, *mirrored(arm), *left, *one, Part(bridge, Ink.WORN, 0.026)])


@functools.cache
def worn(accessory: str, kind: int) -> Art:
    """Over the hair, except glasses."""
    if accessory == "ribbon":
        x, y = ((0.44, -0.56), (0.30, -0.62), (0.54, -0.36))[kind]
        return gather(_ribbon(x, y, 0.24))
    if accessory == "hat":
        return gather((_beret, _straw, _cap)[kind]())
    if accessory == "flower":
        x, y = ((0.50, -0.46), (0.42, -0.62), (0.56, -0.30))[kind]
        petals = [disc(x + 0.11 * np.cos(a), y + 0.11 * np.sin(a), 0.088, count=14)
                  for a in np.linspace(0, 2 * np.pi, 5, endpoint=False) - 0.3]  # fmt: skip
        return gather([
            *(Part(_closed(p), Ink.WORN_SHADE, 0.022) for p in petals), *(Part(p, Ink.WORN_LIGHT) for p in petals),
            Part(disc(x, y, 0.06, count=12), Ink.WORN),
        ])  # fmt: skip
    if accessory == "headband":
        across = np.linspace(-1, 1, 21)
        line = np.stack([0.7 * across, -0.80 + 0.24 * across**2 + 0.28 * across**6], axis=1)
        wide = 0.075 if kind else 0.11
        band = np.concatenate([line, moved(line, 0, wide)[::-1]])
        parts = [Part(band, Ink.WORN), Part(np.concatenate([moved(line, 0, wide * 0.7), moved(line, 0, wide)[::-1]]),
                                            Ink.WORN_SHADE)]  # fmt: skip
        if kind == 0:
            frill = [disc(a, b - 0.03, 0.062, count=10) for a, b in line[2:-2:2]]
            parts = [*(Part(_closed(f), Ink.WORN_SHADE, 0.02) for f in frill),
                     *(Part(f, Ink.GLINT) for f in frill), *parts]  # fmt: skip
        if kind == 2:
            parts += _ribbon(0.46, -0.60, 0.18)
        return gather(parts)
    if accessory == "cat ears":
        outer = smooth(((0.22, -0.86, 1), (0.40, -1.02), (0.60, -1.16, 1), (0.66, -0.86), (0.64, -0.52, 1)))
        inner = smooth(((0.36, -0.84, 1), (0.46, -0.96), (0.57, -1.05, 1), (0.60, -0.85), (0.58, -0.66, 1)))
        one = [Part(outer, Ink.HAIR), Part(inner, Ink.BLUSH), Part(stroke(inner[2:], 0.05), Ink.SKIN_LINE),
               Part(_closed(outer), Ink.HAIR_LINE, 0.022)]  # fmt: skip
        return gather([*mirrored(one), *one])
    return gather([])


def _ribbon(x: float, y: float, r: float) -> list[Part]:
    """A bow with two wings and two tails."""
    wing = smooth(((0, 0, 1), (0.55, -0.55), (1.05, -0.62), (1.16, 0.0), (0.95, 0.52), (0.5, 0.36)))
    fold = smooth(((0.1, 0.02, 1), (0.6, 0.0), (1.12, 0.1), (0.95, 0.52), (0.5, 0.36)))
    tail = smooth(((0, 0, 1), (0.30, 0.5), (0.62, 0.98, 1), (0.30, 0.95, 1), (0.1, 0.55)))
    one = [Part(tail, Ink.WORN_SHADE), Part(wing, Ink.WORN), Part(fold, Ink.WORN_SHADE),
           Part(_closed(wing), Ink.WORN_SHADE, 0.02)]  # fmt: skip
    knot = [Part(disc(0, 0, 0.24, 0.28, 14), Ink.WORN), Part(disc(-0.05, -0.08, 0.1, 0.1, 10), Ink.WORN_LIGHT)]
    return [part._replace(points=part.points * r + (x, y)) for part in (*mirrored(one), *one, *knot)]


def _beret() -> list[Part]:
    shape = smooth(((-0.62, -0.62), (-0.76, -0.82), (-0.55, -1.08), (0.0, -1.16), (0.56, -1.04), (0.74, -0.78),
                    (0.60, -0.60), (0.3, -0.76), (0.0, -0.80), (-0.3, -0.76)))  # fmt: skip
    dark = smooth(((-0.62, -0.62), (-0.72, -0.74), (-0.3, -0.86), (0.3, -0.86), (0.72, -0.74), (0.60, -0.60),
                   (0.3, -0.76), (0.0, -0.80), (-0.3, -0.76)))  # fmt: skip
    shine = stroke(bow((-0.5, -0.98), (-0.05, -1.08), 0.1), 0.06)
    return [Part(shape, Ink.WORN), Part(dark, Ink.WORN_SHADE), Part(shine, Ink.WORN_LIGHT),
            Part(_closed(shape), Ink.WORN_SHADE, 0.022)]  # fmt: skip


def _straw() -> list[Part]:
    brim = smooth(((-1.02, -0.42), (-0.6, -0.66), (0.0, -0.72), (0.6, -0.66), (1.02, -0.42), (0.66, -0.46),
                   (0.0, -0.56), (-0.66, -0.46)))  # fmt: skip
    crown = smooth(((-0.62, -0.60, 1), (-0.56, -1.0), (-0.2, -1.3), (0.2, -1.3), (0.56, -1.0), (0.62, -0.60, 1),
                    (0.0, -0.70)))  # fmt: skip
    band = smooth(((-0.62, -0.62, 1), (-0.3, -0.70), (0.3, -0.70), (0.62, -0.62, 1), (0.60, -0.76, 1), (0.3, -0.84),
                   (-0.3, -0.84), (-0.60, -0.76, 1)))  # fmt: skip
    return [Part(crown, Ink.WORN_LIGHT), Part(band, Ink.TRIM), Part(brim, Ink.WORN_LIGHT),
            Part(_closed(brim), Ink.WORN_SHADE, 0.02)]  # fmt: skip


def _cap() -> list[Part]:
    dome = smooth(((-0.70, -0.48, 1), (-0.68, -0.84), (-0.38, -1.1), (0.0, -1.16), (0.38, -1.1), (0.68, -0.84),
                   (0.70, -0.48, 1), (0.0, -0.66)))  # fmt: skip
    peak = smooth(((-0.58, -0.58, 1), (0.0, -0.72), (0.58, -0.58, 1), (0.42, -0.40), (0.0, -0.34), (-0.42, -0.40)))
    seam = Part(bow((0.0, -0.72), (0.0, -1.14), 0, 3), Ink.WORN_SHADE, 0.02)
    return [Part(dome, Ink.WORN), seam, Part(_closed(dome), Ink.WORN_SHADE, 0.02), Part(peak, Ink.WORN_SHADE),
            Part(stroke(bow((-0.5, -0.54), (0.5, -0.54), 0.1), 0.03), Ink.WORN_LIGHT)]  # fmt: skip
