"""Pictures for people: grids, film strips, animations, as PNG or GIF bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from difftool.data.sheet import image_of, sheet
from difftool.data.sheet import png as encoded


def png(pixels: Tensor, words: Mapping[str, object] | None = None) -> bytes:
    """uint8 [H, W, C] as PNG."""
    return encoded(pixels.numpy(), words)


def grid(pixels: Tensor, words: Mapping[str, object] | None = None, columns: int | None = None) -> bytes:
    """uint8 [N, H, W, C] side by side, as near to a square as it goes."""
    return encoded(sheet(pixels.numpy(), columns), words)


def strip(frames: Sequence[Tensor], count: int, words: Mapping[str, object], rows: int = 8) -> bytes:
    """A row for each of the first pictures, `count` frames from noise to picture."""
    chosen = [frames[round(k * (len(frames) - 1) / max(1, count - 1))] for k in range(count)]
    return grid(torch.stack([frame[:rows] for frame in chosen], 1).flatten(0, 1), words, columns=count)


def gif(frames: Sequence[Tensor], seconds: float = 4.0) -> bytes:
    """Frames, each uint8 [N, H, W, C], as an animated grid that rests on the last."""
    sheets = [image_of(sheet(frame.numpy())).convert("RGB") for frame in frames]
    each = max(20, int(1000 * seconds / len(sheets)))
    out = io.BytesIO()
    sheets[0].save(
        out, "GIF", save_all=True, append_images=sheets[1:], duration=[each] * (len(sheets) - 1) + [2000], loop=0
    )
    return out.getvalue()
