"""The processes that are started from the dashboard, trainings and samplings; they go on when it is left."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from difftool.run import launch
from difftool.run.launch import Launched
from difftool.run.layout import RunDir, new_name
from difftool.tui.threads import Thread

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

LOOK = 0.3
"""Seconds between two looks at a process that is starting."""


class Started(Thread):
    """A process, until it is known what became of it."""

    def __init__(self, name: str, begin: Callable[[], Launched], opens: bool) -> None:
        super().__init__(f"start {name}")
        self.name, self.opens = name, opens
        self.line = ""
        """what it said last"""
        self.outcome = ""
        """begun, ended or failed, once it is known"""
        self.why = ""
        self.root = Path()
        self._begin = begin

    def go(self) -> None:
        """Starts it; a training is known to go well when it has begun, pictures when they are all there."""
        process = self._begin()
        self.root = process.root
        while not self.asked.is_set():
            state, self.line = process.state(), process.last_line()
            if state in ("failed", "ended") or (state == "begun" and self.opens):
                self.why = process.why() if state == "failed" else ""
                self.outcome = state
                return
            self.asked.wait(LOOK)

    def failed(self, why: str) -> None:
        """It could not even be started."""
        self.why, self.outcome = why, "failed"


class Starting:
    """All that was started and is not settled."""

    def __init__(self, app: DifftoolApp) -> None:
        self.app = app
        self.processes: list[Started] = []

    def train(self, recipe: str) -> None:
        """A new run."""
        name = new_name(Path(recipe).stem, datetime.now(), secrets.token_hex(2))
        self._start(name, lambda: launch.train([recipe], self.app.setup.runs, name), opens=True)
        self.app.tell(f"starting {recipe}: its first steps show here in some seconds")

    def resume(self, run: RunDir) -> None:
        """A new attempt, from the newest checkpoint."""
        self._start(run.name, lambda: launch.resume(run), opens=True)
        self.app.tell(f"starting {run.name} again, from its newest checkpoint")

    def sample(self, run: RunDir, raw: bool) -> None:
        """Pictures from the newest weights."""
        out = run.samples / f"{datetime.now():%Y%m%d-%H%M%S}{'-raw' if raw else ''}"
        args = ["-n", "16", "--strip", "9", *(["--raw"] if raw else [])]
        self._start("sample", lambda: launch.sample(run, args, out), opens=False)
        self.app.tell("sampling 16 pictures from the newest weights: they show in Samples")

    def adopt(self, process: Launched) -> None:
        """A trainer that the command line has started."""
        self._start(process.name, lambda: process, opens=True)

    def look(self) -> None:
        """Tells what became of them; called at each tick."""
        for each in [each for each in self.processes if each.outcome]:
            self.processes.remove(each)
            self.app.looking.lister.now.set()
            if each.outcome == "failed":
                self.app.tell(each.why, "error", f"{each.name} failed")
            elif each.opens:
                self.app.open_run(RunDir(each.root))
            else:
                self.app.tell(f"new pictures in {each.root}")

    def _start(self, name: str, begin: Callable[[], Launched], opens: bool) -> None:
        started = Started(name, begin, opens)
        self.processes.append(started)
        started.start()
