"""Sampling many pictures: in batches, one stream of Steps each, whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from difftool.core.model import How, Model
from difftool.core.sampling import to_bytes
from difftool.core.start import Start


@dataclass(frozen=True)
class Batch:
    """Finished pictures, and the frames of their film if one was asked for."""

    places: list[int]  # of the pictures among those that were asked for
    pixels: Tensor  # uint8 [N, H, W, C]
    frames: list[Tensor] = field(default_factory=list)  # each uint8 [N, H, W, C]


@dataclass(frozen=True)
class Film:
    """What a film shows of each walk."""

    frames: int
    guesses: bool = False  # what x0 was thought to be, instead of x

    def stations(self, total: int) -> set[int]:
        """Which steps: the first, the last, and evenly between."""
        if self.frames == 1:
            return {total}
        return {round(total * k / (self.frames - 1)) for k in range(self.frames)}


def plan(seeds: Sequence[int], size: int, exact: bool) -> list[list[int | None]]:
    """The places of seeds in `seeds`, by batch. Exact: every batch has the same size and a seed always the same place
    in it, since a processor may round differently at another size or place; None fills the empty ones."""
    if not exact:
        return [list(range(i, min(i + size, len(seeds)))) for i in range(0, len(seeds), size)]
    batches: list[list[int | None]] = []
    for number, seed in enumerate(seeds):
        free = next((batch for batch in batches if batch[seed % size] is None), None)
        if free is None:
            free = [None] * size
            batches.append(free)
        free[seed % size] = number
    return batches


def draw(
    model: Model,
    seeds: Sequence[int],
    how: How,
    *,
    batch: int = 64,
    exact: bool = False,
    film: Film | None = None,
    start: Start | None = None,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Batch]:
    """Yields each batch when it is finished; `watch(steps done, steps in all)` hears of every Step."""
    plans = plan(seeds, batch, exact)
    for done, places in enumerate(plans):
        keep = [row for row, place in enumerate(places) if place is not None]
        begin = start.of([place or 0 for place in places]) if start else None
        frames: list[Tensor] = []
        for step in model.walk([seeds[place] if place is not None else 0 for place in places], how, begin):
            watch(done * step.total + step.index, len(plans) * step.total)
            if film and step.index in film.stations(step.total):
                frames.append(to_bytes(step.x0 if film.guesses else step.x)[keep])
        yield Batch([place for place in places if place is not None], to_bytes(step.x)[keep], frames)
