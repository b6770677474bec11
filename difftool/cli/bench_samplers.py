"""Which samplers are measured, and at how many steps: settled before torch is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from difftool.engine.described import Described
from difftool.errors import InputError, RecipeError
from difftool.plugin.component import Sampler
from difftool.recipe.check import unlearned
from difftool.recipe.explain import Places, show
from difftool.recipe.make import Maker
from difftool.recipe.overlay import value_of

BASELINE = "ddim"
"""What all others are compared with; a bare name always means the one that ships."""
USUAL_STEPS = (5, 10, 20, 50)


@dataclass(frozen=True)
class Candidate:
    """One sampler that is to be measured; without a sampler, the reason why it cannot."""

    name: str  # in a table: the fields that were set stand behind it
    sampler: Sampler | None
    reason: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)  # that were set
    dumped: Mapping[str, Any] | None = None  # the sampler as plain values, which JSON can hold

    def typed(self, known: Described) -> str:
        """The options with which `difftool sample` takes just this sampler."""
        assert self.sampler is not None
        assert self.dumped is not None
        differs = self.fields
        if type(self.sampler) is type(known.sampler):  # what the recipe says of it stays, unless it is said again
            recipe = known.registry.dump(known.sampler)
            differs = {key: value for key, value in self.dumped.items() if recipe.get(key) != value}
        sets = [f"--set {quote(f'sampler.{key}={show(value)}')}" for key, value in differs.items()]
        return " ".join([f"--sampler {self.dumped['name']}", *sets])


def candidates(known: Described, wished: Sequence[str]) -> list[Candidate]:
    """Those that are asked for, else all that are installed; the baseline always, and first."""
    if wished:
        found = [_asked(known, text) for text in wished]
    else:
        found = [_installed(known, name) for name in known.registry.names("sampler")]
    everyone = {each.name: each for each in [_installed(known, BASELINE), *found]}
    return list(everyone.values())


def steps_of(text: str | None, T: int) -> list[int]:
    """`--steps 5,10,20`: each number once, rising."""
    if text is None:
        return [n for n in USUAL_STEPS if n <= T] or [T]
    found = set()
    for part in (each.strip() for each in text.split(",")):
        number = int(part) if part.isascii() and part.isdigit() and len(part) < 10 else None
        if number is None:
            raise InputError(f"--steps {text}: {part!r} is no number of steps; write them as in 5,10,20,50")
        if not 1 <= number <= T:
            raise InputError(f"--steps {text}: {number} is not from 1 to {T}: at most one step a level")
        found.add(number)
    return sorted(found)


def _asked(known: Described, text: str) -> Candidate:
    """A name, or a table as in {name="ddim", eta=0.5}."""
    value = value_of(text)
    maker = Maker(known.registry, Path())
    made = maker.component("sampler", value if isinstance(value, dict) else text, ())
    if made is None:
        places = Places("--sampler", options={(): f"--sampler {text}"})
        raise RecipeError([places.say(problem) for problem in maker.problems])
    fields = {key: each for key, each in value.items() if key != "name"} if isinstance(value, dict) else {}
    name = value["name"] if isinstance(value, dict) else text
    if fields:
        name += f"({', '.join(f'{key}={show(value)}' for key, value in fields.items())})"
    return _able(known, name, made, fields)


def _installed(known: Described, name: str) -> Candidate:
    """With its own defaults; a sampler that cannot be made, or whose network this is not, says why."""
    maker = Maker(known.registry, Path())
    try:
        made = maker.component("sampler", name, ())
    except Exception as error:  # a plugin's own validator may raise anything
        return Candidate(name, None, f"{type(error).__name__}: {error}")
    if made is None:
        wrong = "; ".join(f"{'.'.join(map(str, each.path))} {each.text}".strip() for each in maker.problems)
        return Candidate(name, None, f"cannot be made with its defaults: {wrong}")
    return _able(known, name, made)


def _able(known: Described, name: str, made: Sampler, fields: Mapping[str, Any] | None = None) -> Candidate:
    try:
        if made.outputs > known.loss.outputs:
            return Candidate(name, None, unlearned(known.registry.offer(type(known.loss)).owned))
        dumped = known.registry.dump(made)
        json.dumps([dumped, made.gives], allow_nan=False)  # what cannot be written is found before it is measured
    except Exception as error:  # a property of a plugin, too
        return Candidate(name, None, f"{type(error).__name__}: {error}")
    return Candidate(name, made, fields=fields or {}, dumped=dumped)
