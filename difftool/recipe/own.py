"""`--data PATH`: which data set reads what somebody has, and the section that says so."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import cast

from difftool.errors import InputError
from difftool.plugin.component import Dataset
from difftool.plugin.registry import Registry
from difftool.recipe.overlay import Table


def existing(text: str) -> Path:
    """The path, absolute; refused if nothing is there."""
    try:
        path = Path(text).expanduser().absolute()
        there = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, an unknown ~user, a NUL byte
        raise InputError(f"--data {text}: not a path", why=str(error)) from None
    if not there:
        hint = "" if "\\" not in text else "write the path with / instead of \\"
        raise InputError(f"--data {text}: there is no such folder or file", where=str(path), do=hint)
    return path


def own_data(path: Path, shape: tuple[int, int, int] | None, registry: Registry, first: str = "images") -> Table:
    """The section [data] for a path: the data set whose format it has, `first` asked first, or else `images`."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(
            "the data's path cannot be written into a recipe", where=str(path), why="it is not UTF-8", do="rename it"
        ) from None
    name = next((each for each in [first, *registry.names("dataset")] if _reads(each, path, registry)), "images")
    table: Table = {"name": name, "path": str(path)}
    if shape:
        channels, height, width = shape
        wanted = {"channels": channels, "size": height if height == width else [height, width]}
        table |= {key: value for key, value in wanted.items() if key in registry.get("dataset", name).model_fields}
    return table


def _reads(name: str, path: Path, registry: Registry) -> bool:
    with contextlib.suppress(Exception):  # whatever a plugin stumbles over here is not its format
        cls = cast(type[Dataset], registry.get("dataset", name))
        return "path" in cls.model_fields and cls.reads(path)
    return False
