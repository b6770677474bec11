"""Many pictures on one sheet, and PNG bytes with what made them written inside."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from difftool.data.array import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 2
COMFORTABLE = 64  # smaller pictures are enlarged to about this


def sheet(pixels: Pixels, columns: int | None = None) -> Pixels:
    """uint8 [N, H, W, C] side by side as [H, W, C], as near to a square as it goes; small ones enlarged."""
    n, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    times = max(1, COMFORTABLE // max(height, width))
    big = pixels.repeat(times, axis=1).repeat(times, axis=2)
    cells = np.full((rows * columns, height * times + GAP, width * times + GAP, channels), 255, np.uint8)
    cells[:n, :-GAP, :-GAP] = big
    whole = cells.reshape(rows, columns, *cells.shape[1:]).swapaxes(1, 2)
    whole = whole.reshape(rows * cells.shape[1], columns * cells.shape[2], channels)
    return np.pad(whole, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)


def png(pixels: Pixels, words: Mapping[str, object] | None = None) -> bytes:
    """uint8 [H, W, C] as PNG."""
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    for key, value in (words or {}).items():
        info.add_text(f"difftool.{key}", str(value))
    out = io.BytesIO()
    image_of(pixels).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def image_of(pixels: Pixels) -> Image:
    """uint8 [H, W, C] as Pillow has it."""
    from PIL import Image

    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
