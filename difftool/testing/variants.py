"""A part's other settings: whatever it lets one choose from a list, each choice by itself. Mistakes hide in options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from difftool.plugin.component import Backbone, Component, leaves
from difftool.testing.networks import specs_of


def variants(part: Component) -> Iterator[tuple[str, Component]]:
    """("field=value", the part with it) for every value of a choice or switch that is not the part's own."""
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    for name, details in type(part).model_fields.items():
        for value in _choices(details.annotation):
            if value == fields[name]:
                continue
            try:
                other = type(part).model_validate(fields | {name: value})
            except ValueError:  # pydantic's: these settings do not go together
                continue
            if isinstance(other, Backbone) and list(other.check(specs_of(other.model_copy(update=fields))[0])):
                continue  # nor these
            yield f"{name}={value}", other


def _choices(annotation: Any) -> Iterator[Any]:
    for leaf in leaves(annotation):
        if leaf is bool:
            yield from (False, True)
        elif get_origin(leaf) is Literal:
            yield from get_args(leaf)
