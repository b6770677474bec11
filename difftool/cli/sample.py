"""`difftool sample`: pictures from a run or a weights file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.progress import UI, display
from difftool.cli.train import RUNS, RunsFolder

if TYPE_CHECKING:
    from difftool.engine.sealed import Sealed
    from difftool.errors import Stopped
    from difftool.recipe.model import Sample

MAX_SEED = 2**63 - 1


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
    from difftool.engine.sealed import open_model_file

    wanted = seeds_of(seeds, count)
    path, label = _weights(source, runs, raw)
    file = open_model_file(path)
    choice = _choice(file, sampler, steps, sets or [])
    wanted = wanted or list(range(choice.settings.count))
    # Every refusal comes before torch is loaded.
    target = _Target(out or _new_folder(label), wanted, strip > 0, gif, overwrite)
    show = display(UI.auto)
    show.busy("loading torch")
    from difftool.engine.build import how_of, load_model
    from difftool.engine.sample import Batch, draw
    from difftool.plugin.blame import blamed
    from difftool.plugin.loader import installed

    done: list[Batch] = []
    with show, blamed(installed().registry, choice.sampler, "sampling"):
        model = load_model(file, device)
        how = how_of(choice.sampler, choice.settings)
        words = {
            "sampler": json.dumps(choice.table),
            "steps": len(how.times(model.schedule)) - 1,
            "spacing": choice.settings.spacing or "the sampler's own",
            "clip": choice.settings.clip,
            "weights": model.digest,
            "model": model.recipe["name"],
        }
        show.progress("sampling", 0, 1)
        try:
            for part in draw(
                model,
                wanted,
                how,
                batch=batch or choice.settings.batch,
                exact=exact,
                frames=max(strip, 24 if gif else 0),
                watch=lambda at, of: show.progress("sampling", at, of),
            ):
                target.write(part.seeds, part.pixels, words)
                done.append(part)
        except KeyboardInterrupt:
            raise target.interrupted() from None
        target.finish(done, words, strip, gif)
    for path in target.sheets:
        show.line(f"{'look at':>10}  {path.absolute()}")
    print(target.folder.absolute())


def seeds_of(text: str | None, count: int | None) -> list[int] | None:
    """`0-15`, `3,7,20-23`; with a count alone the seeds are 0 to count - 1."""
    from difftool.errors import InputError

    if count is not None and count < 1:
        raise InputError(f"-n {count}: at least one picture")
    if text is None:
        return None if count is None else list(range(count))
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last] if dash else [first]
        numbers = [int(end) for end in ends if end.isascii() and end.isdigit() and len(end) < 20]
        if len(numbers) < len(ends) or numbers[-1] > MAX_SEED or numbers[-1] < numbers[0]:
            raise InputError(f"--seeds {text}: {part!r} is no seed or range; write 5, 0-15, or 3,7,20-23")
        if numbers[-1] - numbers[0] >= 1_000_000:
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
    chosen = run.checkpoint(steps[0]) / "model.safetensors" if raw and steps else run.weights
    if not chosen.is_file():
        raise CheckpointError(
            f"{run.name} has no weights yet", where=str(run.root.absolute()), do=f"difftool runs show {run.root}"
        )
    return chosen, run.name


@dataclass(frozen=True)
class _Choice:
    """The sampler and settings for this call: the recipe's, with what was asked for on top."""

    sampler: Any
    settings: Sample
    table: dict[str, Any]


