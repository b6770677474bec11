"""Sampling many pictures: in batches, one stream of Steps each, whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from difftool.core.model import How, Model
from difftool.core.sampling import to_bytes


@dataclass(frozen=True)
class Batch:
    """Finished pictures of some seeds, and the frames of their film if one was asked for."""

    seeds: list[int]
    pixels: Tensor  # uint8 [N, H, W, C]
    frames: list[Tensor] = field(default_factory=list)  # each uint8 [N, H, W, C]


def plan(seeds: Sequence[int], size: int, exact: bool) -> list[list[int | None]]:
    """Seeds by batch and place. Exact: every batch has the same size and a seed always the same place in it,
    since a processor may round differently at another size or place; None fills the empty ones."""
    if not exact:
        return [list(seeds[i : i + size]) for i in range(0, len(seeds), size)]
    batches: list[list[int | None]] = []
    for seed in seeds:
        free = next((batch for batch in batches if batch[seed % size] is None), None)
        if free is None:
            free = [None] * size
            batches.append(free)
        free[seed % size] = seed
    return batches


def draw(
    model: Model,
    seeds: Sequence[int],
    how: How,
    *,
    batch: int = 64,
    exact: bool = False,
    frames: int = 0,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Batch]:
    """Yields each batch when it is finished; `watch(steps done, steps in all)` hears of every Step."""
    plans = plan(seeds, batch, exact)
    for done, places in enumerate(plans):
        keep = [place for place, seed in enumerate(places) if seed is not None]
        film: list[Tensor] = []
        for step in model.walk([seed if seed is not None else 0 for seed in places], how):
            watch(done * step.total + step.index, len(plans) * step.total)
            if frames and step.index in _stations(step.total, frames):
                film.append(to_bytes(step.x)[keep])
        yield Batch([seed for seed in places if seed is not None], to_bytes(step.x)[keep], film)


def _stations(total: int, frames: int) -> set[int]:
    """Which steps a film shows: the first, the last, and evenly between."""
    if frames == 1:
        return {total}
    return {round(total * k / (frames - 1)) for k in range(frames)}
