"""One picture from a file, right: turned the way it was held, every mode turned into 1 or 3 channels of 8 bits."""

from __future__ import annotations

import os
import re
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from difftool.errors import InputError, one_line

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""All that is ever decoded: Pillow knows dozens more, rarely used and rarely audited (EPS would start Ghostscript)."""

MAX_PIXELS = 64_000_000
"""More to unpack is refused: a file of a few kilobytes may take all of memory."""

MAX_DRAFTED = 1 << 28
"""What the header of a JPEG may promise that is decoded smaller. Pillow itself refuses more than 179 million pixels."""

PIXELS_A_BYTE = 256
"""What a byte of a JPEG can say: a block of 8x8 pixels takes two bits. Of one that ends early the rest comes out grey,
and nobody says so."""

SPARE_BYTES = 64 * 2**20
"""What a file may hold beside its pixels (profiles, thumbnails, later frames): decoders read much of it at once."""

Colour = tuple[int, int, int]

_STARTS = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
_ORIENTATION = 0x0112
_PILLOW = re.compile(r"PIL\.")


class Unreadable(ValueError):  # noqa: N818  (said of a file)
    """Why a file gives no picture, in one short line."""


class Decoded(NamedTuple):
    """A picture of mode L or RGB, and the (width, height) it has in the file once upright."""

    image: Image.Image
    size: tuple[int, int]


def read_picture(path: str | os.PathLike[str], channels: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The picture as uint8 [H, W, C], C = 1 or 3; whatever is wrong with the file is an InputError that names it."""
    import numpy as np

    try:
        pixels = np.array(decode(path, channels).image)
    except Unreadable as error:
        raise InputError(
            f"the picture cannot be read: {error}",
            where=str(Path(path).absolute()),
            why=getattr(error.__cause__, "strerror", None) or "",
            do="repair, convert or remove the file",
        ) from error
    return pixels.reshape(*pixels.shape[:2], channels)