def _choice(file: Sealed, sampler: str | None, steps: int | None, sets: Sequence[str]) -> _Choice:
    from difftool.errors import InputError, RecipeError
    from difftool.plugin.loader import installed
    from difftool.recipe.explain import Places
    from difftool.recipe.load import Maker
    from difftool.recipe.model import Sample
    from difftool.recipe.overlay import mark, options, overlay

    recipe = json.loads(file.words["recipe"])
    table = {"sampler": recipe["sampler"], "sample": recipe.get("sample", {})}
    asked: list[tuple[str, dict[str, Any]]] = []
    if sampler is not None:
        asked.append((f"--sampler {sampler}", {"sampler": {"name": sampler}}))
    if steps is not None:
        asked.append((f"--steps {steps}", {"sample": {"steps": steps}}))
    places = Places(file.label)
    for text, over in [*asked, *options(list(sets))]:
        section = next(iter(over))
        if section not in table:
            raise InputError(
                f"{text}: only [sampler] and [sample] may change here",
                why=f"the network was trained with the rest of its recipe; another {section} would give noise",
            )
        table = overlay(table, over)
        mark(places, over, text)
    maker = Maker(installed().registry, Path())
    made = maker.component("sampler", table["sampler"], ("sampler",))
    settings = maker.part(Sample, table["sample"], ("sample",))
    T = recipe["schedule"].get("T")
    if settings and settings.steps and T and settings.steps > T:
        maker._wrong(("sample", "steps"), f"at most one step a level: {T}, got {settings.steps}")
    if maker.problems:
        raise RecipeError([places.say(problem) for problem in maker.problems])
    return _Choice(made, settings, maker.registry.dump(made))


def _new_folder(label: str) -> Path:
    """samples-<label>, or the first of -2, -3, ... that is not there yet."""
    base = Path(f"samples-{label}")
    number = 2
    folder = base
    while folder.exists():
        folder = Path(f"{base}-{number}")
        number += 1
    return folder


class _Target:
    """The folder that pictures go to; nothing in it is overwritten unasked."""

    def __init__(self, folder: Path, seeds: list[int], strip: bool, gif: Path | None, overwrite: bool) -> None:
        from difftool.errors import InputError

        self.folder = folder
        self.pictures = [self.picture(seed) for seed in seeds]
        self.sheets = [folder / "grid.png", *([folder / "strip.png"] if strip else []), *([gif] if gif else [])]
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder.absolute()} is a file", do="name a folder with -o")
        there = [path for path in [*self.pictures, *self.sheets] if path.exists()]
        if there and not overwrite:
            raise InputError(
                f"{there[0].absolute()} is already there" + (f", and {len(there) - 1} more" if there[1:] else ""),
                do="another folder with -o, or --overwrite",
            )

    def picture(self, seed: int) -> Path:
        """The file of one seed."""
        return self.folder / f"seed-{seed:08d}.png"

    def write(self, seeds: list[int], pixels: Any, words: dict[str, Any]) -> None:
        """A finished batch, at once: Ctrl-C keeps what is done."""
        from difftool.engine.pictures import png

        for seed, picture in zip(seeds, pixels, strict=True):
            self._put(self.picture(seed), png(picture, {"seed": seed, **words}))

    def interrupted(self) -> Stopped:
        """What Ctrl-C leaves."""
        from difftool.errors import Stopped

        done = sum(path.exists() for path in self.pictures)
        kept = f"{done} pictures in {self.folder.absolute()}" if done else ""
        return Stopped(f"interrupted after {done} of {len(self.pictures)} pictures", interrupted=True, saved=kept)

    def finish(self, parts: list[Any], words: dict[str, Any], strip: int, gif: Path | None) -> None:
        """The sheets of all pictures: grid, film strip, animation."""
        import torch

        from difftool.engine import pictures

        seeds = [seed for part in parts for seed in part.seeds]
        words = {"seeds": ",".join(map(str, seeds)) if len(seeds) <= 64 else f"{len(seeds)} seeds", **words}
        shown = torch.cat([part.pixels for part in parts])[:256]
        self._put(self.folder / "grid.png", pictures.grid(shown, words))
        if not (strip or gif):
            return
        frames = [torch.cat(each) for each in zip(*(part.frames for part in parts), strict=True)]
        if strip:
            chosen = [frames[round(k * (len(frames) - 1) / max(1, strip - 1))] for k in range(strip)]
            rows = torch.stack([frame[:8] for frame in chosen], 1).flatten(0, 1)
            self._put(self.folder / "strip.png", pictures.grid(rows, words, columns=len(chosen)))
        if gif:
            self._put(gif, pictures.gif([frame[:64] for frame in frames]))

    @staticmethod
    def _put(path: Path, data: bytes) -> None:
        from difftool.errors import DiskError
        from difftool.run.writer import replace_file

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DiskError(f"cannot make {path.parent.absolute()}", why=error.strerror or str(error)) from None
        replace_file(path, data, sync=False)
