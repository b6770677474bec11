"""Threads, so that the screens never wait for a disk.

Every one is a daemon: one that hangs in a dead network file system does not keep the dashboard from ending. None
touches a widget: they fill something and count its version up, and the screens look at that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from difftool.errors import DifftoolError
from difftool.tui.outside import clean


class Thread:
    """A daemon thread that can be asked to end, and is never waited for."""

    def __init__(self, name: str) -> None:
        self.asked = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Asks it to end at its next breath."""
        self.asked.set()

    def go(self) -> None:
        """The work; returns when asked to."""
        raise NotImplementedError

    def failed(self, why: str) -> None:
        """Something that should not have happened did."""

    def _guarded(self) -> None:
        try:
            self.go()
        except DifftoolError as error:
            self.failed(clean(f"{error}: {error.why}" if error.why else str(error)))
        except Exception as error:
            self.failed(clean(f"{type(error).__name__}: {error}"))


class Errand(Thread):
    """One piece of work that may take long or block; what it returns is told in the thread itself."""

    def __init__(self, name: str, work: Callable[[], None], sorry: Callable[[str], None]) -> None:
        super().__init__(name)
        self.go = work  # type: ignore[method-assign]
        self.failed = sorry  # type: ignore[method-assign, assignment]
