"""What every data set must keep: picture i is always the same, whoever asks, and belongs to whoever asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from difftool.core.types import Images
from difftool.plugin.component import Dataset
from difftool.testing.rules import FoundError, Rule, alike, in_another_process, repeats

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def _opened(part: Dataset) -> tuple[Images, list[int]]:
    """The pictures, and up to a dozen indices: both ends and some between, in no order."""
    images = part.open()
    count = len(images)
    if count < 1:
        raise FoundError("it has no pictures")
    spread = np.linspace(0, count - 1, 12).round().astype(int).tolist()
    chosen = list(dict.fromkeys([*spread, min(1, count - 1), max(count - 2, 0)]))
    return images, chosen[::2] + chosen[1::2]


def _values(images: Images, indices: Sequence[int]) -> dict[str, list[Any]]:
    found = images.values(indices)
    if not isinstance(found, Mapping):
        raise FoundError(f"values() gives a {type(found).__name__}, not a mapping from names to values")
    return {key: list(found[key]) for key in found}


def gives_what_shape_says(part: Dataset, seed: int) -> str | None:
    """Gives uint8 [N, H, W, C] pictures, as `shape` (C, H, W) says, for lists, tuples, ranges and arrays of indices."""
    images, chosen = _opened(part)
    if not (
        isinstance(part.shape, tuple) and len(part.shape) == 3 and all(type(n) is int and n > 0 for n in part.shape)
    ):
        return f"its shape is {part.shape!r}; (channels, height, width) was expected"
    channels, height, width = part.shape
    ways: tuple[Any, ...] = (chosen, tuple(chosen), np.array(chosen), range(min(3, len(images))), chosen[:1])
    for indices in ways:
        pixels = images.take(indices)
        if not isinstance(pixels, np.ndarray):
            return f"take() gives a {type(pixels).__name__}, not a NumPy array"
        if pixels.dtype != np.uint8:
            return f"its pictures are {pixels.dtype}; they must be uint8"
        if pixels.shape != (len(indices), height, width, channels):
            return (
                f"{len(indices)} pictures come as {list(pixels.shape)}; shape {part.shape} means "
                f"{[len(indices), height, width, channels]}"
            )
    return None


def a_picture_stays_the_same(part: Dataset, seed: int) -> str | None:
    """Always gives the same picture for an index, in any order and company, again and again, and when opened anew."""
    images, chosen = _opened(part)
    count = len(images)
    first = images.take(chosen).copy()
    ways: dict[str, list[Pixels]] = {
        "alone": [images.take([index])[0] for index in chosen],
        "in another order": list(images.take(chosen[::-1])[::-1]),
        "twice in one call": list(images.take([index for index in chosen for _ in "ab"])[1::2]),
    }
    for start in range(0, min(count, 600), 50):  # as an epoch would
        images.take(range(start, min(start + 50, count)))
    ways["after many others"] = list(images.take(chosen))
    anew = part.open()
    ways["when opened anew"] = [anew.take([index])[0] for index in sorted(chosen)]
    for way, pixels in ways.items():
        wanted = first if way != "when opened anew" else first[np.argsort(chosen)]
        for k, (now, was) in enumerate(zip(pixels, wanted, strict=True)):
            if not alike(now, was):
                index = sorted(chosen)[k] if way == "when opened anew" else chosen[k]
                return f"picture {index} is another one {way}"
    if not len(anew) == len(images) == count:
        return f"it has {count} pictures at first, {len(images)} later, {len(anew)} when opened anew"
    return None


def uses_no_randomness(part: Dataset, seed: int) -> str | None:
    """Uses and moves no random generator of the process: flips and order are difftool's."""

    def all_of_it() -> tuple[Pixels, dict[str, list[Any]]]:
        images, chosen = _opened(part)
        return images.take(chosen).copy(), _values(images, chosen)

    return repeats(all_of_it)


