"""What every loss must keep, for every target: where it is smallest, whom it concerns, and what its weights mean."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import torch
from torch import Tensor

from difftool.plugin.component import Loss
from difftool.testing.batches import (
    TENSORS,
    answer_of,
    cases,
    cost,
    error_of,
    gradient_of,
    noised,
    others_changed,
    patterns,
    with_tensors,
)
from difftool.testing.gradients import GRADIENTS
from difftool.testing.known import PATHS
from difftool.testing.rules import Rule, elsewhere, gap, generator, repeats, untouched


def one_value_a_picture(part: Loss, seed: int) -> str | None:
    """Gives one finite float32 value for each picture, and finite gradients, for every target from level 1 to T."""
    for what, batch in cases(seed):
        for size in (0.0, 0.3, 100.0):
            answer = answer_of(part, batch, size * error_of(batch, seed), seed)
            values = part(answer, batch)
            if not isinstance(values, Tensor) or values.shape != (len(answer),):
                got = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
                return f"for {len(answer)} pictures it gives {got}; [{len(answer)}] was expected"
            if values.dtype != torch.float32:
                return f"its values are {values.dtype}; float32 came in"
            gradient = gradient_of(part, answer, batch)
            for name, each in (("value", values), ("gradient", gradient.flatten(1).sum(1))):
                if not bool(torch.isfinite(each).all()):
                    t = float(batch.t[int((~torch.isfinite(each)).nonzero()[0])])
                    return f"the {name} is not finite at level {t:g} for {what}, where the answer is off by {size:g}"
    return None


def is_smallest_at_the_truth(part: Loss, seed: int) -> str | None:
    """Is smallest where the network says just what it should, at every level and for every target."""
    for what, batch in cases(seed):
        best = part(answer_of(part, batch, 0.0, seed), batch)
        error = error_of(batch, seed)
        wrong = {
            "the answer to another picture": batch.target.roll(1, 0) - batch.target,
            "the noise instead": batch.eps - batch.target,
            "the picture instead": batch.x0 - batch.target,
            "nothing": -batch.target,
            "a tenth less": -0.1 * batch.target,
            "a tenth of the noise too much": 0.1 * batch.eps,
            "a tenth of the picture too much": 0.1 * batch.x0,
            "a blurred answer": (batch.target.roll(1, -1) - batch.target) / 2,
            "the truth upside down": batch.target.flip(-2) - batch.target,
        }
        wrong |= {f"an offset of {size:g}": torch.full_like(error, size) for size in (-0.5, 0.5)}
        wrong |= {f"an error of {size:g}": size * error for size in (0.01, 0.3, 1.0, 3.0)}
        costs = {name: cost(part, batch, offset, seed) for name, offset in wrong.items()}
        name, least = min(costs.items(), key=lambda row: float(row[1].min()))
        largest = torch.stack([*costs.values()]).max(0).values
        rounding = 2e-5 * best.abs() + 3e-6 * largest + 1e-7  # float32, of terms that may be larger than their sum
        if bool((least < -rounding).any()):
            k = int(least.argmin())
            return (
                f"{name} costs less than the truth at level {float(batch.t[k]):g} for {what}: "
                f"{float(best[k] + least[k]):.6g} instead of {float(best[k]):.6g}"
            )
    return None


def every_error_costs(part: Loss, seed: int) -> str | None:
    """Sees every kind of error: in any channel and pixel, coarse or fine."""
    silent: set[str] = set()
    for number, (_, batch) in enumerate(cases(seed)):
        costs = {name: cost(part, batch, error, seed) for name, error in patterns(batch).items()}
        most = torch.stack([*costs.values()]).max(0).values
        unnoticed = {name for name, cost in costs.items() if not bool((cost > 1e-4 * most).any())}
        silent = unnoticed if number == 0 else silent & unnoticed
    return f"{min(silent)} costs nothing, at any level and for any target" if silent else None


def each_picture_alone(part: Loss, seed: int) -> str | None:
    """Judges each picture alone: the others of its batch change nothing."""
    for what, batch in cases(seed):
        answer = answer_of(part, batch, error_of(batch, seed), seed)
        values = part(answer, batch)
        for k in (0, len(answer) - 2):
            alone = part(answer[k : k + 1], with_tensors(batch, itemgetter(slice(k, k + 1))))
            order = [k, *(j for j in range(len(answer)) if j != k)]
            among = part(answer[order] * others_changed(answer), with_tensors(batch, itemgetter(order)))
            for each, where in ((alone[0], "alone"), (among[0], "with other answers beside it")):
                if not abs(float(each - values[k])) <= 1e-4 * abs(float(values[k])) + 1e-7:
                    return (
                        f"a picture costs {float(values[k]):.6g} in one batch and {float(each):.6g} {where}, for {what}"
                    )
    return None


def edits_nothing(part: Loss, seed: int) -> str | None:
    """Edits nothing of what it is given."""
    for _, batch in cases(seed):
        answer = answer_of(part, batch, error_of(batch, seed), seed)
        given = {name: getattr(batch, name) for name in TENSORS}
        with untouched(output=answer, **{f"noised.{name}": tensor for name, tensor in given.items()}) as edited:
            part(answer, batch)
        if any(tensor.requires_grad for tensor in given.values()):
            return "it asks for gradients of what it is given"
        if edited:
            return edited[0]
    return None


def same_for_any_size(part: Loss, seed: int) -> str | None:
    """Is a mean over the picture, not a sum: the same picture twice as large costs as much."""
    schedule = PATHS["linear"]()
    batch = noised("v", schedule, torch.tensor([20.0, 300.0, 800.0]), seed)
    answer = answer_of(part, batch, error_of(batch, seed), seed)

    def tiled(tensor: Tensor) -> Tensor:
        return tensor.repeat(1, 1, 2, 2) if tensor.ndim == 4 and tensor.shape[-1] > 1 else tensor

    ratio = part(tiled(answer), with_tensors(batch, tiled)) / part(answer, batch)
    if not bool(((ratio > 0.6) & (ratio < 1.6)).all()):
        return f"a picture of four times the pixels costs {float(ratio.max()):.3g} times as much"
    return None


def places_levels(part: Loss, seed: int) -> str | None:
    """Places u in [0, 1) on levels above 0 and up to T, from the first to the last, each by its own u alone."""
    inner = torch.rand(4000, generator=generator(seed), dtype=torch.float64)
    ends = torch.tensor([0.0, 2.0**-53, 1e-9, 0.5, 1 - 2.0**-53], dtype=torch.float64)
    u = torch.cat([inner, ends])
    for path, make in PATHS.items():
        for T in (4, 1000):
            schedule = make(T)
            with untouched(u=u) as edited:
                t = part.levels(u, schedule)
            if edited:
                return edited[0]
            if not isinstance(t, Tensor) or t.shape != u.shape:
                return f"for {len(u)} numbers u, levels() gives {list(t.shape) if isinstance(t, Tensor) else type(t)}"
            t = t.double()
            if not bool(((t > 0) & (t <= T)).all()):  # NaN fails too
                k = int((~((t > 0) & (t <= T))).nonzero()[0])
                return f"u = {float(u[k]):.17g} is placed at level {float(t[k]):g}; levels lie above 0, up to T = {T}"
            # A law with tails may end before the last level; whole levels that do so are counted wrong.
            end = T - max(1, 0.02 * T) if bool((t == t.round()).all()) else T - max(2, 0.08 * T)
            if float(t.min()) > 1 + 0.02 * T or float(t.max()) <= end:
                return f"of the levels 1 to {T} of the {path} path only {t.min():g} to {t.max():g} are trained"
            if len(t.unique()) < min(T, 50):
                return f"only {len(t.unique())} of {T} levels are ever trained, on the {path} path"
            alone = torch.cat([part.levels(u[k : k + 1], schedule).double() for k in range(len(u) - 12, len(u))])
            turned = part.levels(u.flip(0), schedule).double().flip(0)
            if gap(alone, t[-12:]) > 1e-9 or gap(turned, t) > 1e-9:
                return f"a level depends on the other u of its batch, on the {path} path"
    return None


def judges_the_same_again(part: Loss, seed: int) -> str | None:
    """Gives the same values and levels every time, without randomness of its own and whatever it judged before."""
    batch = noised("v", PATHS["cosine"](), torch.tensor([1.0, 300.0, 999.0]), seed)
    answer = answer_of(part, batch, error_of(batch, seed), seed)
    u = torch.rand(50, generator=generator(seed), dtype=torch.float64)

    def judged() -> tuple[Tensor, Tensor]:
        values = part(answer, batch).clone()
        part(3 * answer, batch)
        return values, part.levels(u, batch.schedule).clone()

    return repeats(judged)


def works_on_another_device(part: Loss, seed: int) -> str | None:
    """Works where the tensors are, and makes none on the CPU that it mixes with them."""
    batch = noised("v", PATHS["linear"](), torch.tensor([2.0, 300.0]), seed)

    def there(device: torch.device) -> None:
        moved = {name: getattr(batch, name).to(device) for name in TENSORS if name != "times"}
        part(answer_of(part, batch, 0.1, seed).to(device), replace(batch, **moved))

    return elsewhere(there)


RULES: tuple[Rule, ...] = (
    one_value_a_picture,
    is_smallest_at_the_truth,
    every_error_costs,
    each_picture_alone,
    edits_nothing,
    same_for_any_size,
    *GRADIENTS,
    places_levels,
    judges_the_same_again,
    works_on_another_device,
)
