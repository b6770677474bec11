"""What is looked at: the list of runs, the run that is shown, and those that are compared with it."""

from __future__ import annotations

from pathlib import Path

from difftool.errors import one_line
from difftool.run.layout import RunDir
from difftool.tui.follow import Follower
from difftool.tui.listing import Lister
from difftool.tui.stream import Stream
from difftool.tui.theme import colours_of
from difftool.tui.threads import Thread
from difftool.tui.watched import Watched

MOST = 6
"""Runs that are shown over or beside each other."""


class Looking:
    """Starts and stops the threads that read."""

    def __init__(self, folder: Path) -> None:
        self.lister = Lister(folder)
        self.followed: dict[str, Watched] = {}
        self.chosen: list[str] = []  # keys of `followed`: the run that is looked at, then those compared with it
        self.colours: dict[str, int] = {}
        self._threads: dict[str, Thread] = {}

    @property
    def run(self) -> Watched | None:
        """The run that is looked at."""
        return self.followed[self.chosen[0]] if self.chosen else None

    @property
    def runs(self) -> list[Watched]:
        """All runs that are shown, the one looked at first."""
        return [self.followed[key] for key in self.chosen]

    @property
    def version(self) -> tuple[object, ...]:
        """Differs when anything was read."""
        read = tuple((key, run.version) for key, run in self.followed.items())
        return self.lister.version, read, tuple(self.chosen)

    def colour(self, name: str) -> int:
        """A run's own colour, the same every time."""
        return colours_of([name], self.colours)[name]

    def follow(self, run: RunDir) -> Watched:
        """Begins to read a run, unless it is read already."""
        key = str(run.root)
        if key not in self.followed:
            watched = Watched(one_line(run.name), run, read=0.0)
            self._read(key, watched, Follower(watched, run))
        return self.followed[key]

    def listen(self, pipe: int) -> None:
        """Shows the run whose events come through a pipe."""
        watched = Watched("standard input", None)
        self._read("-", watched, Stream(watched, pipe))
        self.chosen = ["-"]

    def at(self, *runs: RunDir) -> None:
        """Shows these runs, the first as the one that is looked at."""
        for run in runs[:MOST]:
            self.follow(run)
        self.chosen = [str(run.root) for run in runs[:MOST]]
        # Runs that nobody looks at are not read on for ever.
        for key in [key for key in self.followed if key not in self.chosen]:
            del self.followed[key]
            self._threads.pop(key).stop()

    def _read(self, key: str, watched: Watched, thread: Thread) -> None:
        self.followed[key], self._threads[key] = watched, thread
        thread.start()
