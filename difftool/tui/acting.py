"""What is asked of trainers, and what they answer.

Writing to a disk may block, so every request is an errand of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from difftool.run import control, trash
from difftool.run.layout import RunDir
from difftool.run.reader import ALIVE
from difftool.tui.threads import Errand

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

SOON = 1.5
"""Seconds after which it is said that the answer is still to come: at the end of a step."""
PATIENCE = 10.0
"""Seconds after which it is said that there may be none."""


@dataclass
class Asked:
    """A command that waits for its answer."""

    run: RunDir
    command: str
    at: float
    told: float = 0.0  # how long one had waited when something was said of it


class Acting:
    """Requests to trainers, and their answers."""

    def __init__(self, app: DifftoolApp) -> None:
        self.app = app
        self.asked: dict[str, Asked] = {}
        self.notes: list[tuple[str, str]] = []  # (text, severity), from errands; appending is safe from any thread

    def target(self) -> RunDir | None:
        """The run that a key is meant for: under the cursor in the list, else the one looked at."""
        from difftool.tui.screens.runs import RunsScreen

        screen = self.app.screen_stack[0] if self.app.screen_stack else None
        if isinstance(screen, RunsScreen):
            row = screen.row
            return RunDir(Path(row["path"])) if row else None
        return self.app.looking.run.run if self.app.looking.run else None

    def can_ask(self) -> bool:
        """Whether a trainer is there to answer, and we may ask."""
        return not self.app.readonly and self.target() is not None and self.state() in ALIVE

    def state(self) -> str:
        """The state of the target, as far as it was read."""
        from difftool.tui.screens.runs import RunsScreen

        screen = self.app.screen_stack[0] if self.app.screen_stack else None
        if isinstance(screen, RunsScreen):
            return str(screen.row["state"]) if screen.row else "unknown"
        return self.app.looking.run.state if self.app.looking.run else "unknown"

    def waits_for(self, key: str) -> bool:
        """Whether an answer is expected of that run."""
        return any(str(each.run.root) == key for each in self.asked.values())

    # Requests

    def ask(self, command: str, run: RunDir | None = None) -> None:
        """Sends a command and watches for its answer."""
        run = run or self.target()
        if run is None:
            return
        self.app.looking.follow(run)

        def send() -> None:
            self.asked[control.ask(run, command)] = Asked(run, command, time.monotonic())

        self._errand(command, send)

    def stop(self, run: RunDir, key: str) -> None:
        """After a checkpoint, or at once."""
        self.ask("stop" if key == "s" else "kill", run)

    def remove(self, run: RunDir) -> None:
        """Into the folder .trash beside the runs."""

        def move() -> None:
            place = trash.discard(run)
            self.notes.append((f"{run.name} is in {place}; to have it back: mv it to {run.root.parent}", "information"))
            self.app.looking.lister.now.set()

        self._errand("remove", move)

    # Answers

    def look(self) -> None:
        """Tells what came of it; called at each tick."""
        while self.notes:
            text, severity = self.notes.pop(0)
            self.app.tell(text, severity)
        for number, asked in list(self.asked.items()):
            followed = self.app.looking.followed.get(str(asked.run.root))
            answer = followed.acks.get(number) if followed else None
            if answer is not None:
                del self.asked[number]
                self.app.tell(str(answer.get("message")), "information" if answer.get("ok") else "warning")
                continue
            for limit in (SOON, PATIENCE):
                if asked.told < limit < time.monotonic() - asked.at:
                    asked.told = limit
                    self._waiting(asked, followed.state if followed else "unknown")

    def _waiting(self, asked: Asked, state: str) -> None:
        if asked.told == SOON:
            self.app.tell(f"{asked.command}: asked; it is done when this step ends")
        else:
            self.app.tell(f"{asked.command}: no answer yet; {asked.run.name} is {state}", "warning")

    def _errand(self, name: str, work: Callable[[], None]) -> None:
        Errand(name, work, lambda why: self.notes.append((f"{name}: {why}", "error"))).start()