def what_it_gives_may_be_edited(part: Dataset, seed: int) -> str | None:
    """Gives pictures away: whoever edits what came spoils nothing, and the indices given stay as they are."""
    images, chosen = _opened(part)
    asked = list(chosen)
    images.take(asked)
    images.values(asked)
    if asked != chosen:
        return "it edits the list of indices that it is given"
    for some in (chosen, list(range(min(5, len(images)))), chosen[:1]):
        pixels = images.take(some)
        if not pixels.flags.writeable:
            return "its pictures are read-only: torch cannot use them without a copy"
        kept = pixels.copy()
        pixels[:] = 255 - pixels
        if not alike(images.take(some), kept):
            return f"{len(some)} pictures are views into its own memory: editing what came changes what comes next"
    kept_values = _values(images, chosen)
    for given in images.values(chosen).values():
        if isinstance(given, list | np.ndarray):
            given[0] = given[-1]
    if not alike(_values(images, chosen), kept_values):
        return "values are its own lists: editing what came changes what comes next"
    return None


def refuses_wrong_indices(part: Dataset, seed: int) -> str | None:
    """Refuses an index below 0 or beyond the last with IndexError, alone and among good ones, in take and values."""
    images, _ = _opened(part)
    count = len(images)
    for what in ("take", "values"):
        if what == "values" and not images.values([0]):
            continue  # there is nothing that could be wrong
        for wrong in ([-1], [count], [0, count + 7], [-count, 0]):
            try:
                getattr(images, what)(wrong)
            except IndexError:
                continue
            return f"{what}({wrong}) gives something; its pictures are 0 to {count - 1}"
    return None


def values_belong_to_their_pictures(part: Dataset, seed: int) -> str | None:
    """Gives one value for each index, the same however it is asked, under the same names."""
    images, chosen = _opened(part)
    together = _values(images, chosen)
    for name, values in together.items():
        if len(values) != len(chosen):
            return f"for {len(chosen)} indices it gives {len(values)} values of {name!r}"
        if len(_values(images, [chosen[0], *chosen])[name]) != len(chosen) + 1:
            return f"an index that is asked for twice has one value of {name!r} only"
    turned, anew = _values(images, chosen[::-1]), part.open()
    for k, index in enumerate(chosen):
        for way, there in (("alone", images), ("when opened anew", anew)):
            alone = _values(there, [index])
            if alone.keys() != together.keys():
                return f"it names {list(together)} for some pictures and {list(alone)} for picture {index} {way}"
            for name, values in together.items():
                if not alike(alone[name][0], values[k]):
                    return f"{name!r} of picture {index} is {values[k]!r} among others and {alone[name][0]!r} {way}"
        for name, values in together.items():
            if not alike(turned[name][-1 - k], values[k]):
                return f"{name!r} of picture {index} is {values[k]!r}, and {turned[name][-1 - k]!r} in another order"
    return None


def pictures_are_pictures(part: Dataset, seed: int) -> str | None:
    """Has pictures that differ from one another and use the bytes, not only 0 and 1."""
    images, _ = _opened(part)
    count = len(images)
    some = images.take(np.linspace(0, count - 1, min(count, 64)).round().astype(int).tolist())
    if set(np.unique(some).tolist()) <= {0, 1, 255} and 1 in some:
        return f"its pixels are only {sorted(np.unique(some).tolist())}: floats that were not scaled to 0..255?"
    if count > 1 and len({picture.tobytes() for picture in some}) == 1:
        return f"{len(some)} pictures are all the same"
    if count > 1 and bool((images.take([0, 1])[0] == images.take([count - 1, 0])[0]).all()):
        return "the first picture of whatever is asked for is always the same"
    return None


def the_same_in_another_process(part: Dataset, seed: int) -> str | None:
    """Is the same in another process: nothing hangs on hash(), on the order of a set, or on time."""
    _, chosen = _opened(part)
    told = in_another_process(
        part,
        "images = part.open()",
        f"chosen = {chosen}",
        "values = {key: list(values) for key, values in images.values(chosen).items()}",
        "answer = hashlib.sha256(images.take(chosen).tobytes() + repr(values).encode()).hexdigest()",
    )
    images = part.open()
    here = hashlib.sha256(images.take(chosen).tobytes() + repr(_values(images, chosen)).encode()).hexdigest()
    return None if told in (None, here) else f"in another process its pictures or values are others ({told[:12]})"


RULES: tuple[Rule, ...] = (
    gives_what_shape_says,
    a_picture_stays_the_same,
    uses_no_randomness,
    what_it_gives_may_be_edited,
    refuses_wrong_indices,
    values_belong_to_their_pictures,
    pictures_are_pictures,
    the_same_in_another_process,
)
