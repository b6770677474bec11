"""A model: everything that one weights file holds, ready to be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from difftool.core.conditions import Condition, encoded, unguided
from difftool.core.denoiser import NetDenoiser, on
from difftool.core.guidance import UNGUIDED, Guidance, Guided
from difftool.core.sampling import Sampler, SeededNoise, last, spaced, to_bytes, walk
from difftool.core.schedule import Schedule
from difftool.core.start import Start
from difftool.core.target import Target
from difftool.core.types import Denoiser, Draw, Spacing, Step
from difftool.errors import InputError


@dataclass(frozen=True)
class How:
    """How to sample: everything that is the caller's choice and not the network's."""

    sampler: Sampler
    steps: int | None = None
    spacing: Spacing | None = None
    clip: bool = True
    guidance: Guidance = UNGUIDED
    told: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # seed k is told value k, round and round
    on: Schedule | None = None  # sample on this schedule, by equal noise level

    def times(self, schedule: Schedule) -> tuple[float, ...]:
        """The levels to visit: the sampler's own, unless a spacing is named."""
        if self.spacing is None:
            return self.sampler.times(schedule, self.steps)
        return spaced(schedule, self.steps if self.steps is not None else schedule.T, self.spacing)


@dataclass(frozen=True, eq=False)
class Model:
    """A network with all that is needed to use it: what `model.safetensors` becomes when loaded."""

    net: nn.Module
    schedule: Schedule
    target: Target
    shape: tuple[int, int, int]  # C, H, W
    recipe: Mapping[str, Any]  # resolved, as plain values
    how: How  # what the recipe says about sampling
    hears: str = "level"
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    digest: str = ""  # sha256 of the file the weights came from
    fresh: Callable[[], nn.Module] | None = None  # makes the network as it was before it learned anything

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return next((p.device for p in self.net.parameters()), torch.device("cpu"))

    def untrained(self) -> Model:
        """The same model with the network as it was before it learned anything."""
        if self.fresh is None:
            raise InputError("how this network began is not known", do="load the model from its file")
        return replace(self, net=self.fresh().to(self.device).eval().requires_grad_(False), digest="")

    def denoiser(
        self,
        *,
        clip: bool = True,
        told: Mapping[str, Sequence[Any]] | None = None,
        guidance: Guidance = UNGUIDED,
    ) -> Denoiser:
        """The one thing a sampler may know of this model. `told` holds a value for each picture, by condition;
        what is left out is not told."""

        def branch(cond: Mapping[str, Tensor], clip: bool) -> NetDenoiser:
            return NetDenoiser(self.net, self.schedule, self.target, self.hears, clip, cond=cond)

        if wrong := unguided(guidance.scale, self.conditions):
            raise InputError(f"guidance {guidance.scale:g}: {wrong}")
        rows = {key: row.to(self.device) for key, row in encoded(self.conditions, told or {}).items()}
        if always := [key for key, each in self.conditions.items() if each.drop == 0 and key not in rows]:
            raise InputError(f"the network was always told its {always[0]}; say which one")
        null = {key: condition.null[None].to(self.device) for key, condition in self.conditions.items()}
        if not rows or guidance == UNGUIDED:
            return branch(null | rows, clip)
        return Guided(branch(null | rows, False), branch(null, False), guidance, clip)

    def told(self, seeds: Sequence[int], how: How) -> dict[str, list[Any]]:
        """What each picture is told: as `how` says; else, of a list of choices, one after the other."""
        rounds = {key: condition.choices for key, condition in self.conditions.items() if condition.choices}
        return {key: [values[seed % len(values)] for seed in seeds] for key, values in {**rounds, **how.told}.items()}

    def walk(
        self,
        seeds: Sequence[int],
        how: How | None = None,
        start: Start | None = None,
        noise: Callable[[Sequence[int]], Draw] | None = None,
    ) -> Iterator[Step]:
        """The stream of Steps for one batch of seeds; `noise` gives a batch another source than each its own seed."""
        how = how or self.how
        draw = noise(seeds) if noise else SeededNoise(seeds, self.shape, self.device)
        denoiser = self.denoiser(clip=how.clip, told=self.told(seeds, how), guidance=how.guidance)
        if how.on:
            denoiser = on(denoiser, how.on)
        return walk(how.sampler, denoiser, how.times(denoiser.schedule), draw, start)

    def sample(
        self,
        seeds: Sequence[int] = range(16),
        *,
        sampler: Sampler | None = None,
        steps: int | None = None,
        spacing: Spacing | None = None,
        guidance: float | None = None,
        told: Mapping[str, Any] | None = None,
        batch: int = 64,
        noise: Callable[[Sequence[int]], Draw] | None = None,
    ) -> Tensor:
        """Pictures, uint8 [N, H, W, C], one for each seed; picture k depends on seed k alone, unless `noise` says more.

        `told={"label": "circle"}`, or a list of values that seeds take in turn. What is not given is as the recipe
        says.
        """
        mine = self.how
        turns = {key: tuple(v) if isinstance(v, list | tuple) else (v,) for key, v in (told or {}).items()}
        if empty := [key for key, values in turns.items() if not values]:
            raise InputError(f"told: no {empty[0]} is named; leave it out, or name one")
        how = replace(
            mine,
            sampler=sampler or mine.sampler,
            steps=steps or mine.steps,
            spacing=spacing or mine.spacing,
            guidance=mine.guidance if guidance is None else replace(mine.guidance, scale=guidance),
            told={**mine.told, **turns},
        )
        seeds = list(seeds)
        parts = [last(self.walk(seeds[i : i + batch], how, noise=noise)).x for i in range(0, len(seeds), batch)]
        return to_bytes(torch.cat(parts)) if parts else torch.empty(0, *self.shape[1:], self.shape[0]).byte()
