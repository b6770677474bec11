"""What every network must keep: its shape, what it hears, whom it looks at, and where its state is."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from difftool.core.denoiser import autocast, heard
from difftool.plugin.component import Backbone
from difftool.testing.answers import HEARD, SAME, answers_any_number, sees_all_of_the_picture
from difftool.testing.known import linear
from difftool.testing.networks import Told, built, conditions_of, specs_of, told_of
from difftool.testing.rules import (
    FoundError,
    Rule,
    alike,
    elsewhere,
    gap,
    generator,
    repeats,
    seed_generators,
    untouched,
)


def answers_in_shape(part: Backbone, seed: int) -> str | None:
    """Answers [B, out_channels, H, W] in finite float32, for every size and number of channels that `check` permits."""
    if part.hears not in ("level", "logsnr", "alpha"):
        return f"hears is {part.hears!r}; it may be 'level', 'logsnr' or 'alpha'"
    for spec in specs_of(part):
        net = built(part, spec, seed).eval()
        for count in (1, 5):
            with torch.no_grad():
                answer = told_of(part, spec, seed, count)(net)
            wanted = [count, spec.out_channels, spec.height, spec.width]
            asked = f"for {spec.channels} channels in and {spec.out_channels} out at {spec.height}x{spec.width}"
            if list(answer.shape) != wanted:
                return f"{asked} it answers {list(answer.shape)}; {wanted} was expected"
            if answer.dtype != torch.float32:
                return f"it answers in {answer.dtype}; float32 came in"
            if not bool(torch.isfinite(answer).all()):
                return f"{asked} it answers numbers that are not finite"
        if wrong := [name for name, p in net.named_parameters() if p.dtype != torch.float32]:
            return f"its parameter {wrong[0]} is {net.get_parameter(wrong[0]).dtype}, not float32"
    return None


def hears_the_level(part: Backbone, seed: int) -> str | None:
    """Hears the noise level: at another level it answers otherwise, from the first to the last."""
    spec = specs_of(part)[0]
    net = built(part, spec, seed).eval()
    told = told_of(part, spec, seed, 1)
    schedule, levels = linear(), [1.0, 20.0, 60.0, 500.0, 520.0, 800.0, 999.0, 1000.0]
    with torch.no_grad():
        heards = [heard(part.hears, schedule, torch.tensor([t]).double()).float() for t in levels]
        answers = [replace(told, c=c)(net) for c in heards]
        for a in range(len(levels)):
            for b in range(a):
                far = levels[a] - levels[b] >= 400
                if gap(answers[a], answers[b]) < (HEARD if far else SAME):
                    return f"it answers the same at the levels {levels[b]:g} and {levels[a]:g}"
        if part.hears == "logsnr":
            light, dark = (replace(told, c=torch.tensor([c]))(net) for c in (3.0, -3.0))
            if gap(light, dark) < HEARD:
                return "it answers the same at the logsnr 3 and -3"
    return None


def hears_what_it_is_told(part: Backbone, seed: int) -> str | None:
    """Hears each condition that it takes: told something else, or nothing (zeros), it answers otherwise."""
    spec = specs_of(part)[0]
    net = built(part, spec, seed).eval()
    told = told_of(part, spec, seed)
    with torch.no_grad():
        plain = told(net)
        for key, rows in told.cond.items():
            for what, other in (("something else", rows.roll(1, 0)), ("nothing", torch.zeros_like(rows))):
                answer = replace(told, cond={**told.cond, key: other})(net)
                if min(gap(answer[k], plain[k]) for k in range(len(rows))) < HEARD:
                    return f"it takes the condition {key!r} {spec.conditions[key]}, but told {what} it answers the same"
    return None


def each_picture_alone(part: Backbone, seed: int) -> str | None:
    """Treats each picture alone, in training too: the others of its batch change nothing."""
    spec = specs_of(part)[0]
    told = told_of(part, spec, seed)
    for training in (False, True):
        net = built(part, spec, seed).train(training)
        answers = []
        for asked in (told, told.others_changed()):
            torch.manual_seed(seed)  # so that dropout is the same
            with torch.no_grad():
                answers.append(asked(net)[1])
        when = "in training, " if training else ""
        if gap(*answers) > 1e-3:
            return f"{when}the answer for one picture changes by {gap(*answers):.2g} of its size when the others change"
        if not training:
            with torch.no_grad():
                alone = told.of(slice(1, 2))(net)[0]
            if gap(alone, answers[0]) > 1e-3:
                return (
                    f"a picture alone gets another answer than in a batch, by {gap(alone, answers[0]):.2g} of its size"
                )
    return None


def draws_from_torch_alone(part: Backbone, seed: int) -> str | None:
    """Differs in training by dropout alone, and takes it from torch's global generator, which difftool seeds."""
    spec = specs_of(part)[0]
    net = built(part, spec, seed).train()
    told = told_of(part, spec, seed)
    answers = []
    for other in (1, 2):
        seed_generators(other)
        others = np.random.get_state(), random.getstate()
        torch.manual_seed(seed)
        with torch.no_grad():
            answers.append(told(net))
        if not alike(others, (np.random.get_state(), random.getstate())):
            return "in training it moves the generator of numpy or Python, so no run could be repeated"
    if not alike(*answers):
        return "in training it answers differently from the same seed of torch"
    torch.manual_seed(seed + 1)
    with torch.no_grad():
        drops = gap(told(net), answers[0]) > 1e-6
        off = gap(told(net.eval()), answers[0])
    if off > 1e-3 and not drops:
        return f"it drops nothing, and yet answers otherwise in training than in eval(), by {off:.2g} of its size"
    return None


