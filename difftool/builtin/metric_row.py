"""The numbers in a row of metrics, one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

NO_NUMBERS = ("kind", "nonfinite")


def numbers(row: Mapping[str, Any]) -> Iterator[tuple[str, int, float | None]]:
    """(key, place, number): place is 0, or from 1 where several stand under one key, such as the loss by quarters.

    None says that there was nothing to average. What was not finite is null in a row too, and NaN here.
    """
    lost = row.get("nonfinite", ())
    for key, value in row.items():
        if key in NO_NUMBERS:
            continue
        for place, each in enumerate(value, 1) if isinstance(value, list) else [(0, value)]:
            number = math.nan if each is None and key in lost else each
            if number is None or (isinstance(number, int | float) and not isinstance(number, bool)):
                yield key, place, number
