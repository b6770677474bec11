"""Conditions that learn wrongly from the data; each has one error."""

import numpy as np
import torch
from pydantic import PrivateAttr

from difftool.api import Condition
from difftool.testing import conditions

from .mutants import caught, mutants
from .right_conditions import Right, RightAmount


class FirstSeenFirst(Right):
    def fit(self, values):
        return self.model_copy(update={"names": tuple(dict.fromkeys(values))})


class InTheOrderOfASet(Right):
    def fit(self, values):
        return self.model_copy(update={"names": tuple(set(values))})


class ByFrequencyOfTheFirst(Right):
    def fit(self, values):
        values = list(values)
        return self.model_copy(update={"names": tuple(sorted(set(values), key=lambda name: (name != values[0], name)))})


class ReadsTwice(RightAmount):
    def fit(self, values):
        return self.model_copy(update={"low": float(min(values)), "high": float(max(values))})


class DropsTheFirst(Right):
    def fit(self, values):
        values = iter(values)
        next(values)
        return super().fit(values)


class LearnsIntoItself(Right):
    _known: list = PrivateAttr(default_factory=list)

    def fit(self, values):
        self._known[:] = [1]
        return super().fit(values)


class GrowsEachTime(Right):
    def fit(self, values):
        return self.model_copy(
            update={"names": self.names + tuple(sorted(f"{v}{len(self.names)}" for v in set(values)))}
        )

    def place(self, value):
        return next(k for k, name in enumerate(self.names) if name.startswith(str(value)))


class SortsWhatItIsGiven(Right):
    def fit(self, values):
        if isinstance(values, list):
            values.sort()
        return super().fit(values)


class ForgetsDrop(Right):
    def fit(self, values):
        return type(self)(names=tuple(sorted(set(values))))


class AnotherClass(Right):
    def fit(self, values):
        return Right().fit(values)


class Forgets(Condition):
    """What it learned is in no field, so no file has it."""

    _names: tuple = PrivateAttr(default=())

    @property
    def shape(self):
        return (70,)

    def fit(self, values):
        made = self.model_copy()
        made._names = tuple(sorted(set(values)))
        return made

    def encode(self, value):
        row = torch.zeros(70)
        row[self._names.index(value)] = 1
        return row


class NumpyNumbers(RightAmount):
    def fit(self, values):
        values = np.array([float(value) for value in values])
        return self.model_copy(update={"low": values.min().astype(np.float32), "high": values.max().astype(np.float32)})


class InfiniteField(RightAmount):
    top: float = 0.0

    def fit(self, values):
        return super().fit(values).model_copy(update={"top": float("inf")})


class DividesByNothing(RightAmount):
    def encode(self, value):
        return torch.tensor([1.0, (value - self.low) / (self.high - self.low)])


class NotANumberAlone(RightAmount):
    def encode(self, value):
        span = torch.tensor(self.high - self.low)
        return torch.stack([torch.ones(()), (value - self.low) / span])


KNOWN = {}


class LearnsForEverybody(Right):
    """Keeps what it learned in the module."""

    def fit(self, values):
        KNOWN["names"] = super().fit(values).names
        return self.model_copy(update={"names": KNOWN["names"]})

    def place(self, value):
        return KNOWN["names"].index(value) if value in KNOWN["names"] else len(self.names) - 1


class LowersWhatItLearns(Right):
    """But not what it encodes."""

    def fit(self, values):
        return super().fit([str(value).lower() for value in values])


ROWS = [
    (LearnsForEverybody, conditions.learning_leaves_the_original, "a second fit() changes"),
    (LowersWhatItLearns, conditions.makes_tensors_of_its_shape, "neither words nor numbers"),
    (FirstSeenFirst, conditions.learns_in_any_order, "in reverse"),
    (InTheOrderOfASet, conditions.learns_in_any_order, "learns something else"),
    (ByFrequencyOfTheFirst, conditions.learns_in_any_order, "learns something else"),
    (ReadsTwice, conditions.learns_in_any_order, "raises ValueError"),
    (DropsTheFirst, conditions.learns_in_any_order, "it takes neither words nor numbers: InputError: there is no"),
    (LearnsIntoItself, conditions.learning_leaves_the_original, "changes the condition itself"),
    (GrowsEachTime, conditions.learning_leaves_the_original, "again changes what it knows"),
    (SortsWhatItIsGiven, conditions.learning_leaves_the_original, "edits the values"),
    (ForgetsDrop, conditions.learning_leaves_the_original, "drop was 0.375 and becomes 0.1"),
    (AnotherClass, conditions.learning_leaves_the_original, "gives a Right"),
    (Forgets, conditions.what_it_learned_is_saved, "raises ValueError"),
    (NumpyNumbers, conditions.what_it_learned_is_saved, "raises ValidationError"),
    (InfiniteField, conditions.what_it_learned_is_saved, "raises ValidationError"),
    (DividesByNothing, conditions.one_value_is_enough, "ZeroDivisionError"),
    (NotANumberAlone, conditions.one_value_is_enough, "not finite"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)
