"""One picture brought to the recipe's height and width, in a single step of scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from difftool.data.decode import Colour, luma

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

How = Literal["center", "random", "pad"]
Box = tuple[float, float, float, float]

GAP = 8.0
"""A picture this many times too large is first averaged in whole blocks, down to this many times the wanted size."""


def fit(
    image: Image.Image,
    height: int,
    width: int,
    how: How,
    background: Colour = (255, 255, 255),
    place: tuple[float, float] = (0.5, 0.5),
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture of mode L or RGB as uint8 [height, width, C].

    center and random keep as much as covers the shape, random at `place`: the shares (x, y) of the room there is to
    move, each from 0 up to but without 1. pad keeps all of it, in the middle of `background`.
    """
    import numpy as np

    if image.mode not in ("L", "RGB"):
        raise ValueError(f"the mode is L or RGB, not {image.mode}")
    if how == "pad":
        fitted = _padded(image, height, width, background)
    else:
        fitted = _covering(image, height, width, place if how == "random" else (0.5, 0.5))
    return np.array(fitted).reshape(height, width, -1)


def _covering(image: Image.Image, height: int, width: int, place: tuple[float, float]) -> Image.Image:
    scale = max(width / image.width, height / image.height)
    kept_width, kept_height = min(image.width, width / scale), min(image.height, height / scale)
    left, top = place[0] * (image.width - kept_width), place[1] * (image.height - kept_height)
    if scale == 1:  # whole pixels, or a picture that needs no scaling would be blurred by half a pixel
        left, top = int(place[0] * (image.width - width + 1)), int(place[1] * (image.height - height + 1))
    return _scaled(image, width, height, (left, top, left + kept_width, top + kept_height))


def _padded(image: Image.Image, height: int, width: int, background: Colour) -> Image.Image:
    from PIL import Image

    scale = min(width / image.width, height / image.height)
    inner_width, inner_height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    page = Image.new(image.mode, (width, height), background if image.mode == "RGB" else luma(background))
    inner = _scaled(image, inner_width, inner_height, (0, 0, image.width, image.height))
    page.paste(inner, ((width - inner_width) // 2, (height - inner_height) // 2))
    return page


def _scaled(image: Image.Image, width: int, height: int, box: Box) -> Image.Image:
    """Only what lies in the box is computed. Smaller: without aliasing; larger: smooth; the same size: untouched."""
    from PIL.Image import Resampling

    # LANCZOS keeps the most detail of Pillow's filters that do not alias: BOX is three times as fast but jagged unless
    # the factor is whole, and either is quick beside decoding. GAP bounds its time and memory for huge pictures; at 8
    # the blocks are too small beside a pixel of the result to be seen.
    smaller = box[2] - box[0] > width or box[3] - box[1] > height
    method = Resampling.LANCZOS if smaller else Resampling.BICUBIC
    return image.resize((width, height), method, box=box, reducing_gap=GAP)
