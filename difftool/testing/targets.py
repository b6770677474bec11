"""What every target must keep: x0 = skip x_t + out F(scale x_t)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from difftool.core.target import coefficients
from difftool.plugin.component import Target
from difftool.testing.known import PATHS, pictures
from difftool.testing.rules import FoundError, Rule, gap, generator, repeats, untouched

NAMES = ("skip", "out", "scale")
LEAST, MOST = 1e-3, 1e3
"""Between these lies the mean square of whatever a network may be asked to hear or to say."""


def _numbers(part: Target, alpha: Tensor, sigma: Tensor) -> list[Tensor]:
    """skip, out and scale as float64 tensors of alpha's shape."""
    raw = part.coefficients(alpha, sigma)
    if len(raw) != 3:
        raise FoundError(f"coefficients() gives {len(raw)} values; skip, out and scale are three")
    for name, value in zip(NAMES, raw, strict=True):
        if isinstance(value, Tensor) and value.dtype != torch.float64:
            raise FoundError(f"{name} is {value.dtype}; float64 came in")
    return [torch.as_tensor(value, dtype=torch.float64).expand_as(alpha) for value in raw]


def _levels(seed: int) -> tuple[Tensor, Tensor]:
    """(alpha, sigma) of some levels of every path, where there is signal and noise."""
    found = []
    for path in PATHS.values():
        schedule = path()
        t = 1 + torch.rand(40, generator=generator(seed), dtype=torch.float64) * (schedule.T - 2)
        found.append(torch.stack(schedule.at(t)))
    alpha, sigma = torch.cat(found, dim=1)
    return alpha, sigma


