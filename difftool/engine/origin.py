"""May a recipe begin with these weights? Answered without torch."""

from __future__ import annotations

import json
from collections.abc import Sequence

from difftool.engine.sealed import Sealed
from difftool.errors import InputError
from difftool.recipe.write import Table

MEANING = ("predict", "schedule")
"""What gives a network's numbers their meaning: the same weights say something else under another."""


def begin_with(weights: Sealed, table: Table, allow: Sequence[str] = ()) -> None:
    """Refuses weights that were trained under another schedule or target, unless that is allowed by name."""
    theirs = json.loads(weights.words.get("recipe", "{}"))
    differs = [key for key in MEANING if theirs.get(key) != table[key]]
    if refused := [key for key in differs if key not in allow]:
        told = "; ".join(f"{key}: {_short(theirs.get(key))} -> {_short(table[key])}" for key in refused)
        raise InputError(
            f"the weights were trained otherwise: {told}",
            where=weights.label,
            why="what the network says means something else there, and it would have to unlearn it",
            do="to begin with them all the same: " + " ".join(f"--allow-change {key}" for key in refused),
        )


def _short(part: Table | None) -> str:
    """`linear(T = 1000, ...)`."""
    if not isinstance(part, dict):
        return str(part)
    fields = ", ".join(f"{key} = {value}" for key, value in part.items() if key != "name")
    return f"{part.get('name')}({fields})" if fields else str(part.get("name"))
