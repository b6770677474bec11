"""One run whose events come through a pipe: `difftool runs tail RUN --json | difftool tui -`."""

from __future__ import annotations

import os

from difftool.run.lines import events_in
from difftool.tui.threads import Thread
from difftool.tui.watched import Watched

CHUNK = 1 << 20
LONGEST_LINE = 64 << 20
"""Bytes after which it is none of our lines: pictures are 2 MB at most."""


class Stream(Thread):
    """Reads one run's events from a pipe."""

    def __init__(self, watched: Watched, pipe: int) -> None:
        super().__init__("read standard input")
        self.watched, self.pipe = watched, pipe

    def go(self) -> None:
        """Until the other end is closed."""
        rest = b""
        while data := os.read(self.pipe, CHUNK):  # no Python file: its lock would be held when the interpreter ends
            if self.asked.is_set():
                return
            *lines, rest = (rest + data).split(b"\n")
            rest = b"" if len(rest) > LONGEST_LINE else rest
            if lines:
                events, bad = events_in(b"\n".join(lines))
                self.watched.bad += bad
                self.watched.take(events)
        self.watched.trouble = "the other end was closed: this is the last that was heard"
        self.watched.version += 1

    def failed(self, why: str) -> None:
        """Shown where the log is."""
        self.watched.trouble = why
        self.watched.version += 1
