"""What `difftool bench samplers` says of its measurements: a table, JSON, pictures, and what to type next."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import difftool
from difftool.cli.bench_samplers import BASELINE, Candidate
from difftool.cli.output import put
from difftool.cli.tables import table
from difftool.engine.bench_results import Measurement, Results
from difftool.errors import one_line
from difftool.plugin.registry import BUILTIN

if TYPE_CHECKING:
    from difftool.core.model import Model
    from difftool.engine.bench_walks import Bench
    from difftool.engine.described import Described

NUMBERS, PLOT, PICTURES = FILES = ("samplers.json", "samplers.png", "pictures.png")
SCALE = "on the scale where pictures lie in -1..1"
DISTANCE = (
    f"root mean square difference to the reference over all numbers of all pictures, {SCALE}; they are not rounded, "
    "and what is not clipped may lie outside; the reference is ddim with eta 0 and {steps} steps from the same noise"
)


def facts(
    known: Described, model: Model, bench: Bench, results: Results, candidates: Sequence[Candidate], complete: bool
) -> dict[str, Any]:
    """Everything, for programs."""
    import torch

    from difftool.engine.device import describe

    dumped = {each.name: each.dumped for each in candidates}
    owners = {known.registry.offer(type(each.sampler)).owner for each in candidates if each.sampler} - {BUILTIN}
    versions = {"difftool": difftool.__version__, "torch": torch.__version__, "python": platform.python_version()}
    return {
        "model": known.recipe["name"],
        "weights": known.file.digest,
        "device": describe(model.device),
        "threads": torch.get_num_threads(),
        "versions": versions | {owner: metadata.version(owner) for owner in sorted(owners)},
        "seeds": bench.seeds,
        "batch": len(bench.parts[0]),
        "sample": known.registry.plain(known.sample.model_copy(update={"steps": None, "spacing": None})),
        "distance": DISTANCE.format(steps=results.steps),
        "reference": {"sampler": dumped[BASELINE], "steps": results.steps, "seconds_per_picture": results.seconds},
        "complete": complete,
        "rows": [_row(each, results, dumped[each.name]) for each in [*results.table, *results.failed]],
    }


def _row(one: Measurement, results: Results, sampler: Mapping[str, Any] | None) -> dict[str, Any]:
    measured = {
        "steps": one.steps,
        "calls": one.calls,
        "seconds_per_picture": one.seconds,
        "distance": one.distance,
        "median": one.median,
        "ratio": results.ratio(one),
        "draws_noise": one.draws_noise,
        "gives": one.gives,
        "nearest": results.nearest(one),
    }
    who = {"name": one.name, "sampler": sampler, "asked": one.asked}
    return who | (dict.fromkeys(measured) if one.reason else measured) | {"reason": one.reason or None}


def write(folder: Path, found: dict[str, Any], results: Results, steps: list[int]) -> list[Path]:
    """The numbers, the plot, the pictures."""
    from difftool.data.sheet import png
    from difftool.engine.bench_pictures import sheet
    from difftool.engine.bench_plot import plot

    words = {"model": found["model"], "weights": found["weights"], "distance": found["distance"]}
    title = f"{found['model']}: {len(found['seeds'])} pictures, {found['device']}"
    put(folder / NUMBERS, (json.dumps(found, indent=2, allow_nan=False) + "\n").encode())
    put(folder / PLOT, png(plot(results, title), words))
    reached = [n for n in steps if any(asked == n for _, asked in results.found)]
    put(folder / PICTURES, png(sheet(results, reached), words))
    return [(folder / name).absolute() for name in FILES]


def show(results: Results) -> None:
    """The table, and what its marks mean."""
    rows: list[list[str]] = []
    for each in results.table:
        if rows and rows[-1][0] != str(each.steps):
            rows.append([""] * 7)
        ratio = results.ratio(each)
        near = [each.said, "" if ratio is None else f"{ratio:.2f}x", _note(each, results)]
        rows.append([str(each.steps), each.name, f"{each.calls:g}", f"{each.seconds:.3g}", *near])
    failed: dict[tuple[str, str], list[str]] = {}
    for each in results.failed:
        failed.setdefault((each.name, each.reason), []).append(str(each.asked))
    rows += [[""] * 7] if failed else []
    rows += [[",".join(asked), name, "-", "-", "-", "-", one_line(why)] for (name, why), asked in failed.items()]
    table(["STEPS", "SAMPLER", "CALLS", "S/PICTURE", "DISTANCE", f"BY {BASELINE.upper()}", "NOTE"], rows)
    typer.echo(f"\ndistance: to {results.steps:,} steps of {BASELINE} from the same noise, root mean square, {SCALE}")
    if any(not each.compares for each in results.table):
        typer.echo("~ is meant to end elsewhere: it draws noise of its own, or gives means; no error, not compared")


def _note(one: Measurement, results: Results) -> str:
    if one.draws_noise:
        return "noise of its own"
    if one.gives != "samples":
        return one.gives
    if results.is_reference(one):
        return "the reference"
    return "nearest" if results.nearest(one) else ""


def advise(
    line: Callable[[str], None], results: Results, candidates: Sequence[Candidate], known: Described, source: str
) -> None:
    """What to type to have the most for the least."""
    if not (found := results.advice()):
        return
    best, base = found
    chosen = next(each for each in candidates if each.name == best.name)
    if best is not base:
        line(f"{'so':>10}  {best.name} with {_steps(best)} comes at least as near as {base.name} with {_steps(base)}")
    line(f"{'next':>10}  difftool sample {source} {chosen.typed(known)} --steps {best.asked} -n 16")


def _steps(one: Measurement) -> str:
    calls = "" if one.calls == one.steps else f" ({one.calls:g} calls)"
    return f"{one.steps} step{'s' if one.steps > 1 else ''}{calls}"
