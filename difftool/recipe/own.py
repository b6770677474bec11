"""`--data PATH`: which data set reads what somebody has, and the section that says so."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import cast

from difftool.errors import InputError
from difftool.plugin.component import Dataset
from difftool.plugin.registry import BUILTIN, Registry
from difftool.recipe.overlay import Table


def existing(text: str, option: str = "--data ") -> Path:
    """The path, absolute; refused if nothing is there. `option` is what stood before it."""
    if not text:
        raise InputError(f"{option.strip() or 'the path'} is empty", do="name a folder or a file; . is the current one")
    try:
        path = Path(text).expanduser().absolute()
        there = path.exists()
    except PermissionError:
        raise InputError(f"{option}{text}: no permission to look there", where=str(path)) from None
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, an unknown ~user, a NUL byte
        raise InputError(f"{option}{text}: not a path", why=getattr(error, "strerror", None) or str(error)) from None
    if not there:
        hint = "" if "\\" not in text else "write the path with / instead of \\"
        raise InputError(f"{option}{text}: there is no such folder or file", where=str(path), do=hint)
    return path


def reader_of(path: Path, registry: Registry, first: str = "images") -> str:
    """The data set whose own format the path has, or else `images`. `first` is asked first, then ours, then others'."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(
            "the data's path cannot be written into a recipe", where=str(path), why="it is not UTF-8", do="rename it"
        ) from None
    if _reads(first, path, registry):
        return first
    found = [name for name in registry.names("dataset") if _reads(name, path, registry)]
    ours = [name for name in found if registry.offer(registry.get("dataset", name)).owner == BUILTIN]
    if len(found) > 1 and not ours:
        raise InputError(
            f"{' and '.join(found)} both read this",
            where=str(path),
            do=f"choose: --set data={found[0]} --set data.path={path}",
        )
    return (ours or found or ["images"])[0]


def own_data(path: Path, reader: str, size: Table, registry: Registry) -> Table:
    """The section [data] for a path, with as much of `size` and `channels` as that data set lets one choose."""
    fields = registry.get("dataset", reader).model_fields
    return {"name": reader, "path": str(path)} | {key: value for key, value in size.items() if key in fields}


def size_of(shape: tuple[int, int, int]) -> Table:
    """A shape as the keys that say it."""
    channels, height, width = shape
    return {"channels": channels, "size": height if height == width else [height, width]}


def _reads(name: str, path: Path, registry: Registry) -> bool:
    with contextlib.suppress(Exception):  # whatever a plugin stumbles over here is not its format
        cls = cast(type[Dataset], registry.get("dataset", name))
        return "path" in cls.model_fields and cls.reads(path)
    return False
