"""The inks of a drawn face and what colours they are: every ink runs from an upper to a lower tone."""

from __future__ import annotations

import colorsys
import random
from enum import IntEnum
from itertools import chain

from difftool.builtin.avatar_traits import EYES, HAIR, Traits

Tone = tuple[float, float, float]  # hue in degrees, saturation and value from 0 to 1
LEVELS = 8


class Ink(IntEnum):
    """At most 32: with 8 levels of light each, they fill a palette of 256."""

    GROUND = 0
    PATTERN = 1
    SKIN = 2
    SKIN_SHADE = 3
    SKIN_LINE = 4
    BLUSH = 5
    BLUSH_SOFT = 6
    HAIR = 7
    HAIR_SHADE = 8
    HAIR_LIGHT = 9
    HAIR_LINE = 10
    BACK = 11
    BACK_SHADE = 12
    WHITE = 13
    WHITE_SHADE = 14
    LASH = 15
    IRIS_DARK = 16
    IRIS = 17
    IRIS_LIGHT = 18
    PUPIL = 19
    GLINT = 20
    BROW = 21
    MOUTH = 22
    TONGUE = 23
    CLOTH = 24
    CLOTH_SHADE = 25
    CLOTH_LINE = 26
    TRIM = 27
    TRIM_SHADE = 28
    WORN = 29
    WORN_SHADE = 30
    WORN_LIGHT = 31


def palette(traits: Traits, dice: random.Random) -> bytes:
    """RGB of each ink at each level, 256 colours."""

    def around(tone: Tone, hue: float, saturation: float, value: float) -> Tone:
        h, s, v = tone
        return (
            h + hue * (2 * dice.random() - 1),
            s * (1 + saturation * (2 * dice.random() - 1)),
            v * (1 + value * (2 * dice.random() - 1)),
        )

    hair = around(HAIR[traits.hair], 6, 0.16, 0.06)
    iris = around(EYES[traits.eyes], 6, 0.12, 0.06)
    skin = _skin(dice)
    ground = _ground(dice)
    cloth = _cloth(dice)
    trim = (360 * dice.random(), 0.15 + 0.6 * dice.random(), 0.5 + 0.45 * dice.random())
    worn = (360 * dice.random(), 0.45 + 0.4 * dice.random(), 0.6 + 0.38 * dice.random())
    if traits.accessory == "glasses":
        worn = (worn[0], 0.5 * dice.random(), 0.15 + 0.3 * dice.random())
    if traits.accessory == "cat ears":
        worn = hair
    fall = 0.10 + 0.16 * dice.random()  # how much darker, or with a bright tip lighter, hair gets downwards
    if dice.random() < 0.3:
        fall = -0.4 * fall
    drift = 24 * (dice.random() - 0.5)

    def lower(tone: Tone) -> Tone:
        return _shift(tone, drift, 1 + 0.5 * abs(fall), 1 - fall)

    shade = _cool(hair, 0.15, 1.16, 0.80)
    line = _cool(hair, 0.22, 1.42, 0.42)
    back = _cool(hair, 0.13, 1.12, 0.75)
    deep = _cool(back, 0.1, 1.1, 0.80)
    light = (_toward(hair[0], 50, 0.18), hair[1] * 0.42, min(1.0, 0.20 + hair[2] * 1.12))
    line_skin = (_toward(skin[0], 0, 0.5), min(1, skin[1] * 1.1 + 0.28), skin[2] * 0.60)
    deep_iris = (_toward(iris[0], 262, 0.14), min(1, iris[1] * 1.12), iris[2] * 0.34)
    tones: dict[Ink, tuple[Tone, Tone]] = {
        Ink.GROUND: ground[:2],
        Ink.PATTERN: (ground[2], ground[2]),
        Ink.SKIN: (skin, _shift(skin, 0, 0.92, 1.02)),
        Ink.SKIN_SHADE: _flat((_toward(skin[0], 350, 0.35), skin[1] * 1.22 + 0.08, skin[2] * 0.88)),
        Ink.SKIN_LINE: _flat(line_skin),
        Ink.BLUSH: _flat((_toward(skin[0], 352, 0.62), skin[1] * 1.15 + 0.14, skin[2] * 0.98)),
        Ink.BLUSH_SOFT: _flat((_toward(skin[0], 354, 0.40), skin[1] * 1.10 + 0.06, skin[2] * 0.99)),
        Ink.HAIR: (hair, lower(hair)),
        Ink.HAIR_SHADE: (shade, lower(shade)),
        Ink.HAIR_LIGHT: (light, lower(light)),
        Ink.HAIR_LINE: (line, lower(line)),
        Ink.BACK: (back, lower(back)),
        Ink.BACK_SHADE: (deep, lower(deep)),
        Ink.WHITE: _flat((30, 0.01, 1.0)),
        Ink.WHITE_SHADE: _flat((240, 0.13, 0.84)),
        Ink.LASH: _flat((_toward(hair[0], 290, 0.2), min(0.75, 0.30 + 0.4 * hair[1]), 0.20)),
        Ink.IRIS_DARK: _flat(deep_iris),
        Ink.IRIS: _flat((iris[0], iris[1], iris[2] * 0.76)),
        Ink.IRIS_LIGHT: _flat((_toward(iris[0], 60, 0.06), iris[1] * 0.72, min(1, iris[2] * 1.14))),
        Ink.PUPIL: _flat((deep_iris[0], deep_iris[1], deep_iris[2] * 0.5)),
        Ink.GLINT: _flat((0, 0, 1)),
        Ink.BROW: _flat(_cool(hair, 0.16, 1.3, 0.54)),
        Ink.MOUTH: _flat((354, 0.62, 0.60)),
        Ink.TONGUE: _flat((356, 0.46, 0.93)),
        Ink.CLOTH: (cloth, _shift(cloth, 0, 1.0, 0.94)),
        Ink.CLOTH_SHADE: _flat(_cool(cloth, 0.18, 1.12, 0.80, 0.07)),
        Ink.CLOTH_LINE: _flat(_cool(cloth, 0.25, 1.2, 0.48, 0.14)),
        Ink.TRIM: _flat(trim),
        Ink.TRIM_SHADE: _flat(_cool(trim, 0.15, 1.2, 0.72)),
        Ink.WORN: _flat(worn),
        Ink.WORN_SHADE: _flat(_cool(worn, 0.15, 1.2, 0.66)),
        Ink.WORN_LIGHT: _flat((worn[0], worn[1] * 0.45, min(1, worn[2] * 1.2 + 0.05))),
    }
    return bytes(chain.from_iterable(_ramp(*tones[ink]) for ink in Ink))


