"""The second wall between text from outside and the terminal: nothing that is drawn holds a control character.

The first is `safe_text` where text is read. This one also holds for whatever a plugin's panel or a bug of ours draws.
"""

from __future__ import annotations

import re

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from difftool.errors import one_line
from difftool.tui.pixels import is_marks

_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ud800-\uf8ff\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U00013438"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
    r"|[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{5}"
)
"""What `one_line` would change, near enough; looked for because a search is quicker than that."""
_GLYPHS = str.maketrans(
    {
        **dict.fromkeys("─━═╌┄┈▔▁⎯", "-"),
        **dict.fromkeys("│┃║▏▎▌▐▕▊▍", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰┏┓┗┛╔╗╚╝", "+"),
        **dict.fromkeys("█▇▆▓", "#"),
        **dict.fromkeys("▅▄▃▒▀", "="),
        **dict.fromkeys("▂░", "."),
        "●": "*", "○": "o", "◐": "o", "▶": ">", "◀": "<", "▲": "^", "▼": "v", "✓": "+", "×": "x", "·": ".", "…": "~",
        "→": ">", "←": "<", "↑": "^", "↓": "v", "⏎": "<", "–": "-", "—": "-", "’": "'", "°": " ",
    }
)  # fmt: skip


class Wall(LineFilter):
    """Shows what steers a terminal instead of sending it; in an ASCII locale, ASCII alone."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.ascii_only = ascii_only

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same cells, harmless."""
        return [self._safe(segment) for segment in segments]

    def _safe(self, segment: Segment) -> Segment:
        text, style, control = segment
        if control:
            return segment
        if style is not None and style.link:  # a terminal is told its address
            style = style.update_link(None)
        elif text.isascii() and text.isprintable():
            return segment
        if _UNSAFE.search(text) and not is_marks(text):
            text = set_cell_size(one_line(text), segment.cell_length)  # a wider line would push what is beside it
        if self.ascii_only:
            text = _ascii(text)
        return Segment(text, style)


def _ascii(text: str) -> str:
    plain = text.translate(_GLYPHS)
    if plain.isascii():
        return plain
    return "".join(char if char.isascii() else "?" * Segment(char).cell_length for char in plain)
