"""From a TOML table to a checked Recipe, all problems at once."""

from __future__ import annotations

import copy
import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, get_args

from pydantic import ValidationError

from difftool.errors import InputError, RecipeError
from difftool.plugin.component import Component, Strict, kind_of
from difftool.plugin.registry import Registry, UnknownComponent, nearest
from difftool.recipe.check import cross_check
from difftool.recipe.explain import Path, Problem, control_characters, problems_of, show, unknown
from difftool.recipe.model import DEFAULTS, DEVICES, FORMAT, KEYS, SCALARS, SECTIONS, Recipe
from difftool.recipe.overlay import Table, mark, move, options, overlay
from difftool.recipe.source import Source, read

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass
class Maker:
    """Turns tables into components and collects what is wrong with them."""

    registry: Registry
    folder: FilePath  # relative paths in the recipe start here
    problems: list[Problem] = field(default_factory=list)

    def component(self, kind: str, value: Any, path: Path) -> Any:
        """The component that a table, or a bare name, describes; None if it is wrong."""
        table = {"name": value} if isinstance(value, str) else value
        if not isinstance(table, dict):
            return self._wrong(path, f"expected a table or a name, got {show(value)}")
        rest = {key: inner for key, inner in table.items() if key != "name"}
        name = table.get("name")
        if name is None:
            if typo := difflib.get_close_matches("name", rest, n=1):
                return self._wrong((*path, typo[0]), "unknown key; did you mean 'name'?")
            return self._wrong(
                path, f'which {kind}? write name = "..."; there are {", ".join(self.registry.names(kind))}'
            )
        if not isinstance(name, str):
            return self._wrong((*path, "name"), f"expected a name in quotes, got {show(name)}")
        try:
            cls = self.registry.get(kind, name)
        except UnknownComponent as error:
            return self._wrong((*path, "name") if isinstance(value, dict) else path, str(error))
        return self.part(cls, rest, path)

    def part(self, cls: type[Strict], table: Any, path: Path) -> Any:
        """A model from its fields, with nested components made first."""
        if not isinstance(table, dict):
            return self._wrong(path, f"expected a table, got {show(table)}")
        before = len(self.problems)
        ready = {key: self._nested(cls, key, value, (*path, key)) for key, value in table.items()}
        ready = {key: value for key, value in ready.items() if value is not None}
        known = [*cls.model_fields, *(["name"] if issubclass(cls, Component) else [])]
        try:
            made = cls.model_validate(ready)
        except ValidationError as error:
            self.problems += problems_of(error, path, known, _homes(str(path[0])))
            return None
        return made if len(self.problems) == before else None

    def _nested(self, cls: type[Strict], key: str, value: Any, path: Path) -> Any:
        annotation = cls.model_fields[key].annotation if key in cls.model_fields else None
        options = [annotation, *get_args(annotation)]
        kind = next((found for option in options if (found := kind_of(option))), None)
        if kind is None:
            if FilePath in options and isinstance(value, str):
                return self.folder / FilePath(value).expanduser()
            return value
        if isinstance(value, list):
            return tuple(self.component(kind, item, (*path, index)) for index, item in enumerate(value))
        return self.component(kind, value, path)

    def _wrong(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path, text))


def _homes(here: str) -> dict[str, str]:
    """Which section a core key belongs to, for people who put it into another one."""
    return {
        key: section
        for section, model in SECTIONS.items()
        if not issubclass(model, Component) and section != here
        for key in model.model_fields
        if key not in SECTIONS[here].model_fields
    }


def make(table: Table, registry: Registry, folder: FilePath) -> tuple[Recipe | None, list[Problem]]:
    """The recipe, or everything that is wrong with it."""
    maker = Maker(registry, folder)
    maker.problems += control_characters(table, ())
    _scalars(table, maker)
    for key in table:
        if key not in KEYS:
            maker.problems.append(Problem((key,), unknown(key, [*KEYS, "profile"], _homes_of_any(key))))
    parts: dict[str, Any] = {"recipe": FORMAT, "name": table.get("name"), "seed": table.get("seed", DEFAULTS["seed"])}
    for section, model in SECTIONS.items():
        value = table.get(section, DEFAULTS.get(section))
        if value is None:
            maker.problems.append(Problem((section,), "is missing"))
        elif kind := kind_of(model):
            parts[section] = maker.component(kind, value, (section,))
        else:
            parts[section] = maker.part(model, value, (section,))
    maker.problems += cross_check({key: part for key, part in parts.items() if part is not None})
    return (None if maker.problems else Recipe(**parts)), maker.problems


def _homes_of_any(key: str) -> dict[str, str]:
    for section, model in SECTIONS.items():
        if not issubclass(model, Component) and key in model.model_fields:
            return {key: section}
    return {}


