"""The command palette: a line for every key that works, every run, every theme."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.markup import escape
from textual.screen import Screen

from difftool.run.layout import RunDir

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp


def commands(app: DifftoolApp, screen: Screen[Any]) -> Iterator[SystemCommand]:
    """What can be done from this screen."""
    titles: set[str] = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        if active.enabled and binding.description and binding.id:  # Textual's own have none
            title = f"{binding.description} ({app.get_key_display(binding)})"
            if title in titles:  # another of its keys
                continue
            titles.add(title)
            yield SystemCommand(
                title,
                binding.tooltip or binding.description,
                lambda action=binding.action, node=active.node: app.run_action(action, node),
            )
    for row in app.looking.lister.rows:
        words = escape(f"look at {row['name']}"), escape(str(row["state"]))  # the palette reads markup
        yield SystemCommand(*words, lambda path=row["path"]: app.open_run(RunDir(Path(path))))
    for name in sorted(app.available_themes):
        yield SystemCommand(f"theme {name}", "colours", lambda name=name: setattr(app, "theme", name))
