"""`difftool runs rm`: runs into the trash, or away for good."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from difftool.cli.runs_options import Json
from difftool.cli.tables import as_json
from difftool.cli.train import RUNS, RunsFolder
from difftool.errors import InputError, one_line
from difftool.run.layout import RunDir, find_run
from difftool.run.spoken import size


def rm(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, as elsewhere.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    forever: Annotated[bool, typer.Option("--forever", help="Delete for good, instead of into the trash.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also runs of other machines that have fallen silent, if nobody locks them.")
    ] = False,
    runs: RunsFolder = RUNS,
    json: Json = False,
) -> None:
    """Move runs into the folder .trash beside them."""
    from difftool.run.trash import check_idle, destroy, discard, size_of

    found = list({run.root: run for run in (_find(name, runs) for name in names)}.values())
    for run in found:  # all of them before any is touched
        if told := check_idle(run, force):
            typer.echo(one_line(told), err=True)
    if not yes:
        bytes_ = sum(map(size_of, found)) if forever else 0
        _ask(found, f"delete for good, {size(bytes_)}" if forever else "move into the trash")
    done = []
    for run in found:
        was = run.root.absolute()
        place = None
        if forever:
            destroy(run, force)
            typer.echo(one_line(f"deleted {was}"), err=True)
        else:
            place = discard(run, force)
            typer.echo(one_line(f"{run.name} is in {place}"), err=True)
        back = f"mv {shlex.quote(str(place))} {shlex.quote(str(was))}" if place else None
        done.append({"name": run.name, "was": str(was), "place": place and str(place), "back": back})
        if back and not json:
            typer.echo(one_line(f"to have it back: {back}"), err=True)
    if json:
        as_json(done)


def _find(text: str, runs: Path) -> RunDir:
    """As everywhere, but a symbolic link stays one: not what it leads to is meant."""
    found = find_run(text, runs)
    typed = Path(text).expanduser()
    if typed.is_symlink() and typed.resolve() == found.root:
        return RunDir(typed.parent.resolve() / typed.name)
    return found


def _ask(found: list[RunDir], what: str) -> None:
    names = ", ".join(run.name for run in found)
    if not sys.stdin.isatty():
        raise InputError(f"{what}: {names}?", why="there is no terminal to ask in", do="say --yes")
    sys.stderr.write(one_line(f"{what}: {names}? [y/N] "))
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if answer.strip().lower() not in ("y", "yes"):
        typer.echo("nothing was removed", err=True)
        raise typer.Exit(0)
