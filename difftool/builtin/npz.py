"""Pictures in a NumPy file: .npz, an archive of arrays with names, or .npy, one array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from difftool.api import Dataset, Field, InputError, Register, hookimpl, nearest
from difftool.builtin import foreign_file as foreign
from difftool.builtin.npz_file import NPY, Described, arrays_in, read_array

if TYPE_CHECKING:
    import numpy as np

    from difftool.api import Images

Side = Annotated[int, Field(ge=1, le=8192)]

PICTURES = ("images", "x", "arr_0")
LABELS = ("labels", "y", "label")
PAIRS = (("images", "labels"), ("image", "label"), ("x", "y"), ("X", "y"))
"""How labels are called beside pictures: train_images and train_labels, x_train and y_train."""

MOST_LABELS = 2**28


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `npz`."""
    register("npz", Npz)


class Npz(Dataset):
    """Pictures in a NumPy file, .npz or .npy: an array of uint8, [N, H, W], [N, H, W, C] or [N, C, H, W].

    Labels are whole numbers or text in an array of the same length. Nothing is resized, and nothing is unpickled.
    """

    path: Path
    """the file"""
    size: Side | tuple[Side, Side]
    """side of the pictures in pixels, or [height, width]: as they are in the file"""
    channels: Literal[1, 3] = 3
    """3: colour, 1: grey; of grey pictures, 3 makes three equal channels"""
    key: str | None = Field(None, min_length=1)
    """the array of pictures; absent: the only one, or the one called images, x or arr_0"""
    labels: str | None = Field(None, min_length=1)
    """the array of labels; absent: labels, y or label, or what fits the key, as y_train fits x_train, if it is there"""

    @classmethod
    def reads(cls, path: Path) -> bool:
        """A file called .npz or .npy, or one that begins as the latter does."""
        try:
            place = foreign.placed(path)
            named = place.suffix.lower() in (".npz", ".npy") and place.is_file()
            return named or foreign.head(place, len(NPY)) == NPY
        except OSError:
            return False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return self.channels, height, width

    def check(self) -> None:
        """Reads the headers: whether the arrays are there, whole, and of the right type and size."""
        self._found()

    def open(self) -> Images:
        """All pictures, in memory."""
        import numpy as np

        from difftool.api import ArrayImages

        path, pictures, labels = self._found()
        pixels = read_array(path, pictures)
        if pixels.ndim == 3:
            pixels = pixels[..., None]
        elif _planes_first(pictures.shape):
            pixels = pixels.transpose(0, 2, 3, 1)
        if pixels.shape[3] < self.channels:
            pixels = pixels.repeat(3, axis=3)
        values = {"label": _words(read_array(path, labels), labels, path)} if labels else None
        return ArrayImages(np.ascontiguousarray(pixels), values)

    def _found(self) -> tuple[Path, Described, Described | None]:
        """The file, its pictures and its labels; whatever cannot work is refused."""
        path = foreign.placed(self.path)
        foreign.refuse_missing(path, "a .npz or .npy file")
        arrays = {array.name: array for array in arrays_in(path)}
        pictures = _pictures(arrays, self.key, path)
        self._fits(pictures, path)
        return path, pictures, self._labels(arrays, pictures, path)

    def _fits(self, pictures: Described, path: Path) -> None:
        """Whether the array has pictures of the size and the channels that were asked for."""
        sides = pictures.shape[1:]
        if _planes_first(pictures.shape):
            sides = (*sides[1:], sides[0])
        channels, height, width = self.shape
        found, wanted = f"{sides[1]}x{sides[0]}", f"{width}x{height}"
        if sides[2:] not in ((), (1,), (3,)):
            what = f"the pictures in {pictures} have neither 1 channel nor 3"
            raise InputError(what, where=str(path), do="save them as [N, H, W, 3], without transparency")
        if not math.prod(pictures.shape):
            raise InputError(f"there are no pictures in {pictures}", where=str(path))
        if sides[:2] != (height, width):
            what = f"the pictures are {found}, not {wanted} (width x height)"
            do = f"set data.size = {sides[0] if sides[0] == sides[1] else list(sides[:2])}; nothing is resized"
            raise InputError(what, where=str(path), do=do)
        if sides[2:] == (3,) and channels == 1:
            raise InputError("the pictures are coloured, not grey", where=str(path), do="set data.channels = 3")
        total = pictures.shape[0] * math.prod(self.shape)
        foreign.refuse_above_most(total, path, "keep to fewer pictures, or save them as files in a folder")

    def _labels(self, arrays: dict[str, Described], pictures: Described, path: Path) -> Described | None:
        """The array of labels, if there is one."""
        other = "set data.labels to another array, or save the file without it"
        if self.labels is None:
            paired = (pictures.name.replace(*pair) for pair in PAIRS if pair[0] in pictures.name)
            names = (name for name in (*paired, *LABELS) if name in arrays and name != pictures.name)
            found = next((arrays[name] for name in names), None)
        elif self.labels not in arrays:
            raise _unknown("labels", self.labels, arrays, path)
        else:
            found = arrays[self.labels]
        if found is None:
            return None
        if found.dtype.hasobject:
            raise _objects(found, path, "save labels as text: labels.astype(str)")
        count = pictures.shape[0]
        plain = found.dtype.kind in "iuUS" and found.dtype.itemsize  # text of no length has none
        if not plain or math.prod(found.shape) != count or found.shape[0] != count:
            what = f"{found} does not hold one whole number or word for each of {count:,} pictures"
            raise InputError(what, where=str(path), do=other)
        if found.bytes > MOST_LABELS:
            raise InputError(f"{found} takes {found.bytes >> 20:,} MiB for labels alone", where=str(path), do=other)
        return found


