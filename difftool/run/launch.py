"""Starting trainers that outlive whoever starts them: in a session of their own, with a log instead of a terminal."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from difftool.errors import MachineError, one_line
from difftool.run.layout import RunDir, starting_log
from difftool.run.records import decode, load
from difftool.run.writer import disk_error

READ = 64 << 10  # bytes at the end of a log that are looked at
FORGOTTEN = 7 * 86400.0  # seconds after which the log of a trainer that never began is litter
LINES = 6  # of an error, at most


class Launched:
    """A process that was started and is left alone."""

    def __init__(self, root: Path, log: Path, process: subprocess.Popen[bytes], skip: int = 0) -> None:
        self.name, self.root, self.process = root.name, root, process
        """the run's name and folder, which is not there at once; and the process"""
        self._log, self._skip = log, skip  # the log, and how much of it is older than this process
        self._began = False

    @property
    def log(self) -> Path:
        """What it says on standard error; a new run takes its log into its folder."""
        return self._log

    @property
    def code(self) -> int | None:
        """Its exit code as a shell has it, once there is one."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def state(self) -> str:
        """`starting`; `begun` once it trains; `ended` after that, or if there was nothing to do; `failed` before."""
        code = self.process.poll()  # first: it may begin and end between two looks
        if not self._began:
            self._began = self._begun()
        if code is None:
            return "begun" if self._began else "starting"
        return "ended" if self._began or code == 0 else "failed"

    def last_line(self) -> str:
        """The newest line of its log."""
        lines = self._said()
        return lines[-1] if lines else ""

    def why(self) -> str:
        """What it said went wrong: the lines of its error, or how it ended."""
        lines = self._said()
        at = [number for number, line in enumerate(lines) if line.startswith("difftool: error:")]
        if at:
            return "\n".join(lines[at[-1] :][:LINES])
        code = self.process.poll()
        how = f"signal {-code} ended" if code is not None and code < 0 else f"exit code {code} came from"
        return "\n".join([f"difftool: error: {how} the process that was started for {self.name}", *lines[-2:]])

    def _begun(self) -> bool:
        raise NotImplementedError

    def _said(self) -> list[str]:
        """The last lines of the log that are its own, none of them empty."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._skip, size - READ))
                text = file.read(READ).decode("utf-8", "replace")
        except OSError:
            return []
        return [one_line(line.rstrip()) for line in text.split("\n") if line.strip()]


class Training(Launched):
    """A trainer; it has begun when it trains: a sink that cannot be opened ends it before that."""

    def __init__(self, root: Path, log: Path, process: subprocess.Popen[bytes], skip: int, since: float) -> None:
        super().__init__(root, log, process, skip)
        self._since = since

    @property
    def log(self) -> Path:
        """In the run's folder as soon as that is there."""
        own = RunDir(self.root).log
        return self._log if self._log.exists() else own

    def _begun(self) -> bool:
        # Not the pid alone: in a container an earlier attempt may well have had the same.
        status = load(RunDir(self.root).status)
        heartbeat = status.get("heartbeat")
        ours = status.get("pid") == self.process.pid and status.get("host") == socket.gethostname()
        if not ours or not isinstance(heartbeat, int | float) or heartbeat < self._since:
            return False
        return status.get("state") in ("running", "paused") or self._trained(status.get("attempt"))

    def _trained(self, attempt: object) -> bool:
        """Whether this attempt, which may have ended, wrote `start`, as it does with its first step ahead."""
        try:
            with (RunDir(self.root).events / f"{attempt:05d}.jsonl").open("rb") as file:
                first = decode(file.readline(READ))
        except (OSError, TypeError, ValueError):
            return False
        return first is not None and first.get("kind") == "start"


class Sampling(Launched):
    """Pictures that are drawn; it has begun when the first is there."""

    def state(self) -> str:
        """As of a trainer, but pictures that did not all come are a failure."""
        state = super().state()
        return "failed" if state == "ended" and self.process.poll() else state

    def _begun(self) -> bool:
        try:
            return any(self.root.glob("*.png"))
        except OSError:
            return False


def train(args: Sequence[str], runs: Path, name: str) -> Launched:
    """`difftool train ARGS`, as the run `name`; ARGS name neither --runs, --name, --ui nor --detach."""
    log = starting_log(runs, name)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(log.parent, error) from error
    _sweep(log.parent)
    with contextlib.suppress(OSError):
        log.unlink(missing_ok=True)  # of an attempt that failed to begin; its name is free again
    since = time.time() - 0.001  # a heartbeat is rounded
    ours = ["train", "--runs", str(runs), "--name", name, "--ui", "plain"]
    process, _ = _start([*ours, *args], log)
    return Training((runs / name).absolute(), log.absolute(), process, 0, since)


def resume(run: RunDir, args: Sequence[str] = ()) -> Launched:
    """`difftool resume RUN ARGS`."""
    since = time.time() - 0.001
    process, skip = _start(["resume", "--ui", "plain", *args, "--", str(run.root.absolute())], run.log)
    return Training(run.root.absolute(), run.log.absolute(), process, skip, since)


def sample(run: RunDir, args: Sequence[str], out: Path) -> Launched:
    """`difftool sample RUN ARGS` into the folder `out`, which must not exist yet; its log lies beside it."""
    out = out.absolute()
    log = out.with_name(f"{out.name}.log")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(out.parent, error) from error
    process, skip = _start(["sample", *args, "-o", str(out), "--", str(run.root.absolute())], log)
    return Sampling(out, log, process, skip)


def _start(args: Sequence[str], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and how long its log was before it said anything."""
    try:
        fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise disk_error(log, error) from error
    try:
        skip = os.fstat(fd).st_size
        process = subprocess.Popen(
            difftool(*args),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=fd,
            start_new_session=True,  # no terminal, so none whose closing could end it
        )
    except OSError as error:
        raise MachineError(f"cannot start {sys.executable}", why=error.strerror or str(error)) from error
    finally:
        os.close(fd)
    return process, skip


def difftool(*args: str) -> list[str]:
    """What starts this very difftool, with these arguments."""
    # `-m` would look in the working folder first, where a file of the user's may be called like a module of Python's;
    # unless it is from there that difftool runs.
    own = [] if Path(__file__).parents[2] == Path.cwd() else ["-P"]
    return [sys.executable, *own, "-m", "difftool", *args]


def _sweep(folder: Path) -> None:
    """Removes logs that nobody will ask for any more."""
    with contextlib.suppress(OSError):
        for log in folder.glob("*.log"):
            if time.time() - log.stat().st_mtime > FORGOTTEN:
                log.unlink()
