"""One command to a trainer: refused where nobody could obey, asked, and waited for until it is answered."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from difftool.cli.progress import UI, display
from difftool.cli.runs_options import place, steps
from difftool.cli.tables import as_json
from difftool.errors import BusyError, DiskError, InputError, MachineError, one_line
from difftool.run.control import ask
from difftool.run.layout import find_run
from difftool.run.lock import is_locked
from difftool.run.reader import ALIVE, STALE, Tail, summary
from difftool.run.records import load

LOOKS = 0.1
"""Seconds between two looks for the answer."""
TELL_AFTER = 2.0
"""Seconds after which it is said, where there is no terminal for a live line, what is waited for."""
GONE_AFTER = 10.0
"""Seconds within which the kernel ends a killed process."""


class Order:
    """A command, from asking to what came of it."""

    def __init__(self, name: str, runs: Path, command: str, json: bool) -> None:
        self.run, self.command, self.json = find_run(name, runs), command, json
        self.about = summary(self.run)
        if self.about["state"] not in ALIVE:
            raise self._refused()
        self.tail = Tail(self.run, skip=True)
        self.id = ""
        self.answer: dict[str, Any] | None = None
        self.files: list[str] = []  # what was asked for, if that is a file
        self._written: list[tuple[Any, str]] = []  # step and path of what was written on the way, asked for or not
        self.message = ""

    def ask(self, patience: float, **args: Any) -> None:
        """Asks, and waits for the answer: BusyError without one, InputError if it is no."""
        self.id = ask(self.run, self.command, **args)
        with self._showing(f"{self.command}: waiting for an answer"):
            self._listen(patience)
        if self.answer is not None:
            self._heard(self.answer)
        elif self.about["state"] in ALIVE:
            raise self._unanswered(patience)
        elif self.command in ("stop", "kill"):  # it ended by itself meanwhile
            self.message = f"{self.run.name} has ended"
        else:
            raise BusyError(
                f"{self.run.name} ended before it could {self.command}: it is {self.about['state']}",
                where=self.about["path"],
                do=f"difftool resume {self.run.typed}",
            )

    def kill(self, patience: float) -> None:
        """As `ask`, but a trainer on this machine that does not answer is killed."""
        try:
            self.ask(patience)
        except (BusyError, DiskError):  # a full disk takes no command
            from difftool.cli.owner import owns

            pid = self._owner()
            if pid is None:
                raise
            if owns(pid, self.run):
                self._end(pid)
                self.message = f"no answer in {patience:.0f} s: killed process {pid}"
            elif is_locked(self.run):
                raise BusyError(
                    f"no answer from {self.run.name} in {patience:.0f} s, and nothing was killed",
                    where=self.about["path"],
                    why=f"process {pid} here does not hold its lock: the trainer may be in another container",
                    do="end it where it was started, or wait: it stays asked",
                ) from None
            else:
                self.message = f"{self.run.name} has ended"

    def _end(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended just now
        except PermissionError as error:
            raise MachineError(
                f"process {pid}, which trains {self.run.name}, is not yours to kill", where=self.about["path"]
            ) from error
        deadline = time.monotonic() + GONE_AFTER
        while is_locked(self.run) and time.monotonic() < deadline:
            time.sleep(LOOKS)

    def wait_for_the_end(self) -> None:
        """Until no trainer owns the run any more; BusyError when one elsewhere falls silent."""
        what, started, told = "waiting for the step to finish and be saved", time.monotonic(), sys.stderr.isatty()
        with self._showing(what):
            while True:
                if not told and time.monotonic() - started > TELL_AFTER:
                    typer.echo(what, err=True)
                    told = True
                self.about = summary(self.run)
                if self.about["state"] not in ALIVE and not is_locked(self.run):  # it says so before it lets go
                    return
                if self.about["state"] == "stalled" and not self.about["here"]:
                    raise self._unanswered(STALE)
                time.sleep(LOOKS)

    def report(self) -> None:
        """What came of it: for people on standard error, files that were asked for on standard output."""
        self.about = summary(self.run)
        state = f"{self.run.name} is {self.about['state']}{place(self.about)}, {steps(self.about)}"
        if self.json:
            asked = {"run": self.run.name, "path": self.about["path"], "command": self.command, "id": self.id}
            as_json({**asked, "ok": True, "message": self.message, "state": self.about["state"],
                     "step": self.about["step"], "files": self.files})  # fmt: skip
            return
        typer.echo(one_line(self.message), err=True)
        typer.echo(one_line(state), err=True)
        if self.about["state"] not in ALIVE and self.about["checkpoint"] is not None:
            typer.echo(one_line(f"to go on: difftool resume {self.run.typed}"), err=True)
        for file in self.files:
            typer.echo(one_line(file))

    def _listen(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.answer is None:
            self.about = summary(self.run)  # before the events: what an ended run wrote last is then read for certain
            for event in self.tail.poll():
                if event["kind"] == "ack" and event.get("id") == self.id:
                    self.answer = event
                elif event["kind"] == self.command and isinstance(event.get("path"), str):
                    self._written.append((event.get("step"), event["path"]))
            if self.answer is not None or self.about["state"] not in ALIVE:
                return
            if (
                self.about["state"] == "starting" and self.command != "kill"
            ):  # it is loading, and hears what was asked meanwhile
                deadline = max(deadline, time.monotonic() + 1)
            if time.monotonic() > deadline:
                return
            time.sleep(LOOKS)

    def _heard(self, answer: dict[str, Any]) -> None:
        self.message = str(answer.get("message"))
        if answer.get("ok") is not True:
            raise InputError(f"{self.run.name} says no to {self.command}: {self.message}", where=self.about["path"])
        self.files = [str(self.run.root.absolute() / path) for path in self._made(answer.get("step"))]

    def _made(self, step: Any) -> list[str]:
        """What there is of the step that was answered for; a checkpoint may well be older than the question."""
        made = list(dict.fromkeys(path for at, path in self._written if at == step))
        if not made and self.command == "checkpoint" and isinstance(step, int) and self.run.checkpoint(step).is_dir():
            made = [str(self.run.checkpoint(step).relative_to(self.run.root))]
        return made

    def _owner(self) -> int | None:
        """The process that holds the run's lock on this machine, as far as that is certain."""
        owner = load(self.run.lock)
        pid = owner.get("pid")
        certain = self.about["here"] and is_locked(self.run) and load(self.run.lock) == owner
        return pid if certain and isinstance(pid, int) and pid > 1 and pid != os.getpid() else None

    def _unanswered(self, patience: float) -> BusyError:
        state = f"{self.about['state']}{place(self.about)}, {steps(self.about)}"
        kill = f"difftool runs stop {self.run.typed} --kill"
        return BusyError(
            f"no answer to {self.command} from {self.run.name} in {patience:.0f} s: it seems to be {state}",
            where=self.about["path"],
            why="a step may take longer than that" if self.about["state"] != "stalled" else "nothing is heard of it",
            do="wait: it stays asked" + (f", or {kill}" if self.about["here"] else ""),
        )

    def _refused(self) -> InputError:
        name, state = self.run.typed, self.about["state"]
        do = f"difftool resume {name}" + (" --set train.steps=N trains it longer" if state == "done" else "")
        if self.command == "preview" and self.about["checkpoint"] is not None:
            do = f"difftool sample {name} -n 16"
        if state == "unknown":
            do = f"difftool runs show {name}"
        return InputError(
            f"nobody trains {self.run.name}: it is {state}, {steps(self.about)}", where=self.about["path"], do=do
        )

    @contextlib.contextmanager
    def _showing(self, what: str) -> Iterator[None]:
        try:
            with display(UI.auto) as show:
                show.busy(what)
                yield
        except KeyboardInterrupt:
            typer.echo(f"no longer waited for; it stays asked: {self.command}", err=True)
            raise typer.Exit(130) from None
