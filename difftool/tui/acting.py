"""What is asked of trainers, and what they answer.

Writing to a disk may block, so every request is an errand of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difftool.run import control, trash
from difftool.run.layout import RunDir
from difftool.run.reader import ALIVE, Tail, summary
from difftool.tui.outside import clean
from difftool.tui.threads import Errand, Thread

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

LOOK = 0.1
"""Seconds between two looks for an answer."""
SOON = 1.5
"""Seconds after which it is said that the answer is still to come: at the end of a step."""
PATIENCE = 10.0
"""Seconds after which it is said that there may be none."""


class Request(Thread):
    """One command to a trainer: asks, and listens for the answer."""

    def __init__(
        self, run: RunDir, command: str, tell: Callable[[str, str], None], settled: Callable[[], None]
    ) -> None:
        super().__init__(f"{command} {run.name}")
        self.run, self.command, self._tell, self._settled = run, command, tell, settled

    def go(self) -> None:
        """Until it is answered, or nobody is there to answer."""
        try:
            self._ask()
        finally:
            self._settled()

    def _ask(self) -> None:
        tail = Tail(self.run, skip=True)
        number = control.ask(self.run, self.command)
        waited, said = 0.0, 0.0
        while not self.asked.wait(LOOK):
            waited += LOOK
            state = summary(self.run)["state"] if waited > SOON else ALIVE[0]
            if self._heard(tail, number):
                return
            if state not in ALIVE:  # looked at before it was listened to: an answer would have been there
                self._tell(f"{self.command}: {self.run.name} is {state}, and did not answer before", "warning")
                return
            for limit in (SOON, PATIENCE):
                if said < limit < waited:
                    said = limit
                    self._waiting(limit, str(state))

    def failed(self, why: str) -> None:
        """It could not even be asked."""
        self._tell(f"{self.command}: {why}", "error")

    def _heard(self, tail: Tail, number: str) -> bool:
        for event in tail.poll():
            if event["kind"] == "ack" and event.get("id") == number:
                self._tell(clean(str(event.get("message"))), "information" if event.get("ok") else "warning")
                return True
        return False

    def _waiting(self, limit: float, state: str) -> None:
        if limit == SOON:
            self._tell(f"{self.command}: asked; it is done when this step ends", "information")
        else:
            end = f"; difftool runs stop {self.run.typed} --kill ends it" if self.command in ("stop", "kill") else ""
            self._tell(f"{self.command}: no answer yet, the run is {state}{end}", "warning")


class Acting:
    """Requests to trainers, and their answers."""

    def __init__(self, app: DifftoolApp) -> None:
        self.app = app
        self._pending: set[tuple[str, str]] = set()
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

    def can_resume(self) -> bool:
        """Whether it rests, and has something to go on from."""
        run, about = self.target(), self._about()
        resting = about.get("state") in ("stopped", "crashed", "failed") and about.get("checkpoint") is not None
        return not self.app.readonly and resting and run is not None and run.name not in self.app.starting.names

    def state(self) -> str:
        """The state of the target, as far as it was read."""
        return str(self._about().get("state") or "unknown")

    def _about(self) -> Mapping[str, Any]:
        from difftool.tui.screens.runs import RunsScreen

        screen = self.app.screen_stack[0] if self.app.screen_stack else None
        if isinstance(screen, RunsScreen):
            return screen.row or {}
        run = self.app.looking.run
        return run.summary if run and not run.trouble else {}

    # Requests

    def ask(self, command: str, run: RunDir | None = None) -> None:
        """Sends a command and watches for its answer."""
        run = run or self.target()
        if run is None:
            return
        if (wish := (str(run.root), command)) not in self._pending:  # a key that is held down asks once
            self._pending.add(wish)
            Request(run, command, self._note, lambda: self._pending.discard(wish)).start()

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
            self.app.tell(*self.notes.pop(0))

    def _note(self, text: str, severity: str) -> None:
        self.notes.append((text, severity))

    def _errand(self, name: str, work: Callable[[], None]) -> None:
        Errand(name, work, lambda why: self.notes.append((f"{name}: {why}", "error"))).start()
