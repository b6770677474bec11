"""What a network is told beside the picture, as tensors by key. Asking about it needs no torch, so it comes late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from difftool.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


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
    """A row for each value, [B, *shape], by key; keys without values are left out. None is not told."""
    import torch

    for key in values:
        if key not in conditions:
            known = ", ".join(conditions) or "none"
            raise InputError(f"the model has no condition {key!r}; it has {known}")
    rows: dict[str, Tensor] = {}
    for key, each in values.items():
        condition = conditions[key]
        rows[key] = torch.stack([condition.null if value is None else condition.encode(value) for value in each])
    return rows


def withheld(conditions: Mapping[str, Condition], rows: Mapping[str, Tensor], u: Tensor) -> dict[str, Tensor]:
    """The rows with nothing told where u [B] is under the condition's `drop`.

    One u serves all conditions, so that with equal shares all are withheld together: that is what guidance asks for.
    """
    import torch

    kept = {}
    for key, row in rows.items():
        gone = (u < conditions[key].drop).reshape(-1, *[1] * (row.ndim - 1))
        kept[key] = torch.where(gone, conditions[key].null, row)
    return kept


def unguided(scale: float, conditions: Mapping[str, Condition]) -> str | None:
    """Why guidance of this scale cannot work with these conditions, or None."""
    if scale == 1:
        return None
    if not conditions:
        return "nothing is told that could be exaggerated; guidance needs a condition, as in [conditions.label]"
    if never := [key for key, condition in conditions.items() if condition.drop == 0]:
        return (
            f"the network never sees a picture without its {never[0]}, which guidance compares with; "
            f"train with conditions.{never[0]}.drop = 0.1"
        )
    return None
