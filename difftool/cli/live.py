"""The live line of a terminal: a bar or a spinner at the bottom, lines above it that stay."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from difftool.cli.progress import Plain, figures, left
from difftool.errors import safe_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


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
        # Late, because rich takes a tenth of a second and most commands need none of it.
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

    def starting(self, text: str) -> None:
        """Beside the spinner; only the newest stays."""
        self._update(description=f"starting  {text}")

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
        self._figures = f"{figures(row)}  {left(eta)}"
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
            rest = left((now - self.started) / done * (total - done)) if done else ""
            self._update(completed=done, total=total, description=what, figures=f"{done:,}/{total:,}  {rest}")

    def _update(self, **fields: Any) -> None:
        if self._bar and self._task is not None:
            with contextlib.suppress(OSError):
                self._bar.update(self._task, **fields)
