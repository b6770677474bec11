"""The data of a run: prepared, opened, told apart from other data, and shown."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from difftool.core.sampling import to_bytes
from difftool.core.types import Images, Report
from difftool.engine import pictures
from difftool.engine.feed import Feed
from difftool.engine.ready import ready
from difftool.engine.watch import Watcher
from difftool.errors import InputError, RecipeError
from difftool.plugin.blame import blamed
from difftool.plugin.registry import Registry
from difftool.recipe.check import fitting, spec_of
from difftool.recipe.model import Recipe
from difftool.run.layout import RunDir
from difftool.run.records import encode
from difftool.run.writer import replace_file

SHOWN = 64


@dataclass(frozen=True)
class Opened:
    """Pictures that are ready, and the recipe with conditions that have learned all there is to know from them."""

    recipe: Recipe
    images: Images
    report: Report | None


def opened(recipe: Recipe, registry: Registry, watcher: Watcher) -> Opened:
    """The data made ready, and the recipe fitted to it."""
    images, report = ready(recipe.data, registry, watcher)
    return Opened(_fitted(recipe, registry, images), images, report)


def _fitted(recipe: Recipe, registry: Registry, images: Images) -> Recipe:
    """The recipe with conditions that have learned from the data."""
    if not recipe.conditions:
        return recipe
    with blamed(registry, recipe.data, "telling what its pictures are"):
        values = images.values(range(len(images)))
    fitted = {}
    for key, condition in recipe.conditions.items():
        if key not in values:
            raise InputError(
                f"the data says nothing called {key!r} of its pictures",
                where=f"conditions.{key}",
                why=f"{registry.offer(type(recipe.data)).owned} has {', '.join(values) or 'pictures alone'}",
                do="name the section after what the data has, or leave it out",
            )
        known = [value for value in values[key] if value is not None]
        if not known:
            raise InputError(f"of no picture is known what its {key} is", where=f"conditions.{key}")
        try:
            with blamed(registry, condition, "learning from the data"):
                fitted[key] = condition.fit(known)
        except InputError as error:
            raise InputError(error.what, where=f"conditions.{key}", why=error.why, do=error.do) from None
    spec = spec_of(recipe.data.shape, recipe.schedule.T, recipe.loss.outputs, fitted)
    problems = list(fitting(recipe.backbone, spec, registry))
    if problems:
        raise RecipeError([f"{'.'.join(map(str, problem.path))}: {problem.text}" for problem in problems])
    return replace(recipe, conditions=fitted)


def fingerprint(images: Images, conditions: Iterable[str] = ()) -> str:
    """A hash that tells data sets apart: their length, 64 pictures spread over it, and what is told of these."""
    chosen = sorted(set(np.linspace(0, len(images) - 1, 64).astype(int).tolist()))
    digest = hashlib.sha256(f"{len(images)} ".encode())
    digest.update(images.take(chosen).tobytes())
    values = images.values(chosen)
    digest.update("".join(f"{key} {list(values[key])}" for key in sorted(conditions)).encode())
    return digest.hexdigest()[:16]


def list_skipped(run: RunDir, report: Report | None) -> None:
    """Which files are left out of the data; there is no such list if none is."""
    if report and report.skipped:
        replace_file(run.skipped, b"".join(encode({"file": name, "why": why}) for name, why in report.skipped))
    else:
        run.skipped.unlink(missing_ok=True)


def show_first(run: RunDir, feed: Feed) -> None:
    """The first pictures exactly as they will be trained on."""
    coming = (picture for step in itertools.count(1) for part in feed(step) for picture in part.x0)
    shown = torch.stack([to_bytes(picture[None])[0].cpu() for picture in itertools.islice(coming, SHOWN)])
    replace_file(run.sheet, pictures.grid(shown, {"first": "pictures as trained on"}))
