"""Pictures for people: grids, film strips, animations, as PNG or GIF bytes with what made them written inside."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from einops import rearrange
from PIL import Image, PngImagePlugin
from torch import Tensor

GAP = 2
COMFORTABLE = 64  # smaller pictures are enlarged to about this in grids and films


def png(pixels: Tensor, words: Mapping[str, object] | None = None) -> bytes:
    """uint8 [H, W, C] as PNG."""
    return _bytes(_image(pixels.numpy()), words or {})


def grid(pixels: Tensor, words: Mapping[str, object] | None = None, columns: int | None = None) -> bytes:
    """uint8 [N, H, W, C] side by side, as near to a square as it goes."""
    return _bytes(_image(sheet(pixels, columns)), words or {})


def sheet(pixels: Tensor, columns: int | None = None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The grid as uint8 [H, W, C]; small pictures enlarged by whole numbers."""
    n, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    times = max(1, COMFORTABLE // max(height, width))
    big = pixels.repeat_interleave(times, 1).repeat_interleave(times, 2).numpy()
    cells = np.full((rows * columns, height * times + GAP, width * times + GAP, channels), 255, np.uint8)
    cells[:n, :-GAP, :-GAP] = big
    whole = rearrange(cells, "(r k) h w c -> (r h) (k w) c", r=rows)
    return np.pad(whole, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)


def strip(frames: Sequence[Tensor], count: int, words: Mapping[str, object], rows: int = 8) -> bytes:
    """A row for each of the first pictures, `count` frames from noise to picture."""
    chosen = [frames[round(k * (len(frames) - 1) / max(1, count - 1))] for k in range(count)]
    return grid(torch.stack([frame[:rows] for frame in chosen], 1).flatten(0, 1), words, columns=count)


def gif(frames: Sequence[Tensor], seconds: float = 4.0) -> bytes:
    """Frames, each uint8 [N, H, W, C], as an animated grid that rests on the last."""
    sheets = [_image(sheet(frame)).convert("RGB") for frame in frames]
    each = max(20, int(1000 * seconds / len(sheets)))
    out = io.BytesIO()
    sheets[0].save(
        out, "GIF", save_all=True, append_images=sheets[1:], duration=[each] * (len(sheets) - 1) + [2000], loop=0
    )
    return out.getvalue()


def _image(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _bytes(image: Image.Image, words: Mapping[str, object]) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in words.items():
        info.add_text(f"difftool.{key}", str(value))
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info)
    return out.getvalue()
