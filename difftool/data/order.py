"""Which picture comes when: a pure function of (seed, position), so that resuming needs no state but the step."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from difftool.core.randomness import Stream, integers

Indices = np.ndarray[tuple[int], np.dtype[np.int64]]


class Order:
    """Sample p = (step - 1) batch + slot is picture p mod N of epoch p // N; batches span epochs."""

    def __init__(self, seed: int, count: int, batch: int) -> None:
        self.seed, self.count, self.batch = seed, count, batch
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def indices(self, step: int) -> Indices:
        """The pictures of a step, by slot."""
        positions = np.arange((step - 1) * self.batch, step * self.batch)
        epochs = positions // self.count
        chosen = np.empty(self.batch, dtype=np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            chosen[here] = self._epoch(int(epoch))[positions[here] % self.count]
        return chosen

    def _shuffled(self, epoch: int) -> Indices:
        # Sorting by 64 random bits is a fair shuffle; a tie has odds of about N^2 / 2^65 and stable order.
        words = integers(self.seed, Stream.ORDER, epoch, torch.arange(self.count), 2)
        keys: Indices = ((words[:, 0] << 31) ^ words[:, 1]).numpy()
        return np.argsort(keys, kind="stable")
