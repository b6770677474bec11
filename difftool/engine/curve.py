"""A run's loss in at most 32 numbers, from its first step to now: what a listing draws beside its name."""

from __future__ import annotations

import math
from collections.abc import Sequence

from difftool.run.records import CURVE


class Curve:
    """Mean losses over equal spans of steps. The span is a power of two and follows from the step alone, so a later
    attempt can take up what an earlier one left in the status."""

    def __init__(self, values: Sequence[float | None] = (), at: int = 0, step: int = 0) -> None:
        """Goes on at `step` with the curve that an earlier attempt had when it was at step `at`."""
        self.step = 0
        """the last step that was added"""
        self.span = 1
        self.sums: list[float] = []
        self.weights: list[float] = []
        self._values: list[float | None] | None = []
        span = _span(at)
        for number, value in enumerate(values):
            if number * span < min(step, at):
                self.add(min((number + 1) * span, step, at), value)
        self.add(step, None)

    def reach(self, step: int) -> list[float | None]:
        """The curve as it is at a step of which there is no row yet."""
        span = _span(step)
        while self.span < span:
            self.span *= 2
            self.sums, self.weights = _pairs(self.sums), _pairs(self.weights)
            self._values = None
        if missing := math.ceil(step / self.span) - len(self.sums):
            self.sums += [0.0] * missing
            self.weights += [0.0] * missing
            self._values = None
        if self._values is None:
            pairs = zip(self.sums, self.weights, strict=True)
            self._values = [float(f"{total / weight:.5g}") if weight else None for total, weight in pairs]
        return self._values

    def add(self, step: int, loss: float | None) -> list[float | None]:
        """Takes in the mean loss of the steps after the last ones, up to `step`; no finite number counts as none."""
        if step > self.step:
            self.reach(step)
            first, self.step = self.step, step
            if loss is not None and math.isfinite(loss):
                for number in range(first // self.span, len(self.sums)):  # a row may reach over several spans
                    share = max(0, min(step, (number + 1) * self.span) - max(first, number * self.span))
                    self.sums[number] += share * loss
                    self.weights[number] += share
                self._values = None
        return self.reach(step)


def _span(step: int) -> int:
    """Steps that a point stands for: the smallest power of two with which `CURVE` points suffice."""
    return 1 << max(0, math.ceil(step / CURVE) - 1).bit_length()


def _pairs(values: list[float]) -> list[float]:
    return [sum(values[i : i + 2]) for i in range(0, len(values), 2)]
