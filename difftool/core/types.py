"""The small values that pass between the parts.

They hold tensors but never make them, so this module does not need torch: a plugin may import any of
these names at its top and stay cheap to describe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from difftool.core.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Hop:
    """Every coefficient of one reverse step from level t to level s < t, as plain floats.

    q(x_s | x_t, x0) is normal with mean `mean_x0 * x0 + mean_xt * x_t` and variance `posterior`;
    `beta` is the variance that the forward process adds between s and t.
    For s = t - 1 these are the paper's beta_t, beta~_t and equation 7.
    """

    t: float
    s: float
    alpha_t: float
    sigma_t: float
    alpha_s: float
    sigma_s: float
    mean_x0: float
    mean_xt: float
    beta: float
    posterior: float

    @property
    def lam_t(self) -> float:
        """lambda at t, ln(alpha_t / sigma_t); -inf without signal."""
        return _ln(self.alpha_t, self.sigma_t) if self.alpha_t > 0 else -math.inf

    @property
    def h(self) -> float:
        """lambda_s - lambda_t, above 0; inf where there is no signal at t or no noise at s."""
        if self.alpha_t == 0 or self.sigma_s == 0:
            return math.inf
        return _ln(self.alpha_s, self.alpha_t) + _ln(self.sigma_t, self.sigma_s)


def _ln(a: float, b: float) -> float:
    """ln(a / b) where a / b is near 1, and would lose digits, or overflows."""
    return math.log1p((a - b) / b) if b / 2 <= a <= 2 * b else math.log(a) - math.log(b)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network thinks of x_t = alpha x0 + sigma eps: both halves, always consistent.

    A network with learned variance also says where between the two bounds of a hop the log variance lies:
    mix ln beta + (1 - mix) ln posterior, mix in 0..1.
    """

    x0: Tensor
    eps: Tensor
    mix: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One station on the way from noise to picture: step `index` of `total` has brought x to level t.

    `x0` is the guess of the clean picture that the step used. At index 0 nothing is guessed yet: it is x itself.
    """

    index: int
    total: int
    t: float
    x: Tensor
    x0: Tensor


@dataclass(frozen=True, slots=True)
class Noised:
    """A training batch after noise was added, float32 on the device, as a loss sees it."""

    x0: Tensor  # [B, C, H, W]
    eps: Tensor  # [B, C, H, W]
    x_t: Tensor  # [B, C, H, W]
    target: Tensor  # [B, C, H, W], what the network should have said
    t: Tensor  # [B]
    times: Tensor  # [B], the same levels as float64 on the CPU: what `schedule` is asked with
    alpha: Tensor  # [B, 1, 1, 1]
    sigma: Tensor  # [B, 1, 1, 1]
    gain: Tensor  # [B, 1, 1, 1], the target's `out`: an error e of the network is an error gain * e of x0
    cond: Mapping[str, Tensor]
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Spec:
    """What a backbone must fit: channels in and out, the picture's size, the length of the schedule."""

    channels: int
    out_channels: int
    height: int
    width: int
    T: int
    conditions: Mapping[str, tuple[int, ...]]  # key -> shape of one encoded value


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run as observers see it."""

    dir: str
    id: str
    recipe: Mapping[str, Any]
    seed: int
    device: str


Spacing = Literal["uniform", "quadratic", "logsnr", "karras"]
"""Where the levels of a walk lie."""

Draw = Callable[[], "Tensor"]
"""Gives the next standard normal shaped like x; for image k it depends on its seed and the count of draws only."""


class Denoiser(Protocol):
    """All that a sampler may know of the network, the target, clipping, EMA, conditions and guidance."""

    @property
    def schedule(self) -> Schedule: ...

    def __call__(self, x: Tensor, t: float) -> Prediction: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What a data set found when it was prepared."""

    found: str
    """one line for people: found 200 images in 3 folders, ignored 5 files (.txt 3, broken 2)"""
    skipped: tuple[tuple[str, str], ...] = ()
    """(file, why) of each that should have been a picture"""
    notes: tuple[str, ...] = ()
    """whatever else a person should know"""


class Images(Protocol):
    """An opened data set: uint8 pictures and whatever else each has (an index, a caption), by position."""

    def __len__(self) -> int: ...

    def take(self, indices: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """uint8 [N, H, W, C]."""
        ...

    def values(self, indices: Sequence[int]) -> Mapping[str, Sequence[Any]]:
        """Raw values beside the pictures, by name; empty when there are none."""
        ...
