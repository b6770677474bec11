"""From a TOML table to a checked Recipe, all problems at once."""

from __future__ import annotations

import copy
import difflib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from difftool.errors import InputError, RecipeError
from difftool.plugin.component import Component, Dataset, Strict, kind_of, leaves
from difftool.plugin.registry import Registry, UnknownComponent
from difftool.plugin.spelling import nearest, one_slip
from difftool.recipe.check import cross_check
from difftool.recipe.explain import Homes, Path, Places, Problem, problems_of, show, unknown, unusable
from difftool.recipe.model import DEFAULTS, DEVICES, FORMAT, KEYS, MANY, SCALARS, SECTIONS, Recipe
from difftool.recipe.overlay import Table, mark, move, options, overlay
from difftool.recipe.own import existing, own_data, reader_of, size_of
from difftool.recipe.source import Source, read

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass
class Maker:
    """Turns tables into components and collects what is wrong with them."""

    registry: Registry
    folder: FilePath  # relative paths in the recipe start here
    homes: Homes = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    typed: Collection[Path] = ()  # keys that were typed just now: relative paths of theirs start at the current folder

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

    def components(self, kind: str, value: Any, path: Path) -> Any:
        """Any number of components, each under a key of its own."""
        if not isinstance(value, dict):
            return self._wrong(path, f"expected tables, as in [{'.'.join(map(str, path))}.KEY], got {show(value)}")
        for key in value:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", key):
                self._wrong((*path, key), "a key here is letters, digits, '_' and '-', a letter first")
        made = {key: self.component(kind, inner, (*path, key)) for key, inner in value.items()}
        return None if None in made.values() else made

    def part(self, cls: type[Strict], table: Any, path: Path) -> Any:
        """A model from its fields, with nested components made first."""
        if not isinstance(table, dict):
            return self._wrong(path, f"expected a table, got {show(table)}")
        before = len(self.problems)
        ready = {key: self._nested(cls, key, value, (*path, key)) for key, value in table.items()}
        failed = {(*path, key) for key, value in ready.items() if value is None}  # told already
        ready = {key: value for key, value in ready.items() if value is not None}
        known = [*cls.model_fields, *(["name"] if issubclass(cls, Component) else [])]
        try:
            made = cls.model_validate(ready)
        except ValidationError as error:
            found = problems_of(error, path, known, self.homes)
            self.problems += [problem for problem in found if problem.path not in failed]
            return None
        return made if len(self.problems) == before else None

    def _nested(self, cls: type[Strict], key: str, value: Any, path: Path) -> Any:
        wanted = list(leaves(cls.model_fields[key].annotation)) if key in cls.model_fields else []
        kind = next((found for leaf in wanted if (found := kind_of(leaf))), None)
        if isinstance(value, list) and (kind or FilePath in wanted):
            made = [self._single(kind, item, (*path, index)) for index, item in enumerate(value)]
            return None if None in made else tuple(made)
        return self._single(kind, value, path) if kind or FilePath in wanted else value

    def _single(self, kind: str | None, value: Any, path: Path) -> Any:
        if kind:
            return self.component(kind, value, path)
        if not isinstance(value, str):
            return value
        key = path[:-1] if isinstance(path[-1], int) else path  # of a list of paths
        start = FilePath.cwd() if key in self.typed else self.folder
        return start / os.path.expanduser(value)  # noqa: PTH111

    def _wrong(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path, text))


def make(
    table: Table, registry: Registry, folder: FilePath, typed: Collection[Path] = ()
) -> tuple[Recipe | None, list[Problem]]:
    """The recipe, or everything that is wrong with it."""
    homes = _homes(table, registry)
    maker = Maker(registry, folder, homes, typed=typed)
    maker.problems += unusable(table, ())
    _scalars(table, maker)
    for key in table:
        if key not in KEYS:
            maker.problems.append(
                Problem((key,), unknown(key, [*KEYS, *(["profile"] if key != "profile" else [])], homes))
            )
    parts: dict[str, Any] = {"recipe": FORMAT, "name": table.get("name"), "seed": table.get("seed", DEFAULTS["seed"])}
    for section, model in SECTIONS.items():
        value = table.get(section, DEFAULTS.get(section))
        if value is None:
            maker.problems.append(Problem((section,), "is missing"))
        elif section in MANY:
            parts[section] = maker.components(kind_of(model) or "", value, (section,))
        elif kind := kind_of(model):
            parts[section] = maker.component(kind, value, (section,))
        else:
            parts[section] = maker.part(model, value, (section,))
    maker.problems += cross_check({key: part for key, part in parts.items() if part is not None}, registry)
    return (None if maker.problems else Recipe(**parts)), maker.problems


def _homes(table: Table, registry: Registry) -> dict[str, list[str]]:
    """Where each key of this recipe may stand, for people who put it into another section."""
    homes = {key: ["at the top of the file"] for key in KEYS}
    found: list[type[Strict]]
    for section, model in SECTIONS.items():
        if kind := kind_of(model):
            value = table.get(section, DEFAULTS.get(section))
            values = list(value.values()) if section in MANY and isinstance(value, dict) else [value]
            named = [each.get("name") if isinstance(each, dict) else each for each in values]
            found = [registry.get(kind, each) for each in registry.names(kind) if each in named]
        else:
            found = [model]
        for key in (key for cls in found for key in cls.model_fields):
            homes.setdefault(key, []).append(f"in [{section}]")
    return homes


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
