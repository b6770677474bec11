"""Questions: before anything that cannot be taken back, and where there is something to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from difftool.tui.widgets.drawn import Parts, cut
from difftool.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from difftool.tui.setup import Offer


class Ask(ModalScreen[str]):
    """A question whose answers are single keys; escape is none of them."""

    def __init__(self, question: str, choices: Mapping[str, str]) -> None:
        super().__init__()
        self.question, self.choices = question, choices

    def compose(self) -> ComposeResult:
        """The question, and a line for each answer."""
        answers = Table.grid(padding=(0, 1))
        for key, words in self.choices.items():
            answers.add_row(Text(f" {key} ", style="bold reverse"), Text(words))
        with Vertical(classes="dialog") as box:
            # A table by itself would be as narrow as it can be.
            longest = max(cell_len(self.question), 6 + max(map(cell_len, self.choices.values())))
            box.styles.width = longest + 6
            yield Static(Text(self.question + "\n", style="bold"), markup=False)
            yield Static(answers)

    def on_key(self, event: Key) -> None:
        """An answer, or away."""
        event.stop()
        if event.key in self.choices or event.key in ("escape", "q"):
            self.dismiss(event.key if event.key in self.choices else "")


class Menu(Lines):
    """One line an offer, the chosen one explained."""

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.rows = rows

    def on_mount(self) -> None:
        """All of them at once."""
        self.resized(len(self.rows))

    def moved(self) -> None:
        """What is chosen is explained in full."""
        self.post_message(self.Moved())

    class Moved(Message):
        """The cursor is elsewhere."""

    def parts(self, index: int, width: int) -> tuple[Parts, str]:
        """Its name, what it is."""
        name, about = self.rows[index]
        column = min(width // 2, max(len(row[0]) for row in self.rows) + 2)
        return [(" " + cut(name, column), "strong"), (cut(about, max(0, width - column - 1)), "dim")], ""


class Choose(ModalScreen[str]):
    """A list to choose from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "choose"),
        Binding("escape,q", "away", "back"),
    ]

    def __init__(self, title: str, rows: Sequence[tuple[str, str]], foot: str) -> None:
        super().__init__()
        self.words, self.rows, self.foot = title, rows, foot

    def compose(self) -> ComposeResult:
        """Title, list, what enter does."""
        with Vertical(classes="dialog wide"):
            yield Static(Text(self.words, style="bold"), markup=False)
            yield Menu(self.rows)
            yield Static(markup=False, id="about")
            yield Static(Text(self.foot, style="dim"), markup=False)

    def on_mount(self) -> None:
        """The list takes the keys."""
        menu = self.query_one(Menu)
        menu.styles.height = min(len(self.rows), 16) or 1
        menu.focus()
        self.on_menu_moved()

    def on_menu_moved(self) -> None:
        """The whole of what a narrow list cuts off."""
        menu = self.query_one(Menu)
        self.query_one("#about", Static).update(Text(self.rows[menu.cursor][1] if self.rows else ""))

    def on_lines_chosen(self) -> None:
        """A click on the line the cursor stands on."""
        self.action_take()

    def action_take(self) -> None:
        """The line under the cursor."""
        menu = self.query_one(Menu)
        self.dismiss(self.rows[menu.cursor][0] if self.rows else "")

    def action_away(self) -> None:
        """Nothing."""
        self.dismiss("")


class Recipes(Choose):
    """What can be trained."""

    def __init__(self, offers: Sequence[Offer], empty: bool = False) -> None:
        super().__init__(
            "There is no run here yet. What shall be trained?" if empty else "What shall be trained?",
            [(offer.name, offer.about) for offer in offers],
            "enter starts it, in a process of its own: leaving the dashboard does not stop it   esc: not now",
        )


class Filter(Input):
    """One line to type into, at the bottom; gone again with escape or enter."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "clear", show=False)]

    def open(self) -> None:
        """Shows itself and takes the keys."""
        self.add_class("open")
        self.focus()

    def action_leave(self) -> None:
        """Empty, and away."""
        self.value = ""
        self.remove_class("open")
        self.screen.focus_next()

    def on_input_submitted(self) -> None:
        """What was typed stays."""
        self.remove_class("open")
        self.screen.focus_next()
