"""The thread that follows one run: its events, its state, and what its trainer wrote to standard error."""

from __future__ import annotations

import gc
from pathlib import Path

from difftool.run.layout import RunDir
from difftool.run.reader import AGAIN, Tail, summary
from difftool.run.records import load
from difftool.tui.grid import words_of
from difftool.tui.outside import clean, integer, sane
from difftool.tui.threads import Thread
from difftool.tui.watched import Preview, Watched

CHUNK = 1 << 20
"""Bytes parsed at once: the interpreter is busy with one for about ten milliseconds."""
POLL = 0.15
"""Seconds between two looks at a run that is trained."""
REST = 1.0
"""Seconds between two looks at anything else."""
RAW = "-raw"
"""How the folder of pictures ends that were drawn without averaging."""
LONGEST_TEXT = 1 << 20
"""Bytes of a recipe or of standard error that are read at once."""


class Follower(Thread):
    """Reads one run: its events, its status, and what its trainer wrote to standard error."""

    def __init__(self, watched: Watched, run: RunDir) -> None:
        super().__init__(f"follow {watched.name}")
        self.watched, self.run = watched, run
        self.log_at = 0

    def go(self) -> None:
        """Reads all there is in small pieces, then looks again and again."""
        try:
            self._follow(Tail(self.run))  # not made before: it looks at the disk
        finally:
            gc.enable()  # whoever is asked to end in the middle of a history has it switched off

    def _follow(self, tail: Tail) -> None:
        self._about()
        rest = 0.0
        since_about = 0.0
        while not self.asked.wait(rest):
            events = tail.poll(CHUNK)
            if events:
                if events[0]["kind"] == AGAIN:
                    self.log_at = 0  # another run lies there, with a log of its own
                self.watched.take(events)
            self.watched.bad = tail.bad
            share = tail.share()
            if share != self.watched.read:
                self.watched.read = share
                self.watched.version += 1
            more = bool(events) and share < 1
            if more:
                gc.disable()  # rows by the million are no garbage, and looking for some takes a tenth of the time
            else:
                gc.enable()
            rest = 0.0 if more else POLL if self.watched.active else REST
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
            trouble = "gone, or may not be read: this is from before"
        else:
            trouble = ""
            found = sane(clean(summary(self.run)))
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

    def _find_sampled(self) -> None:
        """Pictures that were drawn from the newest weights, a folder each."""
        try:
            folders = [folder for folder in self.run.samples.iterdir() if (folder / "grid.png").is_file()]
        except OSError:
            return
        found = {}
        for folder in folders:
            name = clean(folder.name)
            known = self.watched.sampled.get(name)
            found[name] = known or self._sampled(folder)
        if found.keys() != self.watched.sampled.keys():
            with self.watched.guard:
                self.watched.sampled = found
                self.watched.version += 1

    def _sampled(self, folder: Path) -> Preview:
        """What `difftool sample` has written there; the pictures themselves say how they were drawn."""
        files: dict[str, Path | bytes] = {"raw" if folder.name.endswith(RAW) else "ema": folder / "grid.png"}
        if (folder / "strip.png").is_file():
            files["strip"] = folder / "strip.png"
        words = words_of(folder / "grid.png")
        return Preview(integer(self.watched.summary.get("checkpoint")) or 0, clean(words), files)

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


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_TEXT).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
