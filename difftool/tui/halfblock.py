"""Pictures in the cells of a terminal: two pixels to a cell, one above the other, or a character for its brightness."""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image

RGB = tuple[int, int, int]

BACKGROUND: RGB = (34, 34, 34)
"""Lies under whatever is transparent."""

MOST_PIXELS = 4096 * 4096
_MOST_BYTES = 64 << 20
_RAMP = " .:-=+*#%@"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def fit(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The cells (wide, high) that a picture of this size takes within `width` x `height`, its aspect kept; never 0.

    From twice its size on a picture grows by whole factors only, so that each of its pixels is as large as the next.
    """
    wide, high = max(1, size[0]), max(1, size[1])
    width, height = max(1, width), max(1, height)
    scale = min(width / wide, 2 * height / high)
    if scale >= 2:
        scale = int(scale)
    cells_high = -(-max(1, round(high * scale)) // 2)
    return min(width, max(1, round(wide * scale))), min(height, cells_high)


def cells(image: Image.Image, width: int, height: int) -> list[list[tuple[RGB, RGB]]]:
    """The picture as rows of cells, each the colours of its upper and of its lower pixel."""
    width, height = max(1, width), max(1, height)
    found = _sized(plain(image), width, 2 * height).tobytes()
    pixels = [(found[k], found[k + 1], found[k + 2]) for k in range(0, len(found), 3)]
    return [
        list(zip(pixels[start : start + width], pixels[start + width : start + 2 * width], strict=True))
        for start in range(0, 2 * width * height, 2 * width)
    ]


def shades(image: Image.Image, width: int, height: int) -> list[str]:
    """The picture as lines of characters, dense where it is bright: for terminals without colours."""
    found = plain(image).convert("L").resize((max(1, width), max(1, height)), Image.Resampling.BOX).tobytes()
    drawn = "".join(_RAMP[value * len(_RAMP) // 256] for value in found)
    return [drawn[start : start + max(1, width)] for start in range(0, len(drawn), max(1, width))]


def decoded(path: str | os.PathLike[str] | bytes, most: int = MOST_PIXELS) -> tuple[Image.Image | None, str]:
    """The picture in a PNG file, or in its bytes, or None and why: it may be half-written, gone, huge or made to do
    harm."""
    try:
        if isinstance(path, bytes):
            return _decoded(io.BytesIO(path), most)
        status = os.stat(path)  # noqa: PTH116  (a path may be a str)
        if not stat.S_ISREG(status.st_mode):  # to open a pipe waits for its other end, for ever
            return None, "not a regular file"
        if status.st_size > _MOST_BYTES:
            return None, f"too large: {status.st_size >> 20:,} MiB"
        with Path(path).open("rb") as file:
            return _decoded(file, most)
    except FileNotFoundError:
        return None, "not there"
    except PermissionError:
        return None, "no permission"
    except MemoryError:
        return None, "not enough memory"
    except (OSError, ValueError):  # ValueError: a path with a zero byte in it
        return None, "cannot be read"


def _decoded(file: BinaryIO, most: int) -> tuple[Image.Image | None, str]:
    start = file.read(24)
    if len(start) < 24 and _SIGNATURE.startswith(start[:8]):
        return None, "not whole yet"
    if not start.startswith(_SIGNATURE) or start[12:16] != b"IHDR":
        return None, "not a PNG"
    wide, high = struct.unpack(">II", start[16:24])
    if wide * high > most:  # before Pillow sees it, which from some size on warns, and writes into the dashboard
        return None, f"too large: {wide}x{high} pixels"
    _silence_pillow()
    try:
        file.seek(0)
        with Image.open(file, formats=("PNG",)) as image:
            if image.width * image.height > most:  # a second header may promise otherwise
                return None, f"too large: {image.width}x{image.height} pixels"
            image.load()
            return image.copy(), ""
    except MemoryError:
        raise
    except Exception:  # a decoder fails in every way there is: OSError, SyntaxError, struct.error, ValueError, ...
        return None, "damaged" if _ends(file) else "not whole yet"


def _ends(file: BinaryIO) -> bool:
    """Whether a PNG's last chunk stands at the end of the file."""
    try:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 8))
        return file.read(4) == b"IEND"
    except (OSError, ValueError):
        return True


def _silence_pillow() -> None:
    """Pillow warns of odd metadata on standard error, in the middle of a dashboard."""
    # Not `catch_warnings`: it swaps the filters of the whole process and is not safe in threads. One more filter is.
    if not any(kept[0] == "ignore" and getattr(kept[3], "pattern", "") == r"PIL\." for kept in warnings.filters):
        warnings.filterwarnings("ignore", module=r"PIL\.")


def plain(image: Image.Image) -> Image.Image:
    """Mode RGB, whatever it was."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _stretched(image).convert("RGB")
    if image.mode in ("La", "RGBa"):  # multiplied by their alpha, which the rest does not expect
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        page = Image.new("RGB", image.size, BACKGROUND)
        page.paste(layer, mask=layer.getchannel("A"))
        return page
    return image.convert("RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Mode L of more than 8 bits: of 16 the high ones; of floats and what goes beyond, from darkest to brightest."""
    wide = image.convert("F")
    low, high = wide.getextrema()
    if image.mode != "F" and low >= 0 and high <= 65535:  # type: ignore[operator]  # one band: two numbers
        low, high = 0.0, 65535.0
    gain = 255 / (high - low) if high > low else 0.0  # type: ignore[operator]
    return wide.point(lambda value: value * gain - low * gain).convert("L")  # type: ignore[operator]


def _sized(image: Image.Image, wide: int, high: int) -> Image.Image:
    if image.size == (wide, high):
        return image
    factor = wide // max(1, image.width)
    if factor and wide == factor * image.width and 0 <= high - factor * image.height <= 1:
        # An odd number of rows leaves half of the last cells free: better than one row of pixels larger than the rest.
        grown = image.resize((wide, factor * image.height), Image.Resampling.NEAREST)
        page = Image.new("RGB", (wide, high), BACKGROUND)
        page.paste(grown)
        return page
    grows = wide >= image.width and high >= image.height
    return image.resize((wide, high), Image.Resampling.BILINEAR if grows else Image.Resampling.BOX)
