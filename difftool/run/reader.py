"""Reading a run directory while it is being written, from any process, without ever disturbing the writer."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from difftool.run.layout import RunDir, checkpoint_steps, created
from difftool.run.lock import is_locked
from difftool.run.records import Status, decode, load

POLL_BYTES = 4 << 20
MAX_LINE = 1 << 20  # longer than any event: without a newline it is damage, not a line still being written
STALE = 60.0  # seconds without a heartbeat after which another machine's run counts as stalled
ACTIVE = ("starting", "running")


class Tail:
    """The events of a run as they come, over all attempts; each `poll` continues where the last one stopped."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.bad = 0
        """damaged lines met so far"""
        self._read_to: dict[Path, tuple[int, int]] = {}  # segment: its inode, and the offset after the last whole line

    def poll(self, max_bytes: int = POLL_BYTES) -> list[dict[str, Any]]:
        """New events in order, of about `max_bytes` at most; an empty list means that there is nothing new."""
        events: list[dict[str, Any]] = []
        for path in _segments(self.run):
            while max_bytes > 0 and (chunk := self._next_lines(path, max_bytes)):
                max_bytes -= len(chunk)
                for line in chunk.removesuffix(b"\n").split(b"\n"):
                    record = decode(line)
                    if record is not None and isinstance(record.get("kind"), str):
                        events.append(record)
                    else:
                        self.bad += 1
        return events

    def _next_lines(self, path: Path, limit: int) -> bytes:
        """The next whole lines of a segment; nothing when there are none yet."""
        inode, offset = self._read_to.get(path, (0, 0))
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != inode or found.st_size < offset:
                    offset = 0  # someone put another file there or cut it: what we knew of it is void
                file.seek(offset)
                data = file.read(limit)
                if b"\n" not in data:  # a line longer than the limit must not block the log for ever
                    data += file.readline(MAX_LINE)
        except OSError:
            return b""
        whole = len(data) if len(data) > MAX_LINE and b"\n" not in data else data.rfind(b"\n") + 1
        self._read_to[path] = (found.st_ino, offset + whole)
        return data[:whole]


def history(run: RunDir) -> list[dict[str, Any]]:
    """The metrics rows as one curve: what an attempt trained again replaces what an earlier one had written."""
    tail, rows = Tail(run), dict[int, dict[str, Any]]()
    while events := tail.poll():
        for event in events:
            if event["kind"] == "start" and isinstance(event.get("from_step"), int):
                rows = {step: row for step, row in rows.items() if step <= event["from_step"]}
            elif event["kind"] == "metrics" and isinstance(event.get("step"), int):
                rows[event["step"]] = event
    return [rows[step] for step in sorted(rows)]


def summary(run: RunDir) -> dict[str, Any]:
    """One run in a few JSON-able values: what `difftool runs list` shows."""
    state, status = _state(run)
    info, born = load(run.info), created(run)
    known = status or Status()
    return {
        "name": run.name,
        "path": str(run.root.absolute()),
        "state": state,
        "step": known.step,
        "total": known.total,
        "loss": known.loss,
        "rate": known.rate,
        "eta": known.eta if state in ACTIVE else None,  # the guess of a run that stopped is a promise nobody keeps
        "created": _text(info, "created"),
        "age": None if born is None else max(0.0, round(time.time() - born, 3)),
        "device": _text(info, "device"),
        "exit": known.exit,
        "attempts": len(_segments(run)),
        "checkpoint": next(iter(checkpoint_steps(run)), None),
        "recipe": _text(info, "recipe"),
    }


def _state(run: RunDir) -> tuple[str, Status | None]:
    """What the run does in truth, and what it last said; None when it never said anything readable."""
    # The lock before the status: a run that ends in between looks running, the other way round it would look crashed.
    locked = is_locked(run)
    record = load(run.status)
    status = Status.from_json(record) if isinstance(record.get("state"), str) else None
    if locked:
        return "running", status
    if status is None:
        return "unknown", None
    if status.state not in ACTIVE:
        return status.state, status
    if status.host != socket.gethostname():
        fresh = time.time() - status.heartbeat < STALE
        return ("running" if fresh else "stalled"), status
    # Asked once more: a run that began between the two looks has its lock by now.
    return ("running" if is_locked(run) else "crashed"), status


def _segments(run: RunDir) -> list[Path]:
    try:
        found = [path for path in run.events.glob("*.jsonl") if path.stem.isdecimal() and path.is_file()]
        return sorted(found, key=lambda path: int(path.stem))
    except OSError:
        return []


def _text(info: dict[str, Any], key: str) -> str | None:
    value = info.get(key)
    return value if isinstance(value, str) else None
