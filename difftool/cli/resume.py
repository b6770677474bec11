"""`difftool resume`: going on with a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from difftool.cli.progress import UI, display
from difftool.cli.train import RUNS, Detach, RunsFolder, Sets, Ui

if TYPE_CHECKING:
    from difftool.plugin.component import Dataset
    from difftool.plugin.registry import Registry


def resume(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, the beginning of its name, or latest.")],
    sets: Sets = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow-change", metavar="KEY", help="Let this key differ from the steps trained so far."),
    ] = None,
    runs: RunsFolder = RUNS,
    detach: Detach = False,
    ui: Ui = UI.auto,
) -> None:
    """Go on with a run that was stopped, or train a finished one longer.

    Longer: difftool resume latest --set train.steps=20000
    """
    from difftool.cli.detach import hand_over, leaves, passed_on
    from difftool.engine.resume import ahead
    from difftool.plugin.loader import installed
    from difftool.run import launch
    from difftool.run.layout import find_run
    from difftool.run.lock import RunLock

    away = leaves(detach, ui)
    found = find_run(run, runs)
    with RunLock(found):
        # Every refusal that needs no tensors comes before torch is loaded.
        coming = ahead(found, installed().registry, sets or [], allow or [])
        if not coming.complete:
            _find(coming.recipe.data, installed().registry)
        if coming.complete or not away:
            with display(ui) as show:
                with show.loading("torch"):
                    from difftool.engine.start import resume as go_on

                go_on(found, installed().registry, show, coming)
    if coming.complete:
        typer.echo(
            f"{found.name} is already complete; to train it longer: "
            f"difftool resume {found.root} --set train.steps=N with a larger N",
            err=True,
        )
    elif away:  # the lock is free again: the other process takes it
        options = passed_on(ctx)
        hand_over(lambda: launch.resume(found, options[: options.index("--")]), ui, runs)
    else:
        show.finish(found.root)


def _find(data: Dataset, registry: Registry) -> None:
    """Pictures that moved are told in words that fit a run which has begun."""
    from difftool.errors import InputError
    from difftool.plugin.blame import blamed

    try:
        with blamed(registry, data, "looking for the data"):
            data.check()
    except InputError as error:
        moved = "if they moved: --set data.path=PATH --allow-change data"
        raise InputError(f"the run's pictures: {error.what}", where=error.where, why=error.why, do=moved) from error
