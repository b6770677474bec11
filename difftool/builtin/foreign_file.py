"""Files that came from elsewhere: only plain ones are opened, and no more is read than was asked for."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol
from zipfile import BadZipFile

from difftool.api import InputError

MOST = 8 * 2**30
"""Bytes of pictures that one data set may hold: these formats are kept in memory."""

PIECE = 2**24
"""Bytes that are read at once: what a header promises is not there before it was read."""

INFLATED = 1032
"""The most bytes that one byte can stand for in deflate, the method of gzip and zip."""

AGAIN = "get the file again, it may have been cut short on the way"


class Source(Protocol):
    """Anything that bytes are read from: a file, or what is packed in one."""

    def read(self, count: int, /) -> bytes:
        """At most so many bytes; none at the end."""


def placed(path: Path) -> Path:
    """The absolute path; `~` is home, and a `~name` that is nobody's stays as it is."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        return path.absolute()


def is_folder(path: Path) -> bool:
    """Whether a folder is there; not if that may not be known."""
    try:
        return path.is_dir()
    except OSError:
        return False


def head(path: Path, count: int) -> bytes:
    """The first bytes of a plain file; none of anything else, whatever it is."""
    try:
        with opened(path) as file:
            return file.read(count)
    except (InputError, OSError):
        return b""


def names_in(folder: Path) -> list[str]:
    """What lies in a folder and is no folder itself, in the order of its bytes."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if not _is_folder(entry)]
    except (OSError, ValueError) as error:
        raise InputError("the folder cannot be read", where=str(folder), why=_reason(error)) from error
    return sorted(found, key=os.fsencode)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def opened(path: Path) -> BinaryIO:
    """The file, opened for reading; a pipe or a device would wait for ever or never end, and is refused."""
    where = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError("this is a folder, not a file", where=where)
        if not stat.S_ISREG(mode):
            raise InputError("this is not a plain file", where=where, why="it is a pipe, a socket or a device")
        # It may have become a pipe since: opening one must not wait.
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError("there is no such file", where=where) from error
    except (OSError, ValueError) as error:
        raise InputError("the file cannot be read", where=where, why=_reason(error)) from error


def size_of(file: IO[Any]) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def filled(source: Source, room: Any) -> int:
    """Reads into an array or a bytearray until it is full or the source ends; how many bytes came."""
    view, done = memoryview(room).cast("B"), 0
    while done < len(view):
        piece = source.read(min(PIECE, len(view) - done))
        if not piece:
            break
        view[done : done + len(piece)] = piece
        done += len(piece)
    return done


def refuse_missing(path: Path, wanted: str) -> None:
    """Refuses what is neither a folder nor a plain file that may be read, and says what `data.path` should be."""
    try:
        opened(path).close()
    except InputError as error:
        what = error.what if error.why else "there is no such file or folder"
        do = f"set data.path (or --data PATH) to {wanted}"
        raise InputError(what, where=error.where, why=error.why, do=do) from None


@contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Whatever goes wrong with reading or unpacking inside is the file's fault, and names it."""
    try:
        yield
    except EOFError as error:
        raise InputError("the file ends too early", where=str(path), do=AGAIN) from error
    except (OSError, zlib.error, BadZipFile) as error:
        raise InputError(
            "the file is damaged or cannot be read", where=str(path), why=_reason(error), do=AGAIN
        ) from error


def refuse_above_most(total: int, path: Path, remedy: str) -> None:
    """Refuses pictures that would take more than MOST bytes."""
    if total > MOST:
        raise InputError(
            "more pictures than fit into memory",
            where=str(path),
            why=f"they would take {total / 2**30:,.0f} GiB; at most {MOST >> 30} are read",
            do=remedy,
        )


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
