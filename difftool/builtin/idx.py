"""Data sets of the MNIST family: idx files of pictures, with files of labels beside them."""

from __future__ import annotations

import math
import re
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

    A label is the number in the labels file beside the pictures; where there is none, they have no labels. EMNIST's
    files hold every picture mirrored and on its side: they need `transpose`.
    """

    path: Path
    """the folder that holds the files, packed by gzip or not; or one file of pictures"""
    split: Literal["train", "test", "all"] = "train"
    """which files, by their names: train (if none is called so: what there is), test (or t10k), or all, train first"""
    size: Side | tuple[Side, Side] = 28
    """side of the pictures in pixels, or [height, width]; larger than in the file: a black frame; never smaller"""
    channels: Literal[1, 3] = 1
    """1: grey; 3: colour, of which grey pictures get three equal channels"""
    transpose: bool = False
    """true: rows and columns change places, as EMNIST needs"""

    @classmethod
    def reads(cls, path: Path) -> bool:
        """A folder with files named like `train-images-idx3-ubyte.gz`, or a file that is idx."""
        try:
            place = foreign.placed(path)
            if foreign.is_folder(place):
                return any(NAMED.fullmatch(name) for name in foreign.names_in(place))
            named = place.is_file() and NAMED.fullmatch(place.name)
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
            room = pixels[start:end]
            part.pictures.read_pictures(room.swapaxes(1, 2) if self.transpose else room)
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
        high, wide = reversed(sides[:2]) if self.transpose else sides[:2]
        if high > height or wide > width:
            found, wanted = f"{wide}x{high}", f"{width}x{height}"
            do = f"set data.size = {high if high == wide else [high, wide]}, or larger"
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
    if foreign.is_folder(place):
        folder, names = place, _pictures_in(place)
    else:
        folder, names = place.parent, [place.name]
        foreign.refuse_missing(place, "a folder with idx files, such as MNIST's, or to one file of pictures")
    found = {of: [name for name in names if _told(name)[0] == of] for of in ("train", "", "test")}
    if split == "train":
        chosen = next(some for some in found.values() if some)
    else:
        chosen = found["test"] if split == "test" else [name for some in found.values() for name in some]
    if not chosen:
        do = "leave data.split out to have what there is"
        raise InputError(f"no {split} pictures here", where=str(place), why=f"found {', '.join(names)}", do=do)
    families = sorted({_told(name)[1] for name in chosen})
    if len(families) > 1:
        raise InputError(
            "several data sets lie in this folder",
            where=str(place),
            why=f"{', '.join(family or 'one without a name' for family in families)}: labels differ in their meaning",
            do="set data.path to one file of pictures, or give each data set a folder of its own",
        )
    return [folder / name for name in chosen]


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


def _told(name: str) -> tuple[str, str]:
    """Split and family by name: emnist-letters-train-images-idx3-ubyte is train of emnist-letters; either may be ""."""
    match = NAMED.fullmatch(name)
    words = re.findall(r"[a-z0-9]+", (match["before"] if match else name).lower())
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    return split, "-".join(word for word in words if word not in SPLITS)


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
