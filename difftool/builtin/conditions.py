"""What a network can be told: a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator

from difftool.api import Condition, InputError, Register, hookimpl, nearest

if TYPE_CHECKING:
    from torch import Tensor


def _all_different(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{twice[0]!r} occurs twice")
    return names


class Labels(Condition):
    """One of a list of names: which class a picture is of."""

    classes: Annotated[tuple[str, ...], AfterValidator(_all_different)] = ()
    """their names in order; absent: whatever the data has, sorted"""

    @property
    def shape(self) -> tuple[int, ...]:
        """A place for each class."""
        return (len(self.classes),)

    @property
    def choices(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    def fit(self, values: Iterable[Any]) -> Self:
        """Learns the classes; if they were given, every value must be one of them."""
        found = set(values)
        if self.classes:
            for value in sorted(found, key=str):
                self._place(value)
            return self
        numbers = all(isinstance(value, int) for value in found)
        return self.model_copy(update={"classes": tuple(map(str, sorted(found, key=None if numbers else str)))})

    def encode(self, value: Any) -> Tensor:
        """1 at the place of the class, 0 elsewhere."""
        import torch

        row = torch.zeros(len(self.classes))
        row[self._place(value)] = 1
        return row

    def _place(self, value: Any) -> int:
        try:
            return self.classes.index(str(value))
        except ValueError:
            raise InputError(
                f"there is no label {str(value)!r}; {nearest(str(value), self.classes, 'the labels are')}"
            ) from None


@hookimpl
def register_conditions(register: Register) -> None:
    """Offers `labels`."""
    register("labels", Labels)
