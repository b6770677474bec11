"""Following a run from outside: what is new, round by round, until it ends or nobody listens any more."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Any

import typer

from difftool.run.layout import RunDir
from difftool.run.reader import ALIVE, Tail, summary

LOOKS = 0.25
"""Seconds between two looks."""


def rounds(run: RunDir, tail: Tail, follow: bool | None) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The run's summary and its new events, again and again; the last pair of a round has no events.

    `follow`: for ever, for one round, or, with None, until the run is no longer trained.
    """
    while True:
        about = summary(run)  # before the events: whatever an ended run wrote last is then read for certain
        while events := tail.poll():
            yield about, events
        yield about, []
        if not (about["state"] in ALIVE if follow is None else follow):
            return
        _wait(LOOKS)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Ctrl-C ends it with 130 and no word; a reader of standard output that has gone away ends it with 0."""
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again when it ends


def _wait(seconds: float) -> None:
    """Sleeps, unless whoever reads standard output goes away meanwhile: there may be nothing to write for hours."""
    try:
        out = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file
        time.sleep(seconds)
        return
    watch = select.poll()
    watch.register(out, 0)
    started = time.monotonic()
    if watch.poll(1000 * seconds):
        if not sys.stdout.isatty() and _is_pipe(out):
            raise BrokenPipeError
        time.sleep(max(0.0, seconds - (time.monotonic() - started)))


def _is_pipe(fd: int) -> bool:
    import stat

    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
