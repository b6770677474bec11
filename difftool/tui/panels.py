"""Panels from plugins: entry points of the group `difftool.panels`.

A panel is a class with a `title` and one method, `draw(run, width, height)`, that returns a text of at most `height`
lines, plain or as rich Text. `run` is a plain dict, see `run_for`. Each panel lives in a thread of its own: one that
raises, prints, hangs or takes a second to import shows so in its own frame, and nothing else suffers.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rich.text import Text

from difftool.errors import one_line, safe_text
from difftool.tui.threads import Thread
from difftool.tui.watched import Watched

ROWS = 2000
"""Newest rows of metrics that a panel is given."""
Row = dict[str, float]


@dataclass(frozen=True)
class Frame:
    """What a panel drew last, or how it failed."""

    title: str
    lines: tuple[Text, ...] = ()
    error: str = ""
    busy: bool = True


class Panels:
    """All panels that are installed."""

    def __init__(self, allowed: bool = True) -> None:
        newest = Newest()
        points = entry_points(group="difftool.panels") if allowed else ()
        self.painters = [Painter(point, newest) for point in points]

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [painter.name for painter in self.painters]

    @property
    def version(self) -> int:
        """Grows when one has drawn."""
        return sum(painter.version for painter in self.painters)

    def start(self) -> None:
        """Nothing is imported yet: that happens when the screen is first shown."""
        for painter in self.painters:
            painter.start()

    def draw(self, run: Watched, width: int, height: int) -> None:
        """Asks all of them for a new picture of the run."""
        for painter in self.painters:
            painter.wish((run, width, height))


class Newest:
    """The newest rows of a run, put together once for all panels that ask before something is new."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._of: tuple[Watched, int] | None = None
        self._rows: list[Row] = []

    def rows(self, run: Watched) -> list[Row]:
        """Not to be changed: others get the same."""
        with self._guard:
            with run.guard:  # the run's thread waits meanwhile
                if self._of is None or self._of[0] is not run or self._of[1] != run.version:
                    count = len(run.table)
                    self._rows = [run.table.row(index) for index in range(max(0, count - ROWS), count)]
                    self._of = run, run.version
            return self._rows


class Painter(Thread):
    """One panel."""

    def __init__(self, point: EntryPoint, newest: Newest) -> None:
        self.name = one_line(point.name)
        super().__init__(f"panel {self.name}")
        self.point, self.newest = point, newest
        self.version = 0
        self.frame = Frame(self.name)
        self._wish: tuple[Watched, int, int] | None = None
        self._rung = threading.Event()

    def wish(self, wish: tuple[Watched, int, int]) -> None:
        """The newest wish counts."""
        self._wish = wish
        self._rung.set()

    def go(self) -> None:
        """Imports the panel at the first wish, then draws whenever it is asked to."""
        panel: Any = None
        while not self.asked.is_set():
            self._rung.wait()
            self._rung.clear()
            if (wish := self._wish) is None:
                continue
            run, width, height = wish
            try:
                panel = panel or self.point.load()()
                title = one_line(str(getattr(panel, "title", self.name)))
                drawn = panel.draw(run_for(run, self.newest), width, height)
                self._show(Frame(title, _lines(drawn, width, height), busy=False))
            except BaseException as error:  # sys.exit() in a plugin is its own affair too
                at = traceback.extract_tb(error.__traceback__)[-1:]
                where = f" ({at[0].filename}:{at[0].lineno})" if at else ""
                self._show(Frame(self.name, error=one_line(f"{type(error).__name__}: {error}{where}"), busy=False))

    def _show(self, frame: Frame) -> None:
        if frame != self.frame:
            self.frame = frame
            self.version += 1


def run_for(run: Watched, newest: Newest | None = None) -> Mapping[str, Any]:
    """What a panel is told: name, state, summary, folder, recipe and the newest rows of metrics, all of it its own."""
    rows = (newest or Newest()).rows(run)
    with run.guard:
        system = dict(run.system[-1]) if run.system else None
    return {
        "name": run.name,
        "dir": str(run.run.root.absolute()) if run.run else None,
        "summary": dict(run.summary),
        "info": dict(run.info),
        "recipe": run.recipe,
        "rows": [dict(row) for row in rows],
        "system": system,
    }


def _lines(drawn: object, width: int, height: int) -> tuple[Text, ...]:
    text = drawn if isinstance(drawn, Text) else Text(safe_text(str(drawn)))
    lines = list(text.split("\n", allow_blank=True))[:height]
    for line in lines:
        line.truncate(width)
    return tuple(lines)