def _asked(part: Target, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the network should say, as shares of x0 and eps, and the scale of what it hears."""
    skip, out, scale = _numbers(part, alpha, sigma)
    return (1 - skip * alpha) / out, -skip * sigma / out, scale


def says_something_everywhere(part: Target, seed: int) -> str | None:
    """Is finite, and `out` is not 0, at every level that has signal and noise, on any path."""
    for name, path in PATHS.items():
        schedule = path()
        t = torch.arange(1, schedule.T + 1, dtype=torch.float64)
        t = torch.cat([t, t[:-1] + torch.rand(len(t) - 1, generator=generator(seed), dtype=torch.float64)])
        alpha, sigma = schedule.at(t)
        some = (alpha > 0) & (sigma > 0)
        for what, value in zip(NAMES, _numbers(part, alpha[some], sigma[some]), strict=True):
            bad = ~torch.isfinite(value) | (
                (value == 0) if what == "out" else torch.zeros_like(value, dtype=torch.bool)
            )
            if bool(bad.any()):
                k = int(bad.nonzero()[0])
                return f"{what} is {float(value[k]):g} at level {float(t[some][k]):.6g} of the {name} path"
    return None


def each_level_alone(part: Target, seed: int) -> str | None:
    """Treats each level alone, in any shape, and edits nothing."""
    alpha, sigma = _levels(seed)
    with untouched(alpha=alpha, sigma=sigma) as edited:
        together = torch.stack(_numbers(part, alpha, sigma))
    if edited:
        return edited[0]
    for k in range(0, len(alpha), 7):
        alone = torch.stack(_numbers(part, alpha[k], sigma[k]))
        if gap(alone, together[:, k]) > 1e-12:
            return (
                f"at alpha = {float(alpha[k]):.6g}, sigma = {float(sigma[k]):.6g} it gives {_row(alone)} alone and "
                f"{_row(together[:, k])} among other levels"
            )
    square = torch.stack(_numbers(part, alpha.reshape(-1, 4, 1), sigma.reshape(-1, 4, 1)))
    if gap(square.flatten(1), together) > 1e-12:
        return "it gives other numbers when the levels come as a table"
    return None


def keeps_all_digits(part: Target, seed: int) -> str | None:
    """Keeps the digits of float64: a change in the tenth digit of a level is seen."""
    alpha, sigma = _levels(seed)
    plain = torch.stack(_numbers(part, alpha, sigma))
    for up in (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])):
        small, large = (
            torch.stack(_numbers(part, alpha * (1 + h * up[0].double()), sigma * (1 + h * up[1].double()))) - plain
            for h in (1e-9, 1e-5)
        )
        wrong = (small - 1e-4 * large).abs() > 1e-5 * large.abs() * 0.2 + 1e-13 * plain.abs() + 1e-300
        for k, name in enumerate(NAMES):
            if float(wrong[k].double().mean()) > 0.5:
                return f"{name} does not follow its inputs beyond the digits of float32"
    return None


def asks_for_sane_numbers(part: Target, seed: int) -> str | None:
    """Lets the network hear and say numbers of a sane size at every level of the linear, cosine and flow paths."""
    for name in ("linear", "cosine", "flow"):
        schedule = PATHS[name]()
        t = torch.arange(1, schedule.T + (0 if name == "flow" else 1), dtype=torch.float64)
        alpha, sigma = schedule.at(t)
        of_x0, of_eps, scale = _asked(part, alpha, sigma)
        sizes = {
            "the network would be asked to say": of_x0.square() + of_eps.square(),
            "the network would hear": scale.square() * (alpha.square() + sigma.square()),
        }
        for what, size in sizes.items():
            bad = ~((size >= LEAST) & (size <= MOST))
            if bool(bad.any()):
                k = int(bad.nonzero()[0])
                return (
                    f"at level {t[k]:g} of the {name} path {what} numbers of mean square {float(size[k]):.3g} for data "
                    f"of mean square 1; {LEAST:g} to {MOST:g} can be learned"
                )
    return None


def changes_smoothly(part: Target, seed: int) -> str | None:
    """Asks for nearly the same at levels that are nearly the same: no jumps."""
    says, hears = slice(0, 2), slice(2, 3)
    for what, rows in (("says", says), ("hears", hears)):

        def path(u: Tensor, rows: slice = rows) -> Tensor:
            return torch.stack(_asked(part, (torch.pi / 2 * u).cos(), (torch.pi / 2 * u).sin()))[rows]

        low = torch.linspace(0.01, 0.98, 2000, dtype=torch.float64)
        high = low + (low[1] - low[0])
        for _ in range(30):  # into whichever half changes more: a jump stays, a slope dies away
            middle = (low + high) / 2
            first = _apart(path, low, middle) > _apart(path, middle, high)
            low, high = torch.where(first, low, middle), torch.where(first, middle, high)
        jump = _apart(path, low, high)
        worst = int(jump.argmax())
        if float(jump[worst]) > 1e-4:
            a, s = torch.cos(torch.pi / 2 * low[worst]), torch.sin(torch.pi / 2 * low[worst])
            return f"what the network {what} jumps by {float(jump[worst]):.2g} at alpha = {a:.4f}, sigma = {s:.4f}"
    return None


def _apart(path: Callable[[Tensor], Tensor], u: Tensor, w: Tensor) -> Tensor:
    a, b = path(u), path(w)
    change: Tensor = (a - b).norm(dim=0) / (a.norm(dim=0) + b.norm(dim=0))
    return change


def the_picture_comes_back(part: Target, seed: int) -> str | None:
    """Gives the picture back, in float32 too, from what the network should have said: nothing cancels that matters."""
    x0 = pictures(seed, 1, (1, 4, 4)).double()
    eps = torch.randn(x0.shape, generator=generator(seed), dtype=torch.float64)
    for name, path in PATHS.items():
        schedule = path()
        for t in (1.0, 2.5, 300.0, schedule.T - 0.5):
            c = coefficients(part, schedule, t)
            x_t = (c.alpha * x0 + c.sigma * eps).float()
            said = (c.of_x0 * x0 + c.of_eps * eps).float()
            off = float((float(c.skip) * x_t + float(c.out) * said - x0).abs().max())
            if not off < 0.01:
                return f"at level {t:g} of the {name} path a pixel of x0 comes back {off:.3g} away, of 2"
    return None


def answers_the_same_again(part: Target, seed: int) -> str | None:
    """Gives the same numbers every time, without randomness."""
    alpha, sigma = _levels(seed)
    return repeats(lambda: [value.clone() for value in _numbers(part, alpha, sigma)])


def _row(values: Tensor) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values.tolist()) + ")"


RULES: tuple[Rule, ...] = (
    says_something_everywhere,
    each_level_alone,
    keeps_all_digits,
    asks_for_sane_numbers,
    changes_smoothly,
    the_picture_comes_back,
    answers_the_same_again,
)
