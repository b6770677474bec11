"""What was measured of samplers, and what follows from it; no tensors, so that tables and pictures need no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, eq=False)
class Rung:
    """One sampler at one number of steps: what it cost and how far it ended from the reference, or why it did not."""

    name: str
    asked: int  # steps that were asked for
    steps: int = 0  # that it walked
    calls: float = 0.0  # of the denoiser, for each picture
    seconds: float = 0.0  # for each picture
    distance: float = 0.0  # root mean square, pictures lie in -1..1
    median: float = 0.0  # of the distances of single pictures
    draws_noise: bool = False  # of its own, beside x_T
    gives: str = "samples"
    pictures: Pixels | None = field(default=None, repr=False)  # the first ones, uint8 [N, H, W, C]
    reason: str = ""

    @property
    def compares(self) -> bool:
        """Whether it tends to the reference, so that its distance is an error."""
        return not self.reason and not self.draws_noise and self.gives == "samples"

    @property
    def said(self) -> str:
        """The distance as people read it; what is no error has a ~ before it."""
        extreme = self.distance and not 0.001 <= self.distance < 1000
        return ("" if self.compares else "~") + (f"{self.distance:.1e}" if extreme else f"{self.distance:.4f}")


@dataclass
class Rungs:
    """All that was measured against one reference."""

    baseline: str
    steps: int  # of the reference
    pictures: Pixels | None = None  # of the reference, the first ones
    seconds: float = 0.0  # of the reference, for each picture
    found: dict[tuple[str, int], Rung] = field(default_factory=dict)  # by name and steps that were asked for

    @property
    def table(self) -> list[Rung]:
        """By steps, then by distance; those whose distance is no error come last among their steps."""
        done = [each for each in dict.fromkeys(self.found.values()) if not each.reason]
        return sorted(done, key=lambda each: (each.steps, not each.compares, each.distance, each.calls))

    @property
    def failed(self) -> list[Rung]:
        """Those that could not, each with its reason."""
        return [each for each in self.found.values() if each.reason]

    def ratio(self, rung: Rung) -> float | None:
        """Its distance by that of the baseline with as many steps; None where that says nothing."""
        base = next((each for each in self.table if (each.name, each.steps) == (self.baseline, rung.steps)), None)
        return rung.distance / base.distance if rung.compares and base and base.distance else None

    def best(self, rung: Rung) -> bool:
        """Whether no other comes nearer with as many steps."""
        near = [each.distance for each in self.table if each.steps == rung.steps and each.compares]
        return rung.compares and rung.distance == min(near)

    def advice(self) -> tuple[Rung, Rung] | None:
        """(the fewest calls that come as near as the baseline with its most steps, that of the baseline)."""
        able = [each for each in self.table if each.compares]
        base = [each for each in able if each.name == self.baseline]
        if not base:
            return None
        near = [each for each in able if each.distance <= base[-1].distance]
        return min(near, key=lambda each: (each.calls, each.distance)), base[-1]

    def order(self) -> Sequence[str]:
        """Names of all that were measured, those that came nearest first, others after them."""
        first: dict[str, Rung] = {}
        for each in self.table:
            first.setdefault(each.name, each)
        return sorted(first, key=lambda name: (not first[name].compares, first[name].steps, first[name].distance))
