"""Conditions that encode wrongly; each has one error."""

import hashlib

import torch
from pydantic import PrivateAttr

from difftool.api import InputError
from difftool.testing import conditions

from .mutants import broken, caught, mutants
from .right_conditions import Right, RightAmount, RightHash


class HashOfTheProcess(RightHash):
    def encode(self, value):
        return torch.randn(64, generator=torch.Generator().manual_seed(abs(hash(str(value))) % 2**31))


class PlacesByEncoding(Right):
    """Numbers are given when a value is first encoded."""

    _places: dict = PrivateAttr(default_factory=dict)

    def place(self, value):
        super().place(value)
        return self._places.setdefault(value, len(self._places))


class LowestIsNothing(RightAmount):
    @property
    def shape(self):
        return (1,)

    def encode(self, value):
        return super().encode(value)[1:]


class FirstIsNothing(Right):
    @property
    def shape(self):
        return (1,)

    def encode(self, value):
        return torch.tensor([float(self.place(value))])


class NullIsTheFirst(Right):
    @property
    def null(self):
        return self.encode(self.names[0])


class LengthOfTheWord(RightHash):
    def encode(self, value):
        return torch.full((64,), float(len(str(value))))


class FewBuckets(RightHash):
    def encode(self, value):
        return torch.eye(64)[int(hashlib.sha256(str(value).encode()).hexdigest(), 16) % 32]


class Whispers(Right):
    def encode(self, value):
        return 1e-4 * super().encode(value)


class Shouts(RightAmount):
    """Forgets to scale."""

    def encode(self, value):
        return torch.tensor([1.0, 100 * float(value)])


class Learns(Right):
    """A weight that no network knows of."""

    def encode(self, value):
        return super().encode(value).requires_grad_()


class Float64(Right):
    def encode(self, value):
        return super().encode(value).double()


class Whole(Right):
    def encode(self, value):
        return super().encode(value).long()


class WrongShape(Right):
    def encode(self, value):
        return super().encode(value)[None]


class ShapeBeforeFit(Right):
    @property
    def shape(self):
        return (10,)


class Lists(Right):
    def encode(self, value):
        return super().encode(value).tolist()


class NullWithoutShape(Right):
    @property
    def null(self):
        return torch.zeros(())


class NotANumber(RightAmount):
    def encode(self, value):
        return super().encode(value) / (value != 7)


class Random(Right):
    def encode(self, value):
        return super().encode(value) + 0.01 * torch.rand(len(self.names))


class SeedsTheWorld(RightHash):
    def encode(self, value):
        torch.manual_seed(int(hashlib.sha256(str(value).encode()).hexdigest()[:8], 16))
        return torch.randn(64)


class KeepsItsTensors(Right):
    def encode(self, value):
        key = (self.names, value)
        if key not in _tensors:
            _tensors[key] = super().encode(value)
        return _tensors[key]


_tensors = {}


class KeepsItsNull(Right):
    @property
    def null(self):
        return _tensors.setdefault(len(self.names), torch.zeros(len(self.names)))


class UnknownIsNothing(Right):
    def encode(self, value):
        return super().encode(value) if value in self.names else torch.zeros(len(self.names))


class UnknownIsTheFirst(Right):
    def place(self, value):
        return self.names.index(value) if value in self.names else 0


class UnknownIsAKeyError(Right):
    def place(self, value):
        return {name: k for k, name in enumerate(self.names)}[value]


class UnknownWithoutAHint(Right):
    def place(self, value):
        if value not in self.names:
            raise InputError(f"there is no {value!r}")
        return self.names.index(value)


class ChoicesThatAreNone(Right):
    @property
    def choices(self):
        return tuple(f"the {name}" for name in self.names)


class ChoicesTwice(Right):
    @property
    def choices(self):
        return self.names + self.names[:1]


class SomeChoices(Right):
    @property
    def choices(self):
        return self.names[:-1]


class TakesNothing(Right):
    def encode(self, value):
        raise RuntimeError("not made yet")


ROWS = [
    (HashOfTheProcess, conditions.encodes_the_same_in_another_process, "other tensors"),
    (PlacesByEncoding, conditions.encodes_the_same_again, "depends on what was encoded before"),
    (LowestIsNothing, conditions.tells_values_apart, '1 becomes the very tensor that means "not told"'),
    (FirstIsNothing, conditions.tells_values_apart, 'means "not told"'),
    (NullIsTheFirst, conditions.tells_values_apart, 'means "not told"'),
    (LengthOfTheWord, conditions.tells_values_apart, "become the same tensor"),
    (FewBuckets, conditions.tells_values_apart, "become the same tensor"),
    (Whispers, conditions.can_be_heard, "within 0.0001 of each other"),
    (Shouts, conditions.can_be_heard, "as large as 6"),
    (Learns, conditions.makes_tensors_of_its_shape, "wants a gradient"),
    (Float64, conditions.makes_tensors_of_its_shape, "float64"),
    (Whole, conditions.makes_tensors_of_its_shape, "int64"),
    (WrongShape, conditions.makes_tensors_of_its_shape, "[1, 64]"),
    (ShapeBeforeFit, conditions.makes_tensors_of_its_shape, "float32 [10] was expected"),
    (Lists, conditions.makes_tensors_of_its_shape, "encode() gives a list"),
    (NullWithoutShape, conditions.makes_tensors_of_its_shape, "the tensor null is"),
    (NotANumber, conditions.makes_tensors_of_its_shape, "not finite"),
    (Random, conditions.encodes_the_same_again, "depends on what was encoded before"),
    (SeedsTheWorld, conditions.encodes_the_same_again, "random generator of torch"),
    (KeepsItsTensors, conditions.gives_its_tensors_away, "a tensor of its own"),
    (KeepsItsNull, conditions.gives_its_tensors_away, "null is a tensor of its own"),
    (UnknownIsNothing, conditions.refuses_what_it_does_not_know, "is encoded all the same"),
    (UnknownIsTheFirst, conditions.refuses_what_it_does_not_know, "is encoded all the same"),
    (UnknownIsAKeyError, conditions.refuses_what_it_does_not_know, "raises KeyError"),
    (UnknownWithoutAHint, conditions.refuses_what_it_does_not_know, "names no choice"),
    (ChoicesThatAreNone, conditions.refuses_what_it_does_not_know, "raises InputError"),
    (ChoicesTwice, conditions.refuses_what_it_does_not_know, "texts that differ"),
    (SomeChoices, conditions.refuses_what_it_does_not_know, "none of the choices encodes like it"),
    (TakesNothing, conditions.makes_tensors_of_its_shape, "neither words nor numbers: RuntimeError: not made yet"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)


def test_the_ones_without_an_error_are_not():
    parts = [Right(), Right(names=("a", "b")), Right(names=("a",)), RightAmount(), RightHash()]
    assert broken(parts, conditions.RULES, [1, 2]) == []  # seed 0 starts a process for each
