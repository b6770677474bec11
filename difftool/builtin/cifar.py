"""CIFAR-10 and CIFAR-100 in their binary version: records of one or two labels and a picture of 32 by 32 in colour."""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from difftool.api import Dataset, InputError, Register, hookimpl
from difftool.builtin import foreign_file as foreign

if TYPE_CHECKING:
    import numpy as np

    from difftool.api import Images

PIXELS = 3 * 32 * 32
ARCHIVE = re.compile(r"cifar-100?-(?:python|binary|matlab)\.(?:tar\.gz|tgz|tar)")
ROOT = "https://www.cs.toronto.edu/~kriz/cifar.html"


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `cifar`."""
    register("cifar", Cifar)


@dataclass(frozen=True)
class _Labels:
    """One byte of each record."""

    key: str
    count: int
    names: str
    """the file with a name a line"""


@dataclass(frozen=True)
class _Version:
    """What the files of a version are called, and what a record begins with."""

    name: str
    train: re.Pattern[str]
    test: re.Pattern[str]
    labels: tuple[_Labels, ...]

    @property
    def record(self) -> int:
        """Bytes of a record."""
        return len(self.labels) + PIXELS

    def files(self, names: Sequence[str], split: str) -> list[str]:
        """The files of a split, training first; batch 10 comes after batch 9."""
        train = [name for name in names if self.train.fullmatch(name) and split in ("train", "all")]
        test = [name for name in names if self.test.fullmatch(name) and split in ("test", "all")]
        return sorted(train, key=lambda name: (len(name), name)) + test


TEN = _Version(
    "CIFAR-10",
    re.compile(r"data_batch_[1-9]\d{0,3}\.bin"),
    re.compile(r"test_batch\.bin"),
    (_Labels("label", 10, "batches.meta.txt"),),
)
HUNDRED = _Version(
    "CIFAR-100",
    re.compile(r"train\.bin"),
    re.compile(r"test\.bin"),
    (_Labels("coarse", 20, "coarse_label_names.txt"), _Labels("label", 100, "fine_label_names.txt")),
)


class Cifar(Dataset):
    """CIFAR-10 or CIFAR-100, binary version: 32x32 in colour, labelled.

    A label is a name where the file of names lies beside the pictures, else a number. CIFAR-100 also tells `coarse`,
    the larger class.
    """

    path: Path
    """the folder that holds data_batch_1.bin and so on (CIFAR-10), or train.bin and test.bin (CIFAR-100)"""
    split: Literal["train", "test", "all"] = "train"
    """train, test, or all: train first"""

    @classmethod
    def reads(cls, path: Path) -> bool:
        """A folder with CIFAR's files; also CIFAR's archives and Python version, to say what to do with them."""
        try:
            place = foreign.placed(path)
            if stat.S_ISDIR(foreign.mode_of(place)):
                names = foreign.names_in(place)
                return bool(TEN.files(names, "all")) or _is_hundred(place, names) or _is_pickled(place, names)
            return foreign.is_plain(place) and bool(ARCHIVE.fullmatch(place.name))
        except (InputError, OSError):
            return False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return 3, 32, 32

    def check(self) -> None:
        """Whether the files are there and made of whole records."""
        self._found()

    def open(self) -> Images:
        """All pictures, in memory."""
        import numpy as np

        from difftool.api import ArrayImages

        version, files = self._found()
        count = sum(records for _, records in files)
        pixels = np.empty((count, 32, 32, 3), dtype=np.uint8)
        labels = np.empty((count, len(version.labels)), dtype=np.uint8)
        start = 0
        for path, records in files:
            _read_into(pixels[start : start + records], labels[start : start + records], path, version)
            start += records
        folder = files[0][0].parent
        values = {of.key: _named(labels[:, place].tobytes(), folder, of) for place, of in enumerate(version.labels)}
        return ArrayImages(pixels, values)

    def _found(self) -> tuple[_Version, list[tuple[Path, int]]]:
        """The version, and its files with their numbers of records; whatever cannot work is refused."""
        folder = foreign.placed(self.path)
        if not stat.S_ISDIR(foreign.mode_of(folder)):
            foreign.refuse_missing(folder, "the folder with CIFAR's files")
            _refuse_file(folder)
        names = foreign.names_in(folder)
        versions = [version for version in (TEN, HUNDRED) if version.files(names, "all")]
        if not versions:
            _refuse_folder(folder, names)
        if len(versions) > 1:
            do = "give each a folder of its own"
            raise InputError("files of CIFAR-10 and of CIFAR-100 lie in this folder", where=str(folder), do=do)
        version = versions[0]
        files = [(folder / name, _records(folder / name, version)) for name in version.files(names, self.split)]
        if not files:
            found = ", ".join(version.files(names, "all"))
            do = 'set data.split = "all" or "train" or "test", whichever is there'
            raise InputError(f"no {self.split} pictures here", where=str(folder), why=f"found {found}", do=do)
        foreign.refuse_above_most(sum(records for _, records in files) * PIXELS, folder, "keep to fewer files")
        for of in version.labels:
            _names(folder, of)
        return version, files


def _is_hundred(folder: Path, names: Sequence[str]) -> bool:
    """Whether CIFAR-100 is here. Others have a train.bin too, so the names of its classes or its records must fit."""
    files = HUNDRED.files(names, "all")
    if not files or HUNDRED.labels[1].names in names:
        return bool(files)
    first = folder / files[0]
    labels = foreign.head(first, 2)
    fits = len(labels) == 2 and labels[0] < 20 and labels[1] < 100
    return fits and first.stat().st_size % HUNDRED.record == 0


def _is_pickled(folder: Path, names: Sequence[str]) -> bool:
    """Whether this is the Python version: files of pickle, which runs whatever the file says when it is read."""
    known = [files for files in (("data_batch_1", "batches.meta"), ("train", "test", "meta")) if {*files} <= {*names}]
    return any(foreign.head(folder / name, 1) == b"\x80" for files in known for name in files[:1])


def _refuse_file(path: Path) -> None:
    if ARCHIVE.fullmatch(path.name) and "binary" in path.name:
        what, do = "this is the archive of CIFAR, not its folder", f"unpack it (tar xf {path.name}) and name the folder"
    elif ARCHIVE.fullmatch(path.name):
        what = "this is an archive of another version of CIFAR than the binary one"
        binary = "cifar-100-binary.tar.gz" if "100" in path.name else "cifar-10-binary.tar.gz"
        do = f"get the binary version, {binary}, from {ROOT} and unpack it"
    else:
        what, do = "this is a file, not a folder", "set data.path to the folder with CIFAR's files"
    raise InputError(what, where=str(path), do=do)


def _refuse_folder(folder: Path, names: Sequence[str]) -> None:
    if _is_pickled(folder, names):
        binary = "cifar-10-binary.tar.gz" if "data_batch_1" in names else "cifar-100-binary.tar.gz"
        raise InputError(
            "this is the Python version of CIFAR, not the binary one",
            where=str(folder),
            why="it is in pickle, which can run any program when it is read: difftool never does",
            do=f"get the binary version, {binary}, from {ROOT}",
        )
    raise InputError(
        "no files of CIFAR's binary version here",
        where=str(folder),
        do="set data.path to the folder with data_batch_1.bin (CIFAR-10) or train.bin (CIFAR-100)",
    )


def _records(path: Path, version: _Version) -> int:
    with foreign.opened(path) as file:
        size = foreign.size_of(file)
    if not size or size % version.record:
        why = f"{size:,} bytes are no multiple of {version.record:,}, the size of a record" if size else "it is empty"
        raise InputError(f"this is not a whole file of {version.name}", where=str(path), why=why, do=foreign.AGAIN)
    return size // version.record


def _read_into(
    pixels: np.ndarray[Any, np.dtype[np.uint8]],
    labels: np.ndarray[Any, np.dtype[np.uint8]],
    path: Path,
    version: _Version,
) -> None:
    """Reads records in pieces: labels, then all of red, all of green, all of blue."""
    import numpy as np

    limits = [of.count for of in version.labels]
    at_once = foreign.PIECE // version.record
    with foreign.opened(path) as file, foreign.blamed(path):
        for start in range(0, len(pixels), at_once):
            piece = np.empty((min(at_once, len(pixels) - start), version.record), dtype=np.uint8)
            if foreign.filled(file, piece) < piece.nbytes:
                raise EOFError
            told, planes = piece[:, : len(limits)], piece[:, len(limits) :]
            wrong = np.argwhere(told >= limits)
            if len(wrong):
                record, place = wrong[0].tolist()
                why = f"record {start + record + 1:,} has label {told[record, place]}; {limits[place] - 1} is the last"
                raise InputError(f"this is not a file of {version.name}", where=str(path), why=why, do=foreign.AGAIN)
            labels[start : start + len(piece)] = told
            pixels[start : start + len(piece)] = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _names(folder: Path, of: _Labels) -> list[str]:
    """The names of the classes in order; none without their file."""
    path = folder / of.names
    if not (path.exists() or path.is_symlink()):
        return []
    with foreign.opened(path) as file, foreign.blamed(path):
        text = file.read(2**16).decode("utf-8", "replace")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(names) != of.count or len(set(names)) != of.count:
        why = f"{of.count} different ones were expected, one a line; {len(set(names))} are there"
        raise InputError("these are not the names of the classes", where=str(path), why=why,
                         do="repair the file, or remove it to have numbers as labels")  # fmt: skip
    return names


def _named(labels: bytes, folder: Path, of: _Labels) -> Sequence[str | int]:
    names = _names(folder, of)
    return [names[label] for label in labels] if names else labels
