"""May this run go on, and as what? Answered from files alone, before torch is loaded."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difftool.engine.saved import newest
from difftool.errors import InputError
from difftool.plugin.registry import Registry
from difftool.plugin.spelling import nearest
from difftool.recipe.load import prepare
from difftool.recipe.make import make
from difftool.recipe.model import Recipe
from difftool.recipe.source import read
from difftool.recipe.write import changes, flat, plain
from difftool.run.layout import RunDir

FREE = ("train.steps", "sample", "preview", "log", "checkpoint")
"""What may change on resume without asking. (A learning rate that decays follows a new number of steps.)"""


@dataclass(frozen=True)
class Ahead:
    """How a run will go on."""

    recipe: Recipe
    folder: Path  # the checkpoint to begin with
    step: int
    data: str  # fingerprint of the pictures it was trained on
    changed: dict[str, tuple[Any, Any]]
    other_data: bool  # whether other pictures are allowed
    notes: list[str]

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.step >= self.recipe.train.steps


def ahead(run: RunDir, registry: Registry, sets: Sequence[str] = (), allow: Sequence[str] = ()) -> Ahead:
    """Refuses changes to what was already trained, unless they are allowed by name."""
    folder, saved, passed = newest(run)
    if not run.recipe.is_file():
        raise InputError(
            "the run's recipe.toml is missing",
            where=str(run.root.absolute()),
            do=f"put it back; its content is under `recipe` in {folder / 'state.json'}",
        )
    recipe, _ = prepare(read(str(run.recipe)), registry, sets=list(sets), profile="none").recipe("none")
    now = plain(recipe, registry)
    for key in allow:
        if not any(_within(each, [key]) for each in flat(now)):
            raise InputError(f"--allow-change {key}: no such key; {nearest(key, [*now, *flat(now)], 'the keys are')}")
    # A difftool that has gained keys since writes more of them: the defaults are filled in on both sides.
    before, _ = make(copy.deepcopy(saved["recipe"]), registry, run.root)
    changed = changes(plain(before, registry) if before else saved["recipe"], now)
    refused = [key for key in changed if not _within(key, [*FREE, *allow])]
    if refused:
        shown = "; ".join(f"{key}: {changed[key][0]} -> {changed[key][1]}" for key in refused[:6])
        raise InputError(
            f"this would change the run: {shown}",
            why="the steps so far were trained otherwise",
            do="to do it all the same: " + " ".join(f"--allow-change {key}" for key in refused[:6]),
        )
    if "train.steps" in changed and recipe.train.steps <= saved["step"]:
        raise InputError(
            f"train.steps = {recipe.train.steps}, and the run is already at step {saved['step']}",
            do=f"give more than {saved['step']}",
        )
    notes = [f"{reason}; using step {saved['step']}" for reason in passed]
    if "train.steps" in changed and recipe.optim.lr_decay != "none" and saved["step"]:
        notes.append(
            f"lr_decay = {recipe.optim.lr_decay} now ends at step {recipe.train.steps}: the learning rate jumps"
        )
    return Ahead(recipe, folder, saved["step"], saved["data"], changed, _within("data", allow), notes)


def _within(key: str, allowed: Sequence[str]) -> bool:
    """`optim` allows optim.lr; `optim.lr` allows itself."""
    return any(key == each or key.startswith(each + ".") for each in allowed)
