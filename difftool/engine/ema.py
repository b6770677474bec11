"""The averaged weights that pictures are drawn with: float32, parameters only, one update an optimizer step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def decay_at(updates: int, decay: float, warmup: bool) -> float:
    """The share of the old average that survives update number `updates` (from 1)."""
    return min(decay, (1 + updates) / (10 + updates)) if warmup else decay


class EMA:
    """A second network that follows the first."""

    def __init__(self, net: nn.Module, decay: float, warmup: bool) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay, self.warmup = decay, warmup
        self._mine: list[Tensor] = list(self.net.parameters())

    @torch.no_grad()
    def update(self, net: nn.Module, updates: int) -> None:
        """Moves towards `net`; buffers are copied, never averaged."""
        share = 1 - decay_at(updates, self.decay, self.warmup)
        torch._foreach_lerp_(self._mine, list(net.parameters()), share)
        for mine, theirs in zip(self.net.buffers(), net.buffers(), strict=True):
            mine.copy_(theirs)
