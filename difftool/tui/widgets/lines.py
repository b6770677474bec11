"""A long list that draws only the lines one sees."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from difftool.tui.widgets.drawn import Drawn, Parts


class Lines(ScrollView, Drawn, can_focus=True):
    """Lines with a cursor, or without one for a text that is only read."""

    cursor_shown = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "by(-1)", "up", show=False, id="list.up"),
        Binding("down", "by(1)", "down", show=False, id="list.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="list.page_up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="list.page_down"),
        Binding("home", "to(0)", "first", show=False, id="list.first"),
        Binding("end", "to(-1)", "last", show=False, id="list.last"),
    ]

    class Chosen(Message):
        """A line was clicked twice, or the cursor stood on it when it was clicked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.cursor = 0
        self.count = 0
        self.follow = False
        """whether the last line is kept in sight"""

    def parts(self, index: int, width: int) -> tuple[Parts, str]:
        """(the words of a line, the ink under them)."""
        raise NotImplementedError

    def resized(self, count: int) -> None:
        """There are this many lines now, or their contents changed."""
        self.count = count
        self.cursor = max(0, min(self.cursor, count - 1))
        self.virtual_size = Size(self.scrollable_content_region.width, count)
        if self.follow:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)  # before there is a scroll bar too
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """The lines are as wide as the widget."""
        self.resized(self.count)

    def render_line(self, y: int) -> Strip:
        """The line at row y of the window."""
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        if index >= self.count:
            return self.strip_of([], width)
        words, under = self.parts(index, width)
        if self.cursor_shown and index == self.cursor and self.has_focus:
            under = "cursor"
        return self.strip_of(words, width, under)

    def on_focus(self) -> None:
        """The cursor shows."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor hides."""
        self.refresh()

    def move(self, to: int) -> None:
        """Puts the cursor on a line, in sight; without a cursor the window moves."""
        if not self.cursor_shown:
            self.scroll_to(y=to, animate=False, force=True)
            self.follow = self.follow and to >= self.max_scroll_y
            self.moved()
            return
        self.cursor = max(0, min(to, self.count - 1))
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, x_axis=False)
        self.refresh()
        self.moved()

    def moved(self) -> None:
        """The cursor is elsewhere."""

    def action_by(self, lines: int) -> None:
        """Up or down."""
        self.move((self.cursor if self.cursor_shown else self.scroll_offset.y) + lines)

    def action_page(self, pages: int) -> None:
        """A window up or down."""
        self.action_by(pages * max(1, self.scrollable_content_region.height - 1))

    def action_to(self, where: int) -> None:
        """First or last."""
        self.move(self.count - 1 if where < 0 else 0)

    def on_click(self, event: Click) -> None:
        """A click moves the cursor; one where it stands opens."""
        index = self.scroll_offset.y + event.y
        if not self.cursor_shown or index >= self.count:
            return
        if index == self.cursor:
            self.post_message(self.Chosen())
        self.move(index)


class Sheet(Lines):
    """Lines that were put together before, only to be read."""

    cursor_shown = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rows: list[list[tuple[str, str]]] = []

    def show(self, rows: list[list[tuple[str, str]]]) -> None:
        """These from now on."""
        self.rows = rows
        self.resized(len(rows))

    def parts(self, index: int, width: int) -> tuple[Parts, str]:
        """One of them."""
        return self.rows[index], ""
