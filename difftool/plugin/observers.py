"""Calling run observers: at log points only, each by itself; one that fails three times is switched off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from difftool.plugin.loader import Plugin, reason

PATIENCE = 3


class Observers:
    """All observing plugins of one run."""

    def __init__(self, plugins: Iterable[Plugin], tell: Callable[[str], None]) -> None:
        self.plugins = [plugin for plugin in plugins if plugin.observers]
        self.failures = {plugin.source.id: 0 for plugin in self.plugins}
        self.tell = tell

    def notify(self, hook: str, **arguments: Any) -> None:
        """Every plugin that has this hook hears of it; a failure is told and training goes on."""
        for plugin in self.plugins:
            name = plugin.source.id
            observer = plugin.observers.get(hook)
            if observer is None or self.failures[name] >= PATIENCE:
                continue
            try:
                observer(**arguments)
            except (Exception, SystemExit) as error:
                self.failures[name] += 1
                off = "; it is now switched off" if self.failures[name] >= PATIENCE else ""
                self.tell(f"the plugin {name} failed in {hook}: {reason(error)}{off}")