def _scalars(table: Table, maker: Maker) -> None:
    wrong = maker.problems.append
    for key in ("recipe", "name"):
        if key not in table:
            wrong(Problem((key,), "is missing" + ("; write recipe = 1 on the first line" if key == "recipe" else "")))
    version = table.get("recipe", FORMAT)
    if version != FORMAT or isinstance(version, bool):
        wrong(Problem(("recipe",), f"this difftool reads recipes of format {FORMAT}, not {show(version)}"))
    name = table.get("name", "x")
    if not isinstance(name, str) or not SLUG.fullmatch(name):
        wrong(Problem(("name",), f"expected letters, digits, '.', '_' and '-', at most 64, got {show(name)}"))
    seed = table.get("seed", 0)
    if isinstance(seed, float) and seed.is_integer():
        table["seed"] = seed = int(seed)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        wrong(Problem(("seed",), f"expected a whole number from 0, got {show(seed)}"))


@dataclass(frozen=True)
class Loaded:
    """A recipe that passed, with every profile of it, and how to get the one for a device."""

    source: Source
    registry: Registry
    base: Table
    profiles: dict[str, Table]
    overrides: list[tuple[str, Table]]

    def recipe(self, profile: str) -> tuple[Recipe, list[str]]:
        """(the recipe under a profile, what to tell). `auto` has become a device's name by now."""
        told = [self.source.note] if self.source.note else []
        if profile in self.profiles:
            told.append(f"profile {profile}: {_shown(self.profiles[profile])}")
        return _checked(self, profile if profile in self.profiles else None), told


def load(
    text: str, registry: Registry, *, sets: list[str] | None = None, data: str | None = None, profile: str = "auto"
) -> Loaded:
    """Reads and checks a recipe with all its profiles; nothing here needs tensors."""
    return prepare(read(text), registry, sets=sets, data=data, profile=profile)


def prepare(
    source: Source, registry: Registry, *, sets: list[str] | None = None, data: str | None = None, profile: str = "auto"
) -> Loaded:
    """Checks a recipe that was read, under every profile it has."""
    base = copy.deepcopy(source.table)
    profiles = base.pop("profile", {})
    problems = _profiles(source, profiles)
    if problems:
        raise RecipeError([source.places.say(problem) for problem in problems])
    overrides = options(sets or [])
    if data is not None:
        size = overlay({}, {"data": base.get("data", {})})["data"]
        kept = {key: size[key] for key in ("size", "channels") if isinstance(size, dict) and key in size}
        path = str(FilePath(data).expanduser().absolute())
        overrides.insert(0, (f"--data {data}", {"data": {"name": "images", "path": path, **kept}}))
    loaded = Loaded(source, registry, base, profiles, overrides)
    for each in [None, *profiles]:
        _checked(loaded, each)
    if profile not in ("auto", "none", *DEVICES, *profiles):
        there = nearest(profile, profiles, "there are")
        raise InputError(f"{source.label} has no profile {profile!r}; {there}")
    return loaded


def _checked(loaded: Loaded, profile: str | None) -> Recipe:
    table, places = loaded.base, copy.deepcopy(loaded.source.places)
    if profile is not None:
        over = loaded.profiles[profile]
        table = overlay(table, over)
        move(places, over, ("profile", profile))
    for text, over in loaded.overrides:
        table = overlay(table, over)
        mark(places, over, text)
    made, problems = make(dict(table), loaded.registry, loaded.source.folder)
    if made is None:
        suffix = f" (profile {profile})" if profile else ""
        raise RecipeError([places.say(problem) + suffix for problem in problems])
    return made


def _profiles(source: Source, profiles: Any) -> list[Problem]:
    if not isinstance(profiles, dict):
        return [Problem(("profile",), "expected tables, as in [profile.cpu]")]
    wrong = []
    for name, table in profiles.items():
        path: Path = ("profile", name)
        near = [device for device in DEVICES if name != device and _within_one(name, device)]
        if near:
            wrong.append(Problem(path, f"would never be chosen; did you mean {near[0]!r}?"))
        if not isinstance(table, dict):
            wrong.append(Problem(path, f"expected a table, got {show(table)}"))
            continue
        allowed = [key for key in KEYS if key not in SCALARS]
        wrong += [Problem((*path, key), unknown(key, allowed)) for key in table if key not in allowed]
    return wrong


def _within_one(a: str, b: str) -> bool:
    """One letter changed, added, dropped, or two swapped."""
    if len(a) > len(b):
        a, b = b, a
    if len(a) == len(b):
        differ = [i for i in range(len(a)) if a[i] != b[i]]
        swapped = len(differ) == 2 and a[differ[0]] == b[differ[1]] and a[differ[1]] == b[differ[0]]
        return len(differ) == 1 or (swapped and differ[1] == differ[0] + 1)
    return len(b) - len(a) == 1 and any(b[:i] + b[i + 1 :] == a for i in range(len(b)))


def _shown(table: Table, path: str = "") -> str:
    parts = []
    for key, value in table.items():
        inner = f"{path}{key}"
        parts.append(_shown(value, f"{inner}.") if isinstance(value, dict) else f"{inner} = {show(value)}")
    return ", ".join(parts)
