"""Panels of plugins, each in a frame of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.strip import Strip

from difftool.tui.panels import Frame
from difftool.tui.screens.room import Room
from difftool.tui.widgets.drawn import Drawn

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

HEIGHT = 12


class FrameView(Drawn):
    """What a panel drew."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.drawn = frame

    def show(self, frame: Frame) -> None:
        """This from now on."""
        self.drawn, self.border_title = frame, None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The title, then its lines or its error."""
        frame = self.drawn
        if y == 0:
            words = " failed" if frame.error else " is drawing…" if frame.busy else ""
            return self.strip_of([(frame.title, "title"), (words, "bad" if frame.error else "dim")])
        if frame.error:
            width = max(1, self.size.width)
            return self.strip_of([(frame.error[(y - 1) * width : y * width], "bad")])
        if y - 1 < len(frame.lines):
            drawn = frame.lines[y - 1].render(self.app.console)
            # A link or a click of a plugin's would be one of ours.
            return self.strip_of([(part.text, (part.style or Style()).clear_meta_and_links()) for part in drawn])
        return self.strip_of([])


class PanelScreen(Room):
    """All panels below each other."""

    app: DifftoolApp
    here = "panels"
    about = "What plugins show of this run. One that fails says so in its own frame."

    def body(self) -> ComposeResult:
        """A frame each."""
        with VerticalScroll():
            for painter in self.app.panels.painters:
                yield FrameView(painter.frame)

    def renew(self) -> None:
        """What they drew last; and another wish."""
        super().renew()
        for view, painter in zip(self.query(FrameView), self.app.panels.painters, strict=False):
            if view.drawn != painter.frame:
                view.show(painter.frame)
        run = self.app.looking.run
        if run is not None and self.app.screen_stack[0] is self:
            self.app.panels.draw(run, max(1, self.size.width - 4), HEIGHT - 3)
