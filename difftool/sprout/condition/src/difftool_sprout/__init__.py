"""A condition for difftool: what a network is told beside the picture."""

from collections.abc import Iterable
from typing import Any

from difftool.api import Condition, InputError, hookimpl


class Sprout(Condition):
    """One number, brought to -1..1, beside a 1 that says that it is told."""

    low: float | None = None
    """becomes -1; absent: the smallest of the data"""
    high: float | None = None
    """becomes 1; absent: the largest of the data"""

    @property
    def shape(self):
        """Of one encoded value."""
        return (2,)

    def fit(self, values: Iterable[Any]):
        """A copy that knows what the data told it, as fields: these are saved with the weights."""
        numbers = [number(value) for value in values]
        low = min(numbers) if self.low is None else self.low  # what was given, it keeps
        high = max(numbers) if self.high is None else self.high
        return self.model_copy(update={"low": low, "high": high})

    def encode(self, value: Any):
        """The float32 tensor for one value of the data, or of --label."""
        import torch

        # YOURS: what the network hears. It hears zeros where nothing is told, so no value may become just that.
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return torch.tensor([1.0, (number(value) - middle) / (half or 1.0)])


def number(value: Any) -> float:
    """A number of the data; in a labels.csv it is text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{value!r} is not a number") from None


@hookimpl
def register_conditions(register):
    """Offers it to recipes and to the command line."""
    register("sprout", Sprout)
