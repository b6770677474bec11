"""What `difftool bench samplers` says of its measurements: a table, JSON, pictures, and what to type next."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import difftool
from difftool.cli.entrants import BASELINE, Entrant
from difftool.cli.output import put
from difftool.cli.tables import table
from difftool.engine.rungs import Rung, Rungs
from difftool.errors import one_line
from difftool.plugin.registry import BUILTIN

if TYPE_CHECKING:
    from difftool.core.model import Model
    from difftool.engine.described import Described
    from difftool.engine.ladder import Ladder

NUMBERS, PLOT, PICTURES = FILES = ("samplers.json", "samplers.png", "pictures.png")
DISTANCE = (
    "root mean square difference to the reference over all numbers of all pictures, which lie in -1..1 and are not "
    "rounded; the reference is ddim with eta 0 and {steps} steps from the same noise"
)


def facts(
    known: Described, model: Model, ladder: Ladder, rungs: Rungs, everyone: Sequence[Entrant], complete: bool
) -> dict[str, Any]:
    """Everything, for programs."""
    import torch

    from difftool.engine.device import describe

    made = {each.name: each.sampler for each in everyone if each.sampler}
    dumped = {name: known.registry.dump(sampler) for name, sampler in made.items()}
    owners = {known.registry.offer(type(sampler)).owner for sampler in made.values()} - {BUILTIN}
    versions = {"difftool": difftool.__version__, "torch": torch.__version__, "python": platform.python_version()}
    return {
        "model": known.recipe["name"],
        "weights": known.file.digest,
        "device": describe(model.device),
        "threads": torch.get_num_threads(),
        "versions": versions | {owner: metadata.version(owner) for owner in sorted(owners)},
        "seeds": ladder.seeds,
        "batch": len(ladder.parts[0]),
        "sample": known.registry.plain(known.sample.model_copy(update={"steps": None, "spacing": None})),
        "distance": DISTANCE.format(steps=rungs.steps),
        "reference": {"sampler": dumped[BASELINE], "steps": rungs.steps, "seconds_per_picture": rungs.seconds},
        "complete": complete,
        "rows": [_row(each, rungs, dumped) for each in [*rungs.table, *rungs.failed]],
    }


def _row(rung: Rung, rungs: Rungs, dumped: dict[str, dict[str, Any]]) -> dict[str, Any]:
    measured = {
        "steps": rung.steps,
        "calls": rung.calls,
        "seconds_per_picture": rung.seconds,
        "distance": rung.distance,
        "median": rung.median,
        "ratio": rungs.ratio(rung),
        "draws_noise": rung.draws_noise,
        "gives": rung.gives,
        "nearest": rungs.best(rung),
    }
    who = {"name": rung.name, "sampler": dumped.get(rung.name), "asked": rung.asked}
    return who | (dict.fromkeys(measured) if rung.reason else measured) | {"reason": rung.reason or None}


def write(folder: Path, found: dict[str, Any], rungs: Rungs, steps: list[int]) -> list[Path]:
    """The numbers, the plot, the pictures."""
    from difftool.data.sheet import png
    from difftool.engine.rung_plot import plot
    from difftool.engine.rung_sheet import sheet

    words = {"model": found["model"], "weights": found["weights"], "distance": found["distance"]}
    title = f"{found['model']}: {len(found['seeds'])} pictures, {found['device']}"
    put(folder / NUMBERS, (json.dumps(found, indent=2, allow_nan=False) + "\n").encode())
    put(folder / PLOT, png(plot(rungs, title), words))
    reached = [n for n in steps if any(asked == n for _, asked in rungs.found)]
    put(folder / PICTURES, png(sheet(rungs, reached), words))
    return [(folder / name).absolute() for name in FILES]


def show(rungs: Rungs) -> None:
    """The table, and what its marks mean."""
    rows: list[list[str]] = []
    for each in rungs.table:
        if rows and rows[-1][0] != str(each.steps):
            rows.append([""] * 7)
        ratio = rungs.ratio(each)
        near = [each.said, "" if ratio is None else f"{ratio:.2f}x", _note(each, rungs)]
        rows.append([str(each.steps), each.name, f"{each.calls:g}", f"{each.seconds:.3g}", *near])
    failed: dict[tuple[str, str], list[str]] = {}
    for each in rungs.failed:
        failed.setdefault((each.name, each.reason), []).append(str(each.asked))
    rows += [[""] * 7] if failed else []
    rows += [[",".join(asked), name, "-", "-", "-", "-", one_line(why)] for (name, why), asked in failed.items()]
    table(["STEPS", "SAMPLER", "CALLS", "S/PICTURE", "DISTANCE", f"BY {BASELINE.upper()}", "NOTE"], rows)
    typer.echo(f"\ndistance: to {rungs.steps:,} steps of {BASELINE} from the same noise, root mean square in -1..1")
    if any(not each.compares for each in rungs.table):
        typer.echo("~ is meant to end elsewhere: it draws noise of its own, or gives means; no error, not compared")


def _note(rung: Rung, rungs: Rungs) -> str:
    if rung.draws_noise:
        return "noise of its own"
    if rung.gives != "samples":
        return rung.gives
    return "nearest" if rungs.best(rung) else ""


def advise(
    line: Callable[[str], None], rungs: Rungs, everyone: Sequence[Entrant], known: Described, source: str
) -> None:
    """What to type to have the most for the least."""
    if not (found := rungs.advice()):
        return
    best, base = found
    entrant = next(each for each in everyone if each.name == best.name)
    if best is not base:
        line(f"{'so':>10}  {best.name} with {_steps(best)} comes at least as near as {base.name} with {_steps(base)}")
    line(f"{'next':>10}  difftool sample {source} {entrant.typed(known)} --steps {best.asked} -n 16")


def _steps(rung: Rung) -> str:
    return f"{rung.steps} step{'s' if rung.steps > 1 else ''}"
