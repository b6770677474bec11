"""The threads that read, so that the screens never wait for a disk.

Every thread is a daemon: one that hangs in a dead network file system does not keep the dashboard from ending.
None of them touches a widget; they fill a `Watched` and count its version up, and the screens look at that.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from difftool.errors import DifftoolError
from difftool.run.layout import RunDir
from difftool.run.reader import AGAIN, Runs, Tail, summary
from difftool.run.records import load
from difftool.tui.watched import Preview, Watched, clean, sane

CHUNK = 1 << 20
"""Bytes parsed at once: the interpreter is busy with one for about ten milliseconds."""
POLL = 0.15
"""Seconds between two looks at a run that is trained."""
REST = 1.0
"""Seconds between two looks at anything else."""
LONGEST_TEXT = 1 << 20
"""Bytes of a recipe or of standard error that are read at once."""


class Thread:
    """A daemon thread that can be asked to end, and is never waited for."""

    def __init__(self, name: str) -> None:
        self.asked = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Asks it to end at its next breath."""
        self.asked.set()

    def go(self) -> None:
        """The work; returns when asked to."""
        raise NotImplementedError

    def failed(self, why: str) -> None:
        """Something that should not have happened did."""

    def _guarded(self) -> None:
        try:
            self.go()
        except DifftoolError as error:
            self.failed(clean(f"{error}: {error.why}" if error.why else str(error)))
        except Exception as error:
            self.failed(clean(f"{type(error).__name__}: {error}"))


class Follower(Thread):
    """Reads one run: its events, its status, and what its trainer wrote to standard error."""

    def __init__(self, watched: Watched, run: RunDir) -> None:
        super().__init__(f"follow {watched.name}")
        self.watched, self.run = watched, run
        self.tail = Tail(run)
        self.log_at = 0

    def go(self) -> None:
        """Reads all there is in small pieces, then looks again and again."""
        self._about()
        rest = 0.0
        since_about = 0.0
        while not self.asked.wait(rest):
            events = self.tail.poll(CHUNK)
            if events:
                if events[0]["kind"] == AGAIN:
                    self.log_at = 0  # another run lies there, with a log of its own
                self.watched.take(events)
            self.watched.bad = self.tail.bad
            share = self.tail.share()
            if share != self.watched.read:
                self.watched.read = share
                self.watched.version += 1
            more = bool(events) and share < 1
            rest = 0.001 if more else POLL if self.watched.active else REST
            since_about += rest
            if since_about >= REST and not more:
                since_about = 0.0
                self._about()

    def failed(self, why: str) -> None:
        """Shown where the log is."""
        self.watched.trouble = why
        self.watched.version += 1

    def _about(self) -> None:
        """State, provenance, recipe, standard error."""
        watched = self.watched
        gone = not self.run.is_run()
        if gone:
            trouble = "the run's folder is gone or may not be read; what you see is from before"
        else:
            trouble = ""
            found = self._summary()
            # The age grows by itself; all else that differs is news.
            if {**found, "age": 0, "heartbeat": 0} != {**watched.summary, "age": 0, "heartbeat": 0}:
                watched.version += 1
            watched.summary = found
            if not watched.info:
                watched.info = clean(load(self.run.info))
            recipe = _text(self.run.recipe)
            if recipe != watched.recipe:
                watched.recipe = recipe
                watched.version += 1
            self._read_log()
            self._find_sampled()
        if trouble != watched.trouble:
            watched.trouble = trouble
            watched.version += 1

    def _summary(self) -> dict[str, Any]:
        try:
            return sane(clean(summary(self.run)))
        except Exception:  # a status.json that makes no sense is none, until a better one is there
            return {**self.watched.summary, "name": self.run.name, "state": "unknown"}

    def _find_sampled(self) -> None:
        """Pictures that were drawn from the newest weights, a folder each."""
        try:
            folders = [folder for folder in self.run.samples.iterdir() if (folder / "grid.png").is_file()]
        except OSError:
            return
        found = {}
        for folder in folders:
            files: dict[str, Path | bytes] = {"ema": folder / "grid.png", "raw": folder / "grid.png"}
            if (folder / "strip.png").is_file():
                files["strip"] = folder / "strip.png"
            found[clean(folder.name)] = Preview(self.watched.summary.get("step") or 0, {}, files)
        if found.keys() != self.watched.sampled.keys():
            with self.watched.guard:
                self.watched.sampled = found
                self.watched.version += 1

    def _read_log(self) -> None:
        try:
            with self.run.log.open("rb") as file:
                length = file.seek(0, 2)
                if length < self.log_at:
                    self.log_at = 0
                if length == self.log_at:
                    return
                file.seek(max(self.log_at, length - LONGEST_TEXT))
                data = file.read(LONGEST_TEXT)
        except OSError:
            return
        self.log_at = length
        with self.watched.guard:
            for line in data.decode("utf-8", "backslashreplace").splitlines():
                if line.strip():
                    self.watched.say(clean(line.expandtabs(4)))
            self.watched.version += 1


class Lister(Thread):
    """Looks at all runs of a folder once a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__("list runs")
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.version = 0
        self.looked = False
        self.trouble = ""
        self.now = threading.Event()

    def go(self) -> None:
        """Once a second, and at once when asked."""
        runs = Runs(self.folder)
        while not self.asked.is_set():
            try:
                rows, trouble = (
                    [{**sane(clean(row)), "path": row["path"]} for row in runs.poll()],
                    "",
                )  # a path is to be opened
            except DifftoolError as error:
                rows, trouble = self.rows, clean(str(error))
            except Exception as error:  # one damaged run does not end the list for good
                rows, trouble = self.rows, clean(f"the list is not up to date: {type(error).__name__}: {error}")
            if rows != self.rows or trouble != self.trouble or not self.looked:
                self.rows, self.trouble, self.looked = rows, trouble, True
                self.version += 1
            self.now.wait(REST)
            self.now.clear()

    def failed(self, why: str) -> None:
        """Shown above the list."""
        self.trouble = why
        self.version += 1


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
            rest = b"" if len(rest) > 64 * CHUNK else rest  # not one of our lines: pictures are 2 MB at most
            self.watched.take(event for line in lines if (event := _event(line)))
        self.watched.trouble = "the other end was closed: this is the last that was heard"
        self.watched.version += 1

    def failed(self, why: str) -> None:
        """Shown where the log is."""
        self.watched.trouble = why
        self.watched.version += 1


class Errand(Thread):
    """One piece of work that may take long or block; what it returns is told in the thread itself."""

    def __init__(self, name: str, work: Callable[[], None], sorry: Callable[[str], None]) -> None:
        super().__init__(name)
        self.go = work  # type: ignore[method-assign]
        self.failed = sorry  # type: ignore[method-assign, assignment]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("kind"), str) else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_TEXT).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
