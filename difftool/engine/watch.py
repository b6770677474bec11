"""What a run tells whoever started it, while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Watcher:
    """A display. This one shows nothing; others override what they care for. Nothing may wait for the device."""

    def begin(self, facts: Mapping[str, str], first: int, total: int) -> None:
        """Everything is ready; step first + 1 comes next."""

    def step(self, step: int) -> None:
        """An optimizer step was queued."""

    def row(self, row: Mapping[str, Any], eta: float | None) -> None:
        """A row of metrics was written; eta in seconds."""

    def progress(self, what: str, done: int, total: int) -> None:
        """How far some work has come that must be done before there is anything else to show."""

    def say(self, text: str) -> None:
        """Something a person should know."""

    def drawing(self, done: int, total: int) -> None:
        """A preview is being drawn."""

    def wrote(self, what: str, path: Path) -> None:
        """A file is on disk."""