def changes_nothing_by_answering(part: Backbone, seed: int) -> str | None:
    """Changes nothing by answering, in training too: neither its inputs nor its state."""
    spec = specs_of(part)[0]
    net = built(part, spec, seed).train()
    told = told_of(part, spec, seed)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    plain = _plain(net)
    with untouched(x=told.x, c=told.c, **{f"cond[{key!r}]": rows for key, rows in told.cond.items()}) as edited:
        told(net)
    if edited:
        return edited[0]
    now = net.state_dict()
    if moved := [name for name in {**state, **now} if name not in now or not alike(state.get(name), now[name])]:
        return f"a forward pass in training changes {moved[0]}, so what was trained depends on more than the gradients"
    if counted := [name for name, value in _plain(net).items() if plain.get(name) != value]:
        return f"a forward pass changes {counted[0]}: it remembers that it was asked"
    return None


def _plain(net: nn.Module) -> dict[str, Any]:
    """Every plain value that a module holds."""
    return {
        f"{name}.{key}".lstrip("."): value
        for name, module in net.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, bool | int | float | str)
    }


def answers_the_same_again(part: Backbone, seed: int) -> str | None:
    """Answers the same every time in eval(), without randomness and whatever it was asked before."""
    spec = specs_of(part)[0]
    net = built(part, spec, seed).eval()
    told = told_of(part, spec, seed)

    def asked() -> Tensor:
        with torch.no_grad():
            first = told(net).clone()
            told.others_changed()(net)
            if not alike(first, told(net)):
                raise FoundError(
                    "the same question gets another answer after a different one: it remembers, or is random"
                )
        return first

    return repeats(asked)


def every_weight_learns(part: Backbone, seed: int) -> str | None:
    """Lets a gradient reach every parameter."""
    spec = specs_of(part)[0]
    larger = replace(
        spec,
        height=2 * spec.height,
        width=2 * spec.width,
        conditions=conditions_of(part, 2 * spec.height, 2 * spec.width),
    )
    spec = spec if list(part.check(larger)) else larger
    net = built(part, spec, seed).eval()
    told = told_of(part, spec, seed)
    cond = {key: torch.cat([torch.zeros_like(rows[:1]), rows[1:]]) for key, rows in told.cond.items()}
    answer = replace(told, cond=cond)(net)
    (answer * torch.randn(answer.shape, generator=generator(seed))).sum().backward()
    asleep = []
    for name, p in net.named_parameters():
        if p.grad is not None and not bool(torch.isfinite(p.grad).all()):
            return f"the gradient of {name} is not finite"
        # A bias before a normalisation may have a slope of 0; a matrix never has.
        if p.requires_grad and (p.grad is None or (p.ndim > 1 and not bool((p.grad != 0).any()))):
            asleep.append(name)
    if not list(net.parameters()):
        return "it has no parameters"
    more = f" and {len(asleep) - 1} more" if len(asleep) > 1 else ""
    return f"no gradient reaches {asleep[0]}{more}" if asleep else None


