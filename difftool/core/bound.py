"""The variational bound on -ln p(x0), part by part, in nats per dimension (Ho et al. 2020, equation 5).

    -ln p(x0)  <=  L_T  +  the sum of L_(t-1) over t = T, ..., 2  +  L_0

L_T: how far the noised picture is from the noise that sampling starts from (`prior_term`). L_(t-1): how far the
learned step from level t is from the true one. L_0: what it takes to say the picture's bytes after the last step.
The learned step goes down by one level; its log variance is mix ln beta + (1 - mix) ln posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from difftool.core.schedule import Schedule

HALF_BIN = 1 / 255
"""A byte is an interval of this size to both sides of its place in -1..1."""
LEAST = 1e-20
"""A posterior below is taken for this: what is divided by it stays a float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Hops:
    """The steps from some levels t down to max(t - 1, 0), as the bound sees them: float64 [B], on the CPU."""

    last: Tensor  # bool, whether the step ends at the picture
    signal: Tensor  # mean_x0^2 / posterior: how much alpha^2 / sigma^2 rises
    log_beta: Tensor
    log_posterior: Tensor

    @classmethod
    def of(cls, schedule: Schedule, times: Tensor) -> Hops:
        """The last step has no posterior: it takes that of the step above, as the paper's code does, or beta if T
        is 1."""
        s = (times - 1).clamp(min=0)
        alpha_t, sigma_t = schedule.at(times)
        alpha_s, sigma_s = schedule.at(s)
        beta = sigma_t.square() - (alpha_t / alpha_s * sigma_s).square()
        above = schedule.hop(2, 1).posterior if schedule.T > 1 else math.inf
        posterior = beta * (sigma_s / sigma_t).square()
        posterior = torch.where(s == 0, beta.clamp(max=above), posterior).clamp(min=LEAST)
        mean_x0 = alpha_s * beta / sigma_t.square()
        return cls(s == 0, mean_x0.square() / posterior, beta.log(), posterior.log())

    def term(self, x0: Tensor, guess: Tensor, mix: Tensor | float) -> Tensor:
        """[B]: L_(t-1) of pictures x0 whose network guessed `guess`; L_0 where the step is the last."""
        numbers = torch.stack([self.signal, self.log_beta - self.log_posterior, self.log_posterior, self.last.double()])
        signal, gap, log_posterior, last = numbers.to(x0.dtype).to(x0.device, non_blocking=True)[..., None, None, None]
        wider = mix * gap
        value = divergence(signal * (guess - x0).square(), wider)
        if bool(self.last.any()):  # known without asking the device
            nats = surprise(x0, guess, ((log_posterior + wider) / 2).exp())
            value = torch.where(last > 0, nats, value)
        return value.flatten(1).mean(1)


def prior_term(x0: Tensor, schedule: Schedule) -> Tensor:
    """[B]: L_T, the divergence of q(x_T | x0) from N(0, alpha_T^2 + sigma_T^2), where sampling starts."""
    snr = float((schedule.alpha[-1] / schedule.sigma[-1]).square())
    wider = torch.full((), math.log1p(snr), dtype=x0.dtype, device=x0.device)
    return divergence(snr * x0.square(), wider).flatten(1).mean(1)


def divergence(square: Tensor, wider: Tensor) -> Tensor:
    """KL(N(m, v) || N(m', v')) elementwise: `square` is (m - m')^2 / v, `wider` is ln(v' / v).

    0 exactly where both are, and without loss of digits where they are small.
    """
    return (wider + torch.expm1(-wider) + square * (-wider).exp()) / 2


def surprise(x0: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Elementwise -ln of the probability that N(mean, std^2) falls into the bin of the byte that x0 stands for.

    The bins at both ends reach to infinity, so the 256 of them hold everything. Tails are exact and nothing is cut
    off: a wrong byte costs what it costs.
    """
    offset = x0 - mean
    upper, lower = (offset + HALF_BIN) / std, (offset - HALF_BIN) / std
    bottom, top = x0 < -0.999, x0 > 0.999
    # The normal law has its digits in the lower tail, so a bin above the mean is mirrored.
    mirrored = (top | (offset > 0)) & ~bottom
    high, low = torch.where(mirrored, -lower, upper), torch.where(mirrored, -upper, lower)
    log_high = log_cdf(high)
    # never 0, so that no logarithm and no gradient is infinite
    fall = (log_cdf(low) - log_high).clamp(max=-torch.finfo(x0.dtype).tiny)
    inside = torch.where(bottom | top, 0.0, (-torch.expm1(fall)).log())
    return -(log_high + inside)


def log_cdf(z: Tensor) -> Tensor:
    """ln Phi(z), right in both tails; torch's log_ndtr does not run on every device."""
    far = torch.where(z < 0, -z, z)  # |z| with a slope at 0
    tail = (torch.special.erfcx(far / math.sqrt(2)) / 2).log() - far.square() / 2  # ln Phi(-far)
    return torch.where(z < 0, tail, torch.log1p(-tail.exp()))
