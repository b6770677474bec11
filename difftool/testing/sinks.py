"""What every sink must keep: it takes whatever happens, in any attempt, and disturbs neither the run nor other runs."""

from __future__ import annotations

import contextlib
import copy
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from difftool.core.types import RunInfo
from difftool.errors import InputError
from difftool.plugin.component import Sink, SinkWriter
from difftool.testing.attempts import Event, end, plain, row, run_in, start, whole
from difftool.testing.rules import FoundError, Rule, short

PATIENCE = 5.0
"""Seconds in which a thread ends, once it is told to."""
SETTLED = 0.5
"""Seconds after which a file that is still written has grown."""


@contextlib.contextmanager
def _runs(seed: int, *names: str) -> Iterator[tuple[RunInfo, ...]]:
    """Folders of runs, which are gone afterwards; so is what a sink puts into the working directory."""
    # Errors are ignored: a thread of the sink may still write.
    made = tempfile.TemporaryDirectory(prefix="difftool-sink-", ignore_cleanup_errors=True)
    with made as folder, contextlib.chdir(folder):
        here = Path.cwd()
        yield tuple(run_in(here, name, seed) for name in names)
        if Path.cwd() != here:
            raise FoundError("it changes the working directory")


@contextlib.contextmanager
def _opened(part: Sink, run: RunInfo) -> Iterator[SinkWriter]:
    """A writer, closed in the end, also where something goes wrong."""
    writer = part.open(run)
    for method in ("event", "close"):
        if not callable(getattr(writer, method, None)):
            raise FoundError(f"open() gives a {type(writer).__name__} without {method}(); a SinkWriter was expected")
    try:
        yield writer
    except BaseException:
        with contextlib.suppress(Exception):
            writer.close()
        raise
    writer.close()


def _told(part: Sink, run: RunInfo, events: list[Event]) -> None:
    """One attempt."""
    with _opened(part, run) as writer:
        for event in events:
            writer.event(event)


def refuses_to_open(part: Sink, seed: int) -> str | None:
    """Whether it refuses in so many words to open, as one may that needs an account: then it is not asked."""
    with _runs(seed, "one") as (run,):
        try:
            part.open(run).close()
        except InputError as error:
            return str(error)
        except Exception:
            return None  # what went wrong is told by the rules
    return None


def takes_whatever_happens(part: Sink, seed: int) -> str | None:
    """Takes every kind of event, also with nulls, files that are gone, and kinds and keys that it does not know."""
    with _runs(seed, "one") as (run,):
        for from_step in (0, 20):
            with _opened(part, run) as writer:
                for what, event in whole(from_step):
                    try:
                        writer.event(event)
                    except Exception as error:
                        return f"{what} makes it raise {type(error).__name__}: {short(str(error))}, and switches it off"
    return None


def edits_nothing(part: Sink, seed: int) -> str | None:
    """Edits neither an event nor what it is told of the run: others get the same."""
    with _runs(seed, "one") as (run,):
        before = copy.deepcopy(run.recipe)
        events = list(whole())
        copies = copy.deepcopy(events)
        _told(part, run, plain(events))
        for (what, now), (_, was) in zip(events, copies, strict=True):
            if now != was:
                return f"it edits {what}: {short({key: now.get(key) for key in now if now.get(key) != was.get(key)})}"
        if run.recipe != before:
            return "it edits the recipe of the run"
    return None


def goes_on_after_a_stop(part: Sink, seed: int) -> str | None:
    """Goes on when a run is resumed, and keeps what it wrote before of steps that stand."""
    rows = [row(step) for step in range(1, 41)]
    with _runs(seed, "short", "long", "torn") as (few, many, torn):
        _told(part, few, [start(), rows[0], end(1, "stopped")])
        _told(part, many, [start(), *rows, end(40, "stopped")])
        sizes = [_size(run) for run in (few, many)]
        _told(part, many, [start(1, 40), row(41), end(41)])
        if sizes[0] < sizes[1] and (left := _size(many)) < sizes[1]:
            return f"resumed, it leaves {left} of the {sizes[1]} bytes that it had written: earlier steps are lost"
        _told(part, torn, plain(whole()))
        _told(part, torn, plain(whole(20)))  # trains steps again that it was told of
    return None


def tells_what_is_void(part: Sink, seed: int) -> str | None:
    """Takes out what it wrote of steps that are trained again, or keeps from which step a resumed run goes on."""
    early, last, void = 0.1415926 + seed % 3, 0.3183098 + seed % 5, 0.5772156 + seed % 7
    first = [start(), _marked(10, early), _marked(20, last), _marked(21, void), row(40), end(40, "stopped")]
    left = []
    for from_step in (20, 21):  # at the second that row stands, and so it has to look otherwise
        with _runs(seed, "one") as (run,):
            _told(part, run, first)
            there = _has(run, last)
            _told(part, run, [start(1, from_step), row(30), row(50), end(50)])
            if there and _has(run, early) and not _has(run, last):
                return f"resumed at step {from_step}, it takes out its row of step 20, which stands"
            if not _has(run, void):
                return None
            left.append(_contents(run))
    if left[0] != left[1]:
        return None
    return "resumed at step 20, it keeps its row of step 21, and nothing tells that it is void: heed from_step of start"


def _marked(step: int, mark: float) -> Event:
    """A row that can be found again."""
    return row(step, loss=mark, lr=mark)


