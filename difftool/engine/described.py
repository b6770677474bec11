"""What a weights file says of its network, as components: everything to know before tensors are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difftool.engine.sealed import Sealed
from difftool.errors import InputError
from difftool.plugin.component import Backbone, Condition, Loss, NoiseSchedule, Target
from difftool.plugin.registry import Registry
from difftool.recipe.explain import Problem
from difftool.recipe.make import Maker
from difftool.recipe.model import Sample
from difftool.recipe.write import Table


@dataclass(frozen=True)
class Described:
    """A weights file whose parts are all installed here."""

    file: Sealed
    registry: Registry
    recipe: Table  # resolved, plain values
    shape: tuple[int, int, int]
    target: Target
    schedule: NoiseSchedule
    backbone: Backbone
    loss: Loss
    conditions: Mapping[str, Condition]
    sampler: Any  # a Sampler; None where it is not installed and others are to be used
    sample: Sample


def describe(file: Sealed, registry: Registry, *, own_sampler: bool = True) -> Described:
    """Refuses a file that does not say enough, or needs what is not installed: its sampler only if it is to be used."""
    try:
        recipe: Table = json.loads(file.words["recipe"])
        channels, height, width = json.loads(file.words["shape"])
        made_with: dict[str, Any] = json.loads(file.words["versions"])
        sections = {key: recipe[key] for key in ("predict", "schedule", "backbone", "loss", "sampler", "sample")}
    except (KeyError, ValueError, TypeError, RecursionError):
        raise InputError(f"{file.label} does not hold the recipe it was trained with") from None
    maker = Maker(registry, Path(file.label).absolute().parent)
    kinds = {"predict": "target", "schedule": "schedule", "backbone": "backbone", "loss": "loss", "sampler": "sampler"}
    made = {key: maker.component(kind, sections[key], (key,)) for key, kind in kinds.items()}
    conditions = maker.components("condition", recipe.get("conditions", {}), ("conditions",))
    sample = maker.part(Sample, sections["sample"], ("sample",))
    only_sampler = all(each.path[0] == "sampler" for each in maker.problems)
    missing = any(each.plugin == "not installed" for each in maker.problems)
    if maker.problems and (own_sampler or not only_sampler):
        raise InputError(
            f"{file.label} cannot be used here: {'; '.join(dict.fromkeys(map(_told, maker.problems)))}",
            why=f"it was made with {', '.join(f'{name} {version}' for name, version in made_with.items())}",
            do=f"{'install it, or ' * missing}draw with another: difftool sample ... --sampler ddim" * only_sampler,
        )
    return Described(
        file=file,
        registry=registry,
        recipe=recipe,
        shape=(channels, height, width),
        target=made["predict"],
        schedule=made["schedule"],
        backbone=made["backbone"],
        loss=made["loss"],
        conditions=conditions,
        sampler=made["sampler"],
        sample=sample,
    )


def _told(problem: Problem) -> str:
    """A missing plugin is missing wherever it is needed; all else has a place."""
    return problem.text if problem.plugin else f"{'.'.join(map(str, problem.path))}: {problem.text}"
