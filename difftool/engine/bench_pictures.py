"""The pictures that samplers made of the same noise, side by side: a row for each sampler, a column for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from difftool.data.sheet import COMFORTABLE
from difftool.engine.lettering import GREY, INK, PALE, fitting, font, width

if TYPE_CHECKING:
    from difftool.engine.bench_results import Pixels, Results

PAIR = 160
"""Pictures up to this size are shown two by two; of larger ones, one of each walk."""
LARGEST = 320
GAP, LETTERS, SMALL = 14, 15, 12


def sheet(results: Results, steps: list[int]) -> Pixels:
    """uint8 [H, W, 3]; under each cell its distance, the reference at the end of each row."""
    from PIL import Image, ImageDraw

    assert results.pictures is not None
    names = results.order()
    side = max(results.pictures.shape[1:3])
    many = 2 if side <= PAIR and len(results.pictures) > 1 else 1
    reference = cell(results.pictures[:many])
    high, wide = reference.shape[:2]
    wide_step, high_step = max(wide, 76) + GAP, high + SMALL + GAP
    left = GAP + min(240, max(width(name, LETTERS) for name in names) + 16) + GAP
    top = GAP + LETTERS + GAP
    canvas = Image.new("RGB", (left + (len(steps) + 1) * wide_step, top + len(names) * high_step), "white")
    pen = ImageDraw.Draw(canvas)
    heads = [f"{n} step{'s' if n > 1 else ''}" for n in steps] + [f"reference, {results.steps:,}"]
    for column, head in enumerate(heads):
        middle = left + column * wide_step + wide // 2
        text = fitting(head, LETTERS, wide_step - 4)
        pen.text(
            (min(middle, canvas.width - GAP // 2 - width(text, LETTERS) // 2), GAP), text, INK, font(LETTERS), "ma"
        )
    for row, name in enumerate(names):
        y = top + row * high_step
        pen.text((GAP, y + high // 2), fitting(name, LETTERS, left - 2 * GAP), INK, font(LETTERS), "lm")
        for column, n in enumerate(steps):
            x = left + column * wide_step
            one = results.found.get((name, n))
            if one is None or one.pictures is None:
                pen.rectangle((x, y, x + wide - 1, y + high - 1), outline=PALE)
                pen.text((x + wide // 2, y + high // 2), "failed" if one else "", GREY, font(SMALL), "mm")
                continue
            canvas.paste(Image.fromarray(cell(one.pictures[:many])), (x, y))
            words = one.said + ("" if one.steps == n else f" ({one.steps} step{'s' if one.steps > 1 else ''})")
            pen.text((x + wide // 2, y + high + 2), words, INK if results.nearest(one) else GREY, font(SMALL), "ma")
        canvas.paste(Image.fromarray(reference), (left + len(steps) * wide_step, y))
    return np.asarray(canvas)


def cell(pictures: Pixels) -> Pixels:
    """uint8 [N, H, W, C] beside each other, as [H, W, 3]; small ones enlarged, very large ones made smaller."""
    from PIL import Image

    times = max(1, COMFORTABLE // max(pictures.shape[1:3]))
    shown = pictures.repeat(times, axis=1).repeat(times, axis=2)
    shown = np.pad(shown, ((0, 0), (0, 0), (0, 2), (0, 0)), constant_values=255)
    joined = np.concatenate(list(shown), axis=1)[:, :-2]
    joined = np.broadcast_to(joined[..., :3], (*joined.shape[:2], 3))
    if max(joined.shape[:2]) <= LARGEST or len(pictures) > 1:
        return np.ascontiguousarray(joined)
    image = Image.fromarray(np.ascontiguousarray(joined))
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)
