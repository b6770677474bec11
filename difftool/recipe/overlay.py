"""Putting overrides on a recipe: profiles, --data and --set, before anything is checked."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from difftool.errors import InputError
from difftool.recipe.explain import Path, Places
from difftool.recipe.model import MANY
from difftool.recipe.source import MAX_DOTS, shallow

Table = dict[str, Any]


def overlay(base: Table, over: Table) -> Table:
    """An override with the same or no `name` merges, with another `name` replaces the table."""
    merged = dict(base)
    for key, after in over.items():
        before = merged.get(key)
        # A component without fields may be written as a bare name.
        if isinstance(after, dict) and isinstance(before, str):
            before = {"name": before}
        elif isinstance(after, str) and isinstance(before, dict) and "name" in before:
            after = {"name": after}  # noqa: PLW2901
        if key in MANY and not after:
            merged[key] = {}  # nothing at all is asked for: the one way to leave them out
            continue
        if isinstance(before, dict) and isinstance(after, dict) and after.get("name") in (None, before.get("name")):
            after = overlay(before, after)  # noqa: PLW2901
        merged[key] = after
    return merged


def options(sets: list[str]) -> list[tuple[str, Table]]:
    """`--set section.key=VALUE` as (what was typed, a table that overrides)."""
    return [(f"--set {text}", _option(text)) for text in sets]


def _option(text: str) -> Table:
    key, equals, raw = text.partition("=")
    parts = [part.strip() for part in key.strip().split(".")]
    if not equals or len(parts) > MAX_DOTS or not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
        raise InputError(f"--set {text}: expected section.key=VALUE, as in --set optim.lr=1e-4")
    value: Any = value_of(raw.strip())
    for part in reversed(parts):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def value_of(raw: str) -> Any:
    """A TOML value; a bare word is a string."""
    try:
        parsed = tomllib.loads(f"v = {raw}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return raw
    return parsed["v"] if set(parsed) == {"v"} and shallow(parsed) else raw


def mark(places: Places, table: Table, text: str, path: Path = ()) -> None:
    """Remembers that everything in `table` came from an option, for messages."""
    for key, value in table.items():
        places.options[(*path, key)] = text
        if isinstance(value, dict):
            mark(places, value, text, (*path, key))
        elif isinstance(value, str):  # perhaps a bare name
            places.options[(*path, key, "name")] = text


def move(places: Places, table: Table, source: Path, path: Path = ()) -> None:
    """Remembers that everything in `table` stands in the file under `source`, as a profile's keys do."""
    for key, value in table.items():
        line = places.where((*source, *path, key))
        places.options[(*path, key)] = line
        if isinstance(value, dict):
            move(places, value, source, (*path, key))
        elif isinstance(value, str):
            places.options[(*path, key, "name")] = line
