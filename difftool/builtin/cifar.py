"""CIFAR-10 and CIFAR-100 in their binary version: records of one or two labels and a picture of 32 by 32 in colour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from difftool.api import Dataset, InputError, Register, hookimpl
from difftool.builtin import foreign_file as foreign

if TYPE_CHECKING:
    import numpy as np

    from difftool.api import Images

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

PIXELS = 3 * 32 * 32
ARCHIVE = re.compile(r"cifar-100?-(?:python|binary|matlab)\.(?:tar\.gz|tgz|tar)")
PYTHON = ({"data_batch_1", "batches.meta"}, {"train", "test", "meta"})
"""Files of the Python version: pickle, which runs whatever a file says. They are known by name and never read."""


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `cifar`."""
    register("cifar", Cifar)


class _Labels(NamedTuple):
    """One byte of each record; `names` is the file with a name a line."""

    key: str
    classes: int
    names: str


class _Version(NamedTuple):
    """What the files of a version are called, as regular expressions, and what a record begins with."""

    name: str
    train: str
    test: str
    labels: tuple[_Labels, ...]

    @property
    def record(self) -> int:
        """Bytes of a record."""
        return len(self.labels) + PIXELS

    def files(self, names: Sequence[str], split: str) -> list[str]:
        """The files of a split, training first; batch 10 comes after batch 9."""
        train = [name for name in names if re.fullmatch(self.train, name) and split in ("train", "all")]
        test = [name for name in names if re.fullmatch(self.test, name) and split in ("test", "all")]
        return sorted(train, key=lambda name: (len(name), name)) + test


FINE = _Labels("label", 100, "fine_label_names.txt")
COARSE = _Labels("coarse", 20, "coarse_label_names.txt")
TEN = _Version("CIFAR-10", r"data_batch_\d{1,4}\.bin", r"test_batch\.bin", (_Labels("label", 10, "batches.meta.txt"),))
HUNDRED = _Version("CIFAR-100", r"train\.bin", r"test\.bin", (COARSE, FINE))


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
            if place.is_file():
                return bool(ARCHIVE.fullmatch(place.name))
            names = foreign.names_in(place)
            return bool(TEN.files(names, "all")) or FINE.names in names or _is_python(names)
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
        values: dict[str, Sequence[str | int]] = {}
        for place, of in enumerate(version.labels):
            names = _names(folder, of)
            values[of.key] = [names[label] for label in labels[:, place]] if names else labels[:, place].tobytes()
        return ArrayImages(pixels, values)

    def _found(self) -> tuple[_Version, list[tuple[Path, int]]]:
        """The version, and its files with their numbers of records; whatever cannot work is refused."""
        folder = foreign.placed(self.path)
        if not foreign.is_folder(folder):
            foreign.refuse_missing(folder, "the folder with CIFAR's files")
            raise _not_binary(folder, [])
        names = foreign.names_in(folder)
        versions = [version for version in (TEN, HUNDRED) if version.files(names, "all")]
        if not versions:
            raise _not_binary(folder, names)
        if len(versions) > 1:
            what = "files of CIFAR-10 and of CIFAR-100 lie in this folder"
            raise InputError(what, where=str(folder), do="give each a folder of its own")
        version = versions[0]
        files = [(folder / name, _records(folder / name, version)) for name in version.files(names, self.split)]
        if not files:
            why = f"found {', '.join(version.files(names, 'all'))}"
            do = 'set data.split = "all" to have what there is'
            raise InputError(f"no {self.split} pictures here", where=str(folder), why=why, do=do)
        foreign.refuse_above_most(sum(records for _, records in files) * PIXELS, folder, "keep to fewer files")
        for of in version.labels:
            _names(folder, of)
        return version, files


def _is_python(names: Sequence[str]) -> bool:
    return any(known <= {*names} for known in PYTHON)


def _not_binary(place: Path, names: Sequence[str]) -> InputError:
    """The refusal of anything else than a folder of the binary version."""
    archive = ARCHIVE.fullmatch(place.name)
    what = "this is an archive, not a folder" if archive else "no files of CIFAR's binary version here"
    why = ""
    if _is_python(names) or (archive and "python" in place.name):
        what = "this is the Python version of CIFAR, not the binary one"
        why = "it is in pickle, which can run any program when it is read: difftool never does"
    do = "unpack cifar-10-binary.tar.gz or cifar-100-binary.tar.gz, and set data.path to the folder with its .bin files"
    return InputError(what, where=str(place), why=why, do=do)


def _records(path: Path, version: _Version) -> int:
    with foreign.opened(path) as file:
        size = foreign.size_of(file)
    if not size or size % version.record:
        why = f"{size:,} bytes are no multiple of {version.record:,}, the size of a record" if size else "it is empty"
        raise InputError(f"this is not a whole file of {version.name}", where=str(path), why=why, do=foreign.AGAIN)
    return size // version.record


def _read_into(pixels: Bytes, labels: Bytes, path: Path, version: _Version) -> None:
    """Reads records in pieces: labels, then all of red, all of green, all of blue."""
    import numpy as np

    at_once = foreign.PIECE // version.record
    with foreign.opened(path) as file, foreign.blamed(path):
        for start in range(0, len(pixels), at_once):
            piece = np.empty((min(at_once, len(pixels) - start), version.record), dtype=np.uint8)
            if foreign.filled(file, piece) < piece.nbytes:
                raise EOFError
            labels[start : start + len(piece)], planes = np.split(piece, [len(version.labels)], axis=1)
            pixels[start : start + len(piece)] = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    if (labels >= [of.classes for of in version.labels]).any():
        what = f"this is not a file of {version.name}: it has labels that cannot be"
        raise InputError(what, where=str(path), do=foreign.AGAIN)


def _names(folder: Path, of: _Labels) -> list[str]:
    """The names of the classes in order; none without their file."""
    path = folder / of.names
    if not (path.exists() or path.is_symlink()):
        return []
    with foreign.opened(path) as file, foreign.blamed(path):
        text = file.read(2**16).decode("utf-8", "replace")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(names) != of.classes or len(set(names)) != of.classes:
        why = f"{of.classes} different ones were expected, one a line; {len(set(names))} are there"
        do = "repair the file, or remove it to have numbers as labels"
        raise InputError("these are not the names of the classes", where=str(path), why=why, do=do)
    return names
