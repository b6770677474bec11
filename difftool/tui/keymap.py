"""Keys of the user's own, from keys.toml: `"train.log_y" = "L"`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from platformdirs import user_config_path

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
