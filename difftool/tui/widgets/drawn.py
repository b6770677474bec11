"""Widgets that draw their lines themselves, out of words with the names of inks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

Parts = Iterable[tuple[str, "str | Style"]]
"""Words and their inks; an ink without a name is a style of its own."""


class Drawn(Widget):
    """A widget whose lines are put together from inked words."""

    app: DifftoolApp
    _base: Style | None = None

    def notify_style_update(self) -> None:
        """The theme or the focus changed."""
        self._base = None
        super().notify_style_update()

    @property
    def base(self) -> Style:
        """The widget's own colours; Textual puts them together anew each time one asks, for each line."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def ink(self, name: str | Style) -> Style:
        """An ink as the theme has it."""
        if isinstance(name, Style):
            return name
        if name == "dim":
            return _dim(self.base)
        # Not Textual's component classes: it works all of them out for every widget whenever a screen is shown.
        return self.app.inks[name] if name else Style.null()

    def strip_of(self, parts: Parts, width: int | None = None, under: str | Style = "") -> Strip:
        """One line: cut or filled to the width; `under` lies below every word."""
        width = self.size.width if width is None else width
        base = self.base + self.ink(under)
        segments, room = [], width
        for text, name in parts:
            if room <= 0:
                break
            length = min(room, cell_len(text))
            segments.append(Segment(set_cell_size(text, length), base + self.ink(name)))
            room -= length
        if room > 0:
            segments.append(Segment(" " * room, base))
        return Strip(segments, width)


@lru_cache(64)
def _dim(style: Style) -> Style:
    """Between the foreground and the background, whatever the theme: a terminal's own dim is not always one."""
    if style.color is None or style.bgcolor is None:
        return Style(dim=True)
    front, back = style.color.get_truecolor(), style.bgcolor.get_truecolor()
    return Style(color=Color.from_rgb(*(round(0.6 * a + 0.4 * b) for a, b in zip(front, back, strict=True))))


def cut(text: str, width: int) -> str:
    """The text in exactly this many cells; what is cut off shows as an ellipsis."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(0, width - 1)) + "…" if width > 0 else ""


def middle(text: str, width: int) -> str:
    """A name in at most this many cells, its beginning and its end kept: dates and tokens tell runs apart."""
    if cell_len(text) <= width or width < 8 or cell_len(text) != len(text):
        return cut(text, min(width, cell_len(text)))
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
