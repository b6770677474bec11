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
from difftool.tui.follow import RAW
from difftool.tui.screens.dialogs import Ask
from difftool.tui.threads import Thread

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

LOOK = 0.3
"""Seconds between two looks at a process that is starting."""


class Started(Thread):
    """A process, until it is known what became of it."""

    def __init__(self, name: str, begin: Callable[[], Launched], opens: bool, at_once: bool) -> None:
        super().__init__(f"start {name}")
        self.name, self.opens, self.at_once = name, opens, at_once
        """what it is called; whether it is a training; and one that is to be looked at as soon as it has begun"""
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
                if state == "ended" and not self.opens:
                    process.log.unlink(missing_ok=True)  # the pictures are there: nobody will ask how
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
        if run.name in self.names:  # its state is what it was until torch is loaded
            self.app.tell(f"{run.name} is being started already")
            return
        self._start(run.name, lambda: launch.resume(run), opens=True)
        self.app.tell(f"starting {run.name} again, from its newest checkpoint")

    def sample(self, run: RunDir, raw: bool) -> None:
        """Pictures from the newest weights."""
        out = run.samples / f"{datetime.now():%Y%m%d-%H%M%S}{RAW if raw else ''}"
        args = ["-n", "16", "--strip", "9", *(["--raw"] if raw else [])]
        self._start("sample", lambda: launch.sample(run, args, out), opens=False)
        self.app.tell("sampling 16 pictures from the newest weights: they show in Samples")

    def adopt(self, process: Launched) -> None:
        """A trainer that the command line has started, to be looked at."""
        self._start(process.name, lambda: process, opens=True, at_once=True)

    @property
    def version(self) -> tuple[tuple[str, str], ...]:
        """Differs when one of them said something."""
        return tuple((each.name, each.line) for each in self.processes)

    @property
    def names(self) -> set[str]:
        """Runs that are being started."""
        return {each.name for each in self.processes if each.opens}

    def look(self) -> None:
        """Tells what became of them; called at each tick."""
        for each in [each for each in self.processes if each.outcome]:
            self.processes.remove(each)
            self.app.looking.lister.now.set()
            if each.outcome == "failed":  # not a note, which is gone when one looks up
                self.app.push_screen(Ask(f"{each.name} did not start\n\n{each.why}", {"c": "close"}))
            elif each.opens:
                others = any(row["name"] != each.name for row in self.app.looking.lister.rows)
                if each.at_once or not others:
                    self.app.open_run(RunDir(each.root))
                else:  # one may be looking at them
                    self.app.tell(f"{each.name} has begun")
            else:
                self.app.tell(f"new pictures in {each.root}")

    def _start(self, name: str, begin: Callable[[], Launched], opens: bool, at_once: bool = False) -> None:
        started = Started(name, begin, opens, at_once)
        self.processes.append(started)
        started.start()
