"""Whoever never answers is told so: a rule is asked in a thread of its own, as the dashboard asks each panel."""

from __future__ import annotations

import functools
import threading
from typing import Any

from difftool.testing.rules import NoAnswerError, Rule

PATIENCE = 20.0
"""Seconds for one rule; what is right needs a fraction of one."""


def in_time(rule: Rule) -> Rule:
    """The same rule, which gives up after a while; the thread that hangs is left behind, and ends with the process."""

    @functools.wraps(rule)
    def asked(part: Any, seed: int) -> str | None:
        found: list[str | None] = []
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                found.append(rule(part, seed))
            except BaseException as error:  # sys.exit() too is for whoever waits
                failed.append(error)

        thread = threading.Thread(target=ask, name=rule.__name__, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        if failed:
            raise failed[0]
        if not found:
            raise NoAnswerError(f"it has not answered after {PATIENCE:g} s, and is asked no more")
        return found[0]

    return asked
