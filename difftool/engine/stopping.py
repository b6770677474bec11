"""Being asked to stop: a signal finishes the step and saves; a second Ctrl-C ends at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StopAsked:
    """A flag that SIGINT, SIGTERM and SIGHUP raise while the `with` block lasts."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._ctrl_c = False  # whether a person has pressed it
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def interrupted(self) -> bool:
        """Whether it was Ctrl-C."""
        return self.signal == signal.SIGINT

    def ask(self) -> None:
        """As SIGTERM would."""
        self.signal = self.signal or signal.SIGTERM

    def __enter__(self) -> StopAsked:
        if threading.current_thread() is threading.main_thread():  # only there may handlers be set
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked to be left alone
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        # A handler only sets a flag: no files, no printing. Schedulers repeat SIGTERM and a closing terminal sends
        # SIGHUP more than once, so only a person's second Ctrl-C means now; not the first after something else asked:
        # whoever pressed it may not know, and a checkpoint may be half written.
        if number == signal.SIGINT:
            if self._ctrl_c:
                os._exit(130)
            self._ctrl_c = True
        self.signal = self.signal or number
