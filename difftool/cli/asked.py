"""What a call of `difftool sample` asks for, checked before torch is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difftool.core.conditions import unguided
from difftool.engine.described import Described
from difftool.errors import InputError, RecipeError
from difftool.plugin.component import NoiseSchedule
from difftool.plugin.spelling import nearest
from difftool.recipe.check import unlearned
from difftool.recipe.explain import Places, Problem
from difftool.recipe.make import Maker
from difftool.recipe.model import Sample
from difftool.recipe.overlay import mark, options, overlay, value_of

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


MOST_FRAMES = 64


@dataclass(frozen=True)
class Asked:
    """A call whose every part can be done."""

    known: Described  # with the sampler and settings of this call
    on: NoiseSchedule | None  # another schedule to walk on
    told: Mapping[str, tuple[Any, ...]]

    @property
    def T(self) -> int:
        """Levels of the schedule that is walked on."""
        return (self.on or self.known.schedule).T


@dataclass(frozen=True)
class Begin:
    """Where a walk begins instead of at noise."""

    words: str  # for the metadata: which pictures, which level
    level: float
    pictures: list[Pixels]  # one, or two to go between
    shares: list[float] = field(default_factory=list)  # of the second, one for each picture on the way


def asked(
    known: Described,
    sampler: str | None,
    steps: int | None,
    guidance: float | None,
    sets: Sequence[str],
    labels: Sequence[str],
    on: str | None,
) -> Asked:
    """Refuses whatever this network cannot do."""
    schedule = schedule_of(on, known)
    changed = sampled(known, sampler, steps, guidance, sets, (schedule or known.schedule).T)
    return Asked(changed, schedule, told_of(labels, known))


def untold(wish: Asked, begin: Begin | None) -> Asked:
    """A picture to begin with says what to draw: without a label nothing is told, where the network learned that."""
    conditions, sample = wish.known.conditions, wish.known.sample
    if not begin or not conditions or wish.told:
        return wish
    option = "--between" if begin.shares else "--from"
    if sample.guidance not in (0, 1):
        raise InputError(f"guidance {sample.guidance:g} needs a label with {option}", do="add --label NAME")
    if always := [key for key, condition in conditions.items() if condition.drop == 0]:
        raise InputError(
            f"the network was always told its {always[0]}: which is it, with {option}?", do="add --label NAME"
        )
    return replace(wish, known=replace(wish.known, sample=sample.model_copy(update={"guidance": 0.0})))


def schedule_of(text: str | None, known: Described) -> NoiseSchedule | None:
    """The schedule of `--on`: a name, or a table as in {name="cosine", T=500}."""
    if text is None:
        return None
    maker = Maker(known.registry, Path())
    made: NoiseSchedule | None = maker.component("schedule", value_of(text), ())
    if made is None:
        places = Places("--on", options={(): f"--on {text}"})
        raise RecipeError([places.say(problem) for problem in maker.problems])
    return made


def sampled(
    known: Described, sampler: str | None, steps: int | None, guidance: float | None, sets: Sequence[str], T: int
) -> Described:
    """The sampler and settings for this call: the recipe's, with what was asked for on top."""
    table = {"sampler": known.recipe["sampler"], "sample": known.recipe["sample"]}
    asked: list[tuple[str, dict[str, Any]]] = []
    if sampler is not None:
        asked.append((f"--sampler {sampler}", {"sampler": {"name": sampler}}))
    if steps is not None:
        asked.append((f"--steps {steps}", {"sample": {"steps": steps}}))
    if guidance is not None:
        asked.append((f"--guidance {guidance:g}", {"sample": {"guidance": guidance}}))
    places = Places(known.file.label)
    for text, over in [*asked, *options(list(sets))]:
        section = next(iter(over))
        if section not in table:
            raise InputError(
                f"{text}: only [sampler] and [sample] may change here",
                why=f"the network was trained with the rest of its recipe; another {section} would give noise",
                do="--on SCHEDULE samples on another schedule, by equal noise level" if section == "schedule" else "",
            )
        table = overlay(table, over)
        mark(places, over, text)
    maker = Maker(known.registry, Path())
    made = maker.component("sampler", table["sampler"], ("sampler",))
    settings: Sample | None = maker.part(Sample, table["sample"], ("sample",))
    problems = list(maker.problems)
    if settings and settings.steps and settings.steps > T:
        problems.append(Problem(("sample", "steps"), f"at most one step a level: {T}, got {settings.steps}"))
    if settings and (wrong := unguided(settings.guidance, known.conditions)):
        problems.append(Problem(("sample", "guidance"), wrong))
    if made and made.outputs > known.loss.outputs:
        problems.append(Problem(("sampler",), unlearned(known.registry.offer(type(known.loss)).owned)))
    if problems or settings is None:
        raise RecipeError([places.say(problem) for problem in problems])
    return replace(known, sampler=made, sample=settings)


