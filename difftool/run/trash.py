"""Taking a run out of the way: into the trash beside it, from where `mv` brings it back, or away for good."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from difftool.errors import BusyError, DiskError
from difftool.run.layout import TRASH, RunDir
from difftool.run.lock import RunLock, is_locked
from difftool.run.spoken import clock
from difftool.run.state import ALIVE, summary


def check_idle(run: RunDir, force: bool = False) -> str:
    """Refuses a run that a trainer owns, here or, as far as one can tell, elsewhere.

    `force` allows one of another host that is long silent, and whose lock is free as far as one can see from here: a
    container gets a new hostname whenever it starts, and its old one is never heard of again. What is then told of
    it is returned; empty for a run that is idle for certain.
    """
    about = summary(run)
    if about["state"] not in ALIVE:
        return ""
    lost = about["state"] == "stalled" and not about["here"] and not is_locked(run)
    silent = f"nothing was heard of it for {clock(time.time() - about['heartbeat'])}" if about["heartbeat"] else ""
    if lost and force:
        return f"{run.name} was trained on {about['host']}; {silent or 'nothing was ever heard of it'}"
    elsewhere = "nobody here can say whether its trainer still lives" + (f"; {silent}" if lost and silent else "")
    why = "a trainer still holds it" if about["here"] else elsewhere
    raise BusyError(
        f"run {run.name} is {about['state']}" + ("" if about["here"] else f" on {about['host']}"),
        where=str(run.root.absolute()),
        why=why if about["state"] == "stalled" else "",
        do=f"if it is certain that nobody trains it any more: difftool runs rm --force {run.typed}"
        if lost
        else f"difftool runs stop {run.typed}",
    )


def discard(run: RunDir, force: bool = False) -> Path:
    """Moves an idle run into the trash of its folder, and returns its place there; `force` as of `check_idle`.

    If the run's folder is a symbolic link, the link alone is moved. BusyError, DiskError.
    """
    with _held(run, force):
        bin_ = run.root.absolute().parent / TRASH
        try:
            bin_.mkdir(exist_ok=True)
            place = _free(bin_, run.name)
            run.root.rename(place)
        except OSError as error:
            raise _failed("cannot move the run into the trash", run.root, error) from error
    return place


def destroy(run: RunDir, force: bool = False) -> None:
    """Deletes an idle run for good; of a symbolic link the link alone. BusyError, DiskError."""
    place = discard(run, force)  # out of the list at once: half a run must not look like one
    try:
        if place.is_symlink():
            place.unlink()
        else:
            shutil.rmtree(place)
    except OSError as error:
        raise _failed("not all of the run could be deleted", place, error) from error
    with contextlib.suppress(OSError):  # other runs are in it
        place.parent.rmdir()


def size_of(run: RunDir) -> int:
    """Bytes that deleting the run would free; none for a symbolic link."""
    total = 0
    if not run.root.is_symlink():
        for folder, _, names in os.walk(run.root):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(Path(folder, name)).st_size
    return total


@contextlib.contextmanager
def _held(run: RunDir, force: bool) -> Iterator[None]:
    """No trainer can begin while it is moved; where a run cannot be locked, none can train it either."""
    check_idle(run, force)
    if run.root.is_symlink():  # what it leads to stays where it is
        yield
        return
    lock = RunLock(run)
    with contextlib.suppress(DiskError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _free(folder: Path, name: str) -> Path:
    """The name, or the first of -2, -3, ... that is not there yet."""
    number, free = 2, folder / name
    while os.path.lexists(free):  # a dangling link is there too
        free = folder / f"{name}-{number}"
        number += 1
    return free


def _failed(what: str, where: Path, error: OSError) -> DiskError:
    return DiskError(
        what,
        where=str(where.absolute()),
        why=error.strerror or str(error),
        do="check who may write to this folder",
    )
