"""Whether plugins of others take part at all: DIFFTOOL_PLUGINS."""

from __future__ import annotations

import os

from difftool.errors import InputError


def third_party_allowed() -> bool:
    """False when DIFFTOOL_PLUGINS=none asks for the built-ins alone."""
    wish = os.environ.get("DIFFTOOL_PLUGINS", "all")
    if wish not in ("all", "none", ""):
        raise InputError(f"DIFFTOOL_PLUGINS is {wish!r}; it may be 'all' or 'none'")
    return wish != "none"
