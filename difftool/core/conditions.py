"""What a network is told beside the picture, as tensors by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from difftool.errors import InputError


class Condition(Protocol):
    """A component that turns raw values into tensors of one shape."""

    @property
    def drop(self) -> float: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def choices(self) -> tuple[str, ...]: ...

    @property
    def null(self) -> Tensor: ...

    def encode(self, value: Any) -> Tensor: ...


def encoded(conditions: Mapping[str, Condition], values: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
    """A row for each value, [B, *shape], by key; keys without values are left out."""
    for key in values:
        if key not in conditions:
            known = ", ".join(conditions) or "none"
            raise InputError(f"the model has no condition {key!r}; it has {known}")
    return {key: torch.stack([conditions[key].encode(value) for value in each]) for key, each in values.items()}


def withheld(conditions: Mapping[str, Condition], rows: Mapping[str, Tensor], u: Tensor) -> dict[str, Tensor]:
    """The rows with nothing told where u [B] is under the condition's `drop`.

    One u serves all conditions, so that with equal shares all are withheld together: that is what guidance asks for.
    """
    kept = {}
    for key, row in rows.items():
        gone = (u < conditions[key].drop).reshape(-1, *[1] * (row.ndim - 1))
        kept[key] = torch.where(gone, conditions[key].null, row)
    return kept
