"""`difftool resume`: going on with a run."""

from __future__ import annotations

from typing import Annotated

import typer

from difftool.cli.progress import UI, display
from difftool.cli.train import RUNS, RunsFolder, Sets, Ui


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, the beginning of its name, or latest.")],
    sets: Sets = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow-change", metavar="KEY", help="Let this key differ from the steps trained so far."),
    ] = None,
    runs: RunsFolder = RUNS,
    ui: Ui = UI.auto,
) -> None:
    """Go on with a run that was stopped, or train a finished one longer.

    Longer: difftool resume latest --set train.steps=20000
    """
    from difftool.plugin.loader import installed
    from difftool.run.layout import find_run
    from difftool.run.lock import RunLock

    found = find_run(run, runs)
    with RunLock(found):  # before torch is loaded: a busy run says so at once
        registry = installed().registry
        show = display(ui)
        show.busy("loading torch")
        from difftool.engine.start import resume as go_on

        with show:
            went_on = go_on(found, registry, show, sets=sets or [], allow=allow or [])
    if went_on:
        show.finish(found.root, runs)
    else:
        typer.echo(
            f"{found.name} is already complete; to train it longer: "
            f"difftool resume {found.root} --set train.steps=N with a larger N",
            err=True,
        )
