"""From one table to components and a Recipe, with everything that is wrong with it at once."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, get_origin

from pydantic import ValidationError

from difftool.plugin.component import Component, Strict, kind_of, leaves
from difftool.plugin.registry import Lack, Registry, UnknownComponent
from difftool.recipe.check import cross_check
from difftool.recipe.explain import Homes, Path, Problem, problems_of, show, unknown, unusable
from difftool.recipe.model import DEFAULTS, FORMAT, KEYS, MANY, SECTIONS, Recipe
from difftool.recipe.overlay import Table

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
            return self._wrong((*path, "name") if isinstance(value, dict) else path, str(error), error.plugin)
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
        if kind and isinstance(value, str) and get_origin(cls.model_fields[key].annotation) is tuple:
            return self._wrong(path, f'expected an array, as in ["{value}"]')
        return self._single(kind, value, path) if kind or FilePath in wanted else value

    def _single(self, kind: str | None, value: Any, path: Path) -> Any:
        if kind:
            return self.component(kind, value, path)
        if not isinstance(value, str):
            return value
        key = path[:-1] if isinstance(path[-1], int) else path  # of a list of paths
        start = FilePath.cwd() if key in self.typed else self.folder
        return start / os.path.expanduser(value)  # noqa: PTH111

    def _wrong(self, path: Path, text: str, plugin: Lack | None = None) -> None:
        self.problems.append(Problem(path, text, plugin))


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
