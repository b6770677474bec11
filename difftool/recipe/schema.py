"""A JSON schema of recipes, for editors: the core's sections and every component that is installed here."""

from __future__ import annotations

from typing import Any

from difftool.plugin.component import kind_of
from difftool.plugin.registry import Registry
from difftool.recipe.model import DEFAULTS, FORMAT, SECTIONS

Schema = dict[str, Any]


def schema(registry: Registry) -> Schema:
    """JSON schema (2020-12) that accepts what `recipes check` accepts, as far as a schema can tell."""
    definitions: Schema = {}
    sections: Schema = {
        "recipe": {"const": FORMAT, "description": "format of this file"},
        "name": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
        "seed": {"type": "integer", "minimum": 0},
    }
    for section, model in SECTIONS.items():
        kind = kind_of(model)
        sections[section] = _choice(registry, kind, definitions) if kind else _fields(model, registry, definitions)
    required = ["recipe", "name", *(key for key in SECTIONS if key not in DEFAULTS)]
    overrides = {key: {"anyOf": [value, {"type": ["object", "string"]}]} for key, value in sections.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "difftool recipe",
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": sections
        | {
            "profile": {
                "type": "object",
                "additionalProperties": {"type": "object", "additionalProperties": False, "properties": overrides},
            }
        },
        "$defs": definitions,
    }


def _choice(registry: Registry, kind: str, definitions: Schema) -> Schema:
    """One of the installed components of a kind; a bare name where its fields all have defaults."""
    tables = []
    for name in registry.names(kind):
        model = registry.get(kind, name)
        table = _fields(model, registry, definitions)
        table["properties"] = {"name": {"const": name}} | table["properties"]
        table["required"] = ["name", *table.get("required", [])]
        tables.append(table)
    return {"anyOf": [{"enum": registry.names(kind)}, *tables]}


def _fields(model: Any, registry: Registry, definitions: Schema) -> Schema:
    table = model.model_json_schema(ref_template="#/$defs/{model}")
    for name, definition in table.pop("$defs", {}).items():
        definitions.setdefault(name, definition)
    for key, info in model.model_fields.items():
        options = [info.annotation, *getattr(info.annotation, "__args__", ())]
        kind = next((found for option in options if (found := kind_of(option))), None)
        if kind:
            names: Schema = {"anyOf": [{"enum": registry.names(kind)}, {"type": "object", "required": ["name"]}]}
            is_array = getattr(info.annotation, "__origin__", None) is tuple
            table["properties"][key] = {"type": "array", "items": names} if is_array else names
    table.pop("title", None)
    return dict(table)
