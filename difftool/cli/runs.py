"""`difftool runs`: what was trained here, and orders to what trains. Never imports torch."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from difftool.cli import runs_act, runs_compare, runs_rm, runs_tail
from difftool.cli.runs_options import Json, Run, place
from difftool.cli.tables import as_json, table
from difftool.cli.train import RUNS, RunsFolder
from difftool.errors import one_line
from difftool.run.spoken import clock

app = typer.Typer(help="List and watch runs, and tell them what to do.", no_args_is_help=True)


class State(StrEnum):
    """As in docs/run-directory.md."""

    starting = "starting"
    running = "running"
    paused = "paused"
    stalled = "stalled"
    stopped = "stopped"
    done = "done"
    failed = "failed"
    crashed = "crashed"
    unknown = "unknown"


@app.command("list")
def list_(
    runs: RunsFolder = RUNS,
    state: Annotated[list[State] | None, typer.Option(help="Only runs in this state; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """All runs, the newest first."""
    from difftool.run.reader import Runs

    rows = [row for row in Runs(runs).poll() if row["state"] in (state or [row["state"]])]
    if json:
        as_json(rows)
        return
    if not rows:
        begin = "" if state else "; difftool train quickstart makes one"
        typer.echo(f"no runs{' ' + ' or '.join(state) if state else ''} in {runs.absolute()}{begin}", err=True)
        return
    table(
        ["NAME", "STATE", "STEP", "LOSS", "PICTURES/S", "LEFT", "AGE"],
        [
            [
                one_line(row["name"]),
                one_line(row["state"] + place(row)),
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
def show(run: Run, runs: RunsFolder = RUNS, json: Json = False) -> None:
    """One run: its state, where its files are, what differs from the defaults."""
    from difftool.run.layout import find_run
    from difftool.run.reader import summary
    from difftool.run.records import load

    found = find_run(run, runs)
    about = {**load(found.info), **summary(found)}
    if json:
        as_json(about)
        return
    previews = sorted(found.previews.glob("step-????????.png"))
    lines = {
        "run": found.root.absolute(),
        "state": f"{about['state']}{place(about)}, step {about['step']} of {about['total']}",
        "recipe": found.recipe.absolute(),
        "device": about.get("device"),
        "parameters": f"{about['parameters']:,}" if isinstance(about.get("parameters"), int) else None,
        "loss": about.get("loss"),
        "checkpoint": found.checkpoint(about["checkpoint"]).absolute() if about["checkpoint"] else "none yet",
        "weights": found.weights.absolute() if found.weights.exists() else "none yet",
        "preview": previews[-1].absolute() if previews else "none yet",
        "versions": ", ".join(f"{name} {version}" for name, version in _table(about.get("versions")).items()),
        "not default": ", ".join(f"{key} = {value}" for key, value in _table(about.get("differs")).items()),
    }
    for label, text in lines.items():
        if text is not None:
            typer.echo(f"{label:>12}  {one_line(str(text))}")


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


app.command("tail")(runs_tail.tail)
app.command("compare")(runs_compare.compare)
app.command("stop")(runs_act.stop)
app.command("checkpoint")(runs_act.checkpoint)
app.command("preview")(runs_act.preview)
app.command("pause")(runs_act.pause)
app.command("resume")(runs_act.resume)
app.command("rm")(runs_rm.rm)
