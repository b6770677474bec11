"""Asking a trainer for something while it trains: one appended line a command, answered by an `ack` event."""

from __future__ import annotations

import errno
import math
import os
import secrets
import stat
import time
from dataclasses import dataclass, field
from typing import Any

from difftool.run.layout import RunDir
from difftool.run.records import decode, encode, load, moment
from difftool.run.writer import disk_error

COMMANDS = ("checkpoint", "preview", "stop", "pause", "resume", "kill")
"""What a trainer can be asked for."""

RECENT = 1 << 20  # bytes at the end of the file that are looked at: thousands of commands
LONGEST = 64  # letters of an id or a command; longer ones are nobody's


@dataclass(frozen=True)
class Command:
    """One line of control.jsonl."""

    id: str
    command: str
    args: dict[str, Any] = field(default_factory=dict)
    time: float = 0.0
    """unix seconds at which it was asked"""


def ask(run: RunDir, command: str, **args: Any) -> str:
    """Appends a command for whoever trains this run, and returns the id that the answer will carry."""
    name = secrets.token_hex(6)
    line = encode({"id": name, "time": time.time(), "command": command, "args": args})
    try:
        fd = os.open(run.control, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)
        try:
            # A disk that was full may have left half a line: it must not swallow this one.
            size = os.fstat(fd).st_size
            whole = line if not size or os.pread(fd, 1, size - 1) == b"\n" else b"\n" + line
            if os.write(fd, whole) < len(whole):  # never the rest in a second write: another's line may lie between
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(fd)
    except OSError as error:
        raise disk_error(run.control, error) from error
    return name


class Inbox:
    """The commands of one attempt, each handed out once."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        # What was asked before this attempt was meant for an earlier one. Where it begins in the file, the lock says; a
        # lock of an older difftool, or one that a full disk left empty, leaves the times of commands.
        owner = load(run.lock)
        began, asked = moment(owner, "started"), owner.get("asked")
        self._began = time.time() if began is None else began
        self._from = asked if isinstance(asked, int) and asked >= 0 else None
        self._seen: tuple[int, int, int] | None = None  # inode, size and time of the file as it was last read
        self._known: set[str] = set()

    def poll(self) -> list[Command]:
        """What is new, in order. While nothing is, this costs one `stat`."""
        try:
            now = os.stat(self.run.control)  # noqa: PTH116  (a path object costs more than the call, and this is every step)
            if (now.st_ino, now.st_size, now.st_mtime_ns) == self._seen:
                return []
            return self._read()
        except OSError:  # not there yet, or not ours to read
            return []

    def _read(self) -> list[Command]:
        # The whole file each time it changes: it is small, and then it does not matter whether somebody cut it short,
        # edited it or put another in its place. A command is known by its id.
        fd = os.open(self.run.control, os.O_RDONLY | os.O_NONBLOCK)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                return []
            if self._from is not None and self._from > found.st_size:  # somebody cut it short or replaced it
                self._from = None
            data = os.pread(fd, RECENT, max(self._from or 0, found.st_size - RECENT))
        finally:
            os.close(fd)
        self._seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        new = []
        for line in data[: data.rfind(b"\n") + 1].splitlines():
            command = _command(line)
            ours = command and (self._from is not None or command.time >= self._began)
            if command and ours and command.id not in self._known:
                self._known.add(command.id)
                new.append(command)
        return new


def _command(line: bytes) -> Command | None:
    """The command in a line; None for one that is damaged or means something else."""
    record = decode(line)
    if record is None:
        return None
    name, command, args, when = (record.get(key) for key in ("id", "command", "args", "time"))
    if not isinstance(name, str) or not isinstance(command, str) or not isinstance(args or {}, dict):
        return None
    if not 0 < len(name) <= LONGEST or not 0 < len(command) <= LONGEST:
        return None
    if isinstance(when, bool) or not isinstance(when, int | float) or abs(when) > 1e15 or not math.isfinite(when):
        return None
    return Command(name, command, args or {}, float(when))
