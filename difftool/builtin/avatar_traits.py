"""What a drawn face is, in words: thrown first from the picture's dice, so nothing needs to be drawn to know it."""

from __future__ import annotations

import random
from typing import NamedTuple, TypeVar

T = TypeVar("T")

# Hue in degrees, saturation, value of the hair's middle tone.
HAIR: dict[str, tuple[float, float, float]] = {
    "black": (238, 0.26, 0.29),
    "brown": (21, 0.52, 0.53),
    "blonde": (44, 0.50, 0.97),
    "orange": (25, 0.70, 0.95),
    "red": (357, 0.74, 0.78),
    "pink": (337, 0.40, 0.98),
    "purple": (272, 0.46, 0.76),
    "blue": (220, 0.60, 0.88),
    "aqua": (181, 0.52, 0.86),
    "green": (128, 0.46, 0.68),
    "silver": (228, 0.09, 0.86),
}

# The same of the lower, light half of the iris.
EYES: dict[str, tuple[float, float, float]] = {
    "blue": (214, 0.72, 0.98),
    "aqua": (182, 0.68, 0.92),
    "green": (132, 0.62, 0.80),
    "gold": (45, 0.80, 0.97),
    "brown": (22, 0.66, 0.70),
    "red": (356, 0.78, 0.92),
    "pink": (326, 0.60, 0.96),
    "purple": (272, 0.58, 0.92),
}

EXPRESSIONS = ("neutral", "smile", "laugh", "surprised", "sad", "angry", "wink")
# How each is said in a sentence.
DOING = {
    "neutral": "calm",
    "smile": "smiling",
    "laugh": "laughing",
    "surprised": "surprised",
    "sad": "sad",
    "angry": "angry",
    "wink": "winking",
}
EXPRESSION_ODDS = (0.20, 0.25, 0.19, 0.09, 0.09, 0.09, 0.09)
ACCESSORIES = ("none", "glasses", "ribbon", "hat", "flower", "headband", "cat ears")
ACCESSORY_ODDS = (0.40, 0.12, 0.12, 0.09, 0.09, 0.09, 0.09)
POSES = ("frontal", "left", "right")

# Each style in the words of a caption; {} is the colour.
STYLES: dict[str, str] = {
    "long": "long {} hair",
    "hime": "long straight {} hair",
    "wavy": "wavy {} hair",
    "bob": "a {} bob",
    "short": "short {} hair",
    "spiky": "spiky {} hair",
    "flipped": "flipped {} hair",
    "twin tails": "{} twin tails",
    "low tails": "low {} twin tails",
    "ponytail": "a {} ponytail",
    "side tail": "a {} side tail",
    "buns": "{} hair in two buns",
    "drills": "{} drill curls",
    "braids": "{} braids",
}
FRINGES = ("blunt", "spiky", "swept", "parted", "curtain", "wispy", "crossed", "messy")
EYE_SHAPES = ("round", "almond", "cat", "droopy", "wide", "narrow", "sleepy", "doll", "sharp", "soft")
CLOTHES = ("sailor", "shirt", "hoodie", "turtleneck", "kimono", "dress")
GROUNDS = ("plain", "circles", "stripes", "horizon", "window")


class Traits(NamedTuple):
    """The choices that have names."""

    hair: str
    eyes: str
    expression: str
    accessory: str
    style: str
    fringe: str
    eye_shape: str
    pose: str
    clothes: str
    ground: str

    @property
    def caption(self) -> str:
        """One line for people."""
        accessory = self.accessory
        worn = {"none": "", "glasses": ", with glasses", "cat ears": ", with cat ears"}
        wearing = worn.get(accessory, f", wearing a {accessory}")
        hair = STYLES[self.style].format(self.hair).replace("a orange", "an orange").replace("a aqua", "an aqua")
        return f"a face with {hair} and {self.eyes} eyes, {DOING[self.expression]}{wearing}"

    @property
    def all(self) -> str:
        """The four attributes in one label."""
        worn = "" if self.accessory == "none" else f", {self.accessory}"
        return f"{self.hair} hair, {self.eyes} eyes, {self.expression}{worn}"


def dice_of(seed: int, index: int) -> random.Random:
    """Randomness of one picture. An index has fewer than 64 bits, so no two (seed, index) make the same key."""
    return random.Random(seed << 64 | index)


def throw(dice: random.Random) -> Traits:
    """Always the first throws, in this order. (Only `random()` is the same in every Python.)"""

    def one(choices: tuple[T, ...]) -> T:
        return choices[int(dice.random() * len(choices))]

    return Traits(
        hair=one(tuple(HAIR)),
        eyes=one(tuple(EYES)),
        expression=_weighted(EXPRESSIONS, EXPRESSION_ODDS, dice.random()),
        accessory=_weighted(ACCESSORIES, ACCESSORY_ODDS, dice.random()),
        style=one(tuple(STYLES)),
        fringe=one(FRINGES),
        eye_shape=one(EYE_SHAPES),
        pose=one(POSES),
        clothes=one(CLOTHES),
        ground=one(GROUNDS),
    )


def traits(seed: int, index: int) -> Traits:
    """What picture `index` of this seed shows."""
    return throw(dice_of(seed, index))


def _weighted(names: tuple[str, ...], odds: tuple[float, ...], at: float) -> str:
    for name, share in zip(names, odds, strict=True):
        at -= share
        if at < 0:
            return name
    return names[0]
