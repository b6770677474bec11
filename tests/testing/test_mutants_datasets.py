"""Data sets with one error each."""

import random
import sys

import numpy as np
import torch

from difftool.testing import datasets

from .mutants import broken, caught, mutants
from .right_datasets import Images, Right, picture, taking, telling, wrong


def by_calls(self, indices):
    self.calls = getattr(self, "calls", 0) + 1
    return np.stack([picture(index + self.calls) for index in self.checked(indices)])


def by_epoch(self, indices):
    pixels = Images.take(self, indices)
    self.given = getattr(self, "given", 0) + len(pixels)
    return pixels if self.given <= self.count else pixels[:, :, ::-1].copy()


def by_length(self, indices):
    cache = self.__dict__.setdefault("cache", {})
    return cache.setdefault(len(indices), Images.take(self, indices)).copy()


def flips(name, generator):
    """Every other picture is mirrored, as a generator likes."""
    return taking(name, lambda take, i: take(i)[:, :, ::-1].copy() if generator() < 0.5 else take(i))


def seeds_the_world(take, indices):
    random.seed(int(indices[0]))
    return take(indices)


TABLE = np.stack([picture(index) for index in range(30)])
NAMES = [f"kind {index}" for index in range(30)]
KEPT = {}


def views(take, indices):
    take(indices)
    indices = list(indices)
    if indices == list(range(indices[0], indices[-1] + 1)):
        return TABLE[indices[0] : indices[-1] + 1]
    return TABLE[indices]


def sorts(take, indices):
    if isinstance(indices, list):
        indices.sort()
    return take(indices)


def read_only(take, indices):
    pixels = take(indices)
    pixels.flags.writeable = False
    return pixels


def looks_at_the_first(take, indices):
    take(indices[:1])
    return np.stack([picture(abs(index)) for index in indices])


def to_signed(take, indices):
    return (take(indices) / 127.5 - 1).round().astype(np.int8).astype(np.uint8)


def own_list(values, indices):
    return {"label": KEPT.setdefault(tuple(indices), values(indices)["label"])}


class SwappedShape(Right):
    @property
    def shape(self):
        return (3, 8, 4)

    def open(self):
        return type("Wide", (Images,), {"take": lambda self, i: np.repeat(Images.take(self, i), 2, axis=2)})()


class ListForShape(Right):
    @property
    def shape(self):
        return [3, 4, 4]


class NumpyShape(Right):
    @property
    def shape(self):
        return tuple(np.array([3, 4, 4]))


class Grows(Right):
    def open(self):
        KEPT["opened"] = KEPT.get("opened", 30) + 1
        return Images(KEPT["opened"])


class Empty(Right):
    def open(self):
        return Images(0)


class ShuffledWhenOpened(Right):
    def open(self):
        order = np.random.default_rng().permutation(30)
        return type("Shuffled", (Images,), {"take": lambda self, i: Images.take(self, order[self.checked(i)])})()


SHAPE = datasets.gives_what_shape_says
SAME = datasets.a_picture_stays_the_same
RANDOM = datasets.uses_no_randomness
EDIT = datasets.what_it_gives_may_be_edited
INDEX = datasets.refuses_wrong_indices
VALUES = datasets.values_belong_to_their_pictures
LOOK = datasets.pictures_are_pictures

