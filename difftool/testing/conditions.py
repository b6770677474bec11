"""What every condition must keep: what it learns from the data, and what it makes of one value."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import combinations
from typing import Any

import tomli_w
import torch
from torch import Tensor

from difftool.errors import InputError
from difftool.plugin.component import Component, Condition
from difftool.plugin.registry import Registry
from difftool.testing.rules import FoundError, Rule, alike, gap, generator, in_another_process, repeats, short

GIVEN: ContextVar[tuple[Any, ...]] = ContextVar("the values that a test gives", default=())

# As many as make the order of a set hang on how it was filled.
WORDS = [
    f"{colour} {shape}"
    for colour in ("red", "Orange", "YELLOW", "green", "blue", "violet", "white", "black")
    for shape in ("circle", "square", "triangle", "star", "heart", "ring", "cross", "moon")
]
NUMBERS = [7 * k % 61 + 1 for k in range(60)]
SHARES = [0.25 + 0.5 * number for number in NUMBERS]


def _learned(part: Condition) -> tuple[Condition, list[Any]]:
    """The condition after it saw the data, and that data: what was given, or what it takes first of its own choices,
    words and numbers."""
    told = ""
    for values in ([*GIVEN.get()],) if GIVEN.get() else ([*part.choices], WORDS, NUMBERS, SHARES):
        if not values:
            continue
        try:
            fitted = part.fit(list(values))
            for value in values:
                if not isinstance(fitted.encode(value), Tensor):
                    raise FoundError(f"encode() gives a {type(fitted.encode(value)).__name__}, not a tensor")
        except Exception as error:
            told = told or f"{type(error).__name__}: {error}"
            continue
        return fitted, list(values)
    raise FoundError(f"it takes neither words nor numbers: {told}")


def _rows(fitted: Condition, values: Sequence[Any]) -> list[Tensor]:
    return [fitted.encode(value).clone() for value in values]


def _agree(a: Condition, b: Condition, values: Sequence[Any]) -> bool:
    """Whether two conditions say the same of the same values."""
    rows = zip([*_rows(a, values), a.null], [*_rows(b, values), b.null], strict=True)
    return (a.shape, a.choices) == (b.shape, b.choices) and all(
        x.shape == y.shape and torch.allclose(x, y, atol=1e-5) for x, y in rows
    )


def makes_tensors_of_its_shape(part: Condition, seed: int) -> str | None:
    """Makes finite float32 tensors of `shape`, of every value and of `null`."""
    fitted, values = _learned(part)
    if not isinstance(fitted.shape, tuple) or not all(type(side) is int and side > 0 for side in fitted.shape):
        return f"its shape is {fitted.shape!r}; sizes above 0 were expected"
    for what, row in (*((f"of {short(value)}", fitted.encode(value)) for value in values), ("null", fitted.null)):
        if not isinstance(row, Tensor) or row.dtype != torch.float32 or tuple(row.shape) != fitted.shape:
            got = f"{row.dtype} {list(row.shape)}" if isinstance(row, Tensor) else type(row).__name__
            return f"the tensor {what} is {got}; float32 {list(fitted.shape)} was expected"
        if not bool(torch.isfinite(row).all()):
            return f"the tensor {what} is not finite"
        if row.requires_grad:
            return f"the tensor {what} wants a gradient; whatever learns belongs into the network, or it is not saved"
    return None


def tells_values_apart(part: Condition, seed: int) -> str | None:
    """Makes different tensors of different values, and `null` is none of them."""
    fitted, values = _learned(part)
    rows = [(short(value), row) for value, row in zip(values, _rows(fitted, values), strict=True)]
    for value, row in rows:
        if torch.allclose(row, fitted.null, atol=1e-6):
            return f'{value} becomes the very tensor that means "not told"'
    for (one, row), (other, another) in combinations(rows, 2):
        if torch.allclose(row, another, atol=1e-6):
            return f"{one} and {other} become the same tensor"
    return None


def can_be_heard(part: Condition, seed: int) -> str | None:
    """Makes numbers of a size that a network can hear: not in the hundreds, and not all nearly the same."""
    fitted, values = _learned(part)
    rows = torch.stack([*_rows(fitted, values), fitted.null.clone()]).flatten(1)
    if (size := float(rows.abs().max())) > 100:
        return f"its numbers are as large as {size:.3g}; a network hears numbers around 1"
    if (apart := float((rows - rows[0]).abs().max())) < 0.01:
        return f"all values, and null, become numbers within {apart:.2g} of each other"
    return None


def learns_in_any_order(part: Condition, seed: int) -> str | None:
    """Learns the same from the same values in any order, as a list or as a stream that can be read once."""
    fitted, values = _learned(part)
    mixed = [values[k] for k in torch.randperm(len(values), generator=generator(seed)).tolist()]
    ways = {
        "in reverse": values[::-1],
        "in another order": mixed,
        "as a stream": iter(list(values)),
        "as a tuple": tuple(values),
    }
    for way, given in ways.items():
        if not _agree(part.fit(given), fitted, values):
            return f"from the same values {way} it learns something else"
    return None


def learning_leaves_the_original(part: Condition, seed: int) -> str | None:
    """Learns into a copy that keeps all else, and leaves the original and the values as they were; twice is as once."""
    before = part.model_copy(deep=True)
    fitted, values = _learned(part)
    if part != before:
        return "fit() changes the condition itself, and not only the copy that it returns"
    if type(fitted) is not type(part):
        return f"fit() gives a {type(fitted).__name__}, not a {type(part).__name__}"
    if (kept := part.model_copy(update={"drop": 0.375}).fit(list(values)).drop) != 0.375:
        return f"fit() loses other fields: drop was 0.375 and becomes {kept:g}"
    given = list(values)
    part.fit(given)
    if not alike(given, values):
        return "fit() edits the values that it is given"
    if not _agree(fitted.fit(values), fitted, values):
        return "learning the same values again changes what it knows"
    rows = _rows(fitted, values[:3])
    part.fit(values[3:] or values)
    return None if alike(_rows(fitted, values[:3]), rows) else "a second fit() changes what the first one had learned"


def one_value_is_enough(part: Condition, seed: int) -> str | None:
    """Copes with data that has one value only, or refuses it in so many words."""
    _, values = _learned(part)
    try:
        row = part.fit(values[:1] * 3).encode(values[0])
    except InputError:
        return None
    return (
        None
        if bool(torch.isfinite(row).all())
        else f"from {short(values[0])} alone it makes a tensor that is not finite"
    )


def what_it_learned_is_saved(part: Condition, seed: int) -> str | None:
    """Keeps what it learned in plain fields: written into a file and read back, it says the same."""
    fitted, values = _learned(part)
    fields = {name: getattr(fitted, name) for name in type(fitted).model_fields}
    parts = {name: value for name, value in fields.items() if isinstance(value, Component)}
    plain = {name: Registry().plain(value) for name, value in fields.items() if name not in parts and value is not None}
    again = type(fitted).model_validate(tomllib.loads(tomli_w.dumps(plain)) | parts)
    return None if _agree(again, fitted, values[::-1]) else "written into a file and read back, it says something else"


def gives_its_tensors_away(part: Condition, seed: int) -> str | None:
    """Gives tensors away: whoever edits one spoils nothing, and encoding leaves the condition as it was."""
    fitted, values = _learned(part)
    before = fitted.model_copy(deep=True)
    kept, null = _rows(fitted, values), fitted.null.clone()
    for value in values:
        fitted.encode(value).add_(1)
    fitted.null.add_(1)
    if not all(alike(a, b) for a, b in zip(_rows(fitted, values), kept, strict=True)):
        return "encode() gives a tensor of its own: editing it changes what the value becomes next time"
    if not alike(fitted.null, null):
        return 'null is a tensor of its own: editing it changes what "not told" means'
    return None if fitted == before else "encode() changes the condition"


def encodes_the_same_again(part: Condition, seed: int) -> str | None:
    """Encodes the same every time and in any order, without randomness."""
    _, values = _learned(part)
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    one, other = (type(part).model_validate(fields).fit(list(values)) for _ in "ab")
    forth, back = _rows(one, values), _rows(other, values[::-1])[::-1]
    if not all(alike(a, b) for a, b in zip(forth, back, strict=True)):
        return "what a value becomes depends on what was encoded before"
    return repeats(lambda: (_rows(part.fit(list(values)), values), one.null.clone()))


def encodes_the_same_in_another_process(part: Condition, seed: int) -> str | None:
    """Encodes the same in another process (asked once, for seed 0): nothing hangs on hash() or the order of a set."""
    fitted, values = _learned(part)
    if seed or not all(isinstance(value, str | int | float) for value in values):
        return None  # torch takes seconds to load there, and only plain values can be told
    told = in_another_process(
        part,
        f"fitted = part.fit({values!r})",
        f"rows = [fitted.encode(value).flatten().tolist() for value in {values!r}]",
        "answer = json.dumps(rows)",
    )
    if told is None:
        return None
    there = [torch.tensor(row) for row in json.loads(told)]
    same = all(gap(row, here.flatten()) < 1e-5 for row, here in zip(there, _rows(fitted, values), strict=True))
    return None if same else "in another process the same values become other tensors"


def refuses_what_it_does_not_know(part: Condition, seed: int) -> str | None:
    """Refuses a value that is none of its `choices` with an InputError that names what there is."""
    fitted, values = _learned(part)
    choices = fitted.choices
    if not choices:
        return None
    if len(set(choices)) < len(choices) or not all(isinstance(choice, str) for choice in choices):
        return f"its choices must be texts that differ: {choices[:4]!r}"
    known = _rows(fitted, choices)
    for value in values:
        if not any(torch.allclose(fitted.encode(value), row, atol=1e-6) for row in known):
            return f"{short(value)} was in the data, and none of the choices encodes like it"
    unknown = "none of all these"
    try:
        fitted.encode(unknown)
    except InputError as error:
        text = " ".join([str(error), error.why, error.do])
        return None if any(choice in text for choice in choices) else f"its refusal names no choice: {text}"
    return f"{unknown!r} is none of its {len(choices)} choices, and is encoded all the same"


RULES: tuple[Rule, ...] = (
    makes_tensors_of_its_shape,
    tells_values_apart,
    can_be_heard,
    learns_in_any_order,
    learning_leaves_the_original,
    one_value_is_enough,
    what_it_learned_is_saved,
    gives_its_tensors_away,
    encodes_the_same_again,
    encodes_the_same_in_another_process,
    refuses_what_it_does_not_know,
)
