"""The face without eyes and hair: outline, ears, neck, nose, mouth, blush."""

from __future__ import annotations

import functools

import numpy as np

from difftool.builtin.avatar_art import Art, Part, Points, bow, disc, gather, mirrored, moved, smooth, stroke
from difftool.builtin.avatar_colours import Ink

# The right half, from the chin up.
HALF = ((0.0, 0.650), (0.08, 0.622), (0.235, 0.520), (0.405, 0.365), (0.505, 0.19), (0.545, -0.02), (0.545, -0.25),
        (0.49, -0.55), (0.28, -0.78), (0.0, -0.84))  # fmt: skip


@functools.cache
def outline() -> Points:
    """Once around, from the chin by the right cheek."""
    return smooth([*HALF, *((-x, y) for x, y in HALF[-2:0:-1])], steps=3)


@functools.cache
def face() -> Art:
    """Skin, the shaded cheek, the line around it."""
    cheek = smooth(((0.545, -0.25), (0.545, -0.02), (0.505, 0.19), (0.405, 0.365), (0.235, 0.520), (0.07, 0.63, 1),
                    (0.235, 0.485), (0.385, 0.31), (0.465, 0.10), (0.49, -0.15)), steps=3)  # fmt: skip
    around = np.concatenate([outline(), outline()[:1]])
    return gather([Part(outline(), Ink.SKIN), Part(cheek, Ink.SKIN_SHADE), Part(around, Ink.SKIN_LINE, 0.018)])


@functools.cache
def flank() -> Points:
    """[height, half width] of the face from top to chin: how far a shadow may reach."""
    half = smooth(HALF, closed=False, steps=4)[::-1]
    return half[:, ::-1]


@functools.cache
def neck() -> Art:
    """Neck, the chin's shadow on it, and ears."""
    shape = smooth(((-0.19, 0.3, 1), (-0.17, 0.70), (-0.24, 0.92), (-0.42, 1.1, 1), (0.42, 1.1, 1), (0.24, 0.92),
                    (0.17, 0.70), (0.19, 0.3, 1)))  # fmt: skip
    under = smooth(((-0.18, 0.5, 1), (-0.175, 0.72), (0.0, 0.86), (0.175, 0.70), (0.18, 0.5, 1)))
    ear = smooth(((0.48, -0.02), (0.58, -0.06), (0.62, 0.04), (0.56, 0.22), (0.47, 0.26)))
    fold = stroke(bow((0.51, 0.02), (0.54, 0.18), -0.2), 0.04)
    one = [Part(ear, Ink.SKIN), Part(fold, Ink.SKIN_SHADE), Part(ear, Ink.SKIN_LINE, 0.014)]
    return gather([Part(shape, Ink.SKIN), Part(under, Ink.SKIN_SHADE), *mirrored(one), *one])


@functools.cache
def blush(kind: int) -> Art:
    """Warm cheeks: soft, or with strokes."""
    one = [Part(disc(0.29, 0.33, 0.115, 0.06), Ink.BLUSH_SOFT), Part(disc(0.29, 0.33, 0.075, 0.036), Ink.BLUSH)]
    if kind == 1:
        one += [
            Part(stroke(bow((x + 0.025, 0.30), (x - 0.025, 0.36), 0.0, 4), 0.02), Ink.SKIN_LINE)
            for x in (0.24, 0.29, 0.34)
        ]
    return gather([*mirrored(one), *one])


@functools.cache
def nose(kind: int) -> Art:
    """Hardly more than a dot, as the style has it."""
    if kind == 0:
        return gather([Part(stroke(bow((0.0, 0.265), (0.012, 0.315), -0.2, 5), 0.026, start=0.2), Ink.SKIN_LINE)])
    if kind == 1:
        tip = smooth(((0.0, 0.25), (0.028, 0.315), (-0.012, 0.325)))
        return gather([Part(tip, Ink.SKIN_SHADE)])
    return gather([Part(stroke(bow((-0.022, 0.315), (0.026, 0.31), -0.15, 5), 0.022), Ink.SKIN_LINE)])


@functools.cache
def mouth(expression: str, kind: int) -> Art:
    """By expression, around (0, 0.45)."""
    line = Ink.SKIN_LINE
    if expression == "laugh":
        top = bow((-0.13, 0.40), (0.13, 0.40), -0.05, 9)
        shape = np.concatenate([top, bow((0.13, 0.40), (-0.13, 0.40), 0.56, 13)])
        teeth = np.concatenate([moved(top[1:-1], 0, 0.006), moved(top[2:-2], 0, 0.032)[::-1]])
        tongue = smooth(((-0.075, 0.49), (0.0, 0.465), (0.075, 0.49), (0.045, 0.526), (0.0, 0.538), (-0.045, 0.526)))
        return gather([
            Part(shape, Ink.MOUTH), Part(tongue, Ink.TONGUE), *([Part(teeth, Ink.GLINT)] if kind else []),
            Part(np.concatenate([shape, shape[:1]]), line, 0.016),
        ])  # fmt: skip
    if expression == "surprised":
        ring = disc(0.0, 0.46, 0.05, 0.065, 16)
        inner = [Part(ring, Ink.MOUTH), Part(disc(0.0, 0.492, 0.03, 0.024, 12), Ink.TONGUE)]
        return gather([*inner, Part(np.concatenate([ring, ring[:1]]), line, 0.016)])
    if expression == "smile" and kind:
        top = bow((-0.085, 0.425), (0.085, 0.425), -0.05, 7)
        shape = np.concatenate([top, bow((0.085, 0.425), (-0.085, 0.425), 0.42, 9)])
        return gather([Part(shape, Ink.MOUTH), Part(stroke(top, 0.02, 0.5, 0.5), line)])
    if expression == "wink" and kind:  # like a cat's
        w = np.concatenate([bow((-0.10, 0.43), (0.0, 0.44), -0.3, 6), bow((0.0, 0.44), (0.10, 0.43), -0.3, 6)[1:]])
        return gather([Part(stroke(w, 0.024, 0.6, 0.6), line)])
    bend = {"neutral": -0.03, "smile": -0.20, "sad": 0.16, "angry": 0.12, "wink": -0.2}[expression]
    half = {"neutral": 0.055, "smile": 0.095, "sad": 0.065, "angry": 0.07, "wink": 0.09}[expression]
    curve = stroke(bow((-half, 0.45), (half, 0.45), bend, 9), 0.026, 0.4, 0.4)
    lip = stroke(bow((-0.03, 0.505), (0.03, 0.505), -0.1, 5), 0.018)
    return gather([Part(curve, line), Part(lip, Ink.SKIN_SHADE)])
