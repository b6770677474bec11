"""Text and numbers from outside, made safe to show and to count with, once, where they come in."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Mapping
from typing import Any

from difftool.errors import one_line

LONGEST = 2000
"""Characters of one text; the rest of it is on disk."""
DEEPEST = 20
"""How far lists and tables may lie in each other; what lies deeper is left out."""
LARGEST = 1e15
"""No number that is told of a run is larger, and Python's integers have no end."""

_TYPES: dict[type, tuple[str, ...]] = {
    str: ("name", "state", "host", "device"),
    int: ("step", "total", "exit", "pid"),
    float: ("loss", "rate", "eta", "age", "heartbeat"),
    bool: ("here",),
    list: ("curve",),
}


def pictures_of(event: Mapping[str, Any]) -> dict[str, bytes]:
    """The pictures that came through a pipe with a preview."""
    found = {}
    for kind, key in (("ema", "png"), ("raw", "png_raw"), ("strip", "png_strip")):
        if isinstance(event.get(key), str):
            with contextlib.suppress(binascii.Error, ValueError):
                found[kind] = base64.b64decode(event[key], validate=True)
    return found


def checked(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What a pipe says of a run, as far as it is of the type that it should be."""
    found: dict[str, Any] = {}
    for kind, keys in _TYPES.items():
        for key in keys:
            value = summary.get(key)
            found[key] = value if isinstance(value, kind) or (kind is float and isinstance(value, int)) else None
    found = sane(found)
    return {**found, "curve": (found["curve"] or [])[:1000], "state": found["state"] or "unknown"}


def sane(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The same without numbers that no clock and no counter comes to: arithmetic on them fails."""
    found = {key: value if _bounded(value) else None for key, value in summary.items()}
    if isinstance(curve := found.get("curve"), list):
        found["curve"] = [each if each is None or number(each) is not None else None for each in curve]
    return found


def clean(value: Any, deep: int = 0) -> Any:
    """The same value with every text in it safe and of bounded length."""
    if isinstance(value, str):
        if len(value) > LONGEST:
            value = value[:LONGEST] + "..."
        return value if value.isascii() and value.isprintable() else one_line(value)
    if isinstance(value, dict | list) and deep >= DEEPEST:
        return None
    if isinstance(value, dict):
        return {clean(key): clean(item, deep + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item, deep + 1) for item in value]
    return value


def lines_of(text: str) -> list[str]:
    """A text of many lines, such as a recipe, each made safe."""
    return [one_line(line.expandtabs(4)) for line in text.split("\n")]


def integer(value: Any) -> int | None:
    """The value if it is a whole number that one can count with."""
    return value if isinstance(value, int) and not isinstance(value, bool) and _bounded(value) else None


def number(value: Any) -> float | None:
    """The value if it is a number that one can count with."""
    counts = isinstance(value, int | float) and not isinstance(value, bool) and _bounded(value)
    return float(value) if counts else None


def _bounded(value: Any) -> bool:
    """Whether it is no number, or one that can be counted with."""
    return not isinstance(value, int | float) or -LARGEST <= value <= LARGEST  # not nan either


def pairs(value: Any) -> list[tuple[str, list[Any]]]:
    """The keys of a dict whose values are pairs, as far as they are."""
    items = value.items() if isinstance(value, dict) else ()
    return [(key, pair) for key, pair in items if isinstance(pair, list) and pair]
