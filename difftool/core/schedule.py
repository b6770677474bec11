"""Noise schedules: x_t = alpha[t] x0 + sigma[t] eps, two float64 tables, level 0 is clean data.

Everything else follows from the two tables: any reverse step between any two levels (`hop`), so nothing is ever
respaced; levels between the integers (`at`); the level of a given signal-to-noise ratio (`level`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from difftool.core.types import Hop
from difftool.errors import InputError

Curve = Callable[[Tensor], tuple[Tensor, Tensor]]

NEVER_NOISE = 0.1
"""A schedule whose last level keeps more signal power than this cannot be sampled from noise."""
ROUNDING = 1e-10
"""A last alpha under this share of the one before is 0, as cos(pi / 2) = 6e-17 is; divided by, it would be noise."""
HARDLY_NOISE = 0.01
"""Above this, the last level differs visibly from noise: worth a warning."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Two tables on the CPU. `curve`, if a schedule brings its own, gives (alpha, sigma) at any level and
    equals the tables at the integers."""

    alpha: Tensor  # [T+1] float64, alpha[0] == 1
    sigma: Tensor  # [T+1] float64, sigma[0] == 0
    curve: Curve | None = None

    def __post_init__(self) -> None:
        a, s = self.alpha, self.sigma
        if a.ndim != 1 or a.shape != s.shape or len(a) < 2:
            raise InputError(f"a schedule is two tables of T + 1 numbers; got {tuple(a.shape)} and {tuple(s.shape)}")
        if any(table.dtype != torch.float64 or table.device.type != "cpu" for table in (a, s)):
            raise InputError("a schedule's tables are float64 on the CPU; only coefficients travel")
        if a[-1].abs() < ROUNDING * a[-2]:
            a = torch.cat([a[:-1], a.new_zeros(1)])
            object.__setattr__(self, "alpha", a)
        for name, table in (("alpha", a), ("sigma", s)):
            wrong = ~(torch.isfinite(table) & (table >= 0))
            if wrong.any():
                t = int(wrong.nonzero()[0])
                raise InputError(
                    f"a schedule's tables are finite and never negative; {name} is {table[t]:.6g} at level {t}"
                )
        if a[0] != 1 or s[0] != 0:
            raise InputError(f"level 0 is clean data: alpha = 1 and sigma = 0, not {a[0]:.6g} and {s[0]:.6g}")
        falls = a[1:] * s[:-1] < a[:-1] * s[1:]  # alpha/sigma falls, without dividing by zero
        if not falls.all():
            t = int((~falls).nonzero()[0]) + 1
            raise InputError(f"noise must grow with the level; from level {t - 1} to {t} it does not")
        if self.curve is not None:
            curves = self.curve(torch.arange(len(a), dtype=torch.float64))
            for name, table, curve in zip(("alpha", "sigma"), (a, s), curves, strict=True):
                off = ~torch.isclose(curve.double(), table, rtol=1e-5, atol=1e-9)
                if off.any():
                    t = int(off.nonzero()[0])
                    raise InputError(
                        "a schedule's own curve must equal its tables at the integers; "
                        f"at level {t} its {name} is {curve[t]:.9g}, the table's {table[t]:.9g}"
                    )

    @classmethod
    def from_betas(cls, betas: Tensor) -> Schedule:
        """The paper's form: x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) z."""
        abar = torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas.double()).cumprod(0)])
        return cls(abar.sqrt(), (1 - abar).sqrt())

    @property
    def T(self) -> int:
        """Number of noisy levels."""
        return len(self.alpha) - 1

    @property
    def terminal(self) -> float:
        """Share of the last level's power that is still signal; the paper's abar_T."""
        a, s = float(self.alpha[-1]), float(self.sigma[-1])
        return a * a / (a * a + s * s)

    def require_noise(self) -> str | None:
        """Refuses a schedule that never gets near noise; a warning if it hardly does."""
        if self.terminal > NEVER_NOISE:
            raise InputError(
                f"the schedule never gets near noise: abar_T = {self.terminal:.3g} is left at T = {self.T}",
                why=f"sampling starts from pure noise, so abar_T must be under {NEVER_NOISE}",
                do="raise the last betas or T; for `linear`, `scale = true` keeps abar_T the same for any T",
            )
        if self.terminal > HARDLY_NOISE:
            return f"abar_T = {self.terminal:.3g}: the last level still holds signal; expect a brightness bias"
        return None

    def at(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """(alpha, sigma) at any levels in 0..T, float64.

        Between integers lambda = ln(alpha / sigma) and ln(alpha^2 + sigma^2) are linear; on (0, 1) sigma / alpha is
        proportional to t; if alpha[T] is 0, alpha / sigma is proportional to T - t on (T - 1, T].
        """
        t = torch.as_tensor(t, dtype=torch.float64)
        if not bool(((t >= 0) & (t <= self.T)).all()):  # NaN fails too
            raise InputError(f"levels lie in 0..{self.T}")
        alpha, sigma = self._between(t) if self.curve is None else self.curve(t)
        near = t.round().long()
        whole = t == near  # the tables themselves, to the bit
        return torch.where(whole, self.alpha[near], alpha.double()), torch.where(
            whole, self.sigma[near], sigma.double()
        )

    def _between(self, t: Tensor) -> tuple[Tensor, Tensor]:
        low = t.floor().clamp(max=self.T - 1).long()
        f = t - low
        power = self.alpha.square() + self.sigma.square()
        power = torch.lerp(power[low].log(), power[low + 1].log(), f).exp()
        lam = self._lam
        ratio = torch.lerp(lam[low], lam[low + 1], f).neg().exp()  # sigma / alpha, where both ends have one
        ratio = torch.where(low == 0, f * lam[1].neg().exp(), ratio)
        alpha = (power / (1 + ratio.square())).sqrt()
        sigma = ratio * alpha
        if self.alpha[-1] == 0:
            q = (1 - f) * lam[-2].exp()  # alpha / sigma on the last stretch
            s = (power / (1 + q.square())).sqrt()
            last = low == self.T - 1
            alpha, sigma = torch.where(last, q * s, alpha), torch.where(last, s, sigma)
        return alpha, sigma

    @property
    def _lam(self) -> Tensor:
        return self.alpha.log() - self.sigma.log()  # +inf at level 0, -inf where alpha is 0

    def level(self, lam: Tensor | float) -> Tensor:
        """The level at which ln(alpha / sigma) is `lam`: the inverse of `at`, clamped to 0..T."""
        lam = torch.as_tensor(lam, dtype=torch.float64)
        table = self._lam
        rising = -table  # searchsorted wants it so
        low = (torch.searchsorted(rising, -lam.contiguous(), right=True) - 1).clamp(0, self.T - 1)
        if self.curve is not None:
            return self._bisect(self.curve, lam, low.double())
        f = (table[low] - lam) / (table[low] - table[low + 1])
        f = torch.where(low == 0, (table[1] - lam).exp(), f)
        if self.alpha[-1] == 0:
            f = torch.where(low == self.T - 1, 1 - (lam - table[-2]).exp(), f)
        return (low + f.clamp(0, 1)).clamp(0, self.T)

    def _bisect(self, curve: Curve, lam: Tensor, low: Tensor) -> Tensor:
        """On a curve of its own: the tables say between which two levels, and each halving is one more bit."""
        high = low + 1
        for _ in range(53):
            middle = (low + high) / 2
            alpha, sigma = curve(middle)
            cleaner = alpha.log() - sigma.log() > lam
            low, high = torch.where(cleaner, middle, low), torch.where(cleaner, high, middle)
        return high

    def hop(self, t: float, s: float) -> Hop:
        """Every coefficient of the step from level t down to level s < t, as plain floats: no device ever waits."""
        if not 0 <= s < t <= self.T:
            raise InputError(f"a hop goes down within 0..{self.T}, not from {t} to {s}")
        alpha, sigma = self.at(torch.tensor([t, s], dtype=torch.float64))
        (alpha_t, alpha_s), (sigma_t, sigma_s) = alpha.tolist(), sigma.tolist()
        r = alpha_t / alpha_s
        beta = sigma_t**2 - (r * sigma_s) ** 2
        return Hop(
            t=t,
            s=s,
            alpha_t=alpha_t,
            sigma_t=sigma_t,
            alpha_s=alpha_s,
            sigma_s=sigma_s,
            mean_x0=alpha_s * beta / sigma_t**2,
            mean_xt=r * sigma_s**2 / sigma_t**2,
            beta=beta,
            posterior=beta * sigma_s**2 / sigma_t**2,
        )

    def diffuse(self, x0: Tensor, eps: Tensor, t: float) -> Tensor:
        """q(x_t | x0) with the given noise, the same level for the whole batch."""
        alpha, sigma = self.at(t)
        return float(alpha) * x0 + float(sigma) * eps
