"""`--detach` and `--ui tui`: a trainer that goes on when this terminal is gone."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import typer

from difftool.cli.progress import UI, Plain, display
from difftool.errors import Stopped
from difftool.run.launch import Launched
from difftool.run.layout import RunDir

OURS = ("detach", "ui", "name", "runs", "dry_run")
"""Options that are not passed on: what they say is done here, or said by `difftool.run.launch`."""

ERROR = ("difftool: error:", "why:", "do:", "saved:")
"""How the lines of an error begin: they are shown whole, when the trainer has ended."""

PATIENCE = 30.0
"""Seconds that Ctrl-C leaves a trainer to save and end."""


def leaves(detach: bool, ui: UI) -> bool:
    """Whether the training is to go on without this process; refuses a dashboard where none can be shown."""
    if ui is UI.tui:
        from difftool.tui.terminal import check_terminal

        check_terminal()
    return detach or ui is UI.tui


def passed_on(ctx: typer.Context) -> list[str]:
    """What was typed, as arguments for the process that does the work: options first, then the rest."""
    options, words = [], []
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if parameter.name in OURS or value is None or value is False:
            continue
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif value is True:
            options.append(parameter.opts[0])
        else:
            values = value if isinstance(value, list | tuple) else [value]
            options += [f"{parameter.opts[0]}={each}" for each in values]
    return [*options, "--", *words]


def hand_over(launch: Callable[[], Launched], ui: UI, runs: Path) -> None:
    """Starts the trainer, and waits until it has begun; or shows the dashboard, which is where one waits then."""
    if ui is UI.tui:
        _watch(launch, runs)
        return
    with display(ui) as show:
        launched = _started(launch, show)
        _told(launched, show)


def _watch(launch: Callable[[], Launched], runs: Path) -> None:
    from difftool.cli.tui import watch

    launched = launch()
    try:
        watch(launched, runs)
    except KeyboardInterrupt:  # before the dashboard was there to take it as a key
        _end(launched)
        raise Stopped("interrupted while the dashboard was starting", interrupted=True) from None
    if launched.code:
        _fail(launched)


def _started(launch: Callable[[], Launched], show: Plain) -> Launched:
    """The trainer, when it has begun or ended."""
    launched, shown = None, ""
    try:
        show.busy("starting the trainer")
        launched = launch()
        while launched.state() == "starting":
            line = launched.last_line()
            if line and line != shown and not line.startswith(ERROR):
                shown = line
                show.starting(line)
            time.sleep(0.1)
    except KeyboardInterrupt:
        show.quiet()
        if launched:
            _end(launched)
        raise Stopped("interrupted while the trainer was starting", interrupted=True) from None
    return launched


def _end(launched: Launched) -> None:
    launched.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):  # it saves, if it had begun after all
        launched.process.wait(PATIENCE)


def _told(launched: Launched, show: Plain) -> None:
    show.quiet()
    if launched.code:
        _fail(launched)
    show.detached(RunDir(launched.root), launched.log, launched.process.pid)


def _fail(launched: Launched) -> None:
    """What it said, and its own exit code."""
    sys.stderr.write(launched.why() + "\n")
    raise typer.Exit(launched.code or 1)
