"""A data set that is always there: one coloured shape on a plain ground, drawn when it is asked for."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from difftool.api import Dataset, Field, InputError, Register, hookimpl

if TYPE_CHECKING:
    import numpy as np

    from difftool.api import Images

Side = Annotated[int, Field(ge=8, le=1024)]
Share = Annotated[float, Field(ge=0.1, le=0.9)]
Kind = Literal["circle", "square", "triangle", "star", "heart", "ring", "cross", "moon"]

# The same eight hues twice, so that colour and ground differ in lightness too: a grey picture must show its shape.
ON_LIGHT = (
    (222, 55, 55),
    (234, 112, 24),
    (216, 160, 10),
    (52, 158, 72),
    (10, 150, 160),
    (40, 102, 216),
    (126, 72, 200),
    (220, 64, 142),
)
ON_DARK = (
    (255, 104, 96),
    (255, 152, 68),
    (255, 208, 72),
    (104, 212, 116),
    (72, 210, 214),
    (100, 160, 255),
    (176, 132, 255),
    (255, 124, 186),
)
MARGIN = 0.04


class Shapes(Dataset):
    """Coloured shapes on a plain ground, drawn on the fly: nothing to download, and labelled.

    Picture i depends on the seed and i alone, so a larger `count` keeps the pictures there were.
    """

    size: Side | tuple[Side, Side] = 32
    """side of the pictures in pixels, or [height, width]"""
    channels: Literal[1, 3] = 3
    """3: colour, 1: grey"""
    count: int = Field(8192, ge=1, le=10_000_000)
    """how many pictures"""
    seed: int = Field(0, ge=0, lt=2**63)
    """another seed, other pictures"""
    kinds: tuple[Kind, ...] = Field(
        ("circle", "square", "triangle", "star", "heart", "ring", "cross", "moon"), min_length=1
    )
    """the shapes that occur; a picture's label is the name of its shape"""

    smallest: Share = 0.5
    """the smallest shape, as a share of the picture's shorter side"""
    largest: Share = 0.75
    """the largest shape"""
    wander: float = Field(1.0, ge=0, le=1)
    """how far a shape may be from the middle: 1 up to the edge, 0 always in the middle"""
    tilt: float = Field(25.0, ge=0, le=180)
    """degrees a shape may be turned, either way; 0: all upright"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return self.channels, height, width

    def open(self) -> Images:
        """The pictures, none drawn yet."""
        return _Drawn(self)


class _Drawn:
    """Draws each picture once and remembers it."""

    def __init__(self, recipe: Shapes) -> None:
        import numpy as np

        self._recipe = recipe
        channels, height, width = recipe.shape
        try:  # zeros cost no memory until they are written
            self._pixels = np.zeros((recipe.count, height, width, channels), dtype=np.uint8)
        except MemoryError as error:
            need = recipe.count * height * width * channels / 2**30
            raise InputError(
                f"{recipe.count:,} shapes need {need:,.0f} GiB of memory", do="set a smaller data.count or data.size"
            ) from error
        self._known = np.zeros(recipe.count, dtype=bool)

    def __len__(self) -> int:
        return self._recipe.count

    def take(self, indices: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """uint8 [N, H, W, C]."""
        chosen = self._checked(indices)
        for index in chosen[~self._known[chosen]].tolist():
            self._pixels[index] = _draw(self._recipe, index)
            self._known[index] = True
        return self._pixels.take(chosen, axis=0)

    def values(self, indices: Sequence[int]) -> Mapping[str, Sequence[Any]]:
        """The label of each picture: what its shape is called."""
        return {"label": [_kind(self._recipe, _dice(self._recipe, i)) for i in self._checked(indices).tolist()]}

    def _checked(self, indices: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
        import numpy as np

        chosen = np.asarray(indices, dtype=np.int64)
        wrong = (chosen < 0) | (chosen >= len(self))
        if wrong.any():
            raise IndexError(f"there is no picture {chosen[wrong][0]}; they are 0 to {len(self) - 1}")
        return chosen


def _dice(recipe: Shapes, index: int) -> random.Random:
    """Randomness of one picture. An index has fewer than 64 bits, so no two (seed, index) make the same key."""
    return random.Random(recipe.seed << 64 | index)


def _kind(recipe: Shapes, dice: random.Random) -> str:
    """Always the first throw: so the label is known without drawing. (Only `random()` is the same in every Python.)"""
    return recipe.kinds[int(dice.random() * len(recipe.kinds))]


def _draw(recipe: Shapes, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    import numpy as np

    dice = _dice(recipe, index)
    kind = _kind(recipe, dice)
    ground, paint = _colours(dice)
    cover = _cover(recipe, kind, dice)[:, :, None]
    colours = np.array([ground, paint], dtype=np.int32)
    if recipe.channels == 1:
        colours = (colours @ np.array([[299], [587], [114]]) + 500) // 1000
    # Whole numbers all the way: the same bytes on every machine.
    mixed: np.ndarray[Any, np.dtype[np.int32]] = (colours[0] * (255 - cover) + colours[1] * cover + 127) // 255
    return mixed.astype(np.uint8)


def _colours(dice: random.Random) -> tuple[list[int], list[int]]:
    """(ground, paint), each RGB."""
    light = dice.random() < 0.5
    palette = ON_LIGHT if light else ON_DARK
    paint = palette[int(dice.random() * len(palette))]
    level = 228 + 14 * dice.random() if light else 26 + 18 * dice.random()
    hue = math.tau * dice.random()
    ground = [round(level + 10 * math.cos(hue - k * math.tau / 3)) for k in range(3)]
    return ground, [min(255, max(0, round(c + 20 * (dice.random() - 0.5)))) for c in paint]


def _cover(recipe: Shapes, kind: str, dice: random.Random) -> np.ndarray[Any, np.dtype[np.int32]]:
    """How much of each pixel the shape covers, 0 to 255: drawn several times as large, then averaged."""
    import numpy as np
    from PIL import Image, ImageDraw

    _, height, width = recipe.shape
    fine = 8 if height * width <= 64 * 64 else 4
    room = np.array([width, height], dtype=np.float64) * fine
    margin = MARGIN * room.min()
    tilt = math.radians(recipe.tilt) * (2 * dice.random() - 1)
    turn = np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]])
    points = _outline(kind) @ turn
    points -= points.min(axis=0)
    points *= (recipe.smallest + (recipe.largest - recipe.smallest) * dice.random()) * room.min() / points.max()
    where = [0.5 + recipe.wander * (dice.random() - 0.5) for _ in "xy"]
    points += margin + (room - 2 * margin - points.max(axis=0)) * where
    mask = Image.new("L", (width * fine, height * fine))
    ImageDraw.Draw(mask).polygon(np.rint(points - 0.5).ravel().tolist(), fill=255)
    return np.asarray(mask.reduce(fine), dtype=np.int32)


@functools.cache
def _outline(kind: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The closed outline of a shape, [points, 2], y downwards, of any size. Holes hang on a seam of no width."""
    import numpy as np

    def arc(start: float, stop: float, radius: float = 1.0, count: int = 96) -> np.ndarray[Any, np.dtype[np.float64]]:
        """From one angle to another in turns, 0 to the right, clockwise."""
        angle = math.tau * np.linspace(start, stop, count)
        return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    if kind == "circle":
        return arc(0, 1)
    if kind == "ring":
        return np.concatenate([arc(0, 1), arc(1, 0, 0.56)])
    if kind == "square":
        return arc(0.125, 0.875, count=4)
    if kind == "triangle":
        return arc(-0.25, 5 / 12, count=3)
    if kind == "star":
        return np.stack([arc(-0.25, 0.55, count=5), arc(-0.15, 0.65, 0.46, count=5)], axis=1).reshape(10, 2)
    if kind == "cross":
        w = 0.34
        arm = np.array([[w, -w], [w, -1], [-w, -1]])  # the top arm; a quarter turn anticlockwise makes the next
        quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
        return np.concatenate([arm @ np.linalg.matrix_power(quarter, k) for k in range(4)])
    if kind == "moon":
        # The unit disc without a disc of radius r around (d, 0); they cross at the angles +-outer and +-inner.
        d, r = 0.5, 0.78
        x = (1 + d * d - r * r) / (2 * d)
        outer, inner = math.acos(x) / math.tau, math.acos((x - d) / r) / math.tau
        return np.concatenate([arc(outer, 1 - outer), arc(1 - inner, inner, r) + np.array([d, 0])])
    t = math.tau * np.linspace(0, 1, 96)  # the heart
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], axis=1)


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `shapes`."""
    register("shapes", Shapes)
