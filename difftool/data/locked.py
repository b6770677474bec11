"""Files that are being written: locked meanwhile, so that nobody takes them for what a killed process left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

A_DAY = 86_400


@contextlib.contextmanager
def begun(path: Path) -> Iterator[BinaryIO]:
    """A new file, locked until the end; it goes away then, unless it was given another name."""
    while True:
        out = path.open("xb")
        with contextlib.suppress(OSError):  # some file systems have no locks
            fcntl.flock(out, fcntl.LOCK_EX)
        if os.fstat(out.fileno()).st_nlink:
            break
        out.close()  # somebody removed it before it was locked
    try:
        yield out
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # of a full disk, which was told before
            out.close()


def remove(path: Path, unwanted: Callable[[], bool]) -> None:
    """Removes a file that nobody writes now, if it is unwanted even then."""
    with contextlib.suppress(OSError), path.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:  # no locks here: what grows is somebody's work
            if time.time() - os.fstat(file.fileno()).st_mtime < A_DAY:
                return
        if unwanted():
            path.unlink()
