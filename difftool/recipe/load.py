"""A recipe with its profiles, --data and --set: checked under each of them, all problems at once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from difftool.errors import InputError, RecipeError
from difftool.plugin.component import Dataset
from difftool.plugin.registry import Registry
from difftool.plugin.spelling import nearest, one_slip
from difftool.recipe.explain import Path, Places, Problem, show
from difftool.recipe.make import Maker, make
from difftool.recipe.model import DEFAULTS, DEVICES, SCALARS, Recipe
from difftool.recipe.overlay import Table, mark, move, options, overlay
from difftool.recipe.own import existing, own_data, reader_of, size_of
from difftool.recipe.source import Source, read


@dataclass(frozen=True)
class Loaded:
    """A recipe that passed, with every profile of it, and how to get the one for a device."""

    source: Source
    registry: Registry
    base: Table
    profiles: dict[str, Table]
    data: FilePath | None  # pictures to train on instead
    reader: str  # the data set that reads them
    overrides: list[tuple[str, Table]]

    def recipe(self, profile: str) -> tuple[Recipe, list[str]]:
        """(the recipe under a profile, what to tell). `auto` has become a device's name by now."""
        told = [self.source.note] if self.source.note else []
        if profile in self.profiles:
            told.append(f"profile {profile}: {_shown(self.profiles[profile])}")
        made, problems, places = _checked(self, profile if profile in self.profiles else None)
        if made is None:
            raise RecipeError([places.say(problem) for problem in problems])
        if self.data and self.reader != "images":
            _, height, width = made.data.shape
            told.append(f"--data is read by {self.reader}, as pictures of {width}x{height}")
        return made, told

    def dataset(self, profile: str) -> Dataset | None:
        """The data, if it is the same whatever device `auto` will mean."""
        named = ["none", *(each for each in DEVICES if each in self.profiles)] if profile == "auto" else [profile]
        first, *others = [self.recipe(each)[0].data for each in named]
        return first if all(other == first for other in others) else None

    @property
    def wished_device(self) -> str:
        """`train.device` of the plain recipe: what `--profile auto` goes by."""
        return self.recipe("none")[0].train.device


def load(
    text: str, registry: Registry, *, sets: list[str] | None = None, data: str | None = None, profile: str = "auto"
) -> Loaded:
    """Reads and checks a recipe with all its profiles; nothing here needs tensors."""
    return prepare(read(text), registry, sets=sets, data=data, profile=profile)


def prepare(
    source: Source, registry: Registry, *, sets: list[str] | None = None, data: str | None = None, profile: str = "auto"
) -> Loaded:
    """Checks a recipe that was read, under every profile it has; options count where they may be used."""
    pictures = existing(data) if data is not None else None
    base = copy.deepcopy(source.table)
    profiles = base.pop("profile", {})
    wrong = [source.places.say(problem) for problem in _profiles(profiles)]
    named = profiles.items() if isinstance(profiles, dict) else ()
    tables = {name: over for name, over in named if isinstance(over, dict)}
    reader = reader_of(pictures, registry, _named(base.get("data"))) if pictures else ""
    loaded = Loaded(source, registry, base, tables, pictures, reader, options(sets or []))
    bare = replace(loaded, data=None, overrides=[])
    plain = _checked(bare, None)[1]
    maybe = [None, *DEVICES] if profile == "auto" else [profile if profile in tables else None]
    seen: list[Problem] = []
    for each in sorted([None, *tables], key=lambda each: each not in maybe):
        _, problems, places = _checked(loaded if each in maybe else bare, each)
        for problem in problems:
            if problem not in seen and (each in maybe or problem not in plain):
                wrong.append(places.say(problem) + (f" (profile {each})" if each and problem not in plain else ""))
        seen += problems
    if wrong:
        raise RecipeError(wrong)
    if profile not in ("auto", "none", *DEVICES, *tables):
        raise InputError(f"{source.label} has no profile {profile!r}; {nearest(profile, tables, 'there are')}")
    return loaded


def _checked(loaded: Loaded, profile: str | None) -> tuple[Recipe | None, list[Problem], Places]:
    """The recipe under a profile, or everything that is wrong with it; and where each key stands."""
    table, places = loaded.base, replace(loaded.source.places, options={})
    if profile is not None:
        over = loaded.profiles[profile]
        table = overlay(_with_defaults(table, over), over)
        move(places, over, ("profile", profile))
    overrides = loaded.overrides
    if loaded.data:
        own = _pictures(loaded, loaded.data, table.get("data"))
        overrides = [(f"--data {loaded.data}", {"data": own}), *overrides]
    for text, over in overrides:
        table = overlay(_with_defaults(table, over), over)
        mark(places, over, text)
    typed = [path for path, text in places.options.items() if text.startswith("--")]
    return *make(dict(table), loaded.registry, loaded.source.folder, typed), places


def _with_defaults(table: Table, over: Table) -> Table:
    """The table with the sections that are left out of it and changed: a key of what is there by default."""
    return {key: DEFAULTS[key] for key in over if key in DEFAULTS and key not in table} | table


def _pictures(loaded: Loaded, path: FilePath, before: Any) -> Table:
    """The data section for one's own pictures, of the size and channels of the data they replace."""
    replaced = Maker(loaded.registry, loaded.source.folder).component("dataset", before, ("data",))
    kept = before if isinstance(before, dict) else {}
    size = size_of(replaced.shape) if replaced else {key: kept[key] for key in ("channels", "size") if key in kept}
    return own_data(path, loaded.reader, size, loaded.registry)


def _named(data: Any) -> str:
    return str(data.get("name", "images") if isinstance(data, dict) else data)


def _profiles(profiles: Any) -> Iterator[Problem]:
    if not isinstance(profiles, dict):
        yield Problem(("profile",), "expected tables, as in [profile.cpu]")
        return
    for name, table in profiles.items():
        path: Path = ("profile", name)
        if near := [device for device in DEVICES if one_slip(name, device)]:
            yield Problem(
                path, f"is no device ({', '.join(DEVICES)}), so it is never chosen; did you mean {near[0]!r}?"
            )
        if name in ("auto", "none"):
            yield Problem(path, f"--profile {name} has another meaning; choose another name")
        if not isinstance(table, dict):
            yield Problem(path, f"expected a table, got {show(table)}")
            continue
        yield from (Problem((*path, key), "a profile cannot change this") for key in table if key in SCALARS)


def _shown(table: Table, path: str = "") -> str:
    parts = []
    for key, value in table.items():
        inner = f"{path}{key}"
        parts.append(_shown(value, f"{inner}.") if isinstance(value, dict) else f"{inner} = {show(value)}")
    return ", ".join(parts)