def told_of(labels: Sequence[str], known: Described) -> dict[str, tuple[Any, ...]]:
    """`--label circle`, `--label circle,star`, `--label KEY=circle`: what seeds are told in turn, by condition."""
    told: dict[str, tuple[Any, ...]] = {}
    for text in labels:
        head, equals, tail = text.partition("=")
        owned = bool(equals) and head in known.conditions
        key, rest = (head, tail) if owned else (_only_condition(text, known), text)
        choices = known.conditions[key].choices
        if equals and not owned and head.isidentifier() and text not in choices:
            raise InputError(f"--label {text}: nothing called {head!r} is told; there is {key}")
        values: tuple[Any, ...] = (value_of(rest),)  # a number, if it is one
        if choices:
            values = (rest,) if rest in choices else tuple(part.strip() for part in rest.split(","))
        for value in values:
            if choices and value not in choices:
                raise InputError(f"--label {text}: {value!r} is no {key}; {nearest(value, choices, 'there are')}")
        told[key] = (*told.get(key, ()), *values)
    return told


def _only_condition(text: str, known: Described) -> str:
    """The condition that a label without a key is for."""
    if not known.conditions:
        raise InputError(
            f"--label {text}: this model was trained without labels",
            do="train with a condition, as in --set conditions.label=labels",
        )
    if "label" in known.conditions or len(known.conditions) == 1:
        return "label" if "label" in known.conditions else next(iter(known.conditions))
    raise InputError(f"--label {text}: for which of {', '.join(known.conditions)}? write --label KEY={text}")


def picture_of(path: Path, option: str, shape: tuple[int, int, int]) -> Pixels:
    """A picture to begin with, [H, W, C], of just the model's size."""
    from difftool.data.decode import read_picture

    path = path.expanduser()
    if not path.is_file():
        what = "this is a folder, not a picture" if path.is_dir() else "there is no such file"
        raise InputError(f"{option} {path}: {what}", where=str(path.absolute()))
    channels, height, width = shape
    pixels = read_picture(path, channels)
    if pixels.shape[:2] != (height, width):
        raise InputError(
            f"{option} {path}: the picture is {pixels.shape[1]}x{pixels.shape[0]}, the model makes {width}x{height}",
            do=f"resize it to {width}x{height}",
        )
    return pixels


def begin_of(
    origin: Path | None,
    between: tuple[Path, Path] | None,
    level: float | None,
    frames: int | None,
    shape: tuple[int, int, int],
    T: int,
) -> Begin | None:
    """`--from A`, `--between A B`, `--level t`, `--frames n`."""
    if origin and between:
        raise InputError("--from and --between: one of them", do="--from for variations of one picture")
    if frames is not None and not between:
        raise InputError("--frames goes with --between: how many pictures from one to the other")
    if not origin and not between:
        if level is not None:
            raise InputError("--level goes with --from or --between: how far a picture is turned into noise")
        return None
    level = float(max(1, T // 2)) if level is None else level
    if not 1 <= level <= T:
        raise InputError(f"--level {level:g}: from 1, almost the picture itself, to {T}, almost nothing of it")
    if origin:
        return Begin(f"{origin.name} at level {level:g}", level, [picture_of(origin, "--from", shape)])
    assert between
    frames = 9 if frames is None else frames
    if not 2 <= frames <= MOST_FRAMES:
        raise InputError(f"--frames {frames}: from 2, the two ends, to {MOST_FRAMES}")
    pictures = [picture_of(path, "--between", shape) for path in between]
    words = f"{between[0].name} to {between[1].name} at level {level:g}"
    return Begin(words, level, pictures, [frame / (frames - 1) for frame in range(frames)])
