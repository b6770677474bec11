"""One picture from a file, right: turned the way it was held, every mode turned into 1 or 3 channels of 8 bits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difftool.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""All that is ever decoded: Pillow knows dozens more, rarely used and rarely audited."""

MAX_PIXELS = 64_000_000
"""A header that promises more is refused: a file of a few kilobytes may unpack to all of memory."""


def read_picture(path: str | os.PathLike[str], channels: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The picture as uint8 [H, W, C], C = 1 or 3; whatever is wrong with the file is an InputError that names it."""
    from PIL import Image, UnidentifiedImageError

    if channels not in (1, 3):
        raise ValueError(f"channels is 1 or 3, not {channels}")
    where = str(Path(path).absolute())
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(where, f"{image.width}x{image.height} pixels")
            return _array(image, channels)
    except (InputError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(where, str(error)) from error
    except UnidentifiedImageError as error:
        raise InputError(
            "not a picture that can be read", where=where, do=f"keep to {', '.join(FORMATS)}, or remove the file"
        ) from error
    except Exception as error:  # decoders fail in every way there is: OSError, SyntaxError, struct.error, KeyError, ...
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        raise InputError("the picture cannot be read", where=where, why=why, do="repair or remove the file") from error


def _too_large(where: str, why: str) -> InputError:
    return InputError("the picture is too large", where=where, why=why, do=f"keep below {MAX_PIXELS:,} pixels")


def _array(image: Image.Image, channels: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    import numpy as np
    from PIL import Image, ImageOps

    upright: Image.Image = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        # Pillow's own conversion clips everything above 255 to white; the high byte is the picture.
        high = (np.asarray(upright).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(high[:, :, None], channels, axis=2)
    if upright.mode in ("I", "F"):
        raise ValueError(f"pixels of 32 bits (mode {upright.mode}) have no agreed white; save it with 8 or 16")
    if upright.has_transparency_data:
        # What lies under transparent pixels is arbitrary, often black; a viewer would show the page behind them.
        page = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(page, upright.convert("RGBA")).convert("RGB")
    pixels = np.array(upright.convert("L" if channels == 1 else "RGB"), dtype=np.uint8)
    return pixels.reshape(*pixels.shape[:2], channels)
