"""`difftool bench`: what things cost here, and what one gets for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from difftool.cli.progress import UI, Plain, display
from difftool.cli.tables import as_json
from difftool.cli.train import RUNS, RunsFolder

if TYPE_CHECKING:
    from difftool.cli.entrants import Entrant
    from difftool.core.model import Model
    from difftool.engine.ladder import Ladder
    from difftool.engine.rungs import Rungs

app = typer.Typer(help="Measure what things cost here, and what one gets for it.", no_args_is_help=True)

REFERENCE = 1000
"""Steps of the reference, or as many as there are levels."""
PICTURES, FEWER, PATIENCE = 16, (8, 4), 600
"""Unless it is said how many: fewer pictures where so many would take longer than these seconds."""


@app.command()
def samplers(
    source: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A run, or a model.safetensors.")],
    wished: Annotated[
        list[str] | None,
        typer.Option("--sampler", metavar="S", help="Only this one, several times if need be; absent: all there are."),
    ] = None,
    steps: Annotated[str | None, typer.Option(metavar="LIST", help="Numbers of steps, as in 5,10,20,50.")] = None,
    number: Annotated[int | None, typer.Option("-n", metavar="N", help="How many pictures: seeds 0 to N-1.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="LIST", help="Which ones, as in 0-15 or 3,7,20-23.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The weights without averaging (of a run).")] = False,
    batch: Annotated[int | None, typer.Option(metavar="N", min=1, help="Pictures sampled together.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="The folder to write to.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    device: Annotated[str, typer.Option(metavar="D", help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    runs: RunsFolder = RUNS,
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON on standard output.")] = False,
) -> None:
    """Compare samplers by steps, time and how near they come: difftool bench samplers latest."""
    from difftool.cli import bench_told as told
    from difftool.cli.entrants import BASELINE, entrants, steps_of
    from difftool.cli.source import seeds_of, weights_of
    from difftool.engine.described import describe
    from difftool.engine.rungs import Rungs
    from difftool.engine.sealed import open_model_file
    from difftool.errors import Stopped
    from difftool.plugin.blame import blamed
    from difftool.plugin.loader import installed

    drawn = seeds_of(seeds, number)
    path, label = weights_of(source, runs, raw)
    known = describe(open_model_file(path), installed().registry)
    climbs = _Climbs(steps_of(steps, known.schedule.T), entrants(known, wished or []))
    folder = _folder(out, label, overwrite, told.FILES)
    # Every refusal comes before torch is loaded.
    rungs = Rungs(BASELINE, min(REFERENCE, known.schedule.T))
    with display(UI.auto) as show:
        with show.loading("torch"):
            from difftool.engine.build import load_model

        if known.sample.spacing:
            show.say(f"the recipe's spacing ({known.sample.spacing}) is left aside: each sampler takes its own levels")
        model = load_model(known, device)
        try:
            with blamed(known.registry, known.backbone, "sampling"):
                ladder = _ladder(model, drawn, batch or known.sample.batch, climbs.calls + rungs.steps, show)
                climbs.climb(ladder, rungs, show)
        except KeyboardInterrupt:
            climbs.stopped = True
        if not rungs.table:
            raise Stopped(
                "interrupted before anything was measured",
                interrupted=True,
                do="try fewer pictures, as in -n 4: the reference comes first, and takes longest",
            )
    facts = told.facts(known, model, ladder, rungs, climbs.everyone, complete=not climbs.stopped)
    files = told.write(folder, facts, rungs, climbs.steps)
    if json:
        as_json(facts | {"files": [str(file) for file in files]})
    else:
        told.show(rungs)
    for file in files:
        show.line(f"{'look at' if file.suffix == '.png' else 'numbers':>10}  {file}")
    if climbs.stopped:
        raise Stopped(
            f"interrupted after {len(rungs.found)} of {len(climbs.everyone) * len(climbs.steps)} measurements",
            interrupted=True,
            saved=f"what was measured is in {folder.absolute()}",
        )
    typed = [quote(source), *(["--raw"] if raw else []), *([f"--runs {quote(str(runs))}"] if runs != RUNS else [])]
    told.advise(show.line, rungs, climbs.everyone, known, " ".join(typed))


@dataclass
class _Climbs:
    """All that is to be measured, and how far it has come."""

    steps: list[int]
    everyone: Sequence[Entrant]
    stopped: bool = False
    ahead: dict[tuple[str, int], float] = field(default_factory=dict)  # calls that are expected of each

    def __post_init__(self) -> None:
        able = [each.name for each in self.everyone if each.sampler]
        self.ahead = {(name, n): float(n) for n in self.steps for name in able}

    @property
    def calls(self) -> float:
        """Of the denoiser, still to come for one batch."""
        return sum(self.ahead.values())

    def climb(self, ladder: Ladder, rungs: Rungs, show: Plain) -> None:
        """The reference, then all samplers at the fewest steps, and so on: whoever stops it has comparable numbers."""
        from difftool.engine.rungs import Rung

        parts, done, what = len(ladder.parts), 0, f"reference, {rungs.steps:,} steps"
        total = rungs.steps + self.calls

        def called() -> None:
            nonlocal done
            done += 1
            show.progress(what, done, max(done, round(total * parts)))

        show.line(
            f"{'bench':>10}  {len({name for name, _ in self.ahead})} samplers, {len(ladder.seeds)} pictures: "
            f"{round(total * parts):,} calls of the network, {rungs.steps * parts:,} of them for the reference"
        )
        show.progress(what, 0, round(total * parts))
        baseline = self.everyone[0]
        assert baseline.sampler is not None
        reference = ladder.refer(baseline.name, baseline.sampler, rungs.steps, called)
        rungs.seconds, rungs.pictures = reference.seconds, reference.pictures
        for n in self.steps:
            for each in self.everyone:
                if not each.sampler:
                    rungs.found[each.name, n] = Rung(each.name, n, reason=each.reason)
                    continue
                what = f"{each.name}, {n} steps"
                found = rungs.found[each.name, n] = ladder.climb(each.name, each.sampler, n, called)
                del self.ahead[each.name, n]
                for later in [key for key in self.ahead if key[0] == each.name and not found.reason]:
                    self.ahead[later] = later[1] * found.calls / found.steps  # some ask twice for each step
                total = done / parts + self.calls


def _ladder(model: Model, drawn: list[int] | None, batch: int, calls: float, show: Plain) -> Ladder:
    """Warmed up, with the pictures that are asked for, or as many as do not take too long."""
    from difftool.engine.ladder import Ladder
    from difftool.run.spoken import clock

    ladder = Ladder(model, drawn or range(PICTURES), batch)
    took = ladder.warm() * len(ladder.parts) * calls
    if drawn or took <= PATIENCE:
        return ladder
    fewer = next((n for n in FEWER if took * n / PICTURES <= PATIENCE), FEWER[-1])
    show.say(f"{PICTURES} pictures would take about {clock(took)} here, so {fewer} are drawn; -n {PICTURES} draws all")
    return Ladder(model, range(fewer), batch)


def _folder(out: Path | None, label: str, overwrite: bool, names: Sequence[str]) -> Path:
    """Where to write: nothing is overwritten unasked."""
    from difftool.cli.output import new_folder
    from difftool.errors import InputError

    folder = out or new_folder(label, "bench")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder.absolute()} is a file", do="name a folder with -o")
    if not overwrite and (there := [folder / name for name in names if (folder / name).exists()]):
        raise InputError(f"{there[0].absolute()} is already there", do="another folder with -o, or --overwrite")
    return folder
