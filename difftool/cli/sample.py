"""`difftool sample`: pictures from a run or a weights file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.progress import UI, answer, display
from difftool.cli.train import RUNS, RunsFolder

if TYPE_CHECKING:
    from difftool.cli.asked import Asked, Begin
    from difftool.core.model import How, Model
    from difftool.core.start import Start


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
    known = describe(open_model_file(path), installed().registry, own_sampler=sampler is None)
    wish = asked.asked(known, sampler, steps, guidance, sets or [], labels or [], on)
    begin = asked.begin_of(origin, between, level, frames, known.shape, wish.T)
    wish = asked.untold(wish, begin)
    wanted = wanted or list(range(1 if between else wish.known.sample.count))
    along = range(len(begin.shares)) if begin and begin.shares else None
    names = [
        f"seed-{seed:08d}{tail}.png"
        for seed in wanted
        for tail in ([f"-frame-{k:02d}" for k in along] if along else [""])
    ]
    wanted = [seed for seed in wanted for _ in along or [0]]
    # Every refusal comes before torch is loaded.
    output = Output(out or new_folder(label), names, strip=strip, gif=gif, overwrite=overwrite)
    with display(UI.auto) as show:
        with show.loading("torch"):
            from difftool.engine.build import load_model
            from difftool.engine.sample import Film, draw
            from difftool.plugin.blame import blamed

        model = load_model(wish.known, device)
        how, start = _way(wish, begin, len(wanted), show.say)
        output.words, output.each = _words(model, wish, begin, how, start, wanted)
        film = Film(max(strip, 24 if gif else 0), guess) if strip or gif else None
        show.progress("sampling", 0, 1)
        with blamed(known.registry, wish.known.sampler, "sampling"), blamed(known.registry, known.backbone, "sampling"):
            parts = draw(
                model,
                wanted,
                how,
                batch=batch or wish.known.sample.batch,
                exact=exact,
                film=film,
                start=start,
                watch=lambda at, of: show.progress("sampling", at, of),
            )
            try:
                for part in parts:
                    output.take(part)
            except KeyboardInterrupt:
                raise output.interrupted() from None
        output.finish(columns=len(along) if along else None)
    for sheet in output.sheets:
        show.line(f"{'look at':>10}  {sheet.absolute()}")
    answer(output.folder.absolute())


def _way(wish: Asked, begin: Begin | None, pictures: int, say: Callable[[str], None]) -> tuple[How, Start | None]:
    """How to walk, and from where."""
    import numpy as np
    import torch

    from difftool.core.sampling import from_bytes
    from difftool.core.start import Start
    from difftool.engine.build import how_of, tables
    from difftool.plugin.blame import blamed

    for key, values in wish.told.items():
        condition = wish.known.conditions[key]
        with blamed(wish.known.registry, condition, f"encoding {values[0]!r}"):
            for value in values:  # before the sampler's turn, so that it is not blamed for a value
                condition.encode(value)
    how = replace(how_of(wish.known.sampler, wish.known.sample), told=wish.told)
    if wish.on:
        how = replace(how, on=tables(wish.on, wish.known.registry))
    if not begin:
        if how.on and (warning := how.on.require_noise()):
            say(warning)
        return how, None
    first, *rest = from_bytes(torch.from_numpy(np.stack(begin.pictures)))
    shares = begin.shares * (pictures // len(begin.shares)) if begin.shares else ()
    return how, Start(begin.level, first, rest[0] if rest else None, tuple(shares))


def _words(
    model: Model, wish: Asked, begin: Begin | None, how: How, start: Start | None, seeds: Sequence[int]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the metadata says of all pictures, and of each: enough to draw it again."""
    known = wish.known
    times = how.times(how.on or model.schedule)
    words: dict[str, Any] = {
        "sampler": json.dumps(known.registry.dump(known.sampler)),
        "steps": len(start.times(times, wish.T) if start else times) - 1,
        "spacing": known.sample.spacing or "the sampler's own",
        "clip": known.sample.clip,
        "weights": model.digest,
        "model": model.recipe["name"],
    }
    told = model.told(seeds, how) if how.guidance.scale else {}
    if model.conditions:
        words["guidance"] = how.guidance.scale
    if how.guidance.scale not in (0, 1):
        words["guidance_levels"] = how.guidance.levels or "all"
        words["guidance_rescale"] = how.guidance.rescale
    if wish.on:
        words["on"] = json.dumps(known.registry.dump(wish.on))
    if begin:
        words["from"] = begin.words
    each = [{"seed": seed} | {key: values[place] for key, values in told.items()} for place, seed in enumerate(seeds)]
    return words, each


def _fitting(strip: int, gif: Path | None, guess: bool, between: object, exact: bool) -> None:
    """Options that make no sense alone or together."""
    from difftool.cli.asked import MOST_FRAMES
    from difftool.errors import InputError

    if strip == 1 or strip > MOST_FRAMES:
        raise InputError(f"--strip {strip}: from 2 frames, noise and picture, to {MOST_FRAMES}")
    if gif and gif.suffix.lower() != ".gif":
        raise InputError(f"--gif {gif}: the name of an animation ends in .gif")
    if guess and not strip and not gif:
        raise InputError("--guess is about the film", do="add --strip 10, or --gif film.gif")
    if exact and between:
        raise InputError("--exact is for pictures that differ by their seeds; those between two share one")
