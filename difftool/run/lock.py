"""One trainer a run: a kernel lock that dies with its process, so nothing stale is ever left to clean up."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from datetime import datetime
from types import TracebackType

from difftool.errors import BusyError, DiskError
from difftool.run.layout import RunDir
from difftool.run.records import load

# Seconds: a reader that asks `is_locked` holds the lock for microseconds and must not look like an owner.
PATIENCE = 0.25


class RunLock:
    """Ownership of a run, for as long as the `with` block lasts and the process lives."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise BusyError that names the owner."""
        try:
            # Python opens files non-inheritable: a program we start never holds our lock.
            fd = os.open(self.run.lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise _broken(self.run, error) from error
        try:
            self._wait(fd)
            owner = {"pid": os.getpid(), "host": socket.gethostname(), "started": _now(), "asked": _asked(self.run)}
            with contextlib.suppress(OSError):  # a full disk must not stop the lock itself
                os.ftruncate(fd, 0)
                os.pwrite(fd, json.dumps(owner).encode() + b"\n", 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        _held.add(self)

    def release(self) -> None:
        """Give the lock back; the file stays, since removing it would let two owners lock two files."""
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self.forget()

    def forget(self) -> None:
        """Close this process's handle without unlocking: what a forked child does, the parent still owns the run."""
        _held.discard(self)
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _wait(self, fd: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _busy(self.run) from None
                time.sleep(0.01)
            except OSError as error:
                raise _broken(self.run, error) from error
            else:
                return


def is_locked(run: RunDir) -> bool:
    """Whether a process on this machine owns the run; needs no more than the right to read."""
    try:
        fd = os.open(run.lock, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)  # at once, and not by closing: a child forked meanwhile would keep it
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: nobody can hold one there
        return False
    finally:
        os.close(fd)
    return False


# A data worker forked from the trainer would keep the lock alive after the trainer's death: every child closes it.
# One hook for the module's life instead of one a lock, which could never be taken back.
_held: set[RunLock] = set()


def _forget_in_child() -> None:
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_in_child)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="microseconds")


def _asked(run: RunDir) -> int:
    """Bytes of commands that were meant for an earlier owner: clocks of other machines cannot tell which those are."""
    try:
        return os.stat(run.control).st_size  # noqa: PTH116
    except OSError:
        return 0


def _busy(run: RunDir) -> BusyError:
    owner = load(run.lock)
    who = f"process {owner['pid']} on {owner['host']}" if {"pid", "host"} <= owner.keys() else "another process"
    since = f" has owned it since {owner['started']}" if "started" in owner else " owns it"
    return BusyError(
        f"run {run.name} is already being trained",
        where=str(run.root.absolute()),
        why=who + since,
        do=f"wait, or stop it: difftool runs stop {run.typed} (it saves first)",
    )


def _broken(run: RunDir, error: OSError) -> DiskError:
    return DiskError("cannot lock the run", where=str(run.lock.absolute()), why=error.strerror or str(error))
