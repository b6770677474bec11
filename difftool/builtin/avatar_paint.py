"""A face on pixels: polygons in inks on one fine canvas, light added, inks turned into colours, then averaged down."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from difftool.builtin.avatar_colours import LEVELS, palette
from difftool.builtin.avatar_scene import scene
from difftool.builtin.avatar_traits import dice_of, throw

if TYPE_CHECKING:
    from difftool.builtin.avatars import Avatars

VERSION = 1
"""Raised whenever a picture of the same seed and index comes out otherwise."""


def draw(recipe: Avatars, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Picture `index`: uint8 [H, W, C]."""
    channels, height, width = recipe.shape
    dice = dice_of(recipe.seed, index)
    traits = throw(dice)
    inks = palette(traits, dice)
    art = scene(traits, dice)

    side = min(height, width)
    fine = _fineness(side)
    scale = side * fine / 2
    middle = (width * fine / 2, height * fine / 2)
    spots = np.rint(art.points * scale + (middle[0] - 0.5, middle[1] - 0.5)).ravel().tolist()
    canvas = Image.new("L", (width * fine, height * fine))
    pen = ImageDraw.Draw(canvas)
    for start, stop, ink, thick in art.parts:
        outline = spots[2 * start : 2 * stop]
        if thick:
            pen.line(outline, fill=ink * LEVELS, width=max(1, round(thick * scale)))
        else:
            pen.polygon(outline, fill=ink * LEVELS)
    canvas = ImageChops.add(canvas, _light(height, width, fine))
    canvas.putpalette(inks)
    picture = canvas.convert("RGB").reduce(fine)
    if channels == 1:
        return np.array(picture.convert("L"))[:, :, None]
    return np.array(picture)


def _fineness(side: int) -> int:
    """How many times as large it is drawn: an even number, as the light's pattern needs, and fewer for large ones."""
    return 8 if side < 32 else 6 if side < 48 else 4 if side < 120 else 2


@functools.lru_cache(maxsize=8)
def _light(height: int, width: int, fine: int) -> Image.Image:
    """Level of light at each fine pixel, from top to bottom, a little slanted; a fixed pattern makes steps smooth."""
    side = min(height, width) * fine
    y, x = np.mgrid[: height * fine, : width * fine]
    fall = (y - (height * fine - side) / 2 + 0.18 * (x - (width * fine) / 2)) / side
    half = np.array([[0, 2], [3, 1]])
    order = (np.kron(np.ones((2, 2)), 4 * half) + np.kron(half, np.ones((2, 2)))) / 16
    tiled = order[y % 4, x % 4]
    return Image.fromarray(np.clip(np.floor(fall * (LEVELS - 1) + tiled), 0, LEVELS - 1).astype(np.uint8))
