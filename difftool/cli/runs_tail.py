"""`difftool runs tail`: what happens in a run, as lines for people or as JSON for a viewer elsewhere."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.runs_options import Run, place, steps
from difftool.cli.train import RUNS, RunsFolder
from difftool.errors import one_line
from difftool.run.spoken import clock

if TYPE_CHECKING:
    from difftool.run.layout import RunDir
    from difftool.run.reader import Tail

A_LINE = 2048
"""Bytes of the log that are read for a line that is shown, at first: between two rows lie other events."""


def tail(
    run: Run,
    follow: Annotated[
        bool | None,
        typer.Option("--follow/--no-follow", "-f", help="Go on for ever, or leave at once; else while it is trained."),
    ] = None,
    lines: Annotated[int, typer.Option("-n", metavar="N", min=0, help="Lines of what was before.")] = 20,
    runs: RunsFolder = RUNS,
    json: Annotated[
        bool, typer.Option("--json", help="Every event from the start as JSON, for difftool tui - at another place.")
    ] = False,
    pictures: Annotated[bool, typer.Option("--pictures", help="With --json: the previews too.")] = False,
) -> None:
    """What happens in a run, while it is trained: difftool runs tail latest."""
    from difftool.cli.follow import quietly
    from difftool.errors import InputError
    from difftool.run.layout import find_run

    if pictures and not json:
        raise InputError("--pictures goes with --json: pictures are no lines of text")
    found = find_run(run, runs)
    with quietly():
        if json:
            from difftool.cli.runs_stream import stream

            stream(found, follow, pictures)
        else:
            _print(found, follow, lines)


def as_line(event: dict[str, Any], run: RunDir, about: dict[str, Any]) -> str:
    """An event for people; empty for one that is not for them. `about` is the run's summary."""
    words = _WORDS.get(event["kind"])
    try:
        when = f"{datetime.fromtimestamp(event['time']):%Y-%m-%d %H:%M:%S}"
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        when = " " * 19
    return f"{when}  {one_line(words(event, run, about))}" if words else ""


def _print(run: RunDir, follow: bool | None, lines: int) -> None:
    from difftool.cli.follow import rounds
    from difftool.run.reader import AGAIN, summary

    about = summary(run)
    last, rest = _last(run, lines, about)
    for line in last:
        print(line)
    state = ""
    for about, events in rounds(run, rest, follow):
        for event in events:
            if event["kind"] == AGAIN:
                typer.echo("the log was replaced: what follows is from its start", err=True)
            elif line := as_line(event, run, about):
                print(line)
        sys.stdout.flush()
        if not events and about["state"] != state:
            state = about["state"]
            typer.echo(one_line(f"{run.name} is {state}{place(about)}, {steps(about)}"), err=True)


def _last(run: RunDir, lines: int, about: dict[str, Any]) -> tuple[deque[str], Tail]:
    """The last lines of what is there, and a tail that goes on behind them; no more is read than it takes."""
    from difftool.run.reader import Tail

    keep = lines * A_LINE
    while True:
        tail, found = Tail(run, skip=True, keep=keep), deque[str](maxlen=lines)
        while lines and (events := tail.poll()):
            found.extend(filter(None, (as_line(event, run, about) for event in events)))
        if len(found) == lines or not tail.skipped:
            return found, tail
        keep *= 16


def _metrics(event: dict[str, Any], run: RunDir, about: dict[str, Any]) -> str:
    step, total = _number(event, "step"), about["total"]
    loss, rate, images = (_number(event, key) for key in ("loss", "images_per_s", "images"))
    text = f"step {step or 0:,}" + (f"/{total:,}" if total else "")
    text += "  loss " + ("not finite" if loss is None else f"{loss:.4f}")
    if rate:
        text += f"  {rate:,.0f} pictures/s"
    if rate and step and images and total and total > step:
        text += f"  {clock((total - step) * images / step / rate)} left"
    return text


def _start(event: dict[str, Any], run: RunDir, about: dict[str, Any]) -> str:
    step, total = _number(event, "from_step"), _number(event, "total")
    return (f"goes on after step {step:,}" if step else "begins") + (f", {total:,} steps in all" if total else "")


def _end(event: dict[str, Any], run: RunDir, about: dict[str, Any]) -> str:
    return f"{event.get('state')} at step {_number(event, 'step') or 0:,}"


def _log(event: dict[str, Any], run: RunDir, about: dict[str, Any]) -> str:
    level = event.get("level")
    return (f"{level}: " if level in ("warning", "error") else "") + str(event.get("message"))


def _file(event: dict[str, Any], run: RunDir, about: dict[str, Any]) -> str:
    return f"{event['kind']}  {run.root.absolute() / str(event.get('path'))}"


def _ack(event: dict[str, Any], run: RunDir, about: dict[str, Any]) -> str:
    return f"asked to {event.get('command') or 'do something'}: {event.get('message')}"


def _number(event: dict[str, Any], key: str) -> Any:
    value = event.get(key)
    return value if isinstance(value, int | float) else None


_WORDS: dict[str, Callable[[dict[str, Any], RunDir, dict[str, Any]], str]] = {
    "start": _start,
    "metrics": _metrics,
    "preview": _file,
    "checkpoint": _file,
    "log": _log,
    "ack": _ack,
    "end": _end,
}
