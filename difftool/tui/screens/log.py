"""What the run said: its events in words, and standard error of its trainer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from difftool.tui.screens.dialogs import Filter
from difftool.tui.screens.room import Room
from difftool.tui.watched import Line
from difftool.tui.widgets.drawn import Parts, cut
from difftool.tui.widgets.lines import Lines
from difftool.tui.widgets.note import Note

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

LEVELS = ("all", "info", "warning", "error", "stderr")
INKS = {"warning": "warn", "error": "bad", "stderr": "dim"}


def line_parts(line: Line, width: int) -> Parts:
    """When, at which step, what."""
    when = time.strftime("%H:%M:%S", time.localtime(line.time)) if line.time and 0 < line.time < 1e11 else " " * 8
    step = f"{line.step:>9,} " if line.step is not None else " " * 10
    mark = {"warning": "! ", "error": "× "}.get(line.level, "  ")
    return [(f" {when} ", "dim"), (step if width >= 70 else " ", "dim"), (mark + line.text, INKS.get(line.level, ""))]


class LogLines(Lines):
    """The lines that are shown."""

    cursor_shown = False

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Line] = []
        self.found: set[int] = set()
        self.at: int | None = None  # the line found that one is at
        self.follow = True

    def parts(self, index: int, width: int) -> tuple[Parts, str]:
        """One line."""
        under = "cursor" if index == self.at else "panel" if index in self.found else ""
        return line_parts(self.rows[index], width), under

    def on_mouse_scroll_up(self) -> None:
        """Whoever turns the wheel wants to read."""
        self.follow = False
        self.moved()

    def on_scroll_to(self) -> None:
        """So does who takes the scroll bar."""
        self.on_mouse_scroll_up()

    def action_to(self, where: int) -> None:
        """First; or last, and stays there."""
        if where < 0:
            self.follow = True
        super().action_to(where)

    def moved(self) -> None:
        """Whether it follows is said."""
        if isinstance(self.screen, LogScreen):
            self.screen.renew()


class LogScreen(Room):
    """The log."""

    app: DifftoolApp
    here = "log"
    about = (
        "What happened, in order: attempts, checkpoints, previews, warnings, answers to what was asked, and the "
        "trainer's standard error. It follows the end until one scrolls up; the end key follows again."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "level", "level", id="log.level", tooltip="only lines of one level"),
        Binding("slash", "search", "search", id="log.search", key_display="/", tooltip="a word in the log"),
        Binding("n", "find(1)", "next", id="log.next", tooltip="the next line found"),
        Binding("N", "find(-1)", "previous", id="log.previous", tooltip="the previous line found"),
        Binding("end", "follow", "follow", id="log.follow", tooltip="stay at the end"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.level = "all"
        self.stamp: tuple[object, ...] = ()

    def body(self) -> ComposeResult:
        """The lines, what is shown of them, the search."""
        yield LogLines()
        yield Note(id="said")
        yield Filter(placeholder="a word")

    def on_mount(self) -> None:
        """The lines take the keys."""
        self.query_one(LogLines).focus()

    def renew(self) -> None:
        """New lines, at the end."""
        super().renew()
        lines, run = self.query_one(LogLines), self.app.looking.run
        if run is None:
            self.nobody()
            return
        typed = self.query_one(Filter).value.casefold()
        stamp = (run.name, run.logged, self.level, typed, self.size)
        if stamp != self.stamp:
            self.stamp = stamp
            with run.guard:
                every = list(run.log)
            lines.rows = [line for line in every if self.level in ("all", line.level)]
            lines.found = {k for k, line in enumerate(lines.rows) if typed and typed in line.text.casefold()}
            lines.at = lines.at if lines.at in lines.found else None
            lines.resized(len(lines.rows))
        said = [f"{len(lines.rows):,} lines"] + ([f"only {self.level}"] if self.level != "all" else [])
        said += [f"{len(lines.found):,} found"] if typed else []
        said.append("follows" if lines.follow else "does not follow; end follows again")
        damaged = run.bad
        said += [f"{damaged:,} damaged"] if damaged else []
        self.query_one("#said", Note).say([(cut(" " + ", ".join(said), self.size.width), "dim")])

    def on_input_changed(self) -> None:
        """Marks while one types."""
        self.renew()

    def action_level(self) -> None:
        """The next level."""
        self.level = LEVELS[(LEVELS.index(self.level) + 1) % len(LEVELS)]
        self.renew()

    def action_search(self) -> None:
        """Types a word."""
        self.query_one(Filter).open()

    def action_find(self, way: int) -> None:
        """The next line that was found, from where one is; after the last comes the first."""
        lines = self.query_one(LogLines)
        if not lines.found:
            self.app.tell(
                "nothing is searched for: / takes a word" if not self.query_one(Filter).value else "not found"
            )
            return
        top = lines.scroll_offset.y
        before = top - 1 if way > 0 else top + lines.scrollable_content_region.height
        at = before if lines.at is None else lines.at
        found = sorted(lines.found, reverse=way < 0)
        lines.at = next((k for k in found if (k > at if way > 0 else k < at)), found[0])
        lines.follow = False
        if not top <= lines.at < top + lines.scrollable_content_region.height:
            lines.move(lines.at - lines.scrollable_content_region.height // 2)
        lines.refresh()
        self.renew()

    def action_follow(self) -> None:
        """To the end, and stays there."""
        self.query_one(LogLines).action_to(-1)
