"""From ticks to rows of metrics: sums stay on the device, one transfer a row."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import torch

from difftool.engine.ema import decay_at
from difftool.engine.feed import Feed
from difftool.engine.loop import Tick
from difftool.recipe.model import Recipe

PATIENCE = 10
"""Steps in a row whose gradient may be left out before the run is called broken."""


class Meter:
    """Adds up ticks between two rows."""

    def __init__(self, recipe: Recipe, feed: Feed, device: torch.device, first: int) -> None:
        self.recipe, self.feed, self.device = recipe, feed, device
        self.began, self.first = time.monotonic(), first
        self.streak = torch.zeros((), device=device)
        self._clear()

    def _clear(self) -> None:
        self.loss_sum = torch.zeros(4, device=self.device)
        self.loss_count = torch.zeros(4, device=self.device)
        self.grad_norm = torch.zeros((), device=self.device)
        self.steps, self.since, self.feed.waited = 0, time.monotonic(), 0.0
        self.paused = 0.0

    def add(self, tick: Tick) -> None:
        """One more step; nothing is read back."""
        self.loss_sum += tick.loss_sum
        self.loss_count += tick.loss_count
        self.grad_norm += tick.grad_norm
        self.streak = (self.streak + tick.skipped) * tick.skipped
        self.steps += 1
        self.last = tick

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Time in which nothing is trained, such as for a preview: it does not count as slow training."""
        start = time.monotonic()
        try:
            yield
        finally:
            # A row may have been written meanwhile, and begun a new count.
            self.paused += time.monotonic() - max(start, self.since)

    @contextlib.contextmanager
    def idle(self) -> Iterator[None]:
        """Time that says nothing of how long the rest will take, such as a pause that somebody asked for."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.began += time.monotonic() - start

    def broken(self) -> str | None:
        """Why training must stop, if numbers went wrong; waits for the device."""
        total, streak = torch.stack([self.loss_sum.sum(), self.streak]).tolist()
        if total - total != 0:  # inf and nan alike
            return "the loss is no longer a number"
        return f"the gradient was not finite {PATIENCE} times in a row" if streak >= PATIENCE else None

    def row(self) -> dict[str, Any]:
        """Means since the row before, as one event; starts over."""
        tick = self.last
        numbers = torch.cat([self.loss_sum, self.loss_count, self.grad_norm[None]]).tolist()
        sums, counts, norm = numbers[:4], numbers[4:8], numbers[8]
        seconds = max(1e-9, time.monotonic() - self.since - self.paused)
        train = self.recipe.train
        row = {
            "step": tick.step,
            "images": tick.step * train.batch,
            "loss": sum(sums) / max(1.0, sum(counts)),
            "loss_q": [s / c if c else None for s, c in zip(sums, counts, strict=True)],
            "grad_norm": norm / max(1, self.steps),
            "lr": tick.lr,
            "images_per_s": self.steps * train.batch / seconds,
            "data_wait": min(1.0, self.feed.waited / seconds),
            "ema_decay": decay_at(tick.step, train.ema, train.ema_warmup) if train.ema else None,
        }
        self._clear()
        return row

    def eta(self, step: int) -> float | None:
        """Seconds until the last step, previews and checkpoints included as they came so far."""
        done = step - self.first
        return (time.monotonic() - self.began) / done * (self.recipe.train.steps - step) if done else None
