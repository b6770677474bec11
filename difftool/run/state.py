"""What a run does in truth, in a few values, and the same of a whole folder of runs, once a second."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from difftool.run.layout import RunDir, checkpoint_steps, names_in
from difftool.run.lock import is_locked
from difftool.run.records import Status, load, moment
from difftool.run.segments import segments

STALE = 60.0  # seconds without a sign of life after which a run counts as stalled
ACTIVE = ("starting", "running", "paused")
ALIVE = (*ACTIVE, "stalled")
"""States of a run that a trainer owns, as far as one can tell."""
_SETTLED = 2.0  # seconds: a folder changed twice within one tick of its clock looks changed once

T = TypeVar("T")


def summary(run: RunDir) -> dict[str, Any]:
    """One run in a few JSON-able values: what `difftool runs list` shows."""
    return _Watched(run).summary()


class Runs:
    """The runs of a folder, again and again: of a run that rests, only the time of its files is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, _Watched] = {}

    def poll(self) -> list[dict[str, Any]]:
        """The summary of each, newest first, as `layout.list_runs` orders them; DiskError where it cannot be read."""
        known, folder = self._known, self.folder
        found = {name: known.get(name) or _Watched(RunDir(folder / name)) for name in names_in(folder)}
        self._known = {name: each for name, each in found.items() if each.is_run()}
        order = sorted(self._known.values(), key=lambda each: (each.born or float("-inf"), each.run.name), reverse=True)
        return [each.summary() for each in order]


class _Cached(Generic[T]):
    """What was made of a file or folder, until that changes."""

    def __init__(self, path: Path, read: Callable[[], T], absent: T, settle: bool = False) -> None:
        self._path, self._read, self._absent = str(path), read, absent
        self._settle = settle
        self.face: tuple[int, ...] | None = None
        self.value = absent

    def look(self) -> bool:
        """Brings the value up to date; whether the file is there."""
        try:
            found = os.stat(self._path)  # noqa: PTH116  (pathlib takes twice the time, hundreds of times a second)
        except OSError:
            self.face, self.value = None, self._absent
            return False
        face = (found.st_ino, found.st_size, found.st_mtime_ns)
        if face != self.face:
            self.value = self._read()
            fresh = self._settle and abs(time.time() - found.st_mtime) < _SETTLED
            self.face = None if fresh else face
        return True


class _Watched:
    """One run that is looked at again and again."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self._path = str(run.root.absolute())
        self._info: _Cached[dict[str, Any]] = _Cached(run.info, lambda: load(run.info), {})
        self._status = _Cached(run.status, lambda: _status(run), None)
        self._owner: _Cached[dict[str, Any]] = _Cached(run.lock, lambda: load(run.lock), {})
        self._attempts = _Cached(run.events, lambda: len(segments(run)), 0, settle=True)
        self._checkpoint = _Cached(run.checkpoints, lambda: next(iter(checkpoint_steps(run)), None), None, settle=True)
        self._free: tuple[int, ...] | None = None  # the lock's file as it was when nobody held it

    def is_run(self) -> bool:
        """Whether run.json is there."""
        return self._info.look()

    @property
    def born(self) -> float | None:
        """When it was created, in unix seconds."""
        return moment(self._info.value, "created")

    def summary(self) -> dict[str, Any]:
        """Its values now."""
        self._info.look()
        here = socket.gethostname()
        locked, state = self._state(here)
        info, born, owner = self._info.value, self.born, self._owner.value if locked else {}
        known = self._status.value or Status()
        self._attempts.look()
        self._checkpoint.look()
        host = _of(owner, "host", str) or known.host or None
        return {
            "name": self.run.name,
            "path": self._path,
            "state": state,
            "step": known.step,
            "total": known.total,
            "loss": known.loss,
            "rate": known.rate,
            "eta": known.eta if state in ACTIVE else None,  # the guess of a run that stopped is a promise nobody keeps
            "curve": list(known.curve),
            "created": _of(info, "created", str),
            "age": None if born is None else max(0.0, round(time.time() - born, 3)),
            "device": _of(info, "device", str),
            "host": host,
            "here": locked if host is None else host == here,
            "pid": _of(owner, "pid", int) or known.pid,
            "heartbeat": known.heartbeat or None,
            "exit": known.exit,
            "attempts": self._attempts.value,
            "checkpoint": self._checkpoint.value,
            "recipe": _of(info, "recipe", str),
        }

    def _state(self, here: str) -> tuple[bool, str]:
        """Whether the lock is held, and what the run does in truth."""
        # The lock before the status: a run that ends in between looks running, the other way round it would look
        # crashed.
        locked = self._locked()
        self._status.look()
        status = self._status.value
        if locked:
            return True, _owned(status, self._owner.value)
        if status is None:
            return False, "unknown"
        if status.state not in ACTIVE:
            return False, status.state
        if status.host != here:
            return False, status.state if time.time() - status.heartbeat < STALE else "stalled"
        # Asked once more: a run that began between the two looks has its lock by now.
        if is_locked(self.run):
            self._owner.look()
            return True, _owned(status, self._owner.value)
        return False, "crashed"

    def _locked(self) -> bool:
        """Whether a trainer owns it. Who takes the lock writes into its file: while that rests, so does the run."""
        if not self._owner.look():
            return False
        status = self._status.value
        if self._owner.face == self._free and (status is None or status.state not in ACTIVE):
            return False
        locked = is_locked(self.run)
        self._free = None if locked else self._owner.face
        return locked


def _owned(status: Status | None, owner: dict[str, Any]) -> str:
    """The state of a run whose lock is held."""
    since = moment(owner, "started") or 0.0
    if status is None or since > status.heartbeat + 0.001:  # its owner has not spoken yet; a heartbeat is rounded
        state = "starting"
    elif status.state in ACTIVE or not since:
        state = status.state if status.state in ACTIVE else "running"
    else:
        return status.state  # its last word: it lets go any moment
    sign = max(since, status.heartbeat if status else 0.0)
    return "stalled" if sign and time.time() - sign > STALE else state


def _status(run: RunDir) -> Status | None:
    record = load(run.status)
    return Status.from_json(record) if isinstance(record.get("state"), str) else None


def _of(record: dict[str, Any], key: str, kind: type[T]) -> T | None:
    value = record.get(key)
    return value if isinstance(value, kind) else None
