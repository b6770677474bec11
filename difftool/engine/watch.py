"""What a run tells whoever started it, while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Watcher(Protocol):
    """A display; it may ignore anything. Nothing here waits for the device."""

    def begin(self, facts: Mapping[str, str], first: int, total: int) -> None:
        """Everything is ready; step first + 1 comes next."""

    def step(self, step: int) -> None:
        """An optimizer step was queued."""

    def row(self, row: Mapping[str, Any], eta: float | None) -> None:
        """A row of metrics was written; eta in seconds."""

    def say(self, text: str) -> None:
        """Something a person should know."""

    def drawing(self, done: int, total: int) -> None:
        """A preview is being drawn."""

    def wrote(self, what: str, path: Path) -> None:
        """A file is on disk."""


class Quiet:
    """Shows nothing."""

    def begin(self, facts: Mapping[str, str], first: int, total: int) -> None:
        """Nothing."""

    def step(self, step: int) -> None:
        """Nothing."""

    def row(self, row: Mapping[str, Any], eta: float | None) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def drawing(self, done: int, total: int) -> None:
        """Nothing."""

    def wrote(self, what: str, path: Path) -> None:
        """Nothing."""
