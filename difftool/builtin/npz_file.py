"""Arrays in .npz and .npy files, read by the format alone: never by pickle, which can run whatever a file says."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from difftool.api import InputError
from difftool.builtin import foreign_file as foreign

if TYPE_CHECKING:
    import numpy as np

NPY = b"\x93NUMPY"
HEADER = 2**16
MEMBERS = 1000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The two that NumPy writes."""
ODD = (zipfile.BadZipFile, ValueError, OverflowError, struct.error, NotImplementedError)
"""What zipfile raises where a damaged archive leads it astray."""


class Described(NamedTuple):
    """What a header says of an array, which was found to be there in full."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    columns_first: bool
    start: int
    """where its numbers begin"""

    @property
    def bytes(self) -> int:
        """Size of its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        """As people would say it: x_train (uint8, 60000 x 28 x 28)."""
        kind = "Python objects" if self.dtype.hasobject else str(self.dtype)
        return f"{self.name} ({kind}, {' x '.join(map(str, self.shape)) or 'one number'})".removeprefix(" ")


def arrays_in(path: Path) -> list[Described]:
    """What is in the file; the one array of an .npy file has no name. Nothing but headers is read."""
    with foreign.opened(path) as file, foreign.blamed(path):
        if file.read(len(NPY)) == NPY:
            file.seek(0)
            return [_described(file, "", foreign.size_of(file), path)]
        with _archive(file, path) as archive:
            members = [info for info in archive.infolist() if info.filename[1:].endswith(".npy")]
            if len(members) > MEMBERS:
                raise InputError(f"more than {MEMBERS} arrays in one file", where=str(path))
            found = []
            for info in members:
                with _member(archive, info, path) as content:
                    found.append(_described(content, info.filename.removesuffix(".npy"), info.file_size, path))
            return found


def read_array(path: Path, of: Described) -> np.ndarray[Any, Any]:
    """The numbers of an array."""
    import numpy as np

    flat = np.empty(of.bytes, dtype=np.uint8)
    with _content(path, of) as content:
        content.read(of.start)
        if flat.size and foreign.filled(content, flat) < flat.size:
            raise EOFError
    return flat.view(of.dtype).reshape(of.shape, order="F" if of.columns_first else "C")


@contextmanager
def _content(path: Path, of: Described) -> Iterator[foreign.Source]:
    with foreign.opened(path) as file, foreign.blamed(path):
        if not of.name:
            yield file
            return
        with _archive(file, path) as archive:
            if f"{of.name}.npy" not in archive.namelist():
                raise InputError("the file was changed while it was read", where=str(path))
            with _member(archive, archive.getinfo(f"{of.name}.npy"), path) as content:
                yield content


@contextmanager
def _archive(file: Any, path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except ODD as error:
        file.seek(0)
        why = f"it begins with {start!r}" if (start := file.read(8)) else "it is empty"
        raise InputError("this is no whole .npz or .npy file", where=str(path), why=why, do=foreign.AGAIN) from error
    with archive:
        yield archive


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> IO[bytes]:
    _refuse_odd(info, path)
    try:
        return archive.open(info)
    except ODD as error:
        why = f"{info.filename} is not where it should be"
        raise InputError("the file is damaged", where=str(path), why=why, do=foreign.AGAIN) from error


def _refuse_odd(info: zipfile.ZipInfo, path: Path) -> None:
    """What NumPy does not write, or what would unpack to more than its method allows."""
    if info.flag_bits & 1 or info.compress_type not in METHODS:
        what = "encrypted" if info.flag_bits & 1 else "packed in a way that NumPy does not use"
        do = "save it with numpy.savez_compressed"
        raise InputError(f"{info.filename} in this file is {what}", where=str(path), do=do)
    if info.file_size > info.compress_size * foreign.INFLATED:
        why = f"{info.compress_size:,} packed bytes cannot hold {info.file_size:,}"
        raise InputError(f"{info.filename} in this file is damaged", where=str(path), why=why, do=foreign.AGAIN)


def _described(content: foreign.Source, name: str, size: int, path: Path) -> Described:
    from numpy.lib import format as npy

    source = io.BytesIO(content.read(HEADER))  # no more: the length of a header is itself a promise
    try:
        read = npy.read_array_header_1_0 if npy.read_magic(source) == (1, 0) else npy.read_array_header_2_0
        shape, columns_first, dtype = read(source)
    except Exception as error:  # the header is a Python literal, which fails in every way there is
        why = f"the header of {name or 'the array'} cannot be read: {str(error)[:200] or type(error).__name__}"
        raise InputError("the file is damaged", where=str(path), why=why, do=foreign.AGAIN) from error
    found = Described(name, tuple(map(int, shape)), dtype, columns_first, source.tell())
    if not dtype.hasobject and found.start + found.bytes != size:
        why = f"{found} takes {found.start + found.bytes:,} bytes, {size:,} are there"
        raise InputError("the file is cut short or damaged", where=str(path), why=why, do=foreign.AGAIN)
    return found
