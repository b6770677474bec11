"""The paper's sampler, step by step against the noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from difftool.api import Denoiser, Draw, Field, Hop, InputError, Prediction, Register, Sampler, Step, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class DDPM(Sampler):
    """Ancestral sampling (Ho et al. 2020, algorithm 2), for any falling levels."""

    variance: Literal["full", "beta", "zero", "learned"] = "full"
    """full: beta_t (1 - abar_{t-1}) / (1 - abar_t);  beta: beta_t;  zero: 0;  learned: between full and beta"""
    noise: float = Field(1.0, ge=0, le=1)
    """share of sigma that is used: sigma is an upper bound, less is allowed"""

    @property
    def gives(self) -> Literal["samples", "means"]:  # type: ignore[override]  # here it depends on a field
        """Without any noise every walk runs to the middle of what is possible."""
        return "means" if self.variance == "zero" else "samples"

    @property
    def outputs(self) -> int:
        """A learned variance is a second answer of the network."""
        return 2 if self.variance == "learned" else 1

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """x_s = mean(x0, x_t) + sigma z; no noise at the last step."""
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            guess = denoiser(x, t)
            x = hop.mean_x0 * guess.x0 + hop.mean_xt * x
            if s > 0 and self.noise > 0 and self.variance != "zero":
                x = x + self.noise * self._sigma(hop, guess) * draw()
            yield Step(index, len(times) - 1, s, x, guess.x0)

    def _sigma(self, hop: Hop, guess: Prediction) -> float | Tensor:
        if self.variance != "learned":
            return math.sqrt(hop.posterior if self.variance == "full" else hop.beta)
        if guess.mix is None:
            raise InputError(
                "this model did not learn its variance",
                do='sample with sampler.variance = "full" or "beta", or train with loss = "hybrid"',
            )
        return math.sqrt(hop.posterior) * (hop.beta / hop.posterior) ** (guess.mix / 2)


@hookimpl
def register_samplers(register: Register) -> None:
    """The paper's sampler."""
    register("ddpm", DDPM)
