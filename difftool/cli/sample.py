"""`difftool sample`: pictures from a run or a weights file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from difftool.cli.progress import UI, answer, display
from difftool.cli.train import RUNS, RunsFolder

if TYPE_CHECKING:
    from difftool.cli.asked import Asked, Begin
    from difftool.cli.output import Output
    from difftool.core.model import Model
    from difftool.engine.sample import Batch, Film


def sample(
    source: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A run, or a model.safetensors.")],
    count: Annotated[int | None, typer.Option("-n", metavar="N", help="How many pictures: seeds 0 to N-1.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="LIST", help="Which ones, as in 0-15 or 3,7,20-23.")] = None,
    sampler: Annotated[str | None, typer.Option(metavar="S", help="Another sampler than the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Steps from noise to picture.")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key of [sampler] or [sample], as in sampler.variance=zero."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="L", help="What to draw: a label, several as in a,b in turn, or KEY=LABEL."),
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(metavar="W", help="0: whatever comes; 1: as told; 2 to 5: more so.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="SCHEDULE", help="Walk on another schedule, by equal noise level.")
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", metavar="PICTURE", help="Variations of a picture, from --level down.")
    ] = None,
    between: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="From one picture to another in --frames, mixed at --level."),
    ] = None,
    level: Annotated[
        float | None, typer.Option(metavar="T", help="How far --from and --between go back into noise.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures from A to B, both ends included: 9.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The weights without averaging (of a run).")] = False,
    batch: Annotated[int | None, typer.Option(metavar="N", min=1, help="Pictures sampled together.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="The same bytes however the seeds are grouped.")] = False,
    strip: Annotated[int, typer.Option(metavar="N", min=0, help="Also a film strip of N frames, x_T to x_0.")] = 0,
    gif: Annotated[Path | None, typer.Option(metavar="FILE", help="Also an animation of the way from noise.")] = None,
    guess: Annotated[bool, typer.Option("--guess", help="The film shows what x_0 was thought to be, not x_t.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="The folder to write to.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    device: Annotated[str, typer.Option(metavar="D", help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    runs: RunsFolder = RUNS,
) -> None:
    """Draw pictures: difftool sample latest -n 16."""
    from difftool.cli import asked
    from difftool.cli.output import Output, new_folder
    from difftool.cli.source import seeds_of, weights_of
    from difftool.engine.described import describe
    from difftool.engine.sealed import open_model_file
    from difftool.plugin.loader import installed

    _fitting(strip, gif, guess, between, exact)
    wanted = seeds_of(seeds, count)
    path, label = weights_of(source, runs, raw)
    known = describe(open_model_file(path), installed().registry)
    wish = asked.asked(known, sampler, steps, guidance, sets or [], labels or [], on)
    begin = asked.begin_of(origin, between, level, frames, known.shape, wish.T)
    pictures = Pictures.of(wanted or list(range(1 if between else wish.known.sample.count)), begin)
    # Every refusal comes before torch is loaded.
    output = Output(out or new_folder(label), pictures.names, strip=strip, gif=gif, overwrite=overwrite)
    with display(UI.auto) as show:
        with show.loading("torch"):
            from difftool.engine.build import load_model
            from difftool.engine.sample import Film

        model = load_model(wish.known, device)
        film = Film(max(strip, 24 if gif else 0), guess) if strip or gif else None
        show.progress("sampling", 0, 1)
        parts = _drawn(
            model, wish, pictures, film, output, batch, exact, lambda at, of: show.progress("sampling", at, of)
        )
        try:
            for part in parts:
                output.take(part)
        except KeyboardInterrupt:
            raise output.interrupted() from None
        output.finish(columns=len(begin.shares) or None if begin else None)
    for sheet in output.sheets:
        show.line(f"{'look at':>10}  {sheet.absolute()}")
    answer(output.folder.absolute())


@dataclass(frozen=True)
class Pictures:
    """What is asked for, one by one: the seed, and how far on the way from one picture to another."""

    begin: Begin | None
    seeds: list[int]
    shares: list[float]
    names: list[str]

    @classmethod
    def of(cls, seeds: list[int], begin: Begin | None) -> Pictures:
        """One a seed; between two pictures, one a seed and frame."""
        if not begin or not begin.shares:
            return cls(begin, seeds, [], [f"seed-{seed:08d}.png" for seed in seeds])
        frames = range(len(begin.shares))
        return cls(
            begin,
            [seed for seed in seeds for _ in frames],
            begin.shares * len(seeds),
            [f"seed-{seed:08d}-frame-{frame:02d}.png" for seed in seeds for frame in frames],
        )


def _drawn(
    model: Model,
    wish: Asked,
    pictures: Pictures,
    film: Film | None,
    output: Output,
    batch: int | None,
    exact: bool,
    watch: Callable[[int, int], None],
) -> Iterator[Batch]:
    """The pictures, batch by batch; what their metadata will say is written down first."""
    import numpy as np
    import torch

    from difftool.core.guidance import Guidance
    from difftool.core.sampling import from_bytes
    from difftool.core.start import Start
    from difftool.engine.build import how_of, tables
    from difftool.engine.sample import draw
    from difftool.plugin.blame import blamed

    known, begin = wish.known, pictures.begin
    how = replace(how_of(known.sampler, known.sample), told=wish.told)
    if begin and not wish.told and all(condition.drop for condition in known.conditions.values()):
        how = replace(how, guidance=Guidance(0.0))  # what is given says what to draw; a label in turn would disagree
    if wish.on:
        how = replace(how, on=tables(wish.on, known.registry))
    start = None
    if begin:
        first, *rest = from_bytes(torch.from_numpy(np.stack(begin.pictures)))
        start = Start(begin.level, first, rest[0] if rest else None)
    times = how.times(how.on or model.schedule)
    output.words = {
        "sampler": json.dumps(known.registry.dump(known.sampler)),
        "steps": len(start.times(times, wish.T) if start else times) - 1,
        "spacing": known.sample.spacing or "the sampler's own",
        "clip": known.sample.clip,
        "weights": model.digest,
        "model": model.recipe["name"],
    }
    told = model.told(pictures.seeds, how) if how.guidance.scale else {}
    if told:
        output.words["guidance"] = how.guidance.scale
    if wish.on:
        output.words["on"] = json.dumps(known.registry.dump(wish.on))
    if begin:
        output.words["from"] = begin.words
    output.each = [
        {"seed": seed} | {key: values[place] for key, values in told.items()}
        for place, seed in enumerate(pictures.seeds)
    ]
    with blamed(known.registry, known.sampler, "sampling"), blamed(known.registry, known.backbone, "sampling"):
        yield from draw(
            model,
            pictures.seeds,
            how,
            batch=batch or known.sample.batch,
            exact=exact,
            film=film,
            start=start,
            shares=pictures.shares,
            watch=watch,
        )


def _fitting(strip: int, gif: Path | None, guess: bool, between: object, exact: bool) -> None:
    """Options that make no sense alone or together."""
    from difftool.errors import InputError

    if strip == 1:
        raise InputError("--strip 1: a film has two frames at least, noise and picture")
    if gif and gif.suffix.lower() != ".gif":
        raise InputError(f"--gif {gif}: the name of an animation ends in .gif")
    if guess and not strip and not gif:
        raise InputError("--guess is about the film", do="add --strip 10, or --gif film.gif")
    if exact and between:
        raise InputError("--exact is for pictures that differ by their seeds; those between two share one")
