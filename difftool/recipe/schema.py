"""A JSON schema of recipes, for editors: the core's sections and every component that is installed here."""

from __future__ import annotations

from typing import Any, get_origin

from difftool.plugin.component import kind_of, leaves
from difftool.plugin.registry import Registry
from difftool.recipe.model import DEFAULTS, FORMAT, MANY, SECTIONS

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
        section_schema = _choice(registry, kind, definitions) if kind else _fields(model, registry, definitions)
        many = {"type": "object", "additionalProperties": section_schema}
        sections[section] = many if section in MANY else section_schema
    required = ["recipe", "name", *(key for key in SECTIONS if key not in DEFAULTS)]
    overrides = {
        key: sections[key] | {"additionalProperties": _loose(sections[key]["additionalProperties"], definitions)}
        if key in MANY
        else _loose(sections[key], definitions)
        for key in SECTIONS
    }
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


def _loose(section: Schema, definitions: Schema) -> Schema:
    """What a profile may override: nothing is required, and the name may be the recipe's."""
    if "$ref" not in section:
        return {key: value for key, value in section.items() if key != "required"}
    names, *tables = definitions[section["$ref"].rpartition("/")[2]]["anyOf"]
    keys = sorted({key for table in tables for key in table["properties"]})
    return {"anyOf": [names, {"type": "object", "propertyNames": {"enum": keys}}]}


def _choice(registry: Registry, kind: str, definitions: Schema) -> Schema:
    """One of the installed components of a kind, as a table or a bare name."""
    if kind not in definitions:
        definitions[kind] = {}  # a component may hold another of its own kind
        tables = []
        for name in registry.names(kind):
            table = _fields(registry.get(kind, name), registry, definitions)
            table["properties"] = {"name": {"const": name}} | table["properties"]
            table["required"] = ["name", *table.get("required", [])]
            tables.append(table)
        definitions[kind] = {"anyOf": [{"enum": registry.names(kind)}, *tables]}
    return {"$ref": f"#/$defs/{kind}"}


def _fields(model: Any, registry: Registry, definitions: Schema) -> Schema:
    table = model.model_json_schema(ref_template="#/$defs/{model}")
    for name, definition in table.pop("$defs", {}).items():
        definitions.setdefault(name, definition)
    for key, info in model.model_fields.items():
        kind = next((found for leaf in leaves(info.annotation) if (found := kind_of(leaf))), None)
        if kind:
            choice = _choice(registry, kind, definitions)
            is_array = get_origin(info.annotation) is tuple
            table["properties"][key] = ({"type": "array", "items": choice} if is_array else choice) | {
                "description": info.description or ""
            }
    table.pop("title", None)
    return dict(table)
