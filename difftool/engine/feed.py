"""One batch, from pictures to tensors on the device: ordered, flipped, scaled and told what they are, in the parts it
is computed in."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from difftool.core.conditions import encoded, withheld
from difftool.core.randomness import Stream, integers, uniform
from difftool.core.sampling import from_bytes
from difftool.core.types import Images
from difftool.data.order import Order
from difftool.errors import InputError
from difftool.plugin.blame import blamed
from difftool.plugin.registry import Registry
from difftool.recipe.model import Recipe

UPLOAD = 1024
"""Pictures that are copied to the device at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is computed at once."""

    x0: Tensor  # [B, C, H, W] in -1..1
    slots: Tensor  # [B], the places of its pictures in the batch
    cond: dict[str, Tensor]  # [B, *shape] by key, with nothing told where the condition was withheld


class Feed:
    """Gives step n its batch, whatever came before: randomness depends on (seed, step, slot) only."""

    def __init__(
        self, images: Images, recipe: Recipe, registry: Registry, device: torch.device, resident: bool | None = None
    ) -> None:
        self.images, self.data, self.registry, self.device = images, recipe.data, registry, device
        self.seed, self.flip, self.conditions = recipe.seed, recipe.train.flip, recipe.conditions
        self.part = recipe.train.batch // recipe.train.accumulate
        self.shape = recipe.data.shape
        self.order = Order(recipe.seed, len(images), recipe.train.batch)
        if resident is None:
            resident = fits(len(images) * math.prod(self.shape), device)
        self.resident = self._uploaded() if resident else None
        self.waited = 0.0  # seconds spent on data since somebody last set this to 0

    def __call__(self, step: int) -> Iterator[Part]:
        """The parts of the batch."""
        indices = self.order.indices(step)
        for first in range(0, len(indices), self.part):
            start = time.perf_counter()
            slots = torch.arange(first, first + self.part)
            chosen = indices[first : first + self.part].tolist()
            x0 = self._pictures(chosen)
            if self.flip:
                mirrored = (integers(self.seed, Stream.FLIP, step, slots, 1)[:, 0] & 1).bool()
                x0 = torch.where(mirrored.to(x0.device)[:, None, None, None], x0.flip(-1), x0)
            cond = self._told(chosen, step, slots) if self.conditions else {}
            self.waited += time.perf_counter() - start
            yield Part(x0, slots, cond)

    def _told(self, indices: list[int], step: int, slots: Tensor) -> dict[str, Tensor]:
        with blamed(self.registry, self.data, "telling what its pictures are"):
            values = self.images.values(indices)
        rows: dict[str, Tensor] = {}
        for key, condition in self.conditions.items():
            if key not in values or len(values[key]) != len(indices):
                raise InputError(
                    f"the data set says {len(values.get(key, ()))} times what `{key}` is, of {len(indices)} pictures",
                    why="its values() gives one of each for each picture that is asked for",
                )
            with blamed(self.registry, condition, "encoding what the data says"):
                rows |= encoded({key: condition}, {key: values[key]})
        rows = withheld(self.conditions, rows, uniform(self.seed, Stream.LABELS, step, slots))
        return {key: row.to(self.device, non_blocking=True) for key, row in rows.items()}

    def _uploaded(self) -> Tensor:
        """All the pictures as bytes on the device: copying a batch there costs more than computing where it lies."""
        channels, height, width = self.shape
        whole = torch.empty((len(self.images), height, width, channels), dtype=torch.uint8, device=self.device)
        for first in range(0, len(self.images), UPLOAD):
            block = list(range(first, min(first + UPLOAD, len(self.images))))
            whole[first : first + len(block)] = self._bytes(block)
        return whole

    def _pictures(self, indices: list[int]) -> Tensor:
        if self.resident is not None:
            where = torch.tensor(indices).to(self.device, non_blocking=True)
            return from_bytes(self.resident.index_select(0, where))
        return from_bytes(self._bytes(indices).to(self.device, non_blocking=True))

    def _bytes(self, indices: list[int]) -> Tensor:
        with blamed(self.registry, self.data, "reading pictures"):
            pixels = self.images.take(indices)
        channels, height, width = self.shape
        if pixels.dtype != "uint8" or pixels.shape != (len(indices), height, width, channels):
            raise InputError(
                f"the data set gave {pixels.dtype} {tuple(pixels.shape)}",
                why=f"its shape says uint8 {(len(indices), height, width, channels)}",
            )
        return torch.from_numpy(pixels)


def fits(size: int, device: torch.device) -> bool:
    """Whether the pictures may live on the device: a GPU, and at most a third of the memory that is free there."""
    return device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] / 3