def all_of_it_is_saved(part: Backbone, seed: int) -> str | None:
    """Keeps all of its state in state_dict(): another network that loads it answers the same."""
    spec = specs_of(part)[0]
    net, other = built(part, spec, seed).eval(), built(part, spec, seed + 1).eval()
    state = net.state_dict()
    if wrong := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        return f"its state_dict() holds a {type(state[wrong[0]]).__name__} under {wrong[0]}; weights files hold tensors"
    other.load_state_dict({name: value.clone() for name, value in state.items()})
    told = told_of(part, spec, seed)
    with torch.no_grad():
        off = gap(told(net), told(other))
    return (
        f"loaded into a new network, the same state answers otherwise, by {off:.2g} of its size" if off > 1e-5 else None
    )


def begins_from_the_seed(part: Backbone, seed: int) -> str | None:
    """Begins with weights from torch's global generator alone, and shares none with another network."""
    spec = specs_of(part)[0]
    first, again = built(part, spec, seed, awake=False), built(part, spec, seed, awake=False)
    if {p.data_ptr() for p in first.parameters()} & {p.data_ptr() for p in again.parameters()}:
        return "two networks that are built share parameters"
    for (name, p), (_, q) in zip(first.state_dict().items(), again.state_dict().items(), strict=True):
        if not alike(p, q):
            return f"built twice from the same seed, {name} begins differently"
    states = []
    for own in (seed, seed + 1):
        torch.manual_seed(own)
        part.build(spec)
        states.append(torch.get_rng_state())
    return "it seeds torch itself, so a recipe's seed changes nothing" if alike(*states) else None


def copes_with_half_precision(part: Backbone, seed: int) -> str | None:
    """Copes with bfloat16 autocast: finite, and near its float32 answer, at high levels too."""
    spec = specs_of(part)[0]
    net = built(part, spec, seed).eval()
    told = told_of(part, spec, seed, 4)
    with torch.no_grad():
        plain = told(net)
        with autocast(torch.device("cpu"), "bf16"):
            coarse = told(net).float()
    if not bool(torch.isfinite(coarse).all()):
        return "under bfloat16 its answer is not finite"
    for k, (a, b) in enumerate(zip(coarse, plain, strict=True)):
        off = float((a - b).norm() / b.norm())
        if off > 0.15:
            return f"under bfloat16 its answer is off by {off:.0%}, where c is {float(told.c[k]):g}"
    return None


def works_on_another_device(part: Backbone, seed: int) -> str | None:
    """Works where its weights are: it makes no tensor on the CPU that it mixes with them."""
    spec = specs_of(part)[0]
    told = told_of(part, spec, seed)

    def there(device: torch.device) -> None:
        net = built(part, spec, seed).to(device)
        Told(told.x.to(device), told.c.to(device), {key: rows.to(device) for key, rows in told.cond.items()})(net)

    return elsewhere(there)


RULES: tuple[Rule, ...] = (
    answers_in_shape,
    hears_the_level,
    hears_what_it_is_told,
    sees_all_of_the_picture,
    answers_any_number,
    each_picture_alone,
    draws_from_torch_alone,
    changes_nothing_by_answering,
    answers_the_same_again,
    every_weight_learns,
    all_of_it_is_saved,
    begins_from_the_seed,
    copes_with_half_precision,
    works_on_another_device,
)
