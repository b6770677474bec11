"""`difftool tui`: the live dashboard. Never imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from difftool.cli.train import RUNS, RunsFolder
from difftool.errors import InputError

if TYPE_CHECKING:
    from difftool.run.launch import Launched
    from difftool.tui.setup import Offer

PIPE = "-"


def tui(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN|DIR|-]", help="A run, latest, a folder of runs, or - for events from a pipe."),
    ] = None,
    runs: RunsFolder = RUNS,
    readonly: Annotated[bool, typer.Option("--readonly", help="Only look: nothing that acts is shown.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Show it in a browser on this machine, read-only.")] = False,
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="With --serve: the port.")] = 8000,
    control: Annotated[
        bool, typer.Option("--control", help="With --serve: whoever can open the page may act on runs.")
    ] = False,
) -> None:
    """Watch runs, live: difftool tui, difftool tui latest.

    Over ssh: ssh HOST difftool runs tail RUN --json | difftool tui -
    """
    from difftool.tui.terminal import check_terminal

    if serve:
        from difftool.cli.serve import serve as serve_

        if run == PIPE:
            raise InputError("--serve and - do not go together: a browser opens the dashboard as often as it likes")
        _find(run, runs)
        serve_([*([run] if run else []), "--runs", str(runs), *([] if control else ["--readonly"])], port)
        return
    if control:
        raise InputError("--control goes with --serve; without it the dashboard may act on runs unless --readonly")
    check_terminal(piped=run == PIPE)
    folder, found = _find(run, runs)
    _show(folder=folder, found=found, readonly=readonly, piped=run == PIPE)


def watch(launched: Launched, runs: Path) -> None:
    """The dashboard of a run that is being started; returns when one leaves it."""
    from difftool.tui.terminal import check_terminal

    check_terminal()
    _show(folder=runs, launched=launched)


def _find(run: str | None, runs: Path) -> tuple[Path, Path | None]:
    """(the folder of runs, the run)."""
    from difftool.run.layout import LATEST, RunDir, find_run

    if run is None or run == PIPE:
        return runs, None
    path = Path(run).expanduser()
    if run != LATEST and path.is_dir() and not RunDir(path).is_run():
        return path, None
    found = find_run(run, runs).root
    return (found.parent if found.parent != runs.absolute() else runs), found


def _show(
    *,
    folder: Path,
    found: Path | None = None,
    readonly: bool = False,
    piped: bool = False,
    launched: Launched | None = None,
) -> None:
    from difftool.plugin.entries import third_party_allowed
    from difftool.run.layout import RunDir
    from difftool.tui.keymap import keys_of_user
    from difftool.tui.pixels import ask_terminal
    from difftool.tui.terminal import own_terminal

    keys = keys_of_user()
    means = ask_terminal()
    with own_terminal(piped) as terminal:
        from difftool.tui.app import DifftoolApp
        from difftool.tui.driver import run_guarded
        from difftool.tui.setup import Setup

        setup = Setup(
            runs=folder,
            run=RunDir(found) if found else None,
            pipe=terminal.events,
            readonly=readonly,
            offers=_offers(),
            keys=keys,
            launched=launched,
            means=means,
            plugins=third_party_allowed(),
        )
        app = DifftoolApp(setup)
        failure = run_guarded(app)
        if failure:
            raise failure
        if not (launched and launched.code):
            terminal.leave(app.left, app.return_code or 0)


def _offers() -> list[Offer]:
    from difftool.cli.recipes import about_of
    from difftool.recipe.offered import offered
    from difftool.tui.setup import Offer

    first = "quickstart"  # where one begins
    found = sorted(offered(), key=lambda each: (each.owned != first, each.owned))
    return [Offer(each.owned, about_of(each.path)) for each in found]
