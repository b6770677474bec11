"""How many bits a number of a picture costs under the model: the variational bound of the paper, all levels of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from difftool.api import Denoiser, Field, Images, InputError, Metric, Prediction, Register, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from difftool.api import Model, Watch

STREAM = 128
"""Of the noise: one draw for each level and picture, the same whatever else is measured."""


class BitsPerDim(Metric):
    """The variational bound on -log2 p(x0), in bits for each number of a picture; lower is better.

    All levels, one draw of noise for each level and picture, guesses clipped to -1..1, as in the paper's code; but the
    probability of a byte is exact, where that code approximates it and cuts it off. A file of raw bytes has 8.
    """

    pictures: int = Field(64, ge=1)
    """how many, spread evenly over the data; more than there are: all"""
    batch: int = Field(64, ge=1)
    """pictures measured together"""
    seed: int = Field(0, ge=0, lt=2**63)
    """of the noise"""
    variance: Literal["learned", "full", "beta"] | None = None
    """of the reverse steps, as in the sampler ddpm; absent: learned if the network learned it, else beta"""

    @property
    def outputs(self) -> int:
        """A learned variance is a second answer of the network."""
        return 2 if self.variance == "learned" else 1

    def measure(self, model: Model, images: Images, watch: Watch) -> Mapping[str, float | tuple[float, ...]]:
        """The bound, its parts, and the mean squared error of x0: the tuples have one number a level."""
        import torch

        from difftool.api import from_bytes, prior_term

        count = min(self.pictures, len(images))
        chosen = [k * len(images) // count for k in range(count)]
        parts = [chosen[i : i + self.batch] for i in range(0, count, self.batch)]
        T, end = model.schedule.T, 0.0
        nats, squares = [0.0] * T, [0.0] * T
        for done, part in enumerate(parts):
            x0 = from_bytes(torch.from_numpy(images.take(part)).to(model.device))
            values = images.values(part) if model.conditions else {}
            denoiser = model.denoiser(told={key: values[key] for key in model.conditions if key in values})
            end += float(prior_term(x0, model.schedule).sum())
            for t in range(1, T + 1):
                cost, square = self._level(denoiser, x0, t, part)
                nats[t - 1] += cost
                squares[t - 1] += square
                watch(done * T + t, len(parts) * T)
        bits = tuple(cost / count / math.log(2) for cost in nats)
        first, rate, last = bits[0], sum(bits[1:]), end / count / math.log(2)
        return {
            "bits-per-dim": first + rate + last,
            "L_0": first,
            "rate": rate,
            "L_T": last,
            "by-level": bits,
            "x0-mse": tuple(square / count for square in squares),
        }

    def _level(self, denoiser: Denoiser, x0: Tensor, t: int, pictures: Sequence[int]) -> tuple[float, float]:
        """(nats, squared error) of the step down from level t, each a sum over the pictures."""
        import torch

        from difftool.api import Hops, normal

        eps = normal(self.seed, STREAM, t, torch.tensor(pictures, device=x0.device), x0.shape[1:])
        with torch.no_grad():
            guess = denoiser(denoiser.schedule.diffuse(x0, eps, t), float(t))
            hops = Hops.of(denoiser.schedule, torch.tensor([float(t)], dtype=torch.float64))
            nats = hops.term(x0, guess.x0, self._mix(guess, t))
            square = (guess.x0 - x0).square().flatten(1).mean(1)
        cost, error = torch.stack([nats, square]).cpu().double().sum(1).tolist()
        return cost, error

    def _mix(self, guess: Prediction, t: int) -> Tensor | float:
        if self.variance in (None, "learned") and guess.mix is not None:
            return guess.mix
        if self.variance == "learned":
            raise InputError("this model did not learn its variance", do='metric.variance = "beta" or "full"')
        # The last step takes the variance of `full` in either case: "a better decoder log likelihood", says the code.
        return 1.0 if self.variance != "full" and t > 1 else 0.0


@hookimpl
def register_metrics(register: Register) -> None:
    """Offers `bits-per-dim`."""
    register("bits-per-dim", BitsPerDim)
