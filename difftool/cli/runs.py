"""`difftool runs`: what was trained here. Never imports torch."""

from __future__ import annotations

from typing import Annotated

import typer

from difftool.cli.progress import clock
from difftool.cli.tables import as_json, table
from difftool.cli.train import RUNS, RunsFolder
from difftool.errors import safe_text

app = typer.Typer(help="List and look at runs.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="As JSON on standard output.")]


@app.command("list")
def list_(runs: RunsFolder = RUNS, json: Json = False) -> None:
    """All runs, the newest first."""
    from difftool.run.layout import list_runs
    from difftool.run.reader import summary

    rows = [summary(run) for run in list_runs(runs)]
    if json:
        as_json(rows)
        return
    if not rows:
        typer.echo(f"no runs in {runs.absolute()}; difftool train quickstart makes one", err=True)
        return
    table(
        ["NAME", "STATE", "STEP", "LOSS", "PICTURES/S", "LEFT", "AGE"],
        [
            [
                row["name"],
                row["state"],
                f"{row['step']:,}/{row['total']:,}" if row["total"] else row["step"],
                "" if row["loss"] is None else f"{row['loss']:.4f}",
                "" if row["rate"] is None else f"{row['rate']:,.0f}",
                "" if row["eta"] is None else clock(row["eta"]),
                "" if row["age"] is None else clock(row["age"]),
            ]
            for row in rows
        ],
    )


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, the beginning of its name, or latest.")],
    runs: RunsFolder = RUNS,
    json: Json = False,
) -> None:
    """One run: its state, where its files are, what differs from the defaults."""
    from difftool.run.layout import find_run
    from difftool.run.reader import summary
    from difftool.run.records import load

    found = find_run(run, runs)
    about = {**load(found.info), **summary(found)}
    if json:
        as_json(about)
        return
    previews = sorted(found.previews.glob("step-*.png"))
    lines = {
        "run": found.root.absolute(),
        "state": f"{about['state']}, step {about['step']} of {about['total']}",
        "recipe": found.recipe.absolute(),
        "device": about.get("device"),
        "parameters": f"{about['parameters']:,}" if "parameters" in about else None,
        "loss": about.get("loss"),
        "checkpoint": found.checkpoint(about["checkpoint"]).absolute() if about["checkpoint"] else "none yet",
        "weights": found.weights.absolute() if found.weights.exists() else "none yet",
        "preview": previews[-1].absolute() if previews else "none yet",
        "versions": ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items()),
        "not default": ", ".join(f"{key} = {value}" for key, value in about.get("differs", {}).items()),
    }
    for label, text in lines.items():
        if text is not None:
            typer.echo(f"{label:>12}  {safe_text(str(text))}")
