"""Data sets of the MNIST family: idx files of pictures, with files of labels beside them."""

from __future__ import annotations

import math
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from difftool.api import Dataset, Field, InputError, Register, hookimpl
from difftool.builtin import foreign_file as foreign
from difftool.builtin.idx_file import IdxFile, described, looks_like_idx

if TYPE_CHECKING:
    from difftool.api import Images

Side = Annotated[int, Field(ge=1, le=8192)]

NAMED = re.compile(r"(?P<before>.*)images(?P<dot>[-.])idx[34]-ubyte(?:\.gz)?")
SPLITS = {"train": "train", "test": "test", "t10k": "test"}


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `idx`."""
    register("idx", Idx)


class _Part(NamedTuple):
    """A file of pictures, and its labels if there are any."""

    pictures: IdxFile
    labels: IdxFile | None


class Idx(Dataset):
    """MNIST and its relatives (Fashion-MNIST, KMNIST, EMNIST): idx files as they are downloaded, with their labels.

    A label is the number in the labels file beside the pictures; where there is none, they have no labels.
    """

    path: Path
    """the folder that holds the files, packed by gzip or not; or one file of pictures"""
    split: Literal["all", "train", "test"] = "all"
    """which files, by their names: train, test (also called t10k), or all, train first"""
    size: Side | tuple[Side, Side] = 28
    """side of the pictures in pixels, or [height, width]; larger than in the file: a black frame; never smaller"""
    channels: Literal[1, 3] = 1
    """1: grey; 3: colour, of which grey pictures get three equal channels"""

    @classmethod
    def reads(cls, path: Path) -> bool:
        """A folder with files named like `train-images-idx3-ubyte.gz`, or a file that is idx."""
        try:
            place = foreign.placed(path)
            if stat.S_ISDIR(foreign.mode_of(place)):
                return any(NAMED.fullmatch(name) for name in foreign.names_in(place))
            named = foreign.is_plain(place) and NAMED.fullmatch(place.name)
            return bool(named) or looks_like_idx(foreign.head(place, 512))
        except (InputError, OSError):
            return False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return self.channels, height, width

    def check(self) -> None:
        """Reads the headers: whether the files are there, whole, and of a size that fits."""
        self._parts()

    def open(self) -> Images:
        """All pictures, in memory."""
        import numpy as np

        from difftool.api import ArrayImages

        parts = self._parts()
        channels, height, width = self.shape
        count = sum(part.pictures.dims[0] for part in parts)
        pixels = np.zeros((count, height, width, channels), dtype=np.uint8)
        start = 0
        for part in parts:
            end = start + part.pictures.dims[0]
            part.pictures.read_pictures(pixels[start:end])
            start = end
        labels = b"".join(part.labels.read_labels() for part in parts if part.labels)
        return ArrayImages(pixels, {"label": labels} if labels else None)

    def _parts(self) -> list[_Part]:
        """The files in order, their headers read; whatever cannot work is refused."""
        place = foreign.placed(self.path)
        parts = [self._part(file) for file in _files(place, self.split)]
        labelled = [part for part in parts if part.labels]
        if labelled and len(labelled) < len(parts):
            bare = next(part for part in parts if not part.labels)
            raise InputError(
                "there is no labels file for these pictures",
                where=str(bare.pictures.path),
                why=f"{labelled[0].pictures.path.name} has one: some pictures would have a label, others none",
                do="put the labels file beside it, or set data.path to one file of pictures",
            )
        total = sum(part.pictures.dims[0] for part in parts) * math.prod(self.shape)
        foreign.refuse_above_most(total, place, "set data.split, or a smaller data.size")
        return parts

    def _part(self, path: Path) -> _Part:
        channels, height, width = self.shape
        file = described(path)
        count, *sides = file.dims
        if len(sides) not in (2, 3) or (len(sides) == 3 and sides[2] not in (1, 3)):
            what = "an array of " + " x ".join(map(str, file.dims)) if sides else "labels"
            do = "set data.path to the folder, or to its file of pictures (images-idx3)"
            raise InputError(f"this file holds {what}, not pictures", where=str(path), do=do)
        if not math.prod(file.dims):
            raise InputError("there are no pictures in this file", where=str(path), do=foreign.AGAIN)
        if sides[0] > height or sides[1] > width:
            found, wanted = f"{sides[1]}x{sides[0]}", f"{width}x{height}"
            do = f"set data.size = {sides[0] if sides[0] == sides[1] else sides[:2]}, or larger"
            raise InputError(f"the pictures are {found}, not {wanted} (width x height)", where=str(path), do=do)
        if sides[2:] == [3] and channels == 1:
            raise InputError("the pictures are coloured, not grey", where=str(path), do="set data.channels = 3")
        beside = _labels_beside(path)
        labels = described(beside) if beside else None
        if labels and labels.dims != (count,):
            found = " x ".join(f"{n:,}" for n in labels.dims)
            do = "get both files again, from the same place"
            raise InputError(f"{found} labels for {count:,} pictures in {path.name}", where=str(beside), do=do)
        return _Part(file, labels)


def _files(place: Path, split: str) -> list[Path]:
    """The files of pictures of a split, training first; each once, though it lie there packed and unpacked."""
    mode = foreign.mode_of(place)
    if not stat.S_ISDIR(mode):
        folder, names = place.parent, [place.name]
        foreign.refuse_missing(place, "a folder with idx files, such as MNIST's, or to one file of pictures")
    else:
        folder, names = place, _pictures_in(place)
    chosen = [name for name in names if split in ("all", _split_of(name)[0])]
    if not chosen:
        do = 'leave data.split out, or set it to "all"'
        raise InputError(f"no {split} pictures here", where=str(place), why=f"found {', '.join(names)}", do=do)
    families = sorted({family for of, family in map(_split_of, chosen) if of})
    if len(families) > 1:
        raise InputError(
            "several data sets lie in this folder",
            where=str(place),
            why=f"{', '.join(family or 'one without a name' for family in families)}: labels differ in their meaning",
            do="set data.path to one file of pictures, or give each data set a folder of its own",
        )
    order = ("train", "", "test")
    return [folder / name for name in sorted(chosen, key=lambda name: order.index(_split_of(name)[0]))]


def _pictures_in(folder: Path) -> list[str]:
    """The names of the files of pictures; of a packed and an unpacked one, the unpacked."""
    found: dict[str, str] = {}
    for name in foreign.names_in(folder):
        if NAMED.fullmatch(name):
            same = name.removesuffix(".gz").replace(".idx", "-idx")
            if same not in found or found[same].endswith(".gz"):
                found[same] = name
    if not found:
        do = "set data.path to the folder that holds files such as train-images-idx3-ubyte.gz"
        raise InputError("no idx files of pictures here", where=str(folder), do=do)
    return list(found.values())


def _split_of(name: str) -> tuple[str, str]:
    """What a name says: emnist-letters-train-images-idx3-ubyte is ("train", "emnist-letters"); ("", "") if nothing."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    for place, word in enumerate(words):
        if word in SPLITS:
            return SPLITS[word], "-".join(words[:place])
    return "", ""


def _labels_beside(path: Path) -> Path | None:
    """The file of labels that the name of a file of pictures leads to, packed or not."""
    name = NAMED.fullmatch(path.name)
    if not name:
        return None
    for dot in ("-", ".") if name["dot"] == "-" else (".", "-"):
        for packed in ("", ".gz"):
            beside = path.with_name(f"{name['before']}labels{dot}idx1-ubyte{packed}")
            if not beside.is_dir() and (beside.exists() or beside.is_symlink()):
                return beside
    return None
