"""May a recipe begin with these weights? Answered without torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from difftool.engine.sealed import Sealed
from difftool.errors import InputError
from difftool.plugin.registry import Registry
from difftool.plugin.spelling import nearest
from difftool.recipe.make import Maker
from difftool.recipe.write import Table, changes

MEANING = {"predict": "target", "schedule": "schedule", "backbone": "backbone"}
"""Sections that give a network's numbers their meaning, and their kinds: elsewhere the same weights say something
else."""
ALLOWED = (*MEANING, "conditions")
TRAINING_ONLY = ("dropout", "drop")
"""Fields that leave the meaning of the weights alone."""


def check_allowed(allow: Sequence[str]) -> None:
    """Refuses a name that allows nothing."""
    for key in allow:
        if key not in ALLOWED:
            raise InputError(f"--allow-change {key}: {nearest(key, ALLOWED, 'with --from, there are')}")


def begin_with(weights: Sealed, table: Table, registry: Registry, allow: Sequence[str] = ()) -> None:
    """Refuses weights that were trained for another meaning, unless that is allowed by name.

    A table without conditions is not asked about them: what they are, only the data says.
    """
    theirs = _meant(json.loads(weights.words.get("recipe", "{}")), registry)
    ours = _meant(table, registry)
    refused = [key for key in ours if ours[key] != theirs.get(key) and key not in allow]
    if refused:
        differs = changes({key: theirs.get(key, {}) for key in refused}, {key: ours[key] for key in refused})
        told = "; ".join(f"{key}: {before} -> {after}" for key, (before, after) in list(differs.items())[:6])
        raise InputError(
            f"the weights were trained otherwise: {told}",
            where=weights.label,
            why="what the network says means something else there, and it would have to unlearn it",
            do="to begin with them all the same: " + " ".join(f"--allow-change {key}" for key in refused),
        )


def _meant(table: Table, registry: Registry) -> Table:
    """What gives the weights their meaning, with the defaults of keys that are younger than the file."""
    maker = Maker(registry, Path())
    found: Table = {}
    for key, kind in MEANING.items():
        made = maker.component(kind, table.get(key, {}), (key,))
        found[key] = _lasting(registry.dump(made) if made else table.get(key))
    if "conditions" in table:
        found["conditions"] = {key: _lasting(told) for key, told in table["conditions"].items()}
    return found


def _lasting(part: Any) -> Any:
    return {key: value for key, value in part.items() if key not in TRAINING_ONLY} if isinstance(part, dict) else part
