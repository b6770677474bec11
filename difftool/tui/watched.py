"""One run as the screens see it. Filled by the thread that follows the run, read by the screens, both under `guard`.

Whatever is kept here is safe to show: text from outside is made so on its way in, once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from difftool.run.layout import RunDir
from difftool.run.reader import AGAIN, ALIVE
from difftool.tui.outside import LONGEST, checked, clean, integer, number, pairs, pictures_of
from difftool.tui.series import Table

LOG_LINES = 20_000
SECONDS = 3600
"""How long a window of the machine's figures is kept."""
KEPT = 10_000
"""Previews and checkpoints that are remembered."""
PICTURES = 256 << 20
"""Bytes of pictures that came through a pipe and are kept."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    time: float | None
    level: str
    text: str
    step: int | None = None


@dataclass(frozen=True)
class Preview:
    """The pictures of one step: where they lie, or what came through a pipe."""

    step: int
    words: Mapping[str, Any]
    files: Mapping[str, Path | bytes]  # "ema", "raw", "strip"


@dataclass
class Watched:
    """Everything known of a run."""

    name: str
    run: RunDir | None  # None: its events come through a pipe
    guard: threading.RLock = field(default_factory=threading.RLock, repr=False)
    summary: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    recipe: str = ""
    table: Table = field(default_factory=Table)
    log: deque[Line] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    logged: int = 0  # lines ever, so that a viewer knows what is new once the deque is full
    previews: dict[int, Preview] = field(default_factory=dict)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    system: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SECONDS))
    sampled: dict[str, Preview] = field(default_factory=dict)  # what was drawn from the dashboard, by folder
    bad: int = 0  # damaged lines
    version: int = 0  # grows with every change
    read: float = 1.0  # share of the history that has been read
    trouble: str = ""  # why nothing new can be read, if so

    @property
    def state(self) -> str:
        """What the run does in truth."""
        return str(self.summary.get("state") or "unknown")

    @property
    def active(self) -> bool:
        """Whether a trainer is at work on it, or was until it fell silent."""
        return self.state in ALIVE

    def take(self, events: Iterable[dict[str, Any]]) -> None:
        """Events of the run, in order."""
        with self.guard:
            rows: list[Mapping[str, Any]] = []
            for event in events:
                if event["kind"] == "metrics":
                    rows.append(event)
                    continue
                if event["kind"] == AGAIN:
                    rows = []
                    self.again()
                    continue
                if rows:  # a start makes rows void, so order counts
                    self._rows(rows)
                    rows = []
                if event["kind"] == "system":  # the commonest of the rest: made safe when it is shown
                    self.system.append(dict(event))
                elif event["kind"] == "run" and isinstance(event.get("recipe"), str):
                    self.recipe = event["recipe"]  # its lines are made safe one by one
                    self._told(clean({**event, "recipe": ""}))
                elif event["kind"] == "preview":
                    self._preview(clean(event), pictures_of(event))
                elif handle := _KINDS.get(event["kind"]):
                    handle(self, clean(event))
            if rows:
                self._rows(rows)
            self.version += 1

    def say(self, text: str, level: str = "stderr", time: float | None = None, step: int | None = None) -> None:
        """A line of the log, safe already."""
        self.log.append(Line(time, level, text[:LONGEST], step))
        self.logged += 1

    def again(self) -> None:
        """The folder is another one now: nothing of before holds."""
        with self.guard:
            fresh = Watched(self.name, self.run)
            for key in ("table", "log", "previews", "sampled", "checkpoints", "system", "info"):
                setattr(self, key, getattr(fresh, key))
            self.version += 1

    def _rows(self, rows: list[Mapping[str, Any]]) -> None:
        self.table.add(rows)
        for row in rows:
            if "nonfinite" in row:
                named = clean(row["nonfinite"])
                self._tell(
                    row, f"not finite: {', '.join(map(str, named)) if isinstance(named, list) else named}", "warning"
                )

    def _start(self, event: Mapping[str, Any]) -> None:
        step = integer(event.get("from_step")) or 0
        self.table.cut(step)
        self.previews = {at: each for at, each in self.previews.items() if at <= step}
        changed = ", ".join(f"{key} = {pair[-1]}" for key, pair in pairs(event.get("changes")))
        attempt = integer(event.get("attempt"))  # from 0; people count from 1
        begins = f"attempt {attempt + 1} goes on from step {step:,}" if attempt else "training begins"
        self._tell(event, begins + (f" with {changed}" if changed else ""))

    def _preview(self, event: Mapping[str, Any], pictures: Mapping[str, bytes]) -> None:
        step = integer(event.get("step"))
        if step is None:
            return
        files: dict[str, Path | bytes] = {}
        if self.run:  # by its step: a path in an event could lead anywhere
            grid = self.run.preview(step)
            files["ema"] = grid
            for kind in ("raw", "strip"):
                if event.get(kind):
                    files[kind] = grid.with_suffix(f".{kind}.png")
        files |= pictures
        words = {k: v for k, v in event.items() if not k.startswith("png")} | {"time": number(event.get("time"))}
        self.previews.pop(step, None)  # the newest stands last, even if its step is an old one
        self.previews[step] = Preview(step, words, files)
        self._make_room()
        self._tell(event, f"preview of step {step:,}")

    def _checkpoint(self, event: Mapping[str, Any]) -> None:
        self.checkpoints.append(dict(event))
        del self.checkpoints[:-KEPT]
        took = number(event.get("seconds"))
        self._tell(event, f"checkpoint{'' if took is None else f', {took:.1f} s'}: {event.get('path')}")

    def _log(self, event: Mapping[str, Any]) -> None:
        self._tell(event, str(event.get("message")), str(event.get("level") or "info"))

    def _ack(self, event: Mapping[str, Any]) -> None:
        self._tell(event, str(event.get("message")), "info" if event.get("ok") else "warning")

    def _end(self, event: Mapping[str, Any]) -> None:
        self._tell(event, f"{event.get('state')} at step {event.get('step')}, exit code {event.get('exit')}")

    def _told(self, event: Mapping[str, Any]) -> None:
        """What `difftool runs tail --json` says of the run besides its events."""
        self.summary = checked(event)
        if event["kind"] == "run":
            self.name = str(event.get("name") or self.name)
            self.info = event["info"] if isinstance(event.get("info"), dict) else {}

    def _tell(self, event: Mapping[str, Any], text: str, level: str = "info") -> None:
        self.say(clean(text), level, number(event.get("time")), integer(event.get("step")))

    def _make_room(self) -> None:
        """Forgets the oldest previews where there are too many, or too many of their pictures came through a pipe."""
        pictures = 0
        for held, (step, preview) in enumerate(reversed(list(self.previews.items())), 1):
            own = sum(len(file) for file in preview.files.values() if isinstance(file, bytes))
            pictures += own
            if held > KEPT:
                del self.previews[step]
            elif own and pictures > PICTURES and held > 1:
                self.previews[step] = Preview(step, preview.words, {})


_KINDS = {
    "start": Watched._start,
    "checkpoint": Watched._checkpoint,
    "log": Watched._log,
    "ack": Watched._ack,
    "end": Watched._end,
    "run": Watched._told,
    "state": Watched._told,
}