def _skin(dice: random.Random) -> Tone:
    """Mostly fair, as the drawings are that this resembles; every tone occurs."""
    depth = dice.random() ** 5
    return (
        22 + 5 * (dice.random() - 0.5) - 3 * depth,
        0.085 + 0.07 * dice.random() + 0.34 * depth,
        1.0 - 0.015 * dice.random() - 0.40 * depth,
    )


def _ground(dice: random.Random) -> tuple[Tone, Tone, Tone]:
    """Upper and lower colour and that of the pattern: mostly pale, sometimes deep."""
    hue, turn = 360 * dice.random(), 100 * (dice.random() - 0.5)
    deep = dice.random() < 0.25
    saturation = (0.30 + 0.4 * dice.random()) if deep else (0.04 + 0.34 * dice.random() ** 1.5)
    value = (0.22 + 0.36 * dice.random()) if deep else (0.82 + 0.18 * dice.random())
    upper = (hue, saturation, value)
    lower = (hue + turn, saturation * (0.4 + 0.9 * dice.random()), min(1, value * (0.86 + 0.4 * dice.random())))
    pattern = (hue + turn / 2, saturation * 0.55, min(1, value * 1.12 + 0.05))
    return upper, lower, pattern


def _cloth(dice: random.Random) -> Tone:
    """White, dark, or of any colour."""
    kind = dice.random()
    hue, much, light = 360 * dice.random(), dice.random(), dice.random()
    if kind < 0.40:
        return hue, 0.07 * much, 0.92 + 0.08 * light
    if kind < 0.65:
        return 200 + 80 * hue / 360, 0.25 + 0.35 * much, 0.18 + 0.2 * light
    return hue, 0.30 + 0.45 * much, 0.55 + 0.40 * light


def _toward(hue: float, goal: float, share: float) -> float:
    """Part of the way round to another hue, the shorter way."""
    return hue + share * ((goal - hue + 180) % 360 - 180)


def _cool(tone: Tone, share: float, saturation: float, value: float, plus: float = 0.02) -> Tone:
    """A shadow: towards violet, fuller and darker. Yellow goes by way of orange, else its shadow would be green."""
    hue, s, v = tone
    goal = 10.0 if 15 <= hue % 360 <= 75 else 262.0
    return _toward(hue, goal, share * (1.8 if goal == 10.0 else 1)), s * saturation + plus, v * value


def _shift(tone: Tone, hue: float, saturation: float, value: float) -> Tone:
    return tone[0] + hue, tone[1] * saturation, tone[2] * value


def _flat(tone: Tone) -> tuple[Tone, Tone]:
    return tone, tone


def _ramp(upper: Tone, lower: Tone) -> list[int]:
    """RGB at each level."""
    if upper is lower:
        return [round(255 * c) for c in _rgb(upper)] * LEVELS
    ends = list(zip(_rgb(upper), _rgb(lower), strict=True))
    return [round(255 * (a + (b - a) * level / (LEVELS - 1))) for level in range(LEVELS) for a, b in ends]


def _rgb(tone: Tone) -> tuple[float, float, float]:
    h, s, v = tone
    return colorsys.hsv_to_rgb(h / 360 % 1, min(1.0, max(0.0, s)), min(1.0, max(0.0, v)))
