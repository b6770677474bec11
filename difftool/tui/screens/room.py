"""What all screens share: the lines on top, the keys at the bottom, and a moment to show what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize, ScreenResume
from textual.screen import Screen

from difftool.tui.widgets.head import Head
from difftool.tui.widgets.keys import Keys
from difftool.tui.widgets.note import Note

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

LEAST = (40, 10)
"""Cells below which only the line of the run is shown."""


class Room(Screen[None]):
    """A screen over the runs that are looked at."""

    app: DifftoolApp
    here: ClassVar[str] = ""
    about: ClassVar[str] = ""
    """what one sees here, in the words of ?"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "next pane", show=False, id="app.next"),
        Binding("shift+tab", "app.focus_previous", "previous pane", show=False, id="app.previous"),
    ]

    def compose(self) -> ComposeResult:
        """Top, middle, bottom."""
        yield Head(self.here)
        yield from self.body()
        yield Keys()

    def body(self) -> ComposeResult:
        """What is between."""
        yield from ()

    _ready = False

    @property
    def built(self) -> bool:
        """Whether all widgets are there: they come level by level, and go so at the end, while news comes in."""
        return self._ready and self.app.is_running

    def on_mount(self) -> None:
        """Everything is there once this has been drawn."""
        self.call_after_refresh(self._built)

    def _built(self) -> None:
        self._ready = True
        self.laid_out(*self.size)
        self.renew()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Shows what happened while another screen was shown."""
        if self.built:
            self.renew()

    def on_resize(self, event: Resize) -> None:
        """A terminal too small for more shows one line."""
        width, height = event.size
        self.set_class(width < LEAST[0] or height < LEAST[1], "tiny")
        if self.built:
            self.laid_out(width, height)

    def laid_out(self, width: int, height: int) -> None:
        """The terminal has this size now."""

    def nobody(self, note: str = "#said") -> None:
        """Says, where the screen says something, that there is no run to show."""
        self.query_one(note, Note).say([(" no run is looked at: 1 lists them", "dim")])

    def renew(self) -> None:
        """Something was read: shows it."""
        for head in self.query(Head):
            head.refresh()
