"""Words on pictures, in the one typeface that comes with Pillow."""

from __future__ import annotations

from functools import cache
from typing import Any

INK, GREY, PALE = (25, 28, 33), (110, 116, 125), (226, 229, 233)


@cache
def font(size: int) -> Any:
    """The typeface; where Pillow was built without FreeType, its small bitmap letters."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except ImportError:
        return ImageFont.load_default()


def width(text: str, size: int) -> int:
    """How wide a line of text is."""
    return int(font(size).getlength(text) + 0.5)


def fitting(text: str, size: int, room: int) -> str:
    """The text, cut where there is no more room."""
    while len(text) > 1 and width(text, size) > room:
        text = text.rstrip(".")[:-1] + "..." if len(text) > 4 else text[:-1]
    return text