ROWS = [
    (
        telling("EachIndexOnce", lambda values, indices: values(list(dict.fromkeys(indices)))),
        datasets.values_belong_to_their_pictures,
        "asked for twice",
    ),
    (wrong("ByCalls", take=by_calls), SAME, "is another one alone"),
    (wrong("ByEpoch", take=by_epoch), SAME, "is another one"),
    (wrong("ByLengthOfTheCall", take=by_length), SAME, "is another one"),
    (flips("FlipsByPython", random.random), RANDOM, "generator of Python"),
    (flips("FlipsByNumpy", np.random.random), RANDOM, "generator of numpy"),
    (flips("FlipsByTorch", lambda: torch.rand(())), RANDOM, "generator of torch"),
    (flips("FlipsByItself", np.random.default_rng().random), SAME, "another one"),
    (taking("SeedsTheWorld", seeds_the_world), RANDOM, "generator of Python"),
    (ShuffledWhenOpened, SAME, "when opened anew"),
    (Grows, SAME, "when opened anew"),
    (Empty, SHAPE, "no pictures"),
    (SwappedShape, SHAPE, "shape (3, 8, 4) means"),
    (ListForShape, SHAPE, "its shape is [3, 4, 4]"),
    (NumpyShape, SHAPE, "its shape is (np.int64(3)"),
    (taking("ChannelsFirst", lambda take, i: take(i).transpose(0, 3, 1, 2).copy()), SHAPE, "come as [14, 3, 4, 4]"),
    (taking("Grey", lambda take, i: take(i)[..., :1]), SHAPE, "come as"),
    (taking("NoBatch", lambda take, i: take(i) if len(i) > 1 else take(i)[0]), SHAPE, "1 pictures come as [4, 4, 3]"),
    (taking("Floats", lambda take, i: take(i) / np.float32(255)), SHAPE, "float32"),
    (taking("Tensors", lambda take, i: torch.from_numpy(take(i))), SHAPE, "a Tensor"),
    (taking("ListsOnly", lambda take, i: take(i or [0])), SHAPE, "raises ValueError"),
    (taking("Once", lambda take, i: take(sorted(set(i)))), SAME, "is another one"),
    (taking("InOrder", lambda take, i: take(sorted(i))), SAME, "is another one"),
    (taking("ByPlace", lambda take, i: take(range(len(i)))), SAME, "is another one"),
    (taking("ZeroToOne", lambda take, i: (take(i) / 255).round().astype(np.uint8)), LOOK, "only [0, 1]"),
    (taking("MinusOneToOne", to_signed), LOOK, "only [0, 1, 255]"),
    (taking("AllTheSame", lambda take, i: take([7] * len(i))), LOOK, "all the same"),
    (taking("Views", views), EDIT, "views into its own memory"),
    (taking("SortsWhatItIsGiven", sorts), EDIT, "edits the list of indices"),
    (taking("ReadOnly", read_only), EDIT, "read-only"),
    (telling("OwnValues", own_list), EDIT, "its own lists"),
    (taking("CountsFromTheEnd", lambda take, i: TABLE[np.asarray(i)]), INDEX, "take([-1]) gives something"),
    (taking("WrapsAround", lambda take, i: take([k % 30 for k in i])), INDEX, "take([-1]) gives something"),
    (taking("OneTooMany", lambda take, i: take([min(k, 29) for k in i])), INDEX, "take([30]) gives something"),
    (taking("LooksAtTheFirst", looks_at_the_first), INDEX, "take([0, 37]) gives something"),
    (telling("ValuesOfNobody", lambda values, i: {"label": [k % 3 for k in i]}), INDEX, "values([-1]) gives something"),
    (telling("ValuesInOrder", lambda values, i: values(sorted(i))), VALUES, "in another order"),
    (telling("ValuesByPlace", lambda values, i: values(range(len(i)))), VALUES, "in another order"),
    (telling("ValuesOfAll", lambda values, i: {"label": NAMES}), VALUES, "for 14 indices it gives 30"),
    (telling("ValuesTooFew", lambda values, i: values(i[: max(1, len(i) - 1)])), VALUES, "it gives 13"),
    (telling("RandomValues", lambda values, i: {"x": [random.random() for _ in i]}), RANDOM, "generator of Python"),
    (telling("ChangingNames", lambda values, i: values(i) if 0 in i else {"x": i}), VALUES, "it names ['label']"),
    (telling("ValuesAsList", lambda values, i: values(i)["label"]), VALUES, "not a mapping"),
]


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)


def test_the_one_without_an_error_is_not():
    # without the last, which starts a process
    assert broken([Right()], datasets.RULES[:-1], range(5)) == []


HASHED = '''
import numpy as np
from difftool.api import Dataset

class Named(Dataset):
    """Seeded by names."""
    salt: str = "a"
    """of the names"""

    @property
    def shape(self):
        return (1, 4, 4)

    def open(self):
        return Images(self.salt)

class Images:
    def __init__(self, salt):
        self.salt = salt

    def __len__(self):
        return 20

    def take(self, indices):
        if min(indices) < 0 or max(indices) > 19:
            raise IndexError(indices)
        return np.stack([np.random.default_rng(SEED).integers(0, 256, (4, 4, 1), dtype=np.uint8) for i in indices])

    def values(self, indices):
        return {}
'''


def test_pictures_that_hang_on_the_hash_of_a_text(tmp_path, monkeypatch):
    """Python salts hash() of texts anew in each process, so only another process can tell."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, seed, wrongly in (("by_hash", "abs(hash(f'{self.salt}{i}'))", True), ("by_number", "i", False)):
        (tmp_path / f"{name}.py").write_text(HASHED.replace("SEED", seed))
        part = __import__(name).Named(salt="b")
        told = datasets.the_same_in_another_process(part, 0)
        assert bool(told) == wrongly, told
        assert not wrongly or told.startswith("in another process its pictures")
        assert broken([part], datasets.RULES[:-1], [0]) == []
        sys.modules.pop(name)
