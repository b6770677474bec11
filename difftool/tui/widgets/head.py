"""The two lines on top: how the run is doing, and which screen this is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.events import Click
from textual.strip import Strip

from difftool.run.reader import ALIVE
from difftool.run.spoken import clock
from difftool.tui.plot import gauge
from difftool.tui.widgets.drawn import Drawn, middle

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

STATES = {
    "running": ("●", "good"),
    "starting": ("◐", "good"),
    "paused": ("○", "warn"),
    "stopped": ("○", "warn"),
    "stalled": ("◐", "bad"),
    "crashed": ("×", "bad"),
    "failed": ("×", "bad"),
    "done": ("✓", "title"),
    "unknown": ("?", "dim"),
}
"""A sign and an ink; the word is always written beside it, so that colour alone never tells."""


ROOM = 20
"""Cells for the name, as long as there is something that matters less."""


class Head(Drawn):
    """State, progress, time left and rate of the run that is looked at; below, the screens."""

    app: DifftoolApp

    def __init__(self, here: str) -> None:
        super().__init__()
        self.here = here

    def render_line(self, y: int) -> Strip:
        """The line of the run, then the screens."""
        return self._run() if y == 0 else self._screens()

    def _run(self) -> Strip:
        run = self.app.looking.run
        if run is None or self.here == "runs":
            return self.strip_of([(" difftool  ", "title"), *self._counts(), (self.app.where, "dim")])
        summary, width = run.summary, self.size.width
        sign, ink = STATES.get(run.state, STATES["unknown"])
        state = [(f" {sign} {run.state} ", ink)]
        if summary.get("host") and summary.get("here") is False:
            state.append((f"on {middle(str(summary['host']), 16)} ", "dim"))
        right = figures(summary)
        long = sum(len(text) for text, _ in [*state, *right])
        if long + min(len(run.name), ROOM) + 2 > width:  # which run, how far and how long is worth more than how fast
            right = [part for part in right if "pictures/s" not in part[0]]
            long = sum(len(text) for text, _ in [*state, *right])
        name = middle(run.name, max(8, min(40, width - long - 2)))
        room = width - long - len(name) - 2
        bar = []
        if (total := summary.get("total")) and room >= 8:
            share = min(1.0, max(0, summary.get("step") or 0) / total)
            bar = [(gauge(share, min(30, room - 6), self.app.ascii), ink), (f" {share:4.0%} ", ink)]
        return self.strip_of([*state, (f"{name} ", "strong"), *right, *bar])

    def _counts(self) -> list[tuple[str, str]]:
        """How many runs are in which state, the lively ones first."""
        states = [row["state"] for row in self.app.looking.lister.rows]
        found = sorted(set(states), key=lambda state: list(STATES).index(state) if state in STATES else len(STATES))
        return [(f"{states.count(state)} {state}  ", STATES.get(state, STATES["unknown"])[1]) for state in found]

    def _screens(self) -> Strip:
        parts = [(" ", "")]
        for mode, title in self.app.titles.items():
            number = list(self.app.MODES).index(mode) + 1
            here = mode == self.here
            parts += [(f" {number}", "key" if not here else "title"), (f" {title} ", "title" if here else "dim")]
        run = self.app.looking.run
        if run is not None and run.read < 1:
            parts.append((f"  reading the history, {run.read:.0%}", "warn"))
        elif run is not None and run.trouble:
            parts.append((f"  {run.trouble}", "bad"))
        elif self.app.readonly:
            parts.append(("  read-only", "dim"))
        return self.strip_of(parts)

    async def on_click(self, event: Click) -> None:
        """A click on a screen's name goes there."""
        if event.y != 1:
            return
        at = 1
        for mode, title in self.app.titles.items():
            at += len(title) + 4
            if event.x < at:
                self.app.switch_mode(mode)
                return


def figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Step, time left, rate, as far as they are known."""
    parts = []
    step, total = summary.get("step"), summary.get("total")
    if step is not None:
        parts.append((f"step {step:,}/{total:,} " if total else f"step {step:,} ", ""))
    if summary.get("eta"):
        parts.append((f"{clock(summary['eta'])} left ", "strong"))
    if summary.get("rate"):
        parts.append((f"{summary['rate']:,.0f} pictures/s ", "dim"))
    if (code := summary.get("exit")) not in (None, 0) and summary.get("state") not in ALIVE:
        parts.append((f"exit {code} ", "dim"))
    return parts