def decode(
    source: str | os.PathLike[str] | BinaryIO,
    channels: int,
    background: Colour = (255, 255, 255),
    at_least: tuple[int, int] | None = None,
    length: int | None = None,
) -> Decoded:
    """The picture in a file, upright, in 1 or 3 channels, on `background` where it is transparent.

    With `at_least` = (height, width) a large JPEG is decoded smaller, never below twice that. `length`: how many bytes
    there are, where `source` is no path. Safe to call from several threads. Whatever is wrong with the file is
    Unreadable; too little memory stays a MemoryError.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels is 1 or 3, not {channels}")
    try:
        if not isinstance(source, (str, os.PathLike)):
            return _decode(source, length, channels, background, at_least)
        status = os.stat(source)  # noqa: PTH116  (a path may be a str)
        if not stat.S_ISREG(status.st_mode):  # to open a pipe waits for its other end, for ever
            raise Unreadable("not a regular file")
        # Pillow gets no name but a file: from a name it would map uncompressed pictures into memory, and one that is
        # cut short meanwhile would end the process.
        with open(source, "rb") as file:  # noqa: PTH123
            return _decode(file, status.st_size, channels, background, at_least)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # decoders fail in every way there is: OSError, SyntaxError, struct.error, KeyError, ...
        raise Unreadable(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "gone"
    if isinstance(error, PermissionError):
        return "no permission"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    if isinstance(error, EOFError) or "truncated" in text.lower():
        return "truncated"
    return one_line(f"damaged: {text}")[:120]


def _decode(
    file: BinaryIO, length: int | None, channels: int, background: Colour, at_least: tuple[int, int] | None
) -> Decoded:
    from PIL import Image, UnidentifiedImageError

    _silence_pillow()
    file.seek(0)
    start = file.read(12)
    if not start:
        raise Unreadable("empty file")
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Unreadable(_unknown(start)) from error
    except Image.DecompressionBombError as error:  # Pillow's own limit, for those formats that it measures before us
        raise Unreadable(f"too large: more than {MAX_PIXELS:,} pixels") from error
    with image:
        width, height = image.size
        # A progressive one keeps all of its coefficients until it ends, however small it is wanted.
        sequential = image.format == "JPEG" and not image.info.get("progressive")
        if width * height > (MAX_DRAFTED if sequential and at_least else MAX_PIXELS):
            raise Unreadable(f"too large: {width}x{height} pixels")
        if sequential and length is not None and width * height > length * PIXELS_A_BYTE:
            raise Unreadable(f"truncated: {length:,} bytes cannot hold {width}x{height} pixels")
        if (length or 0) > 16 * min(width * height, MAX_PIXELS) + SPARE_BYTES:
            raise Unreadable(f"too large: {(length or 0) >> 20:,} MiB for {width}x{height} pixels")
        # No other: a PNG that is asked for its EXIF is loaded at once, and forgets that this failed.
        if at_least and image.format in ("JPEG", "MPO"):
            _draft(image, at_least)
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(f"too large: {width}x{height} pixels to bring to {at_least[1]}x{at_least[0]}")
        image.load()
        turn = _orientation(image)  # only now: a PNG may say it after its pixels, and a TIFF is turned while it loads
        plain = _plain(image, channels, background)
    size = (height, width) if turn >= 5 else (width, height)
    return Decoded(_upright(plain, turn), size)


def _silence_pillow() -> None:
    """Pillow warns of odd metadata on standard error, in the middle of a dashboard. What matters is refused above."""
    # Not `catch_warnings`: it swaps the filters of the whole process and is not safe in threads. One more filter is.
    ignore = ("ignore", None, Warning, _PILLOW, 0)
    if ignore not in warnings.filters:
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)


def _unknown(start: bytes) -> str:
    for first, name in _STARTS.items():
        if start.startswith(first):
            return f"damaged: starts like {name}, but what follows is not"
    return "not a picture (PNG, JPEG, WEBP, BMP, GIF or TIFF)"


def _draft(image: Image.Image, at_least: tuple[int, int]) -> None:
    """Has a JPEG decoded at 1/2, 1/4 or 1/8: much faster, and twice the wanted size hides the difference."""
    height, width = at_least
    if _orientation(image) >= 5:
        height, width = width, height
    image.draft(None, (2 * width, 2 * height))


def _orientation(image: Image.Image) -> int:
    """1 to 8 as EXIF counts them; 1, upright, where that says nothing or nonsense."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # whatever is wrong with it, the picture may be whole
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _upright(image: Image.Image, turn: int) -> Image.Image:
    from PIL.Image import Transpose

    if turn == 1:
        return image
    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }[turn]
    return image.transpose(method)


def _plain(image: Image.Image, channels: int, background: Colour) -> Image.Image:
    """Mode L or RGB, whatever it was."""
    from PIL import Image

    mode = "L" if channels == 1 else "RGB"
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _from_16_bits(image, background).convert(mode)
    if image.mode in ("I", "F"):
        raise Unreadable("32-bit pixels have no agreed white")
    if image.mode in ("La", "RGBa"):  # multiplied by their alpha, which the rest does not expect
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.has_transparency_data:
        # What lies under transparent pixels is arbitrary, often black; a viewer would show the page behind them.
        page = Image.new("RGB", image.size, background)
        layer = image.convert("RGBA")
        page.paste(layer, mask=layer)
        image = page
    elif image.mode == "LAB":  # has no way to grey but through colours
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _from_16_bits(image: Image.Image, background: Colour) -> Image.Image:
    """Mode L. Pillow's own conversion clips everything above 255 to white; the high byte is the picture."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(258, (16,))[0]  # a TIFF may use 12 of them
    grey = (values >> (bits - 8)).astype(np.uint8)
    if tags.get(262) == 0:  # "white is zero", which Pillow minds with 8 bits only
        grey = 255 - grey
    if (clear := image.info.get("transparency")) is not None:
        grey[values == clear] = luma(background)
    return Image.fromarray(grey)


def luma(colour: Colour) -> int:
    """The grey that Pillow makes of a colour."""
    red, green, blue = colour
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
