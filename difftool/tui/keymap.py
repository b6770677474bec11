"""Keys of the user's own, from keys.toml: `"train.log_y" = "L"`."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from platformdirs import user_config_path
from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from difftool.errors import InputError


def keys_file() -> Path:
    """Where the file is looked for."""
    return user_config_path("difftool") / "keys.toml"


def keys_of_user() -> dict[str, str]:
    """What each binding is to be called with; empty without a file. A file that makes no sense is refused."""
    path = keys_file()
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # ValueError: no TOML, or no UTF-8
        raise InputError("the key map cannot be read", where=str(path), why=str(error)) from None
    keys = table.get("keys", table)
    wrong = [name for name, key in keys.items() if not isinstance(key, str)] if isinstance(keys, dict) else ["keys"]
    if wrong:
        raise InputError(f'{wrong[0]}: a key is a text, as in "train.log_y" = "L"', where=str(path))
    return dict(keys)


def problems(keys: Mapping[str, str], screens: Mapping[str, Sequence[Binding]]) -> list[str]:
    """Names that do not exist, and keys that would mean two things; `screens` has the bindings that work on each."""
    known = {str(binding.id) for bindings in screens.values() for binding in bindings if binding.id}
    moved = {
        str(each.id)
        for bindings in screens.values()
        for each in bindings
        if keys.get(str(each.id), each.key) != each.key
    }
    said = []
    for name in keys:
        if name not in known:
            near = get_close_matches(name, known, 1)
            said.append(f"{name} is nothing that has a key" + (f"; did you mean {near[0]}?" if near else ""))
        said += [f"{name}: there is no key {key.strip()}" for key in keys[name].split(",") if not _is_key(key.strip())]
    for screen, bindings in screens.items():
        taken: dict[str, str] = {}
        for binding in bindings:
            name = str(binding.id)
            for key in keys.get(name, binding.key).split(","):
                other = taken.setdefault(key.strip(), name)
                if other != name and {name, other} & moved:
                    said.append(f"on the screen {screen}, {key.strip()} would be both {other} and {name}")
    return list(dict.fromkeys(said))


def _is_key(name: str) -> bool:
    """Whether Textual calls a key like that: `a`, `ctrl+a`, `f5`, `question_mark`."""
    last = name.rpartition("+")[2] or "+"
    if len(last) == 1 or last in {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values()):
        return True
    try:
        return bool(unicodedata.lookup(last.replace("_", " ")))
    except KeyError:
        return False
