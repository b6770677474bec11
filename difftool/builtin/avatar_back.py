"""Hair behind the face: what a hair style is made of besides its fringe."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from difftool.builtin.avatar_art import Art, Part, bow, disc, gather, mirrored, smooth, stroke
from difftool.builtin.avatar_colours import Ink

Curve = Sequence[Sequence[float]]

ROOF: Curve = ((-0.74, -0.22), (-0.67, -0.60), (-0.39, -0.90), (0.0, -1.0), (0.39, -0.90), (0.67, -0.60), (0.74, -0.22))

# The right half of the outline behind the face, from the temple down to the middle; corners are tips of hair.
BACKS: dict[str, Curve] = {
    "straight": ((0.77, 0.2), (0.80, 0.7), (0.84, 1.5, 1), (0.0, 1.5, 1)),
    "wavy": ((0.84, 0.05), (0.80, 0.30), (0.93, 0.55), (0.86, 0.80), (0.98, 1.05), (0.90, 1.4, 1), (0.0, 1.4, 1)),
    "bob": ((0.82, 0.05), (0.84, 0.35), (0.72, 0.62), (0.52, 0.76, 1), (0.46, 0.66), (0.0, 0.6)),
    "short": ((0.76, 0.08), (0.72, 0.30), (0.60, 0.50, 1), (0.50, 0.42), (0.42, 0.60, 1), (0.0, 0.5)),
    "spiky": ((0.84, -0.1), (1.02, -0.04, 1), (0.82, 0.12), (0.96, 0.30, 1), (0.74, 0.34), (0.80, 0.58, 1),
              (0.58, 0.50), (0.54, 0.72, 1), (0.36, 0.6), (0.0, 0.6)),
    "flipped": ((0.78, 0.05), (0.74, 0.34), (0.80, 0.56), (1.0, 0.62, 1), (0.84, 0.74), (0.70, 0.72), (0.78, 0.88, 1),
                (0.52, 0.78), (0.36, 0.7), (0.0, 0.7)),
    "nape": ((0.75, 0.05), (0.70, 0.24), (0.52, 0.42), (0.3, 0.5), (0.0, 0.5)),
}  # fmt: skip


@functools.cache
def back(style: str) -> Art:
    """Everything of a style that lies behind the face."""
    outline, extra = STYLE_PARTS[style][:2]
    return gather([*_extras(extra), *_mass(outline)])


def _mass(kind: str) -> list[Part]:
    right = BACKS[kind]
    left = [(-p[0], *p[1:]) for p in reversed(right)]
    shape = smooth([*ROOF, *right, *left], steps=4)
    parts = [Part(shape, Ink.BACK)]
    if kind in ("straight", "wavy", "bob", "flipped"):
        deep = ((0.40, 0.2), (0.62, 0.2), (0.60, 0.6), (0.52, 1.6), (0.0, 1.6))
        if kind in ("bob", "flipped"):
            deep = ((0.40, 0.2), (0.64, 0.2), (0.58, 0.52), (0.40, 0.64), (0.0, 0.58))
        inner = smooth([*deep, *((-x, y) for x, y in reversed(deep))], steps=3)
        parts.append(Part(inner, Ink.BACK_SHADE))
        strands = []
        for x, length in ((0.71, 1.15), (0.66, 0.8)) if kind in ("straight", "wavy") else ((0.72, 0.55),):
            strands.append(Part(stroke(bow((x, 0.0), (x + 0.04, length), -0.03), 0.035), Ink.BACK_SHADE))
        parts += [*strands, *mirrored(strands)]
    return [*parts, Part(np.concatenate([shape, shape[:1]]), Ink.HAIR_LINE, 0.02)]


def _tuft(control: Curve, dark: Curve, light: Curve | None = None) -> list[Part]:
    """A tail of hair: filled, shaded, lit, lined."""
    outline = smooth(control)
    parts = [Part(outline, Ink.HAIR), Part(smooth(dark), Ink.HAIR_SHADE)]
    if light:
        parts.append(Part(stroke(smooth(light, closed=False), 0.07), Ink.HAIR_LIGHT))
    return [*parts, Part(np.concatenate([outline, outline[:1]]), Ink.HAIR_LINE, 0.02)]


def _tie(x: float, y: float, r: float) -> list[Part]:
    return [Part(disc(x, y, r, r * 1.2), Ink.TRIM), Part(disc(x + r * 0.3, y + r * 0.3, r * 0.55), Ink.TRIM_SHADE)]


def _extras(kind: str) -> list[Part]:
    """Tails, buns, curls: on the right, and mirrored where they come in pairs."""
    if kind == "twin tails":
        one = _tuft(
            ((0.60, -0.52, 1), (0.80, -0.66), (0.98, -0.50), (1.06, -0.1), (1.04, 0.5), (0.92, 1.25, 1), (0.86, 0.8),
             (0.80, 1.0, 1), (0.80, 0.4), (0.78, -0.1)),
            ((0.62, -0.50, 1), (0.82, -0.40), (0.90, 0.0), (0.90, 0.5), (0.80, 1.0, 1), (0.80, 0.4), (0.77, -0.1)),
            ((0.86, -0.54), (0.98, -0.34), (1.0, -0.05)),
        )  # fmt: skip
        one += _tie(0.66, -0.52, 0.08)
    elif kind == "low tails":
        one = _tuft(
            ((0.60, 0.36, 1), (0.80, 0.36), (0.92, 0.62), (0.90, 1.0), (0.78, 1.4, 1), (0.66, 1.0), (0.62, 0.7)),
            ((0.60, 0.38, 1), (0.74, 0.56), (0.78, 0.9), (0.78, 1.4, 1), (0.66, 1.0), (0.62, 0.7)),
            ((0.80, 0.46), (0.87, 0.66), (0.86, 0.9)),
        )
        one += _tie(0.64, 0.40, 0.07)
    elif kind == "buns":
        ball = disc(0.60, -0.76, 0.24, count=24)
        one = [
            Part(ball, Ink.HAIR),
            Part(smooth(((0.44, -0.62), (0.60, -0.54), (0.80, -0.64), (0.82, -0.86), (0.72, -0.68))), Ink.HAIR_SHADE),
            Part(stroke(bow((0.50, -0.86), (0.70, -0.90), 0.2), 0.06), Ink.HAIR_LIGHT),
            Part(np.concatenate([ball, ball[:1]]), Ink.HAIR_LINE, 0.02),
        ]
    elif kind == "drills":
        one = []
        for k in range(6):
            y, r = 0.16 + 0.20 * k, 0.20 - 0.018 * k
            turn = smooth(((0.80 - r, y - 0.10), (0.80, y - 0.06), (0.80 + r, y - 0.14), (0.80 + r, y + 0.08),
                           (0.82, y + 0.17), (0.80 - r, y + 0.10)), steps=3)  # fmt: skip
            dark = smooth(((0.80 - r, y + 0.02), (0.82, y + 0.09), (0.80 + r, y), (0.80 + r, y + 0.08),
                           (0.82, y + 0.17), (0.80 - r, y + 0.10)), steps=3)  # fmt: skip
            one += [Part(turn, Ink.HAIR), Part(dark, Ink.HAIR_SHADE)]
            one += [Part(np.concatenate([turn, turn[:1]]), Ink.HAIR_LINE, 0.018)]
    elif kind == "braids":
        one = []
        for k in range(6):
            y = 0.50 + 0.17 * k
            for side in (-1, 1):
                knot = disc(0.68 + 0.06 * side, y + 0.05 * side, 0.105, 0.10, count=14)
                one += [Part(knot, Ink.HAIR if side < 0 else Ink.HAIR_SHADE)]
                one += [Part(np.concatenate([knot, knot[:1]]), Ink.HAIR_LINE, 0.018)]
    elif kind in ("ponytail", "side tail"):
        one = _tuft(
            ((0.34, -0.86, 1), (0.62, -1.02), (0.88, -0.86), (1.0, -0.4), (1.0, 0.2), (0.86, 0.95, 1), (0.84, 0.5),
             (0.76, 0.7, 1), (0.78, 0.1), (0.74, -0.4)),
            ((0.44, -0.84, 1), (0.72, -0.70), (0.86, -0.3), (0.88, 0.2), (0.76, 0.7, 1), (0.78, 0.1), (0.74, -0.4)),
            ((0.70, -0.90), (0.88, -0.66), (0.94, -0.3)),
        )  # fmt: skip
        if kind == "side tail":
            shift = np.array([0.16, 0.30])
            one = [part._replace(points=part.points + shift) for part in one]
            return [*one, *_tie(0.58, -0.52, 0.08)]
        return [*one, *_tie(0.44, -0.90, 0.09)]
    else:
        return []
    return [*mirrored(one), *one]


# For each style: the outline behind the face, what else hangs there, and the locks beside the cheeks to choose from.
STYLE_PARTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "long": ("straight", "", ("jaw", "long", "thin")),
    "hime": ("straight", "", ("jaw",)),
    "wavy": ("wavy", "", ("long", "jaw")),
    "bob": ("bob", "", ("jaw", "short")),
    "short": ("short", "", ("short", "none")),
    "spiky": ("spiky", "", ("short", "none")),
    "flipped": ("flipped", "", ("jaw", "short")),
    "twin tails": ("nape", "twin tails", ("thin", "jaw", "short")),
    "low tails": ("nape", "low tails", ("thin", "jaw")),
    "ponytail": ("nape", "ponytail", ("thin", "jaw", "short")),
    "side tail": ("nape", "side tail", ("thin", "jaw")),
    "buns": ("nape", "buns", ("thin", "jaw")),
    "drills": ("nape", "drills", ("thin", "short")),
    "braids": ("nape", "braids", ("thin", "jaw")),
}
