"""Hair in front of the face: the cap over the skull, the fringe, and the locks beside the cheeks."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from difftool.builtin.avatar_art import Art, Part, Points, bow, gather, mirrored, smooth, stroke
from difftool.builtin.avatar_colours import Ink

Spot = tuple[float, float]

CROWN = (0.06, -0.98)
# From the right temple over the skull to the left one.
CAP = ((0.68, 0.10), (0.735, -0.22), (0.66, -0.60), (0.39, -0.89), (0.0, -0.99), (-0.39, -0.89), (-0.66, -0.60),
       (-0.735, -0.22), (-0.68, 0.10))  # fmt: skip

# Where locks end, left to right, the notches between them, and which way they sweep. The locks at both temples are
# the same for all and come in `_whole`.
FRINGES: dict[str, tuple[tuple[Spot, ...], tuple[Spot, ...], float]] = {
    "blunt": (
        ((-0.36, -0.08), (-0.17, -0.10), (0.02, -0.09), (0.21, -0.11), (0.38, -0.08)),
        ((-0.45, -0.22), (-0.26, -0.23), (-0.07, -0.28), (0.11, -0.25), (0.30, -0.23), (0.46, -0.22)),
        0.03,
    ),
    "spiky": (
        ((-0.31, -0.01), (-0.04, 0.08), (0.22, -0.05)),
        ((-0.42, -0.28), (-0.16, -0.34), (0.13, -0.38), (0.38, -0.28)),
        0.09,
    ),
    "swept": (
        ((-0.44, 0.06), (-0.26, 0.00), (-0.06, -0.07), (0.10, -0.18)),
        ((-0.50, -0.12), (-0.30, -0.20), (-0.08, -0.28), (0.08, -0.38), (0.32, -0.66)),
        0.13,
    ),
    "parted": (
        ((-0.42, 0.02), (-0.22, -0.16), (0.24, -0.16), (0.43, 0.02)),
        ((-0.48, -0.10), (-0.33, -0.22), (0.01, -0.70), (0.34, -0.22), (0.49, -0.10)),
        0.14,
    ),
    "curtain": (
        ((-0.45, 0.14), (-0.28, -0.06), (0.34, -0.08), (0.46, 0.12)),
        ((-0.50, -0.04), (-0.37, -0.18), (-0.05, -0.60), (0.40, -0.20), (0.50, -0.04)),
        0.12,
    ),
    "wispy": (
        ((-0.37, -0.04), (-0.22, 0.03), (-0.03, -0.08), (0.13, 0.05), (0.33, -0.05)),
        ((-0.46, -0.24), (-0.29, -0.30), (-0.11, -0.36), (0.05, -0.36), (0.24, -0.32), (0.43, -0.24)),
        0.06,
    ),
    "crossed": (
        ((-0.34, -0.02), (0.04, 0.26), (0.34, -0.02)),
        ((-0.44, -0.24), (-0.12, -0.44), (0.12, -0.44), (0.44, -0.24)),
        0.08,
    ),
    "messy": (
        ((-0.44, 0.08), (-0.20, -0.04), (-0.10, 0.10), (0.17, -0.06), (0.30, 0.07)),
        ((-0.50, -0.14), (-0.33, -0.24), (-0.12, -0.24), (0.04, -0.34), (0.25, -0.22), (0.45, -0.16)),
        -0.09,
    ),
}
TEMPLE = ((0.60, 0.38), (0.715, -0.02))  # the outermost lock: its tip and where it leaves the skull


def _whole(kind: str) -> tuple[tuple[Spot, ...], tuple[Spot, ...], float]:
    """A fringe with the locks at the temples."""
    tips, notches, bend = FRINGES[kind]
    (x, y), (u, v) = TEMPLE
    deeper = tuple((a, b - 0.07) for a, b in notches)
    return ((-x, y), *tips, (x, y)), ((-u, v), *deeper, (u, v)), bend


@functools.cache
def fringe(kind: str, light: int) -> Art:
    """The cap with its fringe, shaded lock by lock, with a band of light."""
    tips, notches, bend = _whole(kind)
    lower, shades, lines = [], [], []
    last = len(tips) - 1
    for k, tip in enumerate(tips):
        left, right = notches[k], notches[k + 1]
        lean = bend if tip[0] < 0.02 or bend < 0 else -bend
        if k in (0, last):  # these follow the cheeks
            lean = -0.04 if k else 0.04
        down, up = bow(left, tip, lean - 0.05), bow(tip, right, -lean - 0.05)
        lower += [down[:-1], up[:-1]]
        if k < last:
            shades.append(Part(_shadow_side(tip, up, left, 0.34 + 0.16 * (k % 2)), Ink.HAIR_SHADE))
        if k:
            lines.append(Part(_parting(left, 0.40 + 0.25 * (k % 2)), Ink.HAIR_LINE))
    rim = np.concatenate([*lower, smooth(CAP, closed=False)])
    edge = np.concatenate([*lower, np.array([notches[-1]])])
    return gather([
        Part(rim, Ink.HAIR),
        *_roof_shade(),
        *shades,
        *_band(light),
        *lines,
        Part(edge, Ink.HAIR_LINE, 0.020),
    ])  # fmt: skip


def shadow(kind: str) -> Points:
    """The lower edge of the fringe, left to right: what throws a shadow on the face."""
    tips, notches, _ = _whole(kind)
    spots: list[Spot] = [notches[0]]
    for tip, notch in zip(tips, notches[1:], strict=True):
        spots += [tip, notch]
    return np.array(spots)


def _shadow_side(tip: Spot, edge: Points, left: Spot, share: float) -> Points:
    """The darker side of a lock: a wedge along its right edge, from the tip up towards the crown."""
    foot = edge[-1]
    goal = foot + share * (np.array(CROWN) - foot)
    inside = foot + 0.22 * (np.array(left) - foot) + (0, 0.02)
    inner = smooth((goal, inside, tip), closed=False)
    return np.concatenate([edge[:-1], bow(foot, goal, _curl(foot[0])), inner[1:]])


def _parting(notch: Spot, share: float) -> Points:
    """A thin line between two locks, up towards the crown."""
    goal = np.array(notch) + share * (np.array(CROWN) - np.array(notch))
    return stroke(bow(notch, goal, _curl(notch[0])), 0.026, start=0.9)


def _curl(x: float) -> float:
    """Strands bend over the skull: outwards on both sides."""
    return float(np.clip(-0.34 * x, -0.15, 0.15))


def _roof_shade() -> list[Part]:
    """The skull turns away at both sides."""
    side = smooth(((0.68, 0.10), (0.735, -0.22), (0.66, -0.60), (0.39, -0.89), (0.56, -0.52), (0.60, -0.2)), steps=3)
    part = Part(side, Ink.HAIR_SHADE)
    return [part, *mirrored([part])]


def _band(kind: int) -> list[Part]:
    """The ring of light around the head: ragged, smooth, or in two rows."""
    parts = []
    if kind == 1:
        for start, stop in ((-0.56, -0.16), (-0.08, 0.34), (0.42, 0.56)):
            x = np.linspace(start, stop, 9)
            parts.append(Part(stroke(np.stack([x, -0.68 + 0.42 * x**2], axis=1), 0.085), Ink.HAIR_LIGHT))
        return parts
    rows = ((-0.56, -0.10, 5, -0.66, 0.075), (-0.02, 0.30, 4, -0.66, 0.075), (0.37, 0.54, 2, -0.66, 0.075))
    if kind == 2:
        rows = ((-0.50, -0.04, 6, -0.60, 0.10), (0.06, 0.20, 2, -0.62, 0.07), (-0.40, -0.12, 3, -0.80, 0.03))
    for start, stop, teeth, height, width in rows:
        x = np.linspace(start, stop, 2 * teeth + 1)
        middle = height + 0.42 * x**2
        thick = width * np.sin(np.pi * (np.arange(len(x)) + 0.35) / (len(x) - 0.3)) ** 0.6
        ragged = np.where(np.arange(len(x)) % 2 == 0, -0.3, 1.0)
        upper = np.stack([x * 0.96, middle - thick * (0.55 + 0.35 * ragged)], axis=1)
        under = np.stack([x, middle + thick * (0.55 + 0.60 * np.roll(ragged, 1))], axis=1)
        parts.append(Part(np.concatenate([upper, under[::-1]]), Ink.HAIR_LIGHT))
    return parts


@functools.cache
def antenna(kind: int) -> Art:
    """A lock that stands up from the crown."""
    if kind == 0:
        line = smooth(((0.02, -0.92), (0.06, -1.06), (0.20, -1.12), (0.30, -1.02)), closed=False)
    elif kind == 1:
        line = smooth(((0.0, -0.92), (-0.06, -1.05), (0.02, -1.16), (0.14, -1.16)), closed=False)
    else:
        line = smooth(((0.03, -0.90), (0.16, -1.02), (0.34, -1.04)), closed=False)
    blade = stroke(line, 0.085, start=0.9)
    return gather([Part(blade, Ink.HAIR), Part(np.concatenate([blade, blade[:1]]), Ink.HAIR_LINE, 0.018)])


def _lock(control: Sequence[Sequence[float]], dark: Sequence[Sequence[float]]) -> list[Part]:
    """A lock on the right: filled, shaded, lined along its edge."""
    outline = smooth(control)
    return [
        Part(outline, Ink.HAIR),
        Part(smooth(dark), Ink.HAIR_SHADE),
        Part(np.concatenate([outline, outline[:1]]), Ink.HAIR_LINE, 0.018),
    ]


@functools.cache
def sides(kind: str) -> Art:
    """Locks beside the cheeks, drawn under the fringe."""
    parts: list[Part] = []
    if kind == "short":
        parts = _lock(
            ((0.69, -0.2), (0.71, 0.10), (0.62, 0.30), (0.555, 0.42, 1), (0.53, 0.22), (0.47, -0.06), (0.5, -0.3)),
            ((0.69, 0.0), (0.66, 0.2), (0.555, 0.42, 1), (0.60, 0.15)),
        )
    elif kind == "jaw":
        parts = _lock(
            ((0.70, -0.2), (0.74, 0.15), (0.68, 0.45), (0.53, 0.70, 1), (0.555, 0.40), (0.53, 0.1), (0.47, -0.15),
             (0.5, -0.3)),
            ((0.72, 0.0), (0.72, 0.25), (0.66, 0.48), (0.53, 0.70, 1), (0.62, 0.40), (0.64, 0.1)),
        )  # fmt: skip
    elif kind == "long":
        parts = _lock(
            ((0.69, -0.2), (0.73, 0.2), (0.74, 0.6), (0.70, 0.95), (0.58, 1.30, 1), (0.56, 0.9), (0.555, 0.5),
             (0.52, 0.15), (0.46, -0.12), (0.5, -0.3)),
            ((0.70, 0.0), (0.73, 0.4), (0.72, 0.8), (0.58, 1.30, 1), (0.64, 0.8), (0.63, 0.3)),
        )  # fmt: skip
    elif kind == "thin":
        parts = _lock(
            ((0.64, -0.2), (0.64, 0.15), (0.60, 0.45), (0.52, 0.66, 1), (0.545, 0.40), (0.53, 0.12), (0.47, -0.15)),
            ((0.64, 0.0), (0.62, 0.3), (0.52, 0.66, 1), (0.585, 0.3)),
        )
    return gather([*mirrored(parts), *parts])
