"""What a sampler makes of data whose law is known, compared with that law.

A sampler is an affine map of its draws when the denoiser is that of Gaussian data. Picture k of a batch is then given
draw k alone, and the sum of squares over the batch is the exact variance of what it makes, without sampling error. What
the steps themselves do wrong shrinks with their number: twice as many steps tell what would remain of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from difftool.core.schedule import Schedule
from difftool.core.types import Denoiser
from difftool.plugin.component import Sampler
from difftool.testing.known import Draws
from difftool.testing.oracles import Gaussian, Mixture, Rings
from difftool.testing.rules import Rule, gap, generator
from difftool.testing.walks import asking, paths_of, steps_of, walks_of

SPREAD, MEAN = 0.015, 0.01
"""What may remain of the error of spread and mean, as shares of the true spread."""
CROWD = 4000


def _even(schedule: Schedule, n: int) -> tuple[float, ...]:
    return tuple(schedule.T * (n - k) / n for k in range(n + 1))


@dataclass
class Basis:
    """Draw d is 1 for picture d and 0 for the others; of the last two, one gets all draws weighted, one gets none."""

    weights: Tensor
    count: int = 0

    def __call__(self) -> Tensor:
        drawn = torch.zeros(len(self.weights) + 2, dtype=torch.float64)
        drawn[-2] = 1.0
        if self.count < len(self.weights):  # beyond, the weighted picture cannot come out right, and that is seen
            drawn[self.count], drawn[-2] = 1.0, self.weights[self.count]
        self.count += 1
        return drawn[:, None, None, None]


def law(
    part: Sampler,
    oracle: Denoiser,
    times: tuple[float, ...],
    seed: int,
    mix: float,
    start: tuple[float, float] | None = None,
    draw: Basis | None = None,
) -> tuple[list[tuple[float, float, float]], float]:
    """([(level, mean, spread)] of every step, the standard error of a spread: 0 if it is exact).

    `start` is (mean, spread) of x at times[0], if that is not noise; `draw` is for whoever wants to count the draws.
    """
    draw = draw or Basis(torch.randn(2 * len(times), generator=generator(seed), dtype=torch.float64))
    found = []
    x = start[0] + start[1] * draw() if start else None
    for step in steps_of(part, asking(part, oracle, mix), times, draw, x):
        moved = (step.x[:-1] - step.x[-1]).flatten()
        if gap(moved[-1:], (moved[:-1] * draw.weights).sum()[None]) > 1e-6:
            return _counted(part, oracle, times, seed, mix), 1 / math.sqrt(2 * CROWD)
        found.append((step.t, float(step.x[-1]), float(moved[:-1].norm())))
    return found, 0.0


def _counted(
    part: Sampler, oracle: Denoiser, times: tuple[float, ...], seed: int, mix: float
) -> list[tuple[float, float, float]]:
    steps = steps_of(part, asking(part, oracle, mix), times, Draws(seed, (CROWD, 1, 1, 1)))
    return [(step.t, float(step.x.mean()), float(step.x.std())) for step in steps]


def _limit(few: float, many: float, true: float, blur: float) -> float:
    """Where more and more steps lead, whether their error falls with their number, its square, or is gone already.

    A crowd is counted, not extrapolated: its error is not that of the steps alone.
    """
    limits = [many] if blur else [many, 2 * many - few, (4 * many - few) / 3]
    return min(limits, key=lambda value: abs(value - true))


def gaussian_data_comes_back(part: Sampler, seed: int) -> str | None:
    """Gives Gaussian data its true mean and spread, at the end and at every level on the way, on any path."""
    g = torch.rand(2, generator=generator(seed), dtype=torch.float64).tolist()
    mean, std = round(0.3 + 0.3 * g[0], 2) * (-1) ** seed, round(0.45 + 0.35 * g[1], 2)
    for name, schedule in paths_of(part).items():
        oracle = Gaussian(schedule, mean, std)
        for mix in (0.0, 1.0) if part.outputs == 2 else (0.5,):
            if part.gives == "means":
                found, _ = law(part, oracle, walks_of(part, 1, schedule)[0], seed, mix)
                if abs(found[-1][1] - mean) > 0.02:
                    return f"data of mean {mean:g} comes out with mean {found[-1][1]:.4g} on the {name} path"
                continue
            few, blur = law(part, oracle, _even(schedule, 100), seed, mix)
            many, _ = law(part, oracle, _even(schedule, 200), seed, mix)
            for (_, mean_few, std_few), (t, mean_many, std_many) in reversed(list(zip(few, many[1::2], strict=True))):
                alpha, sigma = (float(value) for value in schedule.at(t))
                true = math.hypot(alpha * std, sigma)
                left = _limit(std_few, std_many, true, blur)
                centre = _limit(mean_few, mean_many, alpha * mean, blur)
                where = f"at level {t:g} of the {name} path, with data N({mean:g}, {std:g}^2), "
                allowed = SPREAD if not blur else 0.05 + 4 * blur
                if not (abs(left / true - 1) <= allowed and abs(std_many / true - 1) < 0.5):
                    return f"{where}the spread of x tends to {left:.4g} as steps grow many; true is {true:.4g}"
                if not abs(centre - alpha * mean) <= true * (MEAN if not blur else 0.03 + 4 / math.sqrt(CROWD)):
                    return f"{where}the mean of x tends to {centre:.4g} as steps grow many; true is {alpha * mean:.4g}"
    return None


def both_peaks_in_their_shares(part: Sampler, seed: int) -> str | None:
    """Gives data of two peaks both of them, in their shares."""
    if part.gives == "means":
        return None
    paths = paths_of(part)
    for name in [each for each in ("cosine", "flow") if each in paths] or paths:  # the others would tell nothing new
        schedule = paths[name]
        data = Mixture(schedule, (-0.9, 0.9), (0.05, 0.05), (1, 3))
        x = steps_of(part, asking(part, data), _even(schedule, 80), Draws(seed, (CROWD, 1, 1, 1)))[-1].x
        low = float((x < 0).double().mean())
        off = float((x.abs() - 0.9).abs().mean())
        if abs(low - 0.25) > 4.5 * math.sqrt(0.1875 / CROWD) + 0.015:
            return f"a quarter of the data lies at -0.9, the rest at 0.9; on the {name} path {low:.1%} come out below 0"
        if off > 0.08:
            return f"on the {name} path the peaks at -0.9 and 0.9 are missed by {off:.3g} in the mean"
    return None


def both_rings(part: Sampler, seed: int) -> str | None:
    """Gives data on two rings (two pixels that depend on each other) their radii, shares and all directions."""
    if part.gives == "means":
        return None
    schedule = next(iter(paths_of(part).values()))
    radii, size = (0.35, 0.9), 2000
    data = Rings(schedule, radii, (0.03, 0.03), (2, 3))
    x = steps_of(part, asking(part, data), _even(schedule, 80), Draws(seed, (size, 1, 1, 2)))[-1].x
    radius = x.flatten(1).norm(dim=1)
    inner = float((radius < sum(radii) / 2).double().mean())
    off = float(torch.minimum((radius - radii[0]).abs(), (radius - radii[1]).abs()).mean())
    if abs(inner - 0.4) > 4.5 * math.sqrt(0.24 / size) + 0.02:
        return f"two fifths of the data lie on the inner ring; {inner:.1%} come out there"
    if off > 0.06:
        return f"the rings are {off:.3g} away in the mean"
    angle = torch.atan2(x[..., 1], x[..., 0]).flatten()
    for k in (1, 2, 3, 4):
        lean = math.hypot(float((k * angle).cos().mean()), float((k * angle).sin().mean()))
        if lean > 5 / math.sqrt(size) + 0.01:
            return f"not all directions come out alike: the mean of exp({k}i angle) is {lean:.3g}"
    return None


LAWS: tuple[Rule, ...] = (gaussian_data_comes_back, both_peaks_in_their_shares, both_rings)
