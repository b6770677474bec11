"""Conditions that are right: labels, amounts, and words that nothing need be learned of."""

import hashlib

import torch

from difftool.api import Condition, InputError


class Right(Condition):
    """A place for each name."""

    names: tuple[str, ...] = ()

    @property
    def shape(self):
        return (len(self.names),)

    @property
    def choices(self):
        return self.names

    def fit(self, values):
        return self if self.names else self.model_copy(update={"names": tuple(sorted(map(str, set(values))))})

    def encode(self, value):
        row = torch.zeros(len(self.names))
        row[self.place(value)] = 1
        return row

    def place(self, value):
        if value not in self.names:
            raise InputError(f"there is no {value!r}; there are {', '.join(self.names)}")
        return self.names.index(value)


class RightAmount(Condition):
    """A number, scaled to 0..1, beside a 1 that says that it is told."""

    low: float = 0.0
    high: float = 1.0

    @property
    def shape(self):
        return (2,)

    def fit(self, values):
        values = [float(value) for value in values]
        return self.model_copy(update={"low": min(values), "high": max(values)})

    def encode(self, value):
        return torch.tensor([1.0, (value - self.low) / ((self.high - self.low) or 1.0)])


class RightHash(Condition):
    """Any words, as a vector of their own; nothing is learned from the data."""

    @property
    def shape(self):
        return (64,)

    def encode(self, value):
        seed = int.from_bytes(hashlib.sha256(str(value).encode()).digest()[:4], "big")
        return torch.randn(64, generator=torch.Generator().manual_seed(seed))
