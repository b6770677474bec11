"""What metrics are tried on: small models, in closed form, and small pictures to measure them with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from difftool.core.model import How, Model
from difftool.core.sampling import spaced
from difftool.core.schedule import Schedule
from difftool.core.types import Denoiser, Draw, Images, Step
from difftool.data.array import ArrayImages
from difftool.plugin.component import Condition, Sampler
from difftool.testing.known import TARGETS, linear

GIVEN: ContextVar[Images | None] = ContextVar("the pictures that a test gives", default=None)
LEVELS, STEPS = 10, 4
KINDS = ("dark", "bright")


@dataclass(frozen=True, eq=False)
class World:
    """A model, and pictures of its size."""

    about: str
    images: Images
    model: Model
    empty: Model
    """one that knows nothing: it makes the same flat picture of any noise"""


class Lawful(ArrayImages):
    """Pictures of two grey pixels whose law is known."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        byte = np.arange(256)
        left, right = (np.exp(-(((byte - at) / 30) ** 2) / 2) for at in (90, 150))
        law = np.outer(left, right)
        self.law = law / law.sum()
        chosen = rng.choice(256 * 256, count, p=self.law.ravel())
        super().__init__(np.stack([chosen // 256, chosen % 256], 1).astype(np.uint8)[:, None, :, None])


class Side(Condition):
    """What a picture is told: which of two kinds it is."""

    @property
    def shape(self) -> tuple[int, ...]:
        """One number for each kind."""
        return (2,)

    @property
    def choices(self) -> tuple[str, ...]:
        """The two kinds."""
        return KINDS

    def encode(self, value: Any) -> Tensor:
        """A 1 at its place."""
        return torch.eye(2)[self.choices.index(value)]


class Straight(Sampler):
    """From guess to guess, without noise of its own."""

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """A Step for each hop."""
        for index, (t, s) in enumerate(pairwise(times), 1):
            guess = denoiser(x, t)
            hop = denoiser.schedule.hop(t, s)
            x = hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps
            yield Step(index, len(times) - 1, s, x, guess.x0)

    def times(self, schedule: Schedule, n: int | None = None) -> tuple[float, ...]:
        """Even ones."""
        return spaced(schedule, n or schedule.T, "uniform")


class Knows(nn.Module):
    """The best guess of x0 for data of independent pixels, each normal; what it is told moves the mean."""

    alpha: Tensor
    sigma: Tensor

    def __init__(self, schedule: Schedule, mean: Tensor, std: float, outputs: int) -> None:
        super().__init__()
        self.mean, self.std = nn.Parameter(mean.float()), nn.Parameter(torch.tensor(float(std)))
        self.moves = nn.Parameter(torch.tensor([-0.2, 0.2]))
        self.register_buffer("alpha", schedule.alpha.float())
        self.register_buffer("sigma", schedule.sigma.float())
        self.outputs = outputs

    def forward(self, x: Tensor, c: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """x0, and a second half if there are two."""
        low = c.floor().long() + 1
        share = c - c.floor()

        def at(table: Tensor) -> Tensor:
            high = (low + 1).clamp(max=len(table) - 1)
            return ((1 - share) * table[low] + share * table[high])[:, None, None, None]

        alpha, sigma = at(self.alpha), at(self.sigma)
        mean: Tensor = self.mean
        for told in cond.values():
            mean = mean + (told @ self.moves)[:, None, None, None]
        variance = self.std**2
        x0 = (sigma**2 * mean + alpha * variance * x) / (alpha**2 * variance + sigma**2)
        return torch.cat([x0, torch.tanh(x)], 1) if self.outputs == 2 else x0


class Empty(nn.Module):
    """Says the same flat picture, whatever it is asked."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.grey, self.outputs = nn.Parameter(torch.tensor(0.6)), outputs

    def forward(self, x: Tensor, c: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """That picture."""
        return torch.cat([self.grey + 0 * x] * self.outputs, 1)


def worlds(seed: int, outputs: int) -> Iterator[World]:
    """Coloured pictures that are told something, grey ones, two-pixel ones with their law; or what a test gives."""
    if (given := GIVEN.get()) is not None:
        yield _world("the pictures given", given, outputs)
        return
    rng = np.random.default_rng(seed)
    kinds = [KINDS[k % 2] for k in range(300)]
    light = np.array([[[[90 if kind == "dark" else 160]]] for kind in kinds])
    colour = (light + 30 * rng.standard_normal((300, 8, 12, 3))).clip(0, 255).astype(np.uint8)
    yield _world("300 pictures 3x8x12", ArrayImages(colour, {"side": kinds}), outputs, {"side": Side(drop=0.1)})
    grey = (120 + 40 * rng.standard_normal((50, 8, 8, 1))).clip(0, 255).astype(np.uint8)
    yield _world("50 pictures 1x8x8", ArrayImages(grey), outputs)
    yield _world("500 pictures of two pixels", Lawful(rng, 500), outputs)


def _world(about: str, images: Images, outputs: int, conditions: Mapping[str, Condition] | None = None) -> World:
    some = images.take(range(min(len(images), 200)))
    height, width, channels = some.shape[1:]
    x0 = torch.from_numpy(some.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
    schedule = linear(LEVELS)

    def model(net: nn.Module) -> Model:
        return Model(
            net=net.eval().requires_grad_(False),
            schedule=schedule,
            target=TARGETS["x0"],
            shape=(channels, height, width),
            recipe={"recipe": 1, "name": "small", "seed": 0, "predict": "x0", "schedule": {"name": "linear"}},
            how=How(Straight(), STEPS),
            conditions=conditions or {},
            digest="0" * 64,
            fresh=lambda: Knows(schedule, torch.zeros(channels, 1, 1), 1.0, outputs),
        )

    mean = x0.mean((0, 2, 3))[:, None, None] if height * width > 2 else x0.mean(0)
    spread = float((x0 - mean).std())
    return World(about, images, model(Knows(schedule, mean, spread, outputs)), model(Empty(outputs)))
