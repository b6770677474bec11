"""One line of words that a screen says."""

from __future__ import annotations

from textual.strip import Strip

from difftool.tui.widgets.drawn import Drawn, Parts


class Note(Drawn):
    """A line; drawn anew only when it says something else."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.words: list[tuple[str, object]] = []

    def say(self, words: Parts) -> None:
        """This from now on."""
        if (new := list(words)) != self.words:
            self.words = new  # type: ignore[assignment]
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        return self.strip_of(self.words if y == 0 else [])  # type: ignore[arg-type]
