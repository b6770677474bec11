"""Recipes as plain values and as TOML; what differs from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import tomli_w

from difftool.plugin.component import Strict
from difftool.plugin.registry import Registry
from difftool.recipe.model import DEFAULTS, Recipe

Table = dict[str, Any]


def plain(recipe: Recipe, registry: Registry) -> Table:
    """Every key written out, defaults too; third-party names are owned."""
    table: Table = {}
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        many = isinstance(value, Mapping)
        table[field.name] = {key: registry.dump(part) for key, part in value.items()} if many else registry.plain(value)
    return table


def toml(table: Table) -> str:
    """The table as TOML that reads back as the same recipe."""
    return tomli_w.dumps(table)


def flat(table: Table, path: str = "") -> dict[str, Any]:
    """{"section.key": value}."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        inner = f"{path}{key}"
        out |= flat(value, inner + ".") if isinstance(value, dict) else {inner: value}
    return out


def differences(recipe: Recipe, registry: Registry) -> dict[str, Any]:
    """The keys whose values are not their defaults, and those that have none."""
    table = plain(recipe, registry)
    usual: Table = {"recipe": 1}
    for section in table:
        part = getattr(recipe, section)
        if isinstance(part, Strict):
            own = {
                key: registry.plain(info.get_default(call_default_factory=True))
                for key, info in type(part).model_fields.items()
                if not info.is_required()
            }
            name = DEFAULTS.get(section)
            usual[section] = own | ({"name": name} if isinstance(name, str) else {})
        elif section in DEFAULTS:
            usual[section] = DEFAULTS[section]
    base = flat(usual)
    return {key: value for key, value in flat(table).items() if base.get(key, object()) != value}


def changes(before: Table, after: Table) -> dict[str, tuple[Any, Any]]:
    """{"section.key": (old, new)} between two plain recipes."""
    old, new = flat(before), flat(after)
    return {key: (old.get(key), new.get(key)) for key in sorted(old | new) if old.get(key) != new.get(key)}
