"""`difftool runs stop | checkpoint | preview | pause | resume`: telling a trainer what to do, wherever it runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from difftool.cli.runs_options import Json, Run
from difftool.cli.train import RUNS, RunsFolder

NO_ANSWER = 30.0
"""Seconds after which a trainer that has not answered is said not to."""
KILL_AFTER = 5.0
"""The same for `stop --kill`, before its process is ended from outside."""


def stop(
    run: Run,
    kill: Annotated[
        bool, typer.Option("--kill", help="At once, without saving; a trainer here that does not hear it is killed.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave as soon as it has heard, before it ends.")] = False,
    runs: RunsFolder = RUNS,
    json: Json = False,
) -> None:
    """Save a checkpoint and end; difftool resume goes on."""
    from difftool.cli.order import Order

    order = Order(run, runs, "kill" if kill else "stop", json)
    if kill:
        order.kill(KILL_AFTER)
    else:
        order.ask(NO_ANSWER)
    if not no_wait:
        order.wait_for_the_end()
    order.report()


def checkpoint(run: Run, runs: RunsFolder = RUNS, json: Json = False) -> None:
    """Write a checkpoint now."""
    _simple(run, runs, "checkpoint", json)


def preview(
    run: Run,
    raw: Annotated[bool, typer.Option("--raw", help="Also with the weights without averaging.")] = False,
    runs: RunsFolder = RUNS,
    json: Json = False,
) -> None:
    """Draw a preview now."""
    _simple(run, runs, "preview", json, **({"raw": True} if raw else {}))


def pause(run: Run, runs: RunsFolder = RUNS, json: Json = False) -> None:
    """Train no further until told to; the trainer stays, with all it has in memory."""
    _simple(run, runs, "pause", json)


def resume(run: Run, runs: RunsFolder = RUNS, json: Json = False) -> None:
    """Go on after a pause; a run that was stopped goes on with difftool resume."""
    _simple(run, runs, "resume", json)


def _simple(run: str, runs: Any, command: str, json: bool, **args: Any) -> None:
    from difftool.cli.order import Order

    order = Order(run, runs, command, json)
    order.ask(NO_ANSWER, **args)
    order.report()
