"""One batch, from pictures to tensors on the device: ordered, flipped and scaled, in the parts it is computed in."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from difftool.core.randomness import Stream, integers
from difftool.core.sampling import from_bytes
from difftool.core.types import Images
from difftool.data.order import Order
from difftool.errors import InputError
from difftool.plugin.blame import blamed
from difftool.plugin.registry import Registry
from difftool.recipe.model import Recipe


class Feed:
    """Gives step n its batch, whatever came before: randomness depends on (seed, step, slot) only."""

    def __init__(self, images: Images, recipe: Recipe, registry: Registry, device: torch.device) -> None:
        self.images, self.data, self.registry, self.device = images, recipe.data, registry, device
        self.seed, self.flip = recipe.seed, recipe.train.flip
        self.part = recipe.train.batch // recipe.train.accumulate
        self.shape = recipe.data.shape
        self.order = Order(recipe.seed, len(images), recipe.train.batch)
        self.waited = 0.0  # seconds spent on data since somebody last set this to 0

    def __call__(self, step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(x0 [B, C, H, W] in -1..1, the slots of its pictures) for each part of the batch."""
        indices = self.order.indices(step)
        for first in range(0, len(indices), self.part):
            start = time.perf_counter()
            slots = torch.arange(first, first + self.part)
            x0 = self._pictures(indices[first : first + self.part].tolist())
            if self.flip:
                mirrored = (integers(self.seed, Stream.FLIP, step, slots, 1)[:, 0] & 1).bool()
                x0 = torch.where(mirrored.to(x0.device)[:, None, None, None], x0.flip(-1), x0)
            self.waited += time.perf_counter() - start
            yield x0, slots

    def _pictures(self, indices: list[int]) -> Tensor:
        with blamed(self.registry, self.data, "reading pictures"):
            pixels = self.images.take(indices)
        channels, height, width = self.shape
        if pixels.dtype != "uint8" or pixels.shape != (len(indices), height, width, channels):
            raise InputError(
                f"the data set gave {pixels.dtype} {tuple(pixels.shape)}",
                why=f"its shape says uint8 {(len(indices), height, width, channels)}",
            )
        return from_bytes(torch.from_numpy(pixels).to(self.device, non_blocking=True))
