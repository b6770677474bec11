"""From a network to the one thing a sampler may know: denoiser(x, t) -> Prediction(x0, eps)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from difftool.core.schedule import Schedule
from difftool.core.target import Target, coefficients
from difftool.core.types import Denoiser, Prediction


def heard(hears: str, schedule: Schedule, t: Tensor) -> Tensor:
    """What a network is told about the levels t: the level counted from 0, log alpha^2 / sigma^2, or alpha."""
    if hears == "level":
        return t - 1
    alpha, sigma = schedule.at(t)
    if hears == "alpha":
        return alpha
    # log-SNR is infinite where alpha is 0; a network can hear nothing beyond this anyway
    return (2 * (alpha.log() - sigma.log())).clamp(-40, 40)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """bfloat16 inside the network, if that is the precision; everything around it stays float32."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def settled(x0: Tensor, x: Tensor, alpha: float, sigma: float, clip: bool, mix: Tensor | None = None) -> Prediction:
    """A guess of x0, kept within -1..1 if so wished, with the eps that goes with it."""
    if clip:
        x0 = x0.clamp(-1, 1)
    return Prediction(x0, (x - alpha * x0) / sigma, mix)


@dataclass(frozen=True, eq=False)
class NetDenoiser:
    """A trained network behind the denoiser's door: target conversion, clipping and precision happen here."""

    net: nn.Module
    schedule: Schedule
    target: Target
    hears: str = "level"
    clip: bool = True
    precision: str = "float32"
    cond: Mapping[str, Tensor] = field(default_factory=dict)  # on the device: [B, *shape], or [1, *shape] for all

    def __call__(self, x: Tensor, t: float) -> Prediction:
        level = torch.tensor(t, dtype=torch.float64)
        c = coefficients(self.target, self.schedule, level)
        told = heard(self.hears, self.schedule, level).float().expand(len(x)).to(x.device, non_blocking=True)
        cond = {key: row.expand(len(x), *row.shape[1:]) for key, row in self.cond.items()}
        with autocast(x.device, self.precision):
            output = self.net(x * float(c.scale), told, cond)
        answer, raw = output[:, : x.shape[1]].float(), output[:, x.shape[1] :].float()
        x0 = float(c.skip) * x + float(c.out) * answer
        mix = ((raw + 1) / 2).clamp(0, 1) if raw.shape == x.shape else None
        return settled(x0, x, float(c.alpha), float(c.sigma), self.clip, mix)


@dataclass(frozen=True, eq=False)
class _Elsewhere:
    """Asks `inner` at the level of its own schedule that has the same signal-to-noise ratio."""

    inner: Denoiser
    schedule: Schedule

    def __call__(self, x: Tensor, t: float) -> Prediction:
        alpha, sigma = (float(v) for v in self.schedule.at(t))
        lam = math.log(alpha) - math.log(sigma) if alpha > 0 else -math.inf
        level = max(1.0, float(self.inner.schedule.level(lam)))
        a, s = (float(v) for v in self.inner.schedule.at(level))
        # Equal ratios: one factor turns one schedule's x into the other's. Beyond the ends of `inner` its last level
        # answers, so eps is derived again: x = alpha x0 + sigma eps holds here too.
        guess = self.inner(x * math.sqrt((a * a + s * s) / (alpha * alpha + sigma * sigma)), level)
        return settled(guess.x0, x, alpha, sigma, False, guess.mix)


def on(denoiser: Denoiser, schedule: Schedule) -> Denoiser:
    """The denoiser on another schedule, by equal lambda: x0 and eps are the same there."""
    return _Elsewhere(denoiser, schedule)
