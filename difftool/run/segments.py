"""One event file while it is being written: its new whole lines, and whether it is still the file it was."""

from __future__ import annotations

import os
from pathlib import Path

from difftool.run.layout import RunDir

BLOCK = 256 << 10  # bytes read in one go
MAX_LINE = 1 << 20  # longer than any event: that is damage, not a line still being written
_KNOWN_BY = 64  # bytes


class Replaced(Exception):  # noqa: N818  (news, not a fault)
    """The file was cut, or another lies in its place: what was read of it is void."""


class Segment:
    """One file; each `read` continues where the last one stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.overlong = 0
        """lines met so far that were too long to be events"""
        self._offset = 0  # after the last byte that was taken
        self._last = b""  # the bytes before it: a file system gives a removed file's number to the next
        self._inode: tuple[int, int] | None = None
        self._seen: tuple[int, ...] | None = None  # the file as it was when it had been read to its end
        self._within = False  # what comes up to the next line break is the rest of a line that is passed over

    def read(self, limit: int) -> tuple[bytes, int]:
        """New whole lines, and how many bytes were passed to have them: none when there is nothing new."""
        try:
            if _face(os.stat(self.path)) == self._seen:  # noqa: PTH116  (a third of the time, many times a second)
                return b"", 0
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if self._inode not in (None, _inode(found)) or found.st_size < self._offset:
                    raise Replaced
                file.seek(self._offset - len(self._last))
                if file.read(len(self._last)) != self._last:
                    raise Replaced
                data = file.read(limit)
                if b"\n" not in data:  # a line longer than the limit must not block the log for ever
                    data += file.readline(MAX_LINE)
        except OSError:
            return b"", 0  # gone, or not for us to read: it may come back
        self._inode = _inode(found)
        self._seen = _face(found) if self._offset + len(data) >= found.st_size else None
        return self._taken(data)

    def skip(self, keep: int = 0) -> int:
        """Go to the line that begins in the last `keep` bytes, or to the end; how many bytes are left to be read."""
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                start = max(0, found.st_size - keep) if keep else _last_break(file.fileno(), found.st_size)
                file.seek(max(0, start - _KNOWN_BY))
                self._last = file.read(start - file.tell())
        except OSError:
            return 0
        self._inode, self._offset = _inode(found), start
        self._within = start > 0 and not self._last.endswith(b"\n")
        return found.st_size - start

    @property
    def offset(self) -> int:
        """Bytes that were passed."""
        return self._offset

    @property
    def ended(self) -> bool:
        """Whether the last look at it came to its end."""
        return self._seen is not None

    def size(self) -> int:
        """Bytes that there are."""
        try:
            return os.stat(self.path).st_size  # noqa: PTH116
        except OSError:
            return self._offset

    def _taken(self, data: bytes) -> tuple[bytes, int]:
        whole = data.rfind(b"\n") + 1
        endless = not whole and len(data) > MAX_LINE
        if endless:
            whole = len(data)
        lines = data[:whole]
        self._offset += whole
        self._last = lines[-_KNOWN_BY:] or self._last
        if self._within and lines:
            _, end, lines = lines.partition(b"\n")
            self._within = not end
        elif endless:
            self._within, lines = True, b""
            self.overlong += 1
        return lines, whole


def segments(run: RunDir) -> list[Path]:
    """The event files, in the order of the attempts."""
    try:
        with os.scandir(run.events) as found:
            names = [entry.name for entry in found if entry.name.endswith(".jsonl") and entry.is_file()]
    except OSError:
        return []
    numbered = [(int(stem), name) for name in names if (stem := name.removesuffix(".jsonl")).isdecimal()]
    return [run.events / name for _, name in sorted(numbered)]


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _face(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _last_break(fd: int, size: int) -> int:
    """The place after the last line break; the end where a line is too long to be one."""
    start = max(0, size - MAX_LINE)
    found = os.pread(fd, size - start, start).rfind(b"\n")
    return start + found + 1 if found >= 0 or start == 0 else size
