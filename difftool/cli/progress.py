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
from typing import TYPE_CHECKING, Any

from difftool.engine.watch import Watcher
from difftool.errors import safe_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINES = 60
"""About how many rows a plain log shows, however long the run is."""


class UI(StrEnum):
    """How progress is shown."""

    auto = "auto"
    rich = "rich"
    plain = "plain"
    json = "json"


def display(ui: UI) -> Plain:
    """The display for this terminal."""
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if ui is UI.rich or (ui is UI.auto and terminal):
        return Live()
    return Json() if ui is UI.json else Plain()


def answer(text: object) -> None:
    """The result on standard output; a reader that has gone away does not make the work undone."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again when it ends


def clock(seconds: float) -> str:
    """A duration: 45 s, 3 min 20 s, 2 h 05 min, 3 d 4 h."""
    s = round(seconds)
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60:02d} s"
    if s < 86400:
        return f"{s // 3600} h {s % 3600 // 60:02d} min"
    return f"{s // 86400} d {s % 86400 // 3600} h"


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
            self.line(f"step {step:,}/{self.total:,}  {_figures(row)}  {_left(eta)}")

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
            self.line(f"{what} {done:,}/{total:,}  {_left((now - self.started) / done * (total - done))}")

    def wrote(self, what: str, path: Path) -> None:
        """A file is on disk."""
        self.line(f"{what:>10}  {path.absolute()}")

    def finish(self, root: Path) -> None:
        """Where everything is, and what to type next; the folder alone on standard output."""
        last = sorted((root / "previews").glob("step-*.png"))[-1:]
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

    def finish(self, root: Path) -> None:
        """The folder."""
        self._emit(kind="done", run=str(root.absolute()))


class Live(Plain):
    """A progress bar with the figures that matter, and lines above it that stay."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._figures = ""
        self._drawn = 0.0

    def busy(self, what: str) -> None:
        """A spinner until the run begins."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}", markup=False),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None, figures="")
        self._bar.start()

    def quiet(self) -> None:
        """The bar goes, the lines stay."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def line(self, text: str) -> None:
        """Above the bar."""
        if self._bar:
            with contextlib.suppress(OSError):
                self._bar.console.print(safe_text(text), markup=False, soft_wrap=True)
        else:
            super().line(text)

    def begin(self, facts: Mapping[str, str], first: int, total: int) -> None:
        """The facts, then the bar."""
        super().begin(facts, first, total)
        self.busy("training")
        self._update(completed=first, total=total)

    def step(self, step: int) -> None:
        """Moves the bar, ten times a second at most."""
        now = time.monotonic()
        if now - self._drawn > 0.1:
            self._drawn = now
            self._update(completed=step, description=f"step {step:,}/{self.total:,}")

    def row(self, row: Mapping[str, Any], eta: float | None) -> None:
        """The newest figures, beside the bar."""
        self._figures = f"{_figures(row)}  {_left(eta)}"
        self._update(figures=self._figures, completed=row["step"], description=f"step {row['step']:,}/{self.total:,}")

    def drawing(self, done: int, total: int) -> None:
        """A preview is drawn; training waits for it."""
        self._update(figures=f"drawing a preview, step {done}/{total}" if done < total else self._figures)

    def progress(self, what: str, done: int, total: int) -> None:
        """Moves the bar."""
        now = time.monotonic()
        if done == 0:
            self.started = now
        if done in (0, total) or now - self._drawn > 0.1:
            self._drawn = now
            left = _left((now - self.started) / done * (total - done)) if done else ""
            self._update(completed=done, total=total, description=what, figures=f"{done:,}/{total:,}  {left}")

    def _update(self, **fields: Any) -> None:
        if self._bar and self._task is not None:
            with contextlib.suppress(OSError):
                self._bar.update(self._task, **fields)


def _figures(row: Mapping[str, Any]) -> str:
    loss = "not finite" if row["loss"] is None else f"{row['loss']:.4f}"
    return f"loss {loss}  {row['images_per_s']:,.0f} pictures/s"


def _left(eta: float | None) -> str:
    return "" if not eta else f"{clock(eta)} left"


def _short(path: Path) -> str:
    """Relative where that is what one would type."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path.absolute())