def keeps_the_first_row_and_the_last(part: Sink, seed: int) -> str | None:
    """Loses neither the first row of a run nor the last, if it keeps rows: close() brings all of them home."""
    marks = [round(0.1234567 + 0.0371 * step + seed % 3, 7) for step in range(25)]
    with _runs(seed, "one") as (run,):
        _told(part, run, [start(), *(_marked(step, mark) for step, mark in enumerate(marks, 1)), end(25)])
        kept = [any(_holds(path, mark) for path in _files(Path.cwd())) for mark in marks]
        if sum(kept) > len(kept) / 2:  # it may also keep a few of them, or none
            for step in (1, 25):
                if not kept[step - 1]:
                    return f"of the rows of steps 1 to 25 it keeps {sum(kept)}, and loses that of step {step}"
    return None


def _contents(run: RunInfo) -> list[bytes]:
    return [path.read_bytes() for path in _files(Path(run.dir))]


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _size(run: RunInfo) -> int:
    return sum(map(len, _contents(run)))


def keeps_runs_apart(part: Sink, seed: int) -> str | None:
    """Keeps two runs apart, also when both are open: each has its own numbers, wherever it writes, and no other's."""
    marks = {"left": 0.7182818 + seed % 7, "right": 0.4142135 + seed % 5}

    def events(name: str) -> list[Event]:
        return [start(), *(_marked(step, marks[name]) for step in range(1, 9)), end(8)]

    with _runs(seed, "left", "right") as alone:
        for run in alone:
            before = {run.id for run in alone if _anywhere(marks[run.id])}
            _told(part, run, events(run.id))
            if any(not _anywhere(marks[each]) for each in before):
                return "what it was told of one run is gone when the next begins"
        seen = {run.id: _has(run, marks[run.id]) for run in alone}
        for path in _files(Path.cwd()):
            content = path.read_bytes()
            if all(_holds(path, marks[run.id]) and run.id.encode() not in content for run in alone):
                return f"{path.name} holds the numbers of two runs, and not whose they are: write into run.dir"
    with _runs(seed, "left", "right") as beside:
        with _opened(part, beside[0]) as left, _opened(part, beside[1]) as right:
            for mine, other in zip(events("left"), events("right"), strict=True):
                left.event(mine)
                right.event(other)
        for run, beyond in (beside, beside[::-1]):
            if _has(run, marks[beyond.id]):
                return "what one run's writer is told stands in the folder of another run that is open too"
            if seen[run.id] and not _has(run, marks[run.id]):
                return "what it is told of a run does not come to its folder when another run is open too"
    return None


def _anywhere(mark: float) -> bool:
    """Whether a number stands in a file of any run, or beside them."""
    return any(_holds(path, mark) for path in _files(Path.cwd()))


def _has(run: RunInfo, mark: float) -> bool:
    """Whether a number stands in a file of the run."""
    return any(_holds(path, mark) for path in _files(Path(run.dir)))


def _holds(path: Path, mark: float) -> bool:
    """Whether a number stands in a file, as text or as the bytes of a float."""
    forms = [f"{mark:.7g}"[:6].encode(), *(struct.pack(code, mark) for code in ("<f", ">f", "<d", ">d"))]
    content = path.read_bytes()
    return any(form in content for form in forms)


def closes_at_any_time(part: Sink, seed: int) -> str | None:
    """Closes at any time: after nothing at all, after a start, and twice in one run."""
    with _runs(seed, "one") as (run,):
        for events in ([], [start()], [start(1, 10), end(10, "failed")]):
            _told(part, run, events)
    return None


def lets_go_when_closed(part: Sink, seed: int) -> str | None:
    """Lets go when it is closed: no file of the run stays open, and no thread keeps the process alive."""
    before = set(threading.enumerate())
    with _runs(seed, "one") as (run,):
        with _opened(part, run) as writer:
            for event in plain(whole()):
                writer.event(event)
        # The writer is still there: no collector closes what it forgot.
        if held := _open_files(Path.cwd()):
            return f"{held[0].name} stays open after close()"
        waiting = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
        until = time.monotonic() + PATIENCE
        for thread in waiting:
            thread.join(max(0.0, until - time.monotonic()))
        if alive := [thread.name for thread in waiting if thread.is_alive()]:
            return f"the thread {alive[0]} goes on after close(), so the trainer would never end"
        if any(thread not in before for thread in threading.enumerate()):
            written = _contents(run)
            time.sleep(SETTLED)
            if _contents(run) != written:
                return "a thread still writes after close(), and ends with the trainer: wait for it there"
    return None


def _open_files(folder: Path) -> list[Path]:
    """Files in a folder that this process holds open; none where the system does not tell."""
    table, found = Path("/proc/self/fd"), []
    for entry in list(table.iterdir()) if table.is_dir() else ():
        with contextlib.suppress(OSError):
            path = entry.readlink()
            found += [path] if path.is_relative_to(folder) else []
    return found


def leaves_the_run_alone(part: Sink, seed: int) -> str | None:
    """Leaves the files of the run alone: it adds its own, and changes and removes none."""
    with _runs(seed, "one") as (run,):
        root = Path(run.dir)
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        _told(part, run, plain(whole()))
        for path, content in before.items():
            if not path.is_file():
                return f"it removes {path.relative_to(root)}"
            if path.read_bytes() != content:
                return f"it writes into {path.relative_to(root)}, which is the trainer's"
    return None


RULES: tuple[Rule, ...] = (
    takes_whatever_happens,
    edits_nothing,
    goes_on_after_a_stop,
    tells_what_is_void,
    keeps_the_first_row_and_the_last,
    closes_at_any_time,
    lets_go_when_closed,
    keeps_runs_apart,
    leaves_the_run_alone,
)
