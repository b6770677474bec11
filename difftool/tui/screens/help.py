"""What one sees, and what each key does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from difftool.tui.screens.room import Room


class Help(ModalScreen[None]):
    """Over the screen that it explains."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "app.pop_screen", "back")]

    def __init__(self, room: Room) -> None:
        super().__init__()
        self.room = room

    def compose(self) -> ComposeResult:
        """The words, then the keys."""
        text = Text()
        text.append(f"{self.room.here.capitalize()}\n\n", style="bold")
        text.append(self.room.about + "\n")
        with VerticalScroll(classes="dialog tall"):
            yield Static(text, markup=False)
            yield Static(self._keys())
            yield Static(Text("\nKeys can be changed: docs/dashboard.md. esc goes back.", style="dim"), markup=False)

    def _keys(self) -> Table:
        """Key, name and meaning: this screen's own, then what can be done to a run, then the rest."""
        bindings = [active.binding for active in self.room.active_bindings.values() if active.enabled]
        known = [binding for binding in bindings if binding.id and binding.description]
        first = (f"{self.room.here}.", "run.", "go.")
        rank = {binding: [str(binding.id).startswith(each) for each in (*first, "")].index(True) for binding in known}
        rows = [
            (self.app.get_key_display(binding), binding.description, binding.tooltip)
            for binding in sorted(known, key=rank.__getitem__)
        ]
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        for key, name, meaning in dict.fromkeys(rows):  # a binding with several keys is shown with one
            table.add_row(Text(key, style="bold"), Text(name), Text(meaning))
        return table
