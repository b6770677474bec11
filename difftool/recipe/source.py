"""Finding a recipe and reading its TOML: a path, or the name of one that ships or that a plugin brings."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difftool.errors import InputError, RecipeError
from difftool.plugin.house import house_of, install
from difftool.plugin.spelling import nearest
from difftool.recipe.explain import KEY, Places
from difftool.recipe.offered import named, offered

MAX_BYTES = 1 << 20
MAX_DOTS = 32
MAX_DEPTH = 64
MAX_KEYS = 2000


@dataclass(frozen=True)
class Source:
    """A recipe as it was written."""

    label: str  # how messages call it
    folder: Path  # what relative paths in it are relative to
    text: str
    table: dict[str, Any]
    places: Places
    note: str = ""


def find(text: str) -> tuple[Path, str]:
    """(the file, a note if it is not the one that was named)."""
    path = Path(os.path.expanduser(text))  # noqa: PTH111  (leaves ~stranger alone, where pathlib raises)
    if path.is_file():
        return path, ""
    # `recipes/x.toml`, `x.toml` and `x` mean a recipe by its name, where no such file lies.
    name = path.stem if path.suffix == ".toml" and path.parent.name in ("recipes", "", ".") else text
    if recipe := named(name):
        whose = f"comes with {recipe.owner}" if recipe.owner else "ships with difftool"
        return recipe.path, "" if text == name else f"{text} is not here; using the recipe {recipe.name} that {whose}"
    if path.is_dir():
        raise InputError(f"{text} is a folder, not a recipe", do="name a .toml file, or see `difftool recipes list`")
    if package := house_of(name, "recipe"):
        raise InputError(f"there is no recipe {text}", why=f"it comes with {package}", do=install(package))
    known = [each.name for each in offered()]
    raise InputError(
        f"there is no recipe {text}",
        where=str(path.absolute()),
        why=f"it is no file, and no recipe has that name: {nearest(name, known, 'there are')}",
        do="difftool recipes list",
    )


def read(text: str) -> Source:
    """The recipe that `text` names."""
    path, note = find(text)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return parse(raw, label=str(path), folder=path.absolute().parent, note=note)


def parse(raw: bytes, *, label: str, folder: Path, note: str = "") -> Source:
    """TOML, with every way it can fail explained."""
    if len(raw) > MAX_BYTES:
        raise InputError(f"{label} is too large; a recipe has at most {MAX_BYTES} bytes")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{label} is UTF-16; save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise RecipeError(
            [f"{label}:{line}: byte {raw[error.start]:#x} is not UTF-8; save the file as UTF-8"]
        ) from None
    # A key of thousands of dots takes the parser seconds; no honest line is that deep.
    for number, row in enumerate(text.splitlines(), 1):
        if "k." * MAX_DOTS in re.sub(r"\s", "", re.sub(KEY, "k", row)):
            raise RecipeError([f"{label}:{number}: a key with more than {MAX_DOTS} dots"])
    too_deep = RecipeError([f"{label}:1: not a recipe: arrays or tables are nested too deeply"])
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError([_syntax(label, text, str(error))]) from None
    except RecursionError:
        raise too_deep from None
    except ValueError as error:  # a number of thousands of digits
        raise RecipeError([f"{label}:1: not a recipe: {str(error).partition(';')[0]}"]) from None
    if not shallow(table):
        raise too_deep
    places = Places.of(label, text)
    if len(places.lines) > MAX_KEYS:
        raise RecipeError([f"{label}:1: not a recipe: more than {MAX_KEYS} keys"])
    return Source(label, folder, text, table, places, note)


def shallow(value: Any, levels: int = MAX_DEPTH) -> bool:
    """Whether a value is nested at most so many levels deep; whatever walks it later may then recurse."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(shallow(each, levels - 1) for each in inner)


def _syntax(label: str, text: str, message: str) -> str:
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", message)
    line = int(place[1]) if place and place[1] else max(1, len(text.splitlines()))
    what = message[: place.start()] if place else message
    shown = text.splitlines()[line - 1].strip() if text.splitlines() else ""
    hint = ""
    if "\\" in shown and any(word in what for word in ("Unescaped", "Invalid hex", "escape", "Illegal")):
        hint = "; a backslash in \"double quotes\" is an escape: put a path in 'single quotes' or write it with /"
    return f"{label}:{line}: {what[:1].lower() + what[1:]}{hint}: {shown[:80]}"
