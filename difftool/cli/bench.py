"""`difftool bench`: what things cost here, and what one gets for it."""

from __future__ import annotations

import time
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
    from difftool.cli.bench_samplers import Candidate
    from difftool.core.model import Model
    from difftool.engine.bench_results import Results
    from difftool.engine.bench_walks import Bench

app = typer.Typer(help="Measure what things cost here, and what one gets for it.", no_args_is_help=True)

REFERENCE = 1000
"""Steps of the reference, or as many as there are levels."""
PICTURES, FEWER, PATIENCE = 16, (8, 4), 600
"""Unless it is said how many: fewer pictures where so many would take longer than these seconds."""
DRAWN_EVERY = 0.25
"""Seconds: walks are timed meanwhile, so progress is drawn seldom; once takes a tenth of a millisecond."""


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
    from difftool.cli import bench_report as report
    from difftool.cli.bench_samplers import BASELINE, candidates, steps_of
    from difftool.cli.output import make_folder
    from difftool.cli.source import seeds_of, weights_of
    from difftool.engine.bench_results import Results
    from difftool.engine.described import describe
    from difftool.engine.sealed import open_model_file
    from difftool.errors import Stopped
    from difftool.plugin.blame import blamed
    from difftool.plugin.loader import installed

    drawn = seeds_of(seeds, number)
    path, label = weights_of(source, runs, raw)
    known = describe(open_model_file(path), installed().registry, own_sampler=False)
    plan = _Plan(steps_of(steps, known.schedule.T), candidates(known, wished or []))
    if out:
        _refuse(out, overwrite, report.FILES)
    # Every refusal comes before torch is loaded.
    results = Results(BASELINE, min(REFERENCE, known.schedule.T))
    with display(UI.auto) as show:
        with show.loading("torch"):
            from difftool.engine.build import load_model

        if known.sample.spacing:
            show.say(f"the recipe's spacing ({known.sample.spacing}) is left aside: each sampler takes its own levels")
        model = load_model(known, device)
        try:
            with blamed(known.registry, known.backbone, "sampling"):
                bench = _bench(model, drawn, batch or known.sample.batch, plan.calls + results.steps, show)
                plan.carry_out(bench, results, show)
        except KeyboardInterrupt:
            plan.stopped = True
        if not results.table:
            raise Stopped(
                "interrupted before anything was measured",
                interrupted=True,
                do="try fewer pictures, as in -n 4: the reference comes first, and takes longest",
            )
    facts = report.facts(known, model, bench, results, plan.candidates, complete=not plan.stopped)
    # What was measured is said before anything is written: a full disk does not take it away.
    if not json:
        report.show(results)
    files: list[Path] = []
    try:
        folder = out or make_folder(label, "bench")
        files = report.write(folder, facts, results, plan.steps)
    finally:
        if json:
            as_json(facts | {"files": [str(file) for file in files]})
    for file in files:
        show.line(f"{'look at' if file.suffix == '.png' else 'numbers':>10}  {file}")
    if plan.stopped:
        raise Stopped(
            f"interrupted after {len(results.found)} of {len(plan.candidates) * len(plan.steps)} measurements",
            interrupted=True,
            saved=f"what was measured is in {folder.absolute()}",
        )
    typed = [quote(source), *(["--raw"] if raw else []), *([f"--runs {quote(str(runs))}"] if runs != RUNS else [])]
    report.advise(show.line, results, plan.candidates, known, " ".join(typed))


@dataclass
class _Plan:
    """All that is to be measured, and how far it has come."""

    steps: list[int]
    candidates: Sequence[Candidate]
    stopped: bool = False
    ahead: dict[tuple[str, int], float] = field(default_factory=dict)  # calls that are expected of each

    def __post_init__(self) -> None:
        able = [each.name for each in self.candidates if each.sampler]
        self.ahead = {(name, n): float(n) for n in self.steps for name in able}

    @property
    def calls(self) -> float:
        """Of the denoiser, still to come for one batch."""
        return sum(self.ahead.values())

    def carry_out(self, bench: Bench, results: Results, show: Plain) -> None:
        """The reference, then all samplers at the fewest steps, and so on: whoever stops it has comparable numbers."""
        from difftool.engine.bench_results import Measurement

        parts, done, what = len(bench.parts), 0, f"reference, {results.steps:,} steps"
        total, drawn = results.steps + self.calls, 0.0

        def walked(calls: int) -> None:
            nonlocal done, drawn
            done += calls
            if (now := time.monotonic()) - drawn > DRAWN_EVERY:
                drawn = now
                show.progress(what, done, max(done, round(total * parts)))

        show.line(
            f"{'bench':>10}  {len({name for name, _ in self.ahead})} samplers, {len(bench.seeds)} pictures: "
            f"{round(total * parts):,} calls of the network, {results.steps * parts:,} of them for the reference"
        )
        show.progress(what, 0, round(total * parts))
        baseline = self.candidates[0]
        assert baseline.sampler is not None
        reference = bench.measure_reference(baseline.name, baseline.sampler, results.steps, walked)
        results.seconds, results.pictures = reference.seconds, reference.pictures
        for n in self.steps:
            for each in self.candidates:
                if not each.sampler:
                    results.found[each.name, n] = Measurement(each.name, n, reason=each.reason)
                    continue
                what = f"{each.name}, {n} steps"
                found = results.found[each.name, n] = bench.measure(each.name, each.sampler, n, walked)
                del self.ahead[each.name, n]
                for later in [key for key in self.ahead if key[0] == each.name and not found.reason]:
                    self.ahead[later] = later[1] * found.calls / found.steps  # some ask twice for each step
                total = done / parts + self.calls


def _bench(model: Model, drawn: list[int] | None, batch: int, calls: float, show: Plain) -> Bench:
    """Warmed up, with the pictures that are asked for, or as many as do not take too long."""
    from difftool.engine.bench_walks import Bench
    from difftool.run.spoken import clock

    bench = Bench(model, drawn or range(PICTURES), batch)
    took = bench.warm() * len(bench.parts) * calls
    if drawn or took <= PATIENCE:
        return bench
    fewer = next((n for n in FEWER if took * n / PICTURES <= PATIENCE), FEWER[-1])
    show.say(f"{PICTURES} pictures would take about {clock(took)} here, so {fewer} are drawn; -n {PICTURES} draws all")
    return Bench(model, range(fewer), batch)


def _refuse(folder: Path, overwrite: bool, names: Sequence[str]) -> None:
    """Nothing is overwritten unasked."""
    from difftool.errors import InputError

    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder.absolute()} is a file", do="name a folder with -o")
    if not overwrite and (there := [folder / name for name in names if (folder / name).exists()]):
        raise InputError(f"{there[0].absolute()} is already there", do="another folder with -o, or --overwrite")
