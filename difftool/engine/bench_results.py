"""What was measured of samplers, and what follows from it; no tensors, so that tables and pictures need no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, eq=False)
class Measurement:
    """One sampler at one number of steps: what it cost and how far it ended from the reference, or why it did not."""

    name: str
    asked: int  # steps that were asked for
    steps: int = 0  # that it walked
    calls: float = 0.0  # of the denoiser, for each picture
    seconds: float = 0.0  # for each picture
    distance: float = 0.0  # root mean square, on the scale where pictures lie in -1..1
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
class Results:
    """All that was measured against one reference."""

    baseline: str
    steps: int  # of the reference
    pictures: Pixels | None = None  # of the reference, the first ones
    seconds: float = 0.0  # of the reference, for each picture
    found: dict[tuple[str, int], Measurement] = field(default_factory=dict)  # by name and steps that were asked for

    @property
    def table(self) -> list[Measurement]:
        """By steps, then by distance; those whose distance is no error come last among their steps."""
        done = [each for each in dict.fromkeys(self.found.values()) if not each.reason]
        return sorted(done, key=lambda each: (each.steps, not each.compares, each.distance, each.calls))

    @property
    def failed(self) -> list[Measurement]:
        """Those that could not, each with its reason."""
        return [each for each in self.found.values() if each.reason]

    def is_reference(self, one: Measurement) -> bool:
        """Whether this is the reference once more: no distance from it, or none but a device's rounding."""
        return one.compares and (one.distance == 0 or (one.name, one.steps) == (self.baseline, self.steps))

    def ratio(self, one: Measurement) -> float | None:
        """Its distance by that of the baseline with as many steps; None where that says nothing."""
        base = next((each for each in self.table if (each.name, each.steps) == (self.baseline, one.steps)), None)
        if base is None or self.is_reference(base) or not one.compares:
            return None
        return one.distance / base.distance

    def nearest(self, one: Measurement) -> bool:
        """Whether none comes nearer with as many steps, of those that call the denoiser once a step at most."""
        others = [each for each in self._rivals if each.steps == one.steps and each.calls <= each.steps]
        return one in others and one.distance == min(each.distance for each in others)

    def advice(self) -> tuple[Measurement, Measurement] | None:
        """(the fewest calls that come as near as the baseline with its most steps, that of the baseline)."""
        base = [each for each in self._rivals if each.name == self.baseline]
        if not base:
            return None
        near = [each for each in self._rivals if each.distance <= base[-1].distance]
        return min(near, key=lambda each: (each.calls, each.distance)), base[-1]

    @property
    def _rivals(self) -> list[Measurement]:
        """Those that can be compared: the reference itself would win always."""
        return [each for each in self.table if each.compares and not self.is_reference(each)]

    def order(self) -> list[str]:
        """Names as the table has them first, by steps and then by distance; those that are not compared come last."""
        return list(dict.fromkeys(each.name for each in sorted(self.table, key=lambda each: not each.compares)))