def _planes_first(shape: Sequence[int]) -> bool:
    """Whether channels come before height and width."""
    return len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3)


def _pictures(arrays: dict[str, Described], key: str | None, path: Path) -> Described:
    """The array of pictures."""
    if key is not None and key not in arrays:
        raise _unknown("key", key, arrays, path)
    many = [array for array in arrays.values() if len(array.shape) in (3, 4)]
    many = many or [array for array in arrays.values() if array.dtype.hasobject]  # to say why they are refused
    chosen = arrays[key] if key is not None else _only([array for array in many if array.dtype == "uint8"] or many)
    if chosen is None:
        what = "which array holds the pictures?" if many else "there is no array of pictures"
        why = f"there are {', '.join(map(str, arrays.values()))}" if arrays else "there are no arrays at all"
        do = (
            f"set data.key, as in data.key = {many[0].name!r}"
            if many
            else "pictures are uint8 [N, H, W] or [N, H, W, C]"
        )
        raise InputError(what, where=str(path), why=why, do=do)
    if chosen.dtype.hasobject:
        raise _objects(chosen, path, "save pictures of one size as one array of uint8")
    if chosen.dtype != "uint8":
        why = "whether they go from 0 to 1, from -1 to 1 or to 255 is not known"
        do = "scale them to 0..255 yourself and save them as uint8"
        raise InputError(f"{chosen} is not uint8", where=str(path), why=why, do=do)
    if len(chosen.shape) not in (3, 4):
        raise InputError(f"{chosen} is not an array of pictures", where=str(path), do="save [N, H, W] or [N, H, W, C]")
    return chosen


def _only(arrays: list[Described]) -> Described | None:
    """The only one, or the first with a usual name."""
    named = [array for name in PICTURES for array in arrays if array.name == name]
    return (arrays if len(arrays) == 1 else [*named, None])[0]


def _unknown(field: str, name: str, arrays: dict[str, Described], path: Path) -> InputError:
    if "" in arrays:
        return InputError("a .npy file holds one array, without a name", where=str(path), do=f"leave data.{field} out")
    return InputError(f"there is no array {name!r}", where=str(path), do=nearest(name, [*arrays], "there are"))


def _objects(array: Described, path: Path, do: str) -> InputError:
    why = "they are in pickle, which can run any program when it is read: difftool never does"
    return InputError(f"{array} holds Python objects", where=str(path), why=why, do=do)


def _words(labels: np.ndarray[Any, Any], of: Described, path: Path) -> list[int] | list[str]:
    """The labels as plain numbers or text."""
    kind = labels.dtype.kind
    try:
        flat: list[Any] = labels.reshape(-1).tolist()
        if kind == "U":
            flat = [value.encode().decode() for value in flat]  # half a surrogate pair could not be written again
        return [value.decode() for value in flat] if kind == "S" else flat
    except (ValueError, SystemError) as error:  # SystemError: numbers that are no characters
        do = "save labels as text: labels.astype(str)"
        raise InputError(f"{of} holds what is not text", where=str(path), why=str(error), do=do) from error
