"""A model: everything that one weights file holds, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from difftool.core.denoiser import NetDenoiser
from difftool.core.sampling import Sampler, SeededNoise, last, spaced, to_bytes, walk
from difftool.core.schedule import Schedule
from difftool.core.target import Target
from difftool.core.types import Spacing, Step


@dataclass(frozen=True)
class How:
    """How to sample: everything that is the caller's choice and not the network's."""

    sampler: Sampler
    steps: int | None = None
    spacing: Spacing | None = None
    clip: bool = True

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
    digest: str = ""  # sha256 of the file the weights came from

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return next((p.device for p in self.net.parameters()), torch.device("cpu"))

    def denoiser(self, *, clip: bool = True) -> NetDenoiser:
        """The one thing a sampler may know of this model."""
        return NetDenoiser(self.net, self.schedule, self.target, self.hears, clip)

    def walk(self, seeds: Sequence[int], how: How | None = None) -> Iterator[Step]:
        """The stream of Steps for one batch of seeds."""
        how = how or self.how
        noise = SeededNoise(seeds, self.shape, self.device)
        return walk(how.sampler, self.denoiser(clip=how.clip), how.times(self.schedule), noise)

    def sample(
        self,
        seeds: Sequence[int] = range(16),
        *,
        sampler: Sampler | None = None,
        steps: int | None = None,
        spacing: Spacing | None = None,
        batch: int = 64,
    ) -> Tensor:
        """Pictures, uint8 [N, H, W, C], one for each seed; picture k depends on seed k alone.

        What is not given is as the recipe says.
        """
        how = How(sampler or self.how.sampler, steps or self.how.steps, spacing or self.how.spacing, self.how.clip)
        seeds = list(seeds)
        parts = [last(self.walk(seeds[i : i + batch], how)).x for i in range(0, len(seeds), batch)]
        return to_bytes(torch.cat(parts)) if parts else torch.empty(0, *self.shape[1:], self.shape[0]).byte()
