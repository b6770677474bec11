"""How far what a model makes is from the truth, for data whose law is known: from all of it, not from samples of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from difftool.api import Field, Images, InputError, Metric, Register, hookimpl

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from difftool.api import Model, Watch

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

STREAM = 129
"""Of the noise: draw d of picture k, the same whatever the batch."""


class Density(Metric):
    """The total variation distance between what a model makes and the truth, where the data's law is known.

    For pictures of two pixels. Many are made as the model's recipe says and counted in squares of the plane: 0 is the
    truth, 1 has nothing in common with it. `tv` is the model's distance, `tv_floor` what as many pictures drawn from
    the truth itself have on average (exact), `tv_untrained` that of the same network before it learned anything.
    """

    pictures: int = Field(200_000, ge=1, le=100_000_000)
    """how many are made; by the untrained network, which is far from the truth, a tenth as many"""
    bins: Literal[2, 4, 8, 16, 32, 64, 128, 256] = 32
    """squares along each side of the plane; 256: every possible picture has its own"""
    seed: int = Field(0, ge=0, lt=2**63)
    """of the noise that pictures are made from"""
    batch: int = Field(5000, ge=1)
    """pictures made together"""

    def measure(self, model: Model, images: Images, watch: Watch) -> Mapping[str, float | tuple[float, ...]]:
        """tv, tv_floor and, if the network can be had as it was, tv_untrained."""
        truth = self._truth(model, images)
        few = max(1, self.pictures // 10) if model.fresh else 0
        whole = self.pictures + few
        shares = self._shares(model, self.pictures, lambda done: watch(done, whole))
        found = {"tv": distance(shares, truth), "tv_floor": floor(truth, self.pictures)}
        if few:
            shares = self._shares(model.untrained(), few, lambda done: watch(self.pictures + done, whole))
            found["tv_untrained"] = distance(shares, truth)
        return found

    def _truth(self, model: Model, images: Images) -> Floats:
        """[bins, bins]: how probable each square is."""
        import numpy as np

        law = getattr(images, "law", None)
        if law is None:
            raise InputError(
                "the metric density needs data whose law is known, and this data has none",
                do='measure a model of the data set "two-pixel", on its own data',
            )
        if tuple(model.shape) != (1, 1, 2) or np.shape(law) != (256, 256):
            raise InputError(
                f"the metric density is for pictures of two grey pixels, (1, 1, 2), and these are {tuple(model.shape)}",
                why=f"their law has the shape {np.shape(law)}; (256, 256) was expected",
            )
        side = 256 // self.bins
        whole: Floats = np.asarray(law, dtype=np.float64).reshape(self.bins, side, self.bins, side).sum((1, 3))
        return whole

    def _shares(self, model: Model, pictures: int, heard: Callable[[int], None]) -> Floats:
        """[bins, bins]: the share of the model's pictures in each square."""
        import numpy as np

        counts = np.zeros((self.bins, self.bins))
        for first in range(0, pictures, self.batch):
            seeds = range(first, min(first + self.batch, pictures))
            made = model.sample(seeds, batch=len(seeds), noise=lambda places: _Noise(self.seed, places, model))
            counts += counted(made.numpy(), self.bins)
            heard(seeds[-1] + 1)
        return counts / pictures


class _Noise:
    """One seed, and a place for each picture: many times as fast as a seed for each picture, and as independent."""

    def __init__(self, seed: int, places: Sequence[int], model: Model) -> None:
        import torch

        self.seed, self.shape, self.count = seed, model.shape, 0
        self.places = torch.tensor(places, device=model.device)

    def __call__(self) -> Tensor:
        from difftool.api import normal

        self.count += 1
        return normal(self.seed, STREAM, self.count - 1, self.places, self.shape)


def counted(pixels: Bytes, bins: int) -> Floats:
    """[bins, bins] from pictures uint8 [N, 1, 2, 1]: how many are in each square, by the left and the right pixel."""
    import numpy as np

    left, right = (pixels[:, 0, :, 0].T.astype(np.int64) * bins) // 256
    return np.bincount(left * bins + right, minlength=bins * bins).reshape(bins, bins).astype(np.float64)


def distance(one: Floats, other: Floats) -> float:
    """The total variation distance: the largest difference that two laws have on any set."""
    return float(abs(one - other).sum()) / 2


def floor(truth: Floats, n: int) -> float:
    """What `distance` to the truth is on average, exactly, for the shares of n independent samples of it.

    The count of a square is binomial, and the mean of |count - n p| is 2 v (1 - p) P(count = v), where v is the first
    whole number above n p (De Moivre).
    """
    total = 0.0
    for p in truth.ravel().tolist():
        if not 0 < p < 1:
            continue
        v = min(math.floor(n * p) + 1, n)  # n p may round to n
        ways = math.lgamma(n + 1) - math.lgamma(v + 1) - math.lgamma(n - v + 1)
        total += 2 * v * math.exp(ways + v * math.log(p) + (n - v + 1) * math.log1p(-p))
    return total / (2 * n)


@hookimpl
def register_metrics(register: Register) -> None:
    """Offers `density`."""
    register("density", Density)
