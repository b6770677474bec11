"""`difftool sample`: pictures from a run or a weights file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.progress import UI, answer, display
from difftool.cli.train import RUNS, RunsFolder

if TYPE_CHECKING:
    from difftool.engine.described import Described
    from difftool.engine.sample import Batch
    from difftool.errors import Stopped

MAX_SEED = 2**63 - 1
MOST = 1_000_000
ON_A_SHEET = 64
"""Pictures that a grid or an animation shows, the first of them; a film strip shows eight."""


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
    raw: Annotated[bool, typer.Option("--raw", help="The weights without averaging (of a run).")] = False,
    batch: Annotated[int | None, typer.Option(metavar="N", min=1, help="Pictures sampled together.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="The same bytes however the seeds are grouped.")] = False,
    strip: Annotated[int, typer.Option(metavar="N", min=0, help="Also a film strip of N frames, x_T to x_0.")] = 0,
    gif: Annotated[Path | None, typer.Option(metavar="FILE", help="Also an animation of the way from noise.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="The folder to write to.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    device: Annotated[str, typer.Option(metavar="D", help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    runs: RunsFolder = RUNS,
) -> None:
    """Draw pictures: difftool sample latest -n 16."""
    from difftool.engine.described import describe
    from difftool.engine.sealed import open_model_file
    from difftool.errors import InputError
    from difftool.plugin.loader import installed

    wanted = seeds_of(seeds, count)
    if strip == 1:
        raise InputError("--strip 1: a film has two frames at least, noise and picture")
    if gif and gif.suffix.lower() != ".gif":
        raise InputError(f"--gif {gif}: the name of an animation ends in .gif")
    path, label = _weights(source, runs, raw)
    known = describe(open_model_file(path), installed().registry)
    known = _asked(known, sampler, steps, sets or [])
    wanted = wanted or list(range(known.sample.count))
    # Every refusal comes before torch is loaded.
    output = _Output(out or _new_folder(label), wanted, strip > 0, gif, overwrite)
    with display(UI.auto) as show:
        with show.loading("torch"):
            from difftool.engine.build import how_of, load_model
            from difftool.engine.sample import draw
            from difftool.plugin.blame import blamed

        model = load_model(known, device)
        how = how_of(known.sampler, known.sample)
        output.words = {
            "sampler": json.dumps(known.registry.dump(known.sampler)),
            "steps": len(how.times(model.schedule)) - 1,
            "spacing": known.sample.spacing or "the sampler's own",
            "clip": known.sample.clip,
            "weights": model.digest,
            "model": model.recipe["name"],
        }
        show.progress("sampling", 0, 1)
        with blamed(known.registry, known.sampler, "sampling"), blamed(known.registry, known.backbone, "sampling"):
            parts = draw(
                model,
                wanted,
                how,
                batch=batch or known.sample.batch,
                exact=exact,
                frames=max(strip, 24 if gif else 0),
                watch=lambda at, of: show.progress("sampling", at, of),
            )
            try:
                for part in parts:
                    output.take(part)
            except KeyboardInterrupt:
                raise output.interrupted() from None
        output.finish(strip, gif)
    for sheet in output.sheets:
        show.line(f"{'look at':>10}  {sheet.absolute()}")
    answer(output.folder.absolute())


def seeds_of(text: str | None, count: int | None) -> list[int] | None:
    """`0-15`, `3,7,20-23`; with a count alone the seeds are 0 to count - 1."""
    from difftool.errors import InputError

    if count is not None and count < 1:
        raise InputError(f"-n {count}: at least one picture")
    if count is not None and count > MOST:
        raise InputError(f"-n {count}: more than a million pictures; ask for fewer at a time")
    if text is None:
        return None if count is None else list(range(count))
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last] if dash else [first]
        numbers = [int(end) for end in ends if end.isascii() and end.isdigit() and len(end) < 20]
        if len(numbers) < len(ends) or numbers[-1] > MAX_SEED or numbers[-1] < numbers[0]:
            raise InputError(
                f"--seeds {text}: {part!r} is no seed or range; write 5, 0-15, or 3,7,20-23, none above 2^63-1"
            )
        if numbers[-1] - numbers[0] >= MOST:
            raise InputError(f"--seeds {text}: more than a million pictures; ask for fewer at a time")
        seeds += range(numbers[0], numbers[-1] + 1)
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds {text}: a seed occurs twice")
    if count is not None and count != len(seeds):
        raise InputError(f"-n {count} and --seeds {text} disagree: those are {len(seeds)} seeds", do="give one of them")
    return seeds


def _weights(source: str, runs: Path, raw: bool) -> tuple[Path, str]:
    """(the weights file, what its pictures' folder is called after)."""
    from difftool.errors import CheckpointError, InputError
    from difftool.run.layout import checkpoint_steps, find_run

    path = Path(source).expanduser()
    if path.is_file():
        if raw:
            raise InputError(
                "--raw is for a run: a file holds one set of weights",
                do="name the run, or the model.safetensors inside one of its checkpoints",
            )
        return path, path.absolute().parent.name if path.stem == "model" else path.stem
    if path.suffix == ".safetensors":
        raise InputError(f"there is no file {path.absolute()}")
    run = find_run(source, runs)
    steps = checkpoint_steps(run)
    chosen = run.checkpoint(steps[0] if steps else 0) / "model.safetensors" if raw else run.weights
    if not chosen.is_file():
        raise CheckpointError(
            f"{run.name} has no weights yet", where=str(run.root.absolute()), do=f"difftool runs show {run.root}"
        )
    return chosen, run.name


def _asked(known: Described, sampler: str | None, steps: int | None, sets: Sequence[str]) -> Described:
    """The sampler and settings for this call: the recipe's, with what was asked for on top."""
    from difftool.errors import InputError, RecipeError
    from difftool.recipe.explain import Places, Problem
    from difftool.recipe.load import Maker
    from difftool.recipe.model import Sample
    from difftool.recipe.overlay import mark, options, overlay

    table = {"sampler": known.recipe["sampler"], "sample": known.recipe["sample"]}
    asked: list[tuple[str, dict[str, Any]]] = []
    if sampler is not None:
        asked.append((f"--sampler {sampler}", {"sampler": {"name": sampler}}))
    if steps is not None:
        asked.append((f"--steps {steps}", {"sample": {"steps": steps}}))
    places = Places(known.file.label)
    for text, over in [*asked, *options(list(sets))]:
        section = next(iter(over))
        if section not in table:
            raise InputError(
                f"{text}: only [sampler] and [sample] may change here",
                why=f"the network was trained with the rest of its recipe; another {section} would give noise",
            )
        table = overlay(table, over)
        mark(places, over, text)
    maker = Maker(known.registry, Path())
    made = maker.component("sampler", table["sampler"], ("sampler",))
    settings: Sample | None = maker.part(Sample, table["sample"], ("sample",))
    problems = list(maker.problems)
    if settings and settings.steps and settings.steps > known.schedule.T:
        problems.append(
            Problem(("sample", "steps"), f"at most one step a level: {known.schedule.T}, got {settings.steps}")
        )
    if problems or settings is None:
        raise RecipeError([places.say(problem) for problem in problems])
    return replace(known, sampler=made, sample=settings)


def _new_folder(label: str) -> Path:
    """samples-<label>, or the first of -2, -3, ... that is not there yet."""
    base = Path(f"samples-{label}")
    number = 2
    folder = base
    while folder.exists():
        folder = Path(f"{base}-{number}")
        number += 1
    return folder


class _Output:
    """The folder that pictures go to; nothing in it is overwritten unasked."""

    def __init__(self, folder: Path, seeds: list[int], strip: bool, gif: Path | None, overwrite: bool) -> None:
        from difftool.errors import InputError

        self.folder = folder
        self.words: dict[str, Any] = {}
        self.asked, self.written = len(seeds), 0
        self.shown: list[Batch] = []  # the first pictures, for the sheets
        self.sheets = [folder / "grid.png", *([folder / "strip.png"] if strip else []), *([gif] if gif else [])]
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder.absolute()} is a file", do="name a folder with -o")
        there = [path for path in [*map(self.picture, seeds), *self.sheets] if path.exists()]
        if there and not overwrite:
            raise InputError(
                f"{there[0].absolute()} is already there" + (f", and {len(there) - 1} more" if there[1:] else ""),
                do="another folder with -o, or --overwrite",
            )

    def picture(self, seed: int) -> Path:
        """The file of one seed."""
        return self.folder / f"seed-{seed:08d}.png"

    def take(self, part: Batch) -> None:
        """Writes a finished batch at once: Ctrl-C keeps what is done."""
        from difftool.engine.pictures import png

        for seed, picture in zip(part.seeds, part.pixels, strict=True):
            self._put(self.picture(seed), png(picture, {"seed": seed, **self.words}))
            self.written += 1
        if sum(len(each.seeds) for each in self.shown) < ON_A_SHEET:
            self.shown.append(part)

    def interrupted(self) -> Stopped:
        """What Ctrl-C leaves."""
        from difftool.errors import Stopped

        kept = f"{self.written} pictures in {self.folder.absolute()}" if self.written else ""
        return Stopped(f"interrupted after {self.written} of {self.asked} pictures", interrupted=True, saved=kept)

    def finish(self, strip: int, gif: Path | None) -> None:
        """The sheets of the first pictures: grid, film strip, animation."""
        import torch

        from difftool.engine import pictures

        seeds = [seed for part in self.shown for seed in part.seeds][:ON_A_SHEET]
        words = {"seeds": ",".join(map(str, seeds)), **self.words}
        shown = torch.cat([part.pixels for part in self.shown])[:ON_A_SHEET]
        self._put(self.folder / "grid.png", pictures.grid(shown, words))
        frames = [torch.cat(each) for each in zip(*(part.frames for part in self.shown), strict=True)]
        if strip:
            self._put(self.folder / "strip.png", pictures.strip(frames, strip, words))
        if gif:
            self._put(gif, pictures.gif([frame[:ON_A_SHEET] for frame in frames]))

    @staticmethod
    def _put(path: Path, data: bytes) -> None:
        from difftool.errors import DiskError
        from difftool.run.writer import replace_file

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DiskError(f"cannot make {path.parent.absolute()}", why=error.strerror or str(error)) from None
        replace_file(path, data, sync=False)
