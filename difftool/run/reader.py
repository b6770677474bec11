"""Reading a run directory while it is being written, from any process, without ever disturbing the writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from difftool.run.layout import RunDir
from difftool.run.lines import events_in
from difftool.run.segments import BLOCK, Replaced, Segment, segments
from difftool.run.state import ACTIVE, ALIVE, STALE, Runs, summary

__all__ = ["ACTIVE", "AGAIN", "ALIVE", "POLL_BYTES", "STALE", "Runs", "Tail", "history", "summary", "supersede"]

POLL_BYTES = 1 << 20  # some thousand events: more at once fall out of the processor's cache
AGAIN = "again"
"""The kind of an event that no trainer writes: all that was handed out before is void, and comes anew."""


class Tail:
    """The events of a run as they come, over all attempts; each `poll` continues where the last one stopped.

    Where the run was deleted and another lies in its place, or its log was cut or replaced, the next event is
    `{"kind": "again"}`: throw away what you had, everything follows from the start.

    With `skip`, what is there already is passed over, but for about its last `keep` bytes.
    """

    def __init__(self, run: RunDir, skip: bool = False, keep: int = 0) -> None:
        self.run = run
        self._bad = 0
        self._read: dict[Path, Segment] = {}
        self._identity = _identity(run)
        for path in reversed(segments(run)) if skip else ():
            keep -= self._segment(path).skip(max(0, keep))
        self.skipped = any(segment.offset for segment in self._read.values())
        """whether anything was passed over"""

    @property
    def bad(self) -> int:
        """Damaged lines met so far."""
        return self._bad + sum(segment.overlong for segment in self._read.values())

    def share(self) -> float:
        """How much of what is on disk was read, 0 to 1."""
        found = [(segment.offset, segment.size()) for segment in self._read.values()]
        size = sum(total for _, total in found)
        # What stands after the last line break is the line that is being written, or never was.
        behind = sum(
            total - offset for (offset, total), each in zip(found, self._read.values(), strict=True) if not each.ended
        )
        return 1.0 - behind / size if size else 1.0

    def poll(self, max_bytes: int = POLL_BYTES) -> list[dict[str, Any]]:
        """New events in order, of about `max_bytes` at most; an empty list means that there is nothing new."""
        before: list[dict[str, Any]] = []
        for _ in range(2):  # a log that is replaced while it is read anew waits for the next poll
            identity = _identity(self.run)
            try:
                if identity and self._identity and identity != self._identity:
                    raise Replaced
                self._identity = identity or self._identity
                return before + self._new(max_bytes)
            except Replaced:
                self._identity = identity
                self._read.clear()
                before = [{"kind": AGAIN}]
        return before

    def _new(self, max_bytes: int) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for path in segments(self.run):
            segment = self._segment(path)
            while max_bytes > 0 or not events:  # pure damage must not look like the end
                chunk, passed = segment.read(min(max(1, max_bytes), BLOCK))
                if not passed:
                    break
                max_bytes -= passed
                found, bad = events_in(chunk)
                events += found
                self._bad += bad
        return events

    def _segment(self, path: Path) -> Segment:
        return self._read.get(path) or self._read.setdefault(path, Segment(path))


def supersede(rows: dict[int, Any], event: dict[str, Any]) -> None:
    """Drops the rows, by step, that this event makes void: those which an attempt trains again, or all of them."""
    if event["kind"] == AGAIN:
        rows.clear()
    elif event["kind"] == "start" and isinstance(event.get("from_step"), int):
        for step in [step for step in rows if step > event["from_step"]]:
            del rows[step]


def history(run: RunDir) -> list[dict[str, Any]]:
    """The metrics rows as one curve: what an attempt trained again replaces what an earlier one had written."""
    tail, rows = Tail(run), dict[int, dict[str, Any]]()
    while events := tail.poll():
        for event in events:
            supersede(rows, event)
            if event["kind"] == "metrics" and isinstance(event.get("step"), int):
                rows[event["step"]] = event
    return [rows[step] for step in sorted(rows)]


def _identity(run: RunDir) -> tuple[int, ...] | None:
    """What tells this run from another in the same place: its run.json is written once."""
    try:
        found = run.info.stat()
    except OSError:  # gone, or not for us to see: no news
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns
