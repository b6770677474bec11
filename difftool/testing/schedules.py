"""What every noise schedule must keep."""

from __future__ import annotations

import contextlib
import hashlib
import traceback
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from difftool.core.schedule import Schedule
from difftool.errors import InputError
from difftool.plugin.component import NoiseSchedule
from difftool.testing.rules import FoundError, Rule, alike, generator, in_another_process, repeats


def _built(part: NoiseSchedule) -> Schedule:
    schedule = part.build()
    if not isinstance(schedule, Schedule):
        raise FoundError(f"build() gives a {type(schedule).__name__}, not a Schedule")
    return schedule


def _other(part: NoiseSchedule, T: int) -> NoiseSchedule | None:
    """The same schedule with another number of levels; None if it has bounds of its own."""
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    try:
        return type(part).model_validate(fields | {"T": T})
    except ValueError:  # pydantic's
        return None


def _changed(part: NoiseSchedule) -> Iterator[tuple[str, NoiseSchedule]]:
    """("field=value", the schedule with it): a little more or less of each number."""
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    for name, value in fields.items():
        if name == "T" or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        for other in (0.9 * value, 1.1 * value) if isinstance(value, float) else (value - 1, value + 1):
            with contextlib.suppress(ValueError):  # pydantic's: out of bounds
                yield f"{name} = {other:g}", type(part).model_validate(fields | {name: other})
                break


DIGEST = "from difftool.testing.schedules import _digest; answer = _digest(part.build())"


def _digest(schedule: Schedule) -> str:
    return hashlib.sha256(b"".join(each.numpy().tobytes() for each in (schedule.alpha, schedule.sigma))).hexdigest()


def _comes_from_the_tables(error: InputError) -> bool:
    """Whether Schedule itself refused, and not the part, which may not want every T."""
    return Path(traceback.extract_tb(error.__traceback__)[-1].filename).name == "schedule.py"


def _added(schedule: Schedule) -> Tensor:
    """Share of the signal's power that each level turns into noise, [T]; the betas, if the power is kept."""
    abar = schedule.alpha.square() / (schedule.alpha.square() + schedule.sigma.square())
    return 1 - abar[1:] / abar[:-1]


def builds_its_tables(part: NoiseSchedule, seed: int) -> str | None:
    """Gives T + 1 levels in float64 on the CPU, also with another T; level 0 is clean and noise grows from there."""
    for each in (part, *(_other(part, T) for T in (50, 1999))):
        if each is None:
            continue
        try:
            schedule = _built(each)
        except InputError as error:
            if each is part or _comes_from_the_tables(error):
                return f"with T = {each.T} it is refused: {error}"
            continue  # a length that the schedule does not want, and says so
        a, s = schedule.alpha, schedule.sigma
        if schedule.T != each.T or len(s) != each.T + 1:
            return f"T = {each.T} asks for {each.T + 1} levels, 0 to {each.T}; the tables have {len(a)} and {len(s)}"
        if any(table.dtype != torch.float64 or table.device.type != "cpu" for table in (a, s)):
            return f"the tables are {a.dtype} on {a.device} and {s.dtype} on {s.device}"
        if a[0] != 1 or s[0] != 0:
            return f"level 0 must be clean: alpha = 1, sigma = 0; they are {a[0]:g} and {s[0]:g}"
        falls = a[1:] * s[:-1] < a[:-1] * s[1:]
        if not bool(falls.all()):
            t = int((~falls).nonzero()[0]) + 1
            return f"with T = {each.T}, sigma / alpha does not grow from level {t - 1} to level {t}"
    return None


def keeps_what_it_says(part: NoiseSchedule, seed: int) -> str | None:
    """Keeps what `keeps` says, to 1e-9 at every level: alpha^2 + sigma^2, alpha + sigma, or alpha is 1."""
    schedule = _built(part)
    t = torch.arange(schedule.T + 1, dtype=torch.float64)
    if schedule.curve is not None:  # its own, so it answers for what is between
        t = torch.cat([t, t[:-1] + torch.rand(schedule.T, generator=generator(seed), dtype=torch.float64)])
    a, s = schedule.at(t)
    words = {"power": "alpha^2 + sigma^2", "sum": "alpha + sigma", "signal": "alpha"}
    sums = {"power": a.square() + s.square(), "sum": a + s, "signal": a}
    if part.keeps == "nothing":
        return None
    if part.keeps not in words:
        return f"keeps is {part.keeps!r}; it may be 'power', 'sum', 'signal' or 'nothing'"
    off = (sums[part.keeps] - 1).abs()
    if float(off.max()) <= 1e-9:
        return None
    worst = int(off.argmax())
    true = [each for each, value in sums.items() if float((value - 1).abs().max()) <= 1e-9]
    hint = f"; it keeps {words[true[0]]}, so say keeps = {true[0]!r}" if true else ""
    return f"{words[part.keeps]} is {float(sums[part.keeps][worst]):.10g} at level {float(t[worst]):.6g}, not 1{hint}"


def ends_in_noise(part: NoiseSchedule, seed: int) -> str | None:
    """Ends near pure noise: sampling starts there."""
    try:
        _built(part).require_noise()
    except InputError as error:
        return str(error)
    return None


def is_computed_in_float64(part: NoiseSchedule, seed: int) -> str | None:
    """Is computed in float64 all the way: float32 on the way costs nine digits for good."""
    schedule = _built(part)
    hops = [schedule.hop(t, t - 1) for t in range(1, min(schedule.T, 400) + 1)]
    series = {
        "alpha": schedule.alpha,
        "sigma": schedule.sigma,
        "alpha^2": schedule.alpha.square(),
        "sigma^2": schedule.sigma.square(),
        "beta": torch.tensor([hop.beta for hop in hops], dtype=torch.float64),
    }
    for name, values in series.items():
        # Differences have an error of their own, 1e-16: of smaller values no digits beyond float32's can be told.
        inner = values[((values - values.round()).abs() > 1e-12) & (values > 1e-4)]
        rounded = (inner.float().double() - inner).abs() <= 1e-13 + 1e-12 * inner.abs()
        digits = torch.frexp(inner).mantissa * 2**20
        coarse = (digits - digits.round()).abs() < 1e-4  # a few binary digits: exact in any precision
        if len(inner.unique()) >= 8 and bool(rounded.all()) and not bool(coarse.all()):
            return f"every {name} has only the digits of float32, as {float(inner[len(inner) // 2])!r}"
    return None


def noise_comes_gradually(part: NoiseSchedule, seed: int) -> str | None:
    """Adds its noise evenly or late, not early, and in steps that change little from level to level."""
    schedule = _built(part)
    if schedule.T < 20:
        return None
    first = float(schedule.sigma[1] / schedule.alpha[1])
    if schedule.T >= 100 and first > 0.25:
        return f"level 1 has noise already, sigma / alpha = {first:.3g}: what is learned of a picture's last details?"
    added = _added(schedule)
    log = added.clamp(min=1e-300).log()
    spikes = (log[3:-3] - (log[2:-4] + log[4:-2]) / 2).abs()
    jumps = (added[1:].clamp(min=1e-300) / added[:-1].clamp(min=1e-300)).log().abs()
    if float(jumps.median()) > 0.5:
        return (
            f"from one level to the next the added noise changes by a factor of {float(jumps.median().exp()):.3g} "
            "in the median: are the levels out of order?"
        )
    if float(spikes.max()) > 0.5:
        t = int(spikes.argmax()) + 4
        before, there, after = added[t - 2 : t + 1].tolist()
        return f"level {t} adds {there:.3g} of noise, its neighbours {before:.3g} and {after:.3g}"
    tenth = schedule.T // 10
    early, late = float(added[:tenth].mean()), float(added[-tenth:].mean())
    if early > late * (1 + 1e-6):
        return (
            f"the first tenth of the levels turns {early:.3g} of the signal's power into noise at each level, the last "
            f"{late:.3g}: are the betas reversed?"
        )
    return None


def between_its_levels(part: NoiseSchedule, seed: int) -> str | None:
    """Runs smoothly between its levels: noise grows there too, equals the tables, and `level` inverts `at`."""
    schedule = _built(part)
    T = schedule.T
    g = generator(seed)
    t = torch.rand(400, generator=g, dtype=torch.float64) * T
    t = torch.cat([t, torch.arange(min(T, 300) + 1), torch.tensor([0.3 * min(T, 1), T - 0.4, T])]).unique()
    before = t.clone()
    ask = schedule.curve or schedule.at  # which would take whole levels from the tables
    alpha, sigma = ask(t)
    if not alike(t, before):
        return "its curve edits the levels it is asked about"
    if alpha.shape != t.shape or sigma.shape != t.shape:
        return f"asked about {len(t)} levels, its curve answers {tuple(alpha.shape)} and {tuple(sigma.shape)}"
    if not bool((torch.isfinite(alpha) & torch.isfinite(sigma) & (alpha >= 0) & (sigma >= 0)).all()):
        return "between the levels, alpha or sigma is negative or not finite"
    whole = t == t.round()
    for name, values, table in (("alpha", alpha, schedule.alpha), ("sigma", sigma, schedule.sigma)):
        if float((values[whole] - table[t[whole].long()]).abs().max()) > 1e-9:
            return f"at whole levels its curve of {name} is not its table"
    falls = alpha[1:] * sigma[:-1] < alpha[:-1] * sigma[1:]
    if not bool(falls.all()):
        k = int((~falls).nonzero()[0])
        return f"from level {t[k]:.6g} to {t[k + 1]:.6g} sigma / alpha does not grow"
    again, _ = ask(t[:6].reshape(2, 3))
    if again.shape != (2, 3) or not torch.allclose(again.flatten(), alpha[:6], rtol=1e-12, atol=0):
        return "its curve answers differently when levels come as a table"
    inside = (alpha > 0) & (sigma > 0)
    back = schedule.level(alpha[inside].log() - sigma[inside].log())
    off = (back - t[inside]).abs()
    if not bool((off <= 1e-5 * max(1.0, T / 1000)).all()):
        worst = int(off.argmax())
        return f"level {float(t[inside][worst]):.6g} has a lambda that `level` takes for {float(back[worst]):.6g}"
    return None


def hops_compose(part: NoiseSchedule, seed: int) -> str | None:
    """Any way down through its levels leads to the same law: each hop's posterior keeps the marginals."""
    schedule = _built(part)
    inner = torch.rand(9, generator=generator(seed), dtype=torch.float64) * schedule.T
    stops = sorted({float(schedule.T), *(t for t in inner.tolist() if t > 1e-3), 0.0}, reverse=True)
    alpha, sigma = (float(value) for value in schedule.at(stops[0]))
    mean, variance = alpha, sigma**2  # of x_T given x0 = 1
    for t, s in pairwise(stops):
        hop = schedule.hop(t, s)
        if not 0 <= hop.posterior <= hop.beta * (1 + 1e-9):
            return f"from {t:.6g} to {s:.6g} the posterior variance is {hop.posterior:g}, and beta {hop.beta:g}"
        mean = hop.mean_x0 + hop.mean_xt * mean
        variance = hop.mean_xt**2 * variance + hop.posterior
        alpha, sigma = (float(value) for value in schedule.at(s))
        if abs(mean - alpha) > 1e-8 or abs(variance - sigma**2) > 1e-8 * max(1.0, sigma**2):
            return (
                f"hops from {stops[0]:g} down to {s:.6g} give mean {mean:.9g} x0 and variance {variance:.9g}; "
                f"the tables say {alpha:.9g} and {sigma**2:.9g}"
            )
    return None


def builds_the_same_again(part: NoiseSchedule, seed: int) -> str | None:
    """Builds the same tables every time, whatever was built before, without randomness."""
    for change, other in _changed(part):
        same = _digest(_built(part))
        with contextlib.suppress(InputError):  # it may refuse the other value
            if same == _digest(_built(other)) and in_another_process(other, DIGEST) not in (None, same):
                return f"with {change} it gives the tables that it built before, of another value: it keeps them"

    def tables() -> tuple[Tensor, Tensor]:
        schedule = _built(part)
        if (other := _other(part, 50)) and schedule.T != 50:
            other.build()
        return schedule.alpha.clone(), schedule.sigma.clone()

    return repeats(tables)


RULES: tuple[Rule, ...] = (
    builds_its_tables,
    keeps_what_it_says,
    ends_in_noise,
    is_computed_in_float64,
    noise_comes_gradually,
    between_its_levels,
    hops_compose,
    builds_the_same_again,
)
