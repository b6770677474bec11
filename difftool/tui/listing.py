"""All runs of a folder, looked at once a second."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from difftool.errors import DifftoolError
from difftool.run.reader import Runs
from difftool.tui.outside import clean, sane
from difftool.tui.threads import Thread

REST = 1.0
"""Seconds between two looks."""
AGES = 10.0
"""Seconds after which the list is drawn with new ages."""


class Lister(Thread):
    """Looks at all runs of a folder once a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__("list runs")
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.version = 0
        self.looked = False
        self.trouble = ""
        self.now = threading.Event()

    def go(self) -> None:
        """Once a second, and at once when asked."""
        runs, told = Runs(self.folder), 0.0
        while not self.asked.is_set():
            try:
                # All is made safe but the path, which is to be opened.
                rows, trouble = [{**sane(clean(row)), "path": row["path"]} for row in runs.poll()], ""
            except DifftoolError as error:
                rows, trouble = self.rows, clean(str(error))
            except Exception as error:  # one damaged run does not end the list for good
                rows, trouble = self.rows, clean(f"the list is not up to date: {type(error).__name__}: {error}")
            # Ages grow by themselves: that is no news, but now and then they are drawn anew.
            old = time.monotonic() - told > AGES
            if _news(rows) != _news(self.rows) or trouble != self.trouble or not self.looked or old:
                self.rows, self.trouble, self.looked = rows, trouble, True
                self.version += 1
                told = time.monotonic()
            self.now.wait(REST)
            self.now.clear()

    def failed(self, why: str) -> None:
        """Shown above the list."""
        self.trouble = why
        self.version += 1


def _news(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "age": None, "heartbeat": None} for row in rows]
