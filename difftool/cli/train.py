"""`difftool train`: a new run."""

from __future__ import annotations

import secrets
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from difftool.cli.progress import UI, Plain, display
from difftool.run.layout import new_name

if TYPE_CHECKING:
    from difftool.plugin.component import Dataset
    from difftool.plugin.registry import Registry
    from difftool.recipe.model import Recipe

RUNS = Path("runs")

Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe, as in --set optim.lr=1e-4."),
]
RunsFolder = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder that holds runs.")]
Ui = Annotated[
    UI, typer.Option("--ui", help="How progress is shown; auto: rich in a terminal, else plain; tui: the dashboard.")
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Train in the background; it goes on when this terminal is closed.")
]


def train(
    ctx: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A .toml file, or the name of one that ships.")],
    data: Annotated[
        str | None, typer.Option(metavar="PATH", help="Train on these pictures instead: a folder, .zip, .tar, ...")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Begin with the weights of a model.safetensors.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-change", metavar="KEY", help="Let the weights of --from learn another predict, schedule, ..."
        ),
    ] = None,
    sets: Sets = None,
    profile: Annotated[
        str, typer.Option(metavar="NAME", help="auto: the profile named after the device; none: the plain recipe.")
    ] = "auto",
    name: Annotated[str | None, typer.Option(metavar="N", help="The run's folder name.")] = None,
    runs: RunsFolder = RUNS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop.")] = False,
    detach: Detach = False,
    ui: Ui = UI.auto,
) -> None:
    """Train a recipe: difftool train quickstart."""
    from difftool.cli.detach import hand_over, leaves, passed_on
    from difftool.engine.origin import begin_with, check_allowed
    from difftool.engine.sealed import open_model_file
    from difftool.errors import InputError
    from difftool.plugin.loader import installed
    from difftool.recipe.load import load
    from difftool.recipe.write import plain
    from difftool.run import launch
    from difftool.run.layout import check_free

    away = leaves(detach, ui) and not dry_run
    if name is not None:
        check_free(runs, name)
    registry = installed().registry
    loaded = load(recipe, registry, sets=sets, data=data, profile=profile)
    if data or not dry_run:  # a path that is not there is told before torch is loaded
        _find(loaded.dataset(profile), registry)
    start_from = open_model_file(weights) if weights else None
    if allow and not start_from:
        raise InputError("--allow-change goes with --from: what its weights may learn anew")
    check_allowed(allow or [])
    if start_from and not (profile == "auto" and loaded.profiles):  # else the device decides, and torch names it
        table = plain(loaded.recipe("none" if profile == "auto" else profile)[0], registry)
        table.pop("conditions")  # what they are, only the data says
        begin_with(start_from, table, registry, allow or [])
    if away:
        called = name or _name(loaded.recipe("none" if profile == "auto" else profile)[0])
        hand_over(lambda: launch.train(passed_on(ctx), runs, called), ui, runs)
        return
    with display(ui) as show:
        with show.loading("torch"):
            from difftool.engine.device import pick
            from difftool.engine.start import start

        if profile == "auto":
            profile = pick(loaded.wished_device).type
        chosen, told = loaded.recipe(profile)
        for line in told:
            show.say(line)
        if dry_run:
            _say_plan(chosen, registry, show)
            return
        run = start(chosen, registry, runs, show, name=name, weights=start_from, allow=allow or [], argv=sys.argv)
    show.finish(run.root)


def _name(recipe: Recipe) -> str:
    return new_name(recipe.name, datetime.now(), secrets.token_hex(2))


def _find(data: Dataset | None, registry: Registry) -> None:
    from difftool.plugin.blame import blamed

    if data is not None:
        with blamed(registry, data, "looking for the data"):
            data.check()


def _say_plan(recipe: Recipe, registry: Registry, watcher: Plain) -> None:
    from difftool.engine.data import opened
    from difftool.engine.plan import plan
    from difftool.recipe.explain import show
    from difftool.recipe.write import differences
    from difftool.run.spoken import size

    if recipe.conditions:  # how many labels there are, only the data knows
        recipe = opened(recipe, registry, watcher).recipe
    watcher.quiet()
    ahead = plan(recipe, registry)
    batch = [recipe.train.batch, *ahead.shape]
    parts = f" in {recipe.train.accumulate} parts of {ahead.micro}" if recipe.train.accumulate > 1 else ""
    memory = "unknown" if ahead.memory is None else f"about {size(ahead.memory)}"
    kept = "" if ahead.activations is None else f" ({size(ahead.activations)} of it for the backward pass)"
    lines = {
        "network": f"{ahead.parameters:,} parameters in {ahead.tensors} tensors, {size(ahead.weights)}",
        "picture": f"{list(ahead.shape)} (channels, height, width)",
        "batch": f"{batch}{parts}",
        "training": f"{recipe.train.steps:,} steps, {recipe.train.steps * recipe.train.batch:,} pictures seen",
        "noise": f"{recipe.schedule.T} levels, abar_T = {ahead.terminal:.3g}",
        "memory": memory + kept,
        "disk": f"{size(ahead.disk(recipe.checkpoint.keep))} with {recipe.checkpoint.keep} checkpoints kept",
    }
    for label, text in lines.items():
        typer.echo(f"{label:>10}  {text}")
    if ahead.warning:
        typer.echo(f"{'warning':>10}  {ahead.warning}")
    typer.echo("not default:")
    for key, value in differences(recipe, registry).items():
        typer.echo(f"{'':>10}  {key} = {show(value)}")
