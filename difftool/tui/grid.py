"""A sheet of pictures in rows and columns: what it says of itself, and what share of it the first few take."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image


def count_of(words: Mapping[str, Any]) -> int:
    """How many pictures a sheet has, as its seeds say: `0-35`, or `0,1,2`."""
    seeds = str(words.get("seeds") or "")
    if "," in seeds:
        return seeds.count(",") + 1
    first, dash, last = seeds.partition("-")
    if dash and first.isdecimal() and last.isdecimal() and len(last) < 7:
        return max(1, int(last) - int(first) + 1)
    return 1


def corner(count: int, across: int) -> tuple[tuple[float, float], int]:
    """(the shares of width and height that the first `across` x `across` pictures take, how many those are)."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    wide, high = min(across, columns), min(across, rows)
    return (wide / columns, high / rows), min(count, wide * high)


def words_of(path: Path) -> dict[str, Any]:
    """What a sheet's file says of it: sampler, steps, seeds; empty where it cannot be read."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            texts = {str(key).removeprefix("difftool."): text for key, text in image.info.items()}
    except Exception:  # a decoder fails in every way there is
        return {}
    try:
        texts["sampler"] = json.loads(texts.get("sampler", ""))
    except ValueError:
        texts.pop("sampler", None)
    return texts
