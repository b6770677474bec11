"""A sheet of pictures in rows and columns: how many there are, and what share of it the first few take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def count_of(words: Mapping[str, Any]) -> int:
    """How many pictures a preview has, as its seeds say: `0-35`."""
    first, dash, last = str(words.get("seeds") or "").partition("-")
    if dash and first.isdecimal() and last.isdecimal() and len(last) < 7:
        return max(1, int(last) - int(first) + 1)
    return 1


def corner(count: int, across: int) -> tuple[tuple[float, float], int]:
    """(the shares of width and height that the first `across` x `across` pictures take, how many those are)."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    wide, high = min(across, columns), min(across, rows)
    return (wide / columns, high / rows), min(count, wide * high)
