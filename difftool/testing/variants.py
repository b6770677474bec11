"""A part's other settings: whatever it lets one choose from a list, each choice by itself. Mistakes hide in options."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import torch

from difftool.core.types import Spec
from difftool.plugin.component import Backbone, Component, leaves
from difftool.testing.networks import specs_of

LARGER = 2
"""A choice that makes a network so many times as large is its size: it hides no mistake that the small one has not."""


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
            if isinstance(part, Backbone) and isinstance(other, Backbone):
                spec = specs_of(part)[0]
                if list(other.check(spec)):  # nor these
                    continue
                if _weights(other, spec) > LARGER * _weights(part, spec):  # minutes, and gigabytes
                    continue
            yield f"{name}={value}", other


def _weights(part: Backbone, spec: Spec) -> float:
    """How many; without a number if it cannot be built, or not without memory: whoever examines it will say so."""
    try:
        with torch.device("meta"):
            return sum(p.numel() for p in part.build(spec).parameters())
    except Exception:
        return math.nan


def _choices(annotation: Any) -> Iterator[Any]:
    for leaf in leaves(annotation):
        if leaf is bool:
            yield from (False, True)
        elif get_origin(leaf) is Literal:
            yield from get_args(leaf)
