"""Showing a run while it trains: a live line in a terminal, plain lines elsewhere, JSON for programs.

People read standard error; standard output is data.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from difftool.engine.watch import Watcher
from difftool.errors import safe_text
from difftool.run.layout import RunDir
from difftool.run.spoken import clock

LINES = 60
"""About how many rows a plain log shows, however long the run is."""


class UI(StrEnum):
    """How progress is shown."""

    auto = "auto"
    rich = "rich"
    plain = "plain"
    json = "json"
    tui = "tui"


def display(ui: UI) -> Plain:
    """The display for this terminal."""
    from difftool.cli.live import Live

    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if ui is UI.rich or (ui in (UI.auto, UI.tui) and terminal):
        return Live()
    return Json() if ui is UI.json else Plain()


def answer(text: object) -> None:
    """The result on standard output; a reader that has gone away does not make the work undone."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again when it ends


class Plain(Watcher):
    """One line now and then, no escapes: for logs and pipes."""

    def __init__(self) -> None:
        self.total, self.shown = 0, 0
        self.started = time.monotonic()

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.quiet()

    def busy(self, what: str) -> None:
        """Something takes a while before there is anything to show."""

    @contextlib.contextmanager
    def loading(self, what: str) -> Iterator[None]:
        """Something slow is imported; a Ctrl-C waits for it, because a half-imported torch is no torch."""
        heard: list[int] = []
        self.busy(f"loading {what}")
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.SIG_IGN:  # a job in the background was told to leave Ctrl-C alone
            signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if heard:
            raise KeyboardInterrupt

    def quiet(self) -> None:
        """Takes the display down."""

    def line(self, text: str) -> None:
        """One line for people."""
        # A terminal that went away, or a pipe nobody reads, must not end the training that it showed.
        with contextlib.suppress(OSError):
            sys.stderr.write(safe_text(text) + "\n")
            sys.stderr.flush()

    def begin(self, facts: Mapping[str, str], first: int, total: int) -> None:
        """What will be trained."""
        self.quiet()
        self.total, self.shown = total, first
        self.started = time.monotonic()
        for label, text in facts.items():
            self.line(f"{label:>10}  {text}")
        if first:
            self.line(f"{'resuming':>10}  after step {first:,}")

    def row(self, row: Mapping[str, Any], eta: float | None) -> None:
        """A row of metrics, thinned for long runs."""
        step = int(row["step"])
        if step - self.shown >= self.total / LINES or step == self.total:
            self.shown = step
            self.line(f"step {step:,}/{self.total:,}  {figures(row)}  {left(eta)}")

    def say(self, text: str) -> None:
        """Something a person should know."""
        self.line(f"{'note':>10}  {text}")

    def progress(self, what: str, done: int, total: int) -> None:
        """How far some work has come, for whoever waits: a line every tenth, none for what is quick."""
        now = time.monotonic()
        if done == 0:
            self.started, self.shown = now, 0
        tenth = 10 * done // max(1, total)
        if tenth > self.shown and now - self.started > 2:
            self.shown = tenth
            self.line(f"{what} {done:,}/{total:,}  {left((now - self.started) / done * (total - done))}")

    def wrote(self, what: str, path: Path) -> None:
        """A file is on disk."""
        self.line(f"{what:>10}  {path.absolute()}")

    def starting(self, text: str) -> None:
        """The newest line of a process that starts and has no display of its own."""
        self.line(f"{'starting':>10}  {text}")

    def detached(self, run: RunDir, log: Path, pid: int) -> None:
        """A trainer runs on its own now: where it is, how to look at it and how to stop it."""
        self.line(f"{'run':>10}  {run.root.absolute()}")
        self.line(f"{'watch':>10}  difftool tui {run.typed}")
        self.line(f"{'stop':>10}  difftool runs stop {run.typed}")
        answer(run.root.absolute())

    def finish(self, root: Path) -> None:
        """Where everything is, and what to type next; the folder alone on standard output."""
        last = sorted(path for path in (root / "previews").glob("step-*.png") if path.stem[5:].isdecimal())[-1:]
        took = clock(time.monotonic() - self.started)
        self.line(f"{'done':>10}  in {took}")
        for path in last:
            self.line(f"{'look at':>10}  {path.absolute()}")
        self.line(f"{'next':>10}  difftool sample {_short(root)} -n 16")
        answer(root.absolute())


class Json(Plain):
    """Every row as one JSON object on standard output."""

    def _emit(self, **fields: Any) -> None:
        answer(json.dumps(fields, allow_nan=False))

    def line(self, text: str) -> None:
        """Nothing: programs do not read prose."""

    def begin(self, facts: Mapping[str, str], first: int, total: int) -> None:
        """The facts."""
        self._emit(kind="begin", first=first, total=total, **facts)

    def row(self, row: Mapping[str, Any], eta: float | None) -> None:
        """The row as it is in the run's events."""
        self._emit(**row, eta=eta)

    def say(self, text: str) -> None:
        """A note."""
        self._emit(kind="note", text=text)

    def wrote(self, what: str, path: Path) -> None:
        """A file."""
        self._emit(kind=what, path=str(path.absolute()))

    def detached(self, run: RunDir, log: Path, pid: int) -> None:
        """The folder, the log and the process."""
        self._emit(kind="detached", name=run.name, run=str(run.root.absolute()), log=str(log.absolute()), pid=pid)

    def finish(self, root: Path) -> None:
        """The folder."""
        self._emit(kind="done", run=str(root.absolute()))


def figures(row: Mapping[str, Any]) -> str:
    """The numbers of a row that matter while one waits."""
    loss = "not finite" if row["loss"] is None else f"{row['loss']:.4f}"
    return f"loss {loss}  {row['images_per_s']:,.0f} pictures/s"


def left(eta: float | None) -> str:
    """How much time is left, once that is known."""
    return "" if not eta else f"{clock(eta)} left"


def _short(path: Path) -> str:
    """Relative where that is what one would type."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path.absolute())
