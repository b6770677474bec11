"""What the trainer is asked for while it trains: each command is heard once a step, carried out, and answered."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from difftool.engine.stopping import StopAsked
from difftool.errors import DiskError, Stopped, one_line
from difftool.run.control import COMMANDS, Command, Inbox

if TYPE_CHECKING:
    from difftool.engine.session import Session

LOOKS = 0.2
"""Seconds between two looks while training is paused."""
BY = "asked by control.jsonl"


class Orders:
    """The desk between `control.jsonl` and a session."""

    def __init__(self, session: Session, stop: StopAsked) -> None:
        self.session, self.stop = session, stop
        self.inbox = Inbox(session.run)
        self.waiting: deque[Command] = deque()
        self.paused = False

    def hear(self) -> None:
        """Takes in what is new. What ends the run is obeyed at once, also while a preview is drawn."""
        new = self.inbox.poll()
        self.waiting.extend(new)  # all of them first: one that ends the run must not cost the others their answer
        for command in new:
            if command.command not in ("stop", "kill"):
                continue
            self.waiting.remove(command)
            if command.command == "stop":
                self._say(f"stopping at step {self.session.state.step:,} ({BY})")
                self._ack(command, True, f"stopping at step {self.session.state.step}: it is saved first")
                self.stop.ask()
            else:
                self._ack(command, True, f"ended at step {self.session.state.step}; {self._kept()}")
                raise self._killed()

    def answer(self, more: bool) -> None:
        """Carries out what waits, and waits itself while training is paused; `more`: whether steps are to come."""
        self.hear()
        self._work(more)
        if self.paused:
            with self.session.meter.idle():
                while self.paused and not self.stop:
                    time.sleep(LOOKS)
                    self.session.writer.status()  # the heart goes on beating
                    self.hear()
                    self._work(more)
        self.paused = False

    def _work(self, more: bool) -> None:
        while self.waiting:
            self._carry_out(self.waiting.popleft(), more)

    def close(self) -> None:
        """The run ends: whoever still waits for an answer gets one."""
        self.waiting.extend(self.inbox.poll())
        while self.waiting:
            command = self.waiting.popleft()
            self._ack(command, False, f"too late: the run ended at step {self.session.state.step}")

    def _carry_out(self, command: Command, more: bool) -> None:
        try:
            if command.command == "checkpoint":
                answer = self._checkpoint()
            elif command.command == "preview":
                answer = self._preview(bool(command.args.get("raw")))
            elif command.command == "pause":
                answer = self._pause(more)
            elif command.command == "resume":
                answer = self._resume()
            else:
                known = ", ".join(COMMANDS)
                answer = False, f"unknown command '{one_line(command.command)}'; there are {known}"
        except BaseException as error:  # it ends the run as it would have without anybody asking
            self._ack(command, False, f"failed: {str(error) or type(error).__name__}")
            raise
        self._ack(command, *answer)

    def _checkpoint(self) -> tuple[bool, str]:
        step = self.session.state.step
        try:
            done = self.session.save()
        except DiskError as error:  # nobody counted on this one: what was saved before is still there
            why = f"no checkpoint at step {step}: {error}" + (f": {error.why}" if error.why else "")
            self.session.say(why)
            return False, why
        return True, f"checkpoint written: step {step}" if done else f"step {step} is saved already"

    def _preview(self, raw: bool) -> tuple[bool, str]:
        if why := self.session.preview(raw):
            return False, why
        plain = raw and self.session.state.ema is None
        told = " (nothing is averaged in this run: these are the raw weights)" if plain else ""
        return True, f"preview drawn: step {self.session.state.step}{told}"

    def _pause(self, more: bool) -> tuple[bool, str]:
        step = self.session.state.step
        if self.paused:
            return True, f"already paused at step {step}"
        if self.stop or not more:
            return False, "the run is stopping" if self.stop else f"step {step} was the last: there is nothing to pause"
        self.session.row()
        self.paused = True
        self.session.writer.status(force=True, state="paused")
        self._say(f"paused at step {step:,} ({BY})")
        return True, f"paused at step {step}"

    def _resume(self) -> tuple[bool, str]:
        step = self.session.state.step
        if not self.paused:
            return True, f"not paused: it is training, at step {step}"
        self.paused = False
        self.session.writer.status(force=True, state="running")
        self._say(f"going on after step {step:,} ({BY})")
        return True, f"going on after step {step}"

    def _say(self, text: str) -> None:
        self.session.watcher.say(text)

    def _ack(self, command: Command, ok: bool, message: str) -> None:
        self.session.event(
            "ack", id=command.id, step=self.session.state.step, ok=ok, message=message, command=command.command
        )

    def _kept(self) -> str:
        saved = self.session.saved_step
        return f"what is saved is step {saved}" if saved >= 0 else "nothing is saved"

    def _killed(self) -> Stopped:
        session = self.session
        return Stopped(
            f"ended without saving at step {session.state.step} of {session.recipe.train.steps} ({BY})",
            do=f"difftool resume {session.run.typed}" if session.saved else "",
            saved=session.saved,
        )
