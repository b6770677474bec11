"""One face put together: which outlines, where, how turned. Nothing here knows how large the picture will be."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from difftool.builtin import avatar_back, avatar_body, avatar_eyes, avatar_face, avatar_hair, avatar_worn
from difftool.builtin.avatar_art import Art, Part, Points, gather, moved
from difftool.builtin.avatar_colours import Ink
from difftool.builtin.avatar_traits import Traits

Warp = Callable[[Points], Points]

OPENED = {"neutral": 0.96, "smile": 0.98, "laugh": 1.02, "surprised": 1.12, "sad": 0.84, "angry": 0.84, "wink": 1.0}
SLOPE = {"sad": -0.5, "angry": 0.7}
RADIUS = 0.70  # of the ball that the features sit on


def scene(traits: Traits, dice: random.Random) -> Art:
    """Everything that is drawn, back to front."""

    def sway(reach: float) -> float:
        """From -reach to reach."""
        return reach * (2 * dice.random() - 1)

    def pick(count: int) -> int:
        return int(dice.random() * count)

    turned = {"frontal": 0.0, "left": -1.0, "right": 1.0}[traits.pose]
    yaw = math.radians(sway(4) if not turned else turned * (11 + 8 * dice.random()))
    t = yaw / math.radians(18)
    tilt, lean, nod = math.radians(sway(9) + sway(10) * dice.random()), math.radians(sway(3)), sway(0.025)
    zoom, where = 1.15 + sway(0.11), np.array([sway(0.08) - 0.09 * t, -0.02 + sway(0.06)])
    if traits.accessory in ("hat", "cat ears", "headband"):  # room above
        zoom, where = 0.88 * zoom, moved(where, 0, 0.11)
    chin, jaw = 1 + sway(0.05), 1 + sway(0.05)
    hair = _Hair(t, dice)
    turn = np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]])
    slant = np.array([[math.cos(lean), math.sin(lean)], [-math.sin(lean), math.cos(lean)]])

    turned_zoom = turn * zoom
    offset = (np.array([0, 0.6]) - (0, 0.6) @ turn) * zoom + where

    def head(points: Points) -> Points:
        placed: Points = points @ turned_zoom + offset
        return placed

    def body(points: Points) -> Points:
        placed: Points = ((points - (0.02 * t, 0.8)) @ slant + (0, 0.8)) * zoom + where
        return placed

    def skull(points: Points) -> Points:
        """The outline of a turned face: the far cheek stays, chin and near cheek move."""
        u, v = points[:, 0], points[:, 1]
        low = np.clip((v + 0.5) / 1.1, 0, 1)
        shift = 0.155 * t * low * low * (3 - 2 * low)
        far = np.clip(u * np.sign(t) / 0.52, 0, 1)
        v = np.where(v > 0.1, 0.1 + (v - 0.1) * chin, v)
        return head(np.stack([u * (1 + (jaw - 1) * low) + shift * (1 - 0.72 * far), v], axis=1))

    def feature(points: Points) -> Points:
        """On the ball that turns."""
        angle = np.arcsin(np.clip(points[:, 0] / RADIUS, -0.98, 0.98)) + yaw
        u, v = RADIUS * (np.sin(angle) - 0.3 * math.sin(yaw)), points[:, 1] + nod
        v = np.where(v > 0.1, 0.1 + (v - 0.1) * (1 + 0.5 * (chin - 1)), v)
        return head(np.stack([u, v], axis=1))

    canvas = _Canvas()
    flip = np.array([1.0 if dice.random() < 0.5 else -1.0, 1.0])
    spot = np.array([sway(0.25), sway(0.15)])
    canvas.add(avatar_body.ground(traits.ground), lambda p: p * flip + spot)
    sides = avatar_back.STYLE_PARTS[traits.style][2]
    behind = flip if traits.style in ("ponytail", "side tail") else np.array([1.0, 1.0])
    canvas.add(avatar_back.back(traits.style), lambda p: head(hair.behind(p * behind)))
    canvas.add(avatar_face.neck(), lambda p: head(moved(p, 0.035 * t, 0)))
    canvas.add(avatar_body.clothes(traits.clothes), body)
    canvas.add(avatar_face.face(), skull)
    fringe_flip = np.array([1.0 if dice.random() < 0.5 else -1.0, 1.0])
    reach = 0.04 + 0.04 * dice.random()
    thrown = hair.front(avatar_hair.shadow(traits.fringe) * fringe_flip, 1.0) - (0.08 * t, -reach)
    canvas.add(gather([Part(_on_face(thrown), Ink.SKIN_SHADE)]), skull)
    if dice.random() < 0.75 or traits.expression in ("laugh", "smile"):
        canvas.add(avatar_face.blush(pick(3)), feature)
    canvas.add(avatar_face.nose(pick(3)), lambda p: feature(moved(p, 0.02 * t, 0)))
    grin = 1 + sway(0.2)
    canvas.add(avatar_face.mouth(traits.expression, pick(2)), lambda p: feature((p - (0, 0.45)) * grin + (0, 0.45)))

    apart, level = 0.277 + sway(0.016), 0.085 + sway(0.03)
    size, tall = 0.180 + sway(0.016), 1.16 + sway(0.12)
    size *= avatar_eyes.SHAPES[traits.eye_shape].width
    opened = OPENED[traits.expression] + sway(0.05)
    slope = SLOPE.get(traits.expression, 0.0) + sway(0.1)
    gaze, pupil = (0.12 * t + sway(0.10), sway(0.06)), 0.40 + sway(0.08)
    closed = (1 if dice.random() < 0.5 else -1) if traits.expression == "wink" else 0
    thick, height = 0.15 + sway(0.05), -1.52 + sway(0.12)

    brow, through = avatar_eyes.brow(traits.expression, height, thick), []

    def eye_at(side: int) -> Warp:
        return lambda p: feature(p * (side * size, size * tall) + (side * apart, level))

    for side in (-1, 1):
        parts = (
            avatar_eyes.closed_eye()
            if side == closed
            else avatar_eyes.eye(traits.eye_shape, opened, slope, gaze, pupil, side)
        )
        through.append(next(part for part in parts if part.ink == Ink.LASH))
        canvas.add(gather([*parts, brow]), eye_at(side))
    canvas.add(avatar_hair.sides(sides[pick(len(sides))]), lambda p: head(hair.front(p)))
    worn, kind = traits.accessory, pick(3)
    if worn == "cat ears":
        canvas.add(avatar_worn.worn(worn, kind), lambda p: head(hair.front(p)))
    canvas.add(avatar_hair.fringe(traits.fringe, pick(3)), lambda p: head(hair.front(p * fringe_flip, 1.0)))
    if dice.random() < 0.4 and worn != "hat":
        canvas.add(avatar_hair.antenna(pick(3)), lambda p: head(hair.front(p * flip)))
    # Brows and lashes shine through the fringe, as the style has it.
    for side, lid in zip((-1, 1), through, strict=True):
        canvas.add(gather([brow._replace(ink=Ink.HAIR_LINE), lid]), eye_at(side))
    if worn == "glasses":
        canvas.add(avatar_worn.glasses(kind), lambda p: feature(moved(p, 0, level)))
    elif worn not in ("none", "cat ears"):
        canvas.add(avatar_worn.worn(worn, kind), lambda p: head(hair.front(p * flip)))
    return canvas.art()


class _Hair:
    """No two heads of hair fall alike: a smooth warp, the same for all of one head."""

    def __init__(self, t: float, dice: random.Random) -> None:
        r = dice.random
        self.t = t
        self.wide, self.high = 1.0 + 0.05 * (2 * r() - 1), 1.0 + 0.05 * (2 * r() - 1)
        self.waves = [(2 + 4 * r(), math.tau * r(), 0.028 * r()) for _ in range(4)]
        self.drop = 0.16 * (2 * r() - 1)
        self.longer = 0.10 * (2 * r() - 1)

    def _fall(self, points: Points) -> Points:
        u, v = points[:, 0] * self.wide, points[:, 1]
        v = np.where(v < -0.3, -0.3 + (v + 0.3) * self.high, v + self.longer * np.clip(v + 0.3, 0, 0.5))
        (a, b, c), (d, e, f), (g, h, i), (j, k, m) = self.waves
        x = u + c * np.sin(a * v + b) + f * np.sin(2 * d * v + e)
        y = v + 1.4 * i * np.sin(1.6 * g * u + h) + m * np.sin(3 * j * u + k)
        return np.stack([x, y], axis=1)

    def behind(self, points: Points) -> Points:
        """Hair behind the head moves against the turn."""
        return self._fall(points) - (0.05 * self.t, 0)

    def front(self, points: Points, fringe: float = 0.0) -> Points:
        """Hair before the face moves with it, the more the further down from the crown."""
        fallen = self._fall(points)
        fallen[:, 1] += fringe * self.drop * np.clip(fallen[:, 1] + 0.5, 0, 0.6)
        fallen[:, 0] += 0.09 * self.t * np.clip(fallen[:, 1] + 1, 0, 1.4)
        return fallen


def _on_face(lower: Points) -> Points:
    """The shadow of a fringe, kept within the face."""
    flank = avatar_face.flank()
    half = np.interp(lower[:, 1], flank[:, 0], flank[:, 1])
    held = np.stack([np.clip(lower[:, 0], -half, half), lower[:, 1]], axis=1)
    return np.concatenate([held, np.array([(0.47, -0.5), (-0.47, -0.5)])])


class _Canvas:
    """Collects moved outlines in drawing order."""

    def __init__(self) -> None:
        self._points: list[Points] = []
        self._parts: list[tuple[int, int, int, float]] = []
        self._count = 0

    def add(self, art: Art, warp: Warp) -> None:
        """One more layer on top."""
        if not art.parts:
            return
        self._points.append(warp(art.points))
        self._parts += [(a + self._count, b + self._count, ink, width) for a, b, ink, width in art.parts]
        self._count += len(art.points)

    def art(self) -> Art:
        """All of it."""
        return Art(np.concatenate(self._points), tuple(self._parts))
