"""Writing a run directory: files that are whole or absent, and an event log that a full disk cannot stop."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from difftool.errors import DiskError, InputError
from difftool.run.layout import RunDir
from difftool.run.records import Status, decode, encode

FORMAT = 1
BUFFERED = 10_000  # event lines kept in memory while the disk refuses them: a few MB, hours of training
STATUS_EVERY = 1.0  # seconds


def replace_file(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Put a file in place whole: readers see the old bytes or the new ones, after a power cut too if synced."""
    # The same folder, since a rename is atomic within one file system only; mkstemp would force mode 0600.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        _create(draft, data, sync=sync)
        try:
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        raise disk_error(path, error) from error


def write_new(path: Path, data: bytes) -> str:
    """Write a file that must not exist yet, make it durable, and return its sha256."""
    try:
        _create(path, data, sync=True)
    except OSError as error:
        raise disk_error(path, error) from error
    return hashlib.sha256(data).hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file's own fsync does not promise that its name survives."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        _sync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have no such call
            raise
    finally:
        os.close(fd)


def disk_error(path: Path, error: OSError) -> DiskError:
    """What the system said about a file, as a line and a remedy."""
    return DiskError(
        f"cannot write {path.name}",
        where=str(path.parent.absolute()),
        why=error.strerror or str(error),
        do=_REMEDY.get(error.errno or 0, ""),
    )


def create_run(root: Path, info: Mapping[str, Any], recipe_text: str) -> RunDir:
    """Make a new run's folder tree; it becomes a run only with its last file, run.json."""
    run = RunDir(root)
    try:
        root.mkdir(parents=True)
        for folder in (run.events, run.previews, run.checkpoints):
            folder.mkdir()
    except FileExistsError:
        raise InputError(
            f"{root.name} is already there", where=str(root.absolute()), do="choose another --name, or resume that run"
        ) from None
    except OSError as error:
        raise disk_error(root, error) from error
    now = datetime.now().astimezone().isoformat(timespec="microseconds")
    try:
        replace_file(run.recipe, recipe_text.encode())
        replace_file(run.info, encode({"format": FORMAT, "name": root.name, "created": now, **info}, indent=2))
    except DiskError:
        shutil.rmtree(root, ignore_errors=True)  # ours since a moment, and empty but for these: the name stays free
        raise
    with contextlib.suppress(OSError):  # the parent may be a folder we can write to and not sync
        sync_folder(root.parent)
    return run


class RunWriter:
    """The pen of one attempt; whoever holds it holds the run's lock."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.attempt, self._fd = _open_segment(run)
        self.lost = 0
        """event lines dropped since the disk began to refuse them"""
        self._pending: deque[bytes] = deque()
        self._guard = threading.RLock()  # log lines come from any thread, and from signal handlers
        self._written = float("-inf")
        self._status = Status(pid=os.getpid(), host=socket.gethostname(), attempt=self.attempt)
        for litter in run.root.glob(f".{run.status.name}.*.tmp"):  # of a trainer killed in the middle of a write
            litter.unlink(missing_ok=True)
        self.status(force=True)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Append one event and return it as written; a disk that refuses delays the line and never raises."""
        line = encode({"kind": kind, "time": round(time.time(), 3), **fields})
        with self._guard:
            self._append(line)
            if self._flush() and self.lost:
                message, self.lost = f"{self.lost} events were lost while the disk refused them", 0
                self.event("log", level="warning", message=message)
        return decode(line) or {}

    def status(self, force: bool = False, **fields: Any) -> None:
        """Merge fields into the status; write it if the last write is a second old, or when forced."""
        with self._guard:
            self._status = dataclasses.replace(self._status, **fields)
            if not force and time.monotonic() - self._written < STATUS_EVERY:
                return
            self._written = time.monotonic()
            self._status = dataclasses.replace(self._status, heartbeat=round(time.time(), 3))
            # Not worth an fsync, nor a run: a heartbeat that cannot be written is tried again a second later.
            with contextlib.suppress(DiskError):
                replace_file(self.run.status, encode(self._status.to_json()), sync=False)

    def sync(self) -> bool:
        """Make every event so far durable; False when the disk refuses, and the lines wait for the next try."""
        with self._guard:
            try:
                if not self._flush():
                    return False
                _sync(self._fd)
            except OSError:
                return False
            return True

    def close(self) -> None:
        """Sync and close the segment; closing twice does no harm."""
        if self._fd >= 0:
            self.sync()
            os.close(self._fd)
            self._fd = -1  # a later event meets a bad descriptor, never another file that got the same number

    def _append(self, line: bytes) -> None:
        if len(self._pending) >= BUFFERED:
            del self._pending[1]  # not the first: it may be the `start`, or the rest of a line half on disk
            self.lost += 1
        self._pending.append(line)

    def _flush(self) -> bool:
        """Write what waits, one os.write a line; whether all of it is out."""
        while self._pending:
            line = self._pending[0]
            try:
                done = os.write(self._fd, line)
            except OSError:
                return False
            if done < len(line):  # a disk that fills up takes half a line: the rest goes first next time
                self._pending[0] = line[done:]
            else:
                self._pending.popleft()
        return True


def _open_segment(run: RunDir) -> tuple[int, int]:
    """The next attempt's number and its segment, opened for appending."""
    try:
        attempt = max((int(path.stem) for path in run.events.glob("*.jsonl") if path.stem.isdecimal()), default=-1) + 1
        path = run.events / f"{attempt:05d}.jsonl"
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        sync_folder(run.events)
    except OSError as error:
        raise disk_error(run.events, error) from error
    return attempt, fd


def _create(path: Path, data: bytes, *, sync: bool) -> None:
    """A new file with this content, or none: a half-written one is removed."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            if sync:
                _sync(fd)
        finally:
            os.close(fd)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _sync(fd: int) -> None:
    full: int | None = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(fd)
        return
    try:
        fcntl.fcntl(fd, full)  # on macOS fsync leaves the bytes in the drive's own cache
    except OSError:
        os.fsync(fd)


_REMEDY = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "your disk quota is used up: free some space and try again",
    errno.EACCES: "check who may write to this folder",
    errno.EPERM: "check who may write to this folder",
    errno.EROFS: "this file system is read-only: choose another folder with --runs",
    errno.EEXIST: "a file of that name is already there: remove or rename it",
}
