"""One run whose events come through a pipe: `difftool runs tail RUN --json | difftool tui -`."""

from __future__ import annotations

import os

from difftool.run.lines import events_in
from difftool.tui.threads import Thread
from difftool.tui.watched import Watched

CHUNK = 1 << 20
LONGEST_LINE = 64 << 20
"""Bytes after which it is none of our lines: pictures are 2 MB at most."""
DAMAGED = b"\0"
"""What stands for the beginning of a line that was too long: no JSON, so its end is no event either."""


class Stream(Thread):
    """Reads one run's events from a pipe."""

    def __init__(self, watched: Watched, pipe: int) -> None:
        super().__init__("read standard input")
        self.watched, self.pipe = watched, pipe
        self.kept = 0  # bytes of a line whose end has not come yet

    def go(self) -> None:
        """Until the other end is closed."""
        begun: list[bytes] = []  # joined when its end is there: joined at every read it would be copied each time
        while data := os.read(self.pipe, CHUNK):  # no Python file: its lock would be held when the interpreter ends
            if self.asked.is_set():
                return
            lines, end, rest = data.rpartition(b"\n")
            if end:
                self._take(b"".join([*begun, lines]))
                begun = []
            begun.append(rest)
            kept = len(rest) if end else self.kept + len(rest)
            if kept > LONGEST_LINE:
                begun, kept = [DAMAGED], len(DAMAGED)
            self.kept = kept
        self.watched.trouble = "the other end was closed: this is the last that was heard"
        self.watched.version += 1

    def _take(self, lines: bytes) -> None:
        events, bad = events_in(lines)
        self.watched.bad += bad
        self.watched.take(events)

    def failed(self, why: str) -> None:
        """Shown where the log is."""
        self.watched.trouble = why
        self.watched.version += 1
