"""The keys that work right now, on as many lines as they need."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import RenderResult
from textual.binding import Binding
from textual.dom import DOMNode
from textual.events import Click, Resize
from textual.strip import Strip

from difftool.tui.widgets.drawn import Drawn

MOST = 3
"""Lines; what does not fit is under ? and in the command palette."""


Shown = tuple[str, str, str, DOMNode]
"""A key, its word, its action, and whose that is."""


class Keys(Drawn):
    """Every key with its word, the screen's own first; a click does what the key does."""

    def on_mount(self) -> None:
        """Follows the screen's bindings."""
        self.rows: list[list[Shown]] = [[]]
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.lay_out())
        self.lay_out()

    def on_resize(self, event: Resize) -> None:
        """Other widths, other lines."""
        self.lay_out()

    def lay_out(self) -> None:
        """Flows the keys over lines."""
        shown: dict[str, Shown] = {}
        for active in self.screen.active_bindings.values():
            binding: Binding = active.binding
            if binding.show and active.enabled and binding.description:
                key = self.app.get_key_display(binding)
                shown.setdefault(
                    binding.action, (key, binding.description, binding.action, active.node)
                )  # one of its keys
        rows: list[list[Shown]] = [[]]
        room = self.app.size.width
        for each in shown.values():
            needed = cell_len(each[0]) + cell_len(each[1]) + 3
            if needed > room and rows[-1]:
                rows.append([])
                room = self.app.size.width
            rows[-1].append(each)
            room -= needed
        most = MOST if self.app.size.height >= 20 else 1
        self.rows = rows[:most]
        self.styles.height = len(self.rows)
        self.refresh()

    def render(self) -> RenderResult:
        """Not used: lines are drawn one by one."""
        return ""

    def render_line(self, y: int) -> Strip:
        """One line of keys."""
        parts = []
        for key, word, _, _ in self.rows[y] if y < len(self.rows) else []:
            parts += [(f" {key}", "key"), (f" {word} ", "")]
        return self.strip_of(parts)

    async def on_click(self, event: Click) -> None:
        """Does what the key would."""
        at = 0
        for key, word, action, node in self.rows[event.y] if event.y < len(self.rows) else []:
            at += cell_len(key) + cell_len(word) + 3
            if event.x < at:
                await self.app.run_action(action, node)  # the app's own keys are not the screen's
                return
