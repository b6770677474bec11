"""What a loss teaches: where its gradient leads, and how strongly."""

from __future__ import annotations

import torch
from torch import Tensor

from difftool.core.target import add_noise
from difftool.core.types import Noised
from difftool.plugin.component import Loss
from difftool.testing.batches import SHAPE, answer_of, cases, error_of, gradient_of, read
from difftool.testing.known import PATHS, TARGETS, pictures
from difftool.testing.rules import Rule, gap, generator

SIZES = (0.003, 0.03, 0.3, 1.0, 3.0, 10.0)
"""Errors of the network that are asked about, beside answers of about size 1."""


def _at_level_300(target: str, x0: Tensor, eps: Tensor) -> Noised:
    """Far from both ends, so that every target has signal and noise."""
    return add_noise(x0, eps, torch.full((len(x0),), 300.0).double(), TARGETS[target], PATHS["linear"](), {})[1]


def learning_helps(part: Loss, seed: int) -> str | None:
    """Pulls the answer towards the truth: a step down its gradient makes the error smaller."""
    pulled = False
    for what, batch in cases(seed):
        for size in (0.05, 1.0):
            error = size * error_of(batch, seed)
            gradient = read(part, gradient_of(part, answer_of(part, batch, error, seed), batch))
            along = (gradient * error).flatten(1).sum(1)
            moved = gradient.flatten(1).norm(dim=1) > 0
            pulled |= bool(moved.any())
            if bool((moved & (along <= 0)).any()):
                t = float(batch.t[int((moved & (along <= 0)).nonzero()[0])])
                return f"at level {t:g} for {what} the gradient leads away from the truth"
    return None if pulled else "the gradient of what the denoiser reads is 0 everywhere"


def pulls_at_every_error(part: Loss, seed: int) -> str | None:
    """Pulls at errors of every size: none is so small, or so large, that it stays."""
    for what, batch in cases(seed):
        signs = error_of(batch, seed).sign()
        shares = []
        for size in SIZES:
            pull = read(part, gradient_of(part, answer_of(part, batch, size * signs, seed), batch))
            shares.append((pull != 0).flatten(1).float().mean(1))
        share, most = torch.stack(shares).min(0), torch.stack(shares).max(0).values
        left = (share.values < 0.1) & (most > 0)  # a level that is never pulled at has no weight
        if bool(left.any()):
            k = int(left.nonzero()[0])
            return (
                f"where an answer is off by {SIZES[int(share.indices[k])]:g} everywhere, {share.values[k]:.0%} of its "
                f"pixels are pulled at, at level {float(batch.t[k]):g} for {what}: is a guess clipped, or an error?"
            )
    return None


def grows_without_jumps(part: Loss, seed: int) -> str | None:
    """Costs more the larger an error is, without jumps."""
    sizes = torch.logspace(-2, 1, 300)
    one = pictures(seed, 1, SHAPE).expand(len(sizes), *SHAPE)
    noise = torch.randn((1, *SHAPE), generator=generator(seed)).expand(one.shape)
    for target in TARGETS if part.outputs == 1 else ():  # of two, the second may judge the error: see `cost`
        batch = _at_level_300(target, one, noise)
        signs = error_of(batch, seed)[:1].sign()
        cost = part(answer_of(part, batch, sizes[:, None, None, None] * signs, seed), batch).detach()
        rise = cost.diff()
        if bool((falls := rise < -1e-5 * cost[1:].abs()).any()):
            k = int(falls.nonzero()[0])
            return (
                f"an error of {sizes[k]:.3g} costs {float(cost[k]):.6g}, one of {sizes[k + 1]:.3g} only "
                f"{float(cost[k + 1]):.6g}, for {target} at level 300"
            )
        jumps = rise[1:-1] > 10 * torch.maximum(rise[:-2], rise[2:]) + 1e-3 * cost[2:-1].abs()
        if bool(jumps.any()):
            k = int(jumps.nonzero()[0]) + 1
            return (
                f"its value jumps from {float(cost[k]):.4g} to {float(cost[k + 1]):.4g} at an error of {sizes[k]:.3g}"
            )
    return None


def learns_the_mean(part: Loss, seed: int) -> str | None:
    """Pulls alike up and down, and whatever the picture is: else it is not the mean that a network learns."""
    for what, batch in cases(seed):
        for size in (0.1, 0.5, 2.0):
            up, down = (
                read(part, gradient_of(part, answer_of(part, batch, sign * size, seed), batch)) for sign in (1, -1)
            )
            strength = torch.maximum(up.abs(), down.abs()).flatten(1).max(1).values
            off = (up + down).abs().flatten(1).max(1).values / strength.clamp(min=1e-30)
            if bool((off > 0.01).any()):
                k = int((off > 0.01).nonzero()[0])
                return (
                    f"an answer too high by {size:g} is pulled at otherwise than one too low by it: by {off[k]:.1%} of "
                    f"its strength, at level {float(batch.t[k]):g} for {what}"
                )
    light, contrast = torch.tensor([[0.0, 0.6, -0.6, 0.0], [1.0, 0.3, 0.3, 0.05]])[..., None, None, None]
    shades = light + contrast * pictures(seed, 4, SHAPE)
    alpha, sigma = (float(each) for each in PATHS["linear"]().at(300.0))
    # All become the same noised picture: that is what a network sees, and a weight may depend on it.
    noised = alpha * shades[:1] + sigma * torch.randn(shades[:1].shape, generator=generator(seed))
    for target in TARGETS:
        batch = _at_level_300(target, shades, (noised - alpha * shades) / sigma)
        error = error_of(batch, seed)[:1].expand(batch.target.shape)
        pull = read(part, gradient_of(part, answer_of(part, batch, error, seed), batch))
        if (apart := max(gap(pull[k], pull[0]) for k in range(1, len(pull)))) > 0.02:
            return (
                f"one and the same error is pulled at otherwise in another picture, by {apart:.2g} of its strength, "
                f"for {target} at level 300"
            )
    return None


def weights_mean_the_same_for_every_target(part: Loss, seed: int) -> str | None:
    """Weighs the network's own error alike at all levels, or x0's error (gain times it) alike for all targets."""
    schedule = PATHS["linear"]()
    levels = torch.tensor([120.0, 260.0, 400.0, 560.0])
    one = pictures(seed, 1, SHAPE).expand(len(levels), *SHAPE)
    noise = torch.randn((1, *SHAPE), generator=generator(seed)).expand(one.shape)
    error = 0.5 * torch.randn((1, *SHAPE), generator=generator(seed + 3)).expand(one.shape)
    own, pictured = [], []
    for target in TARGETS.values():
        batch = add_noise(one, noise, levels.double(), target, schedule, {})[1]
        own.append(read(part, gradient_of(part, answer_of(part, batch, error, seed), batch)))
        pull = read(part, gradient_of(part, answer_of(part, batch, error / batch.gain, seed), batch))
        pictured.append(pull / batch.gain)
    network = max(gap(each[k], own[0][0]) for each in own for k in range(len(levels)))
    picture = max(gap(each[k], pictured[0][k]) for each in pictured for k in range(len(levels)))
    if min(network, picture) < 5e-3:
        return None
    sizes = {name: float(each[0].norm() / pictured[0][0].norm()) for name, each in zip(TARGETS, pictured, strict=True)}
    told = ", ".join(f"{size:.3g} for {name}" for name, size in sizes.items())
    return (
        f"it is right for one target at most: at level {levels[0]:g} the same error of x0 is pulled at with strengths "
        f"{told}. A weight that depends on the level goes on x0's error, gain * error: on its square with gain^2"
    )


def both_halves_learn(part: Loss, seed: int) -> str | None:
    """Teaches everything it asks for: with outputs = 2, the second half too."""
    if part.outputs not in (1, 2):
        return f"outputs is {part.outputs}; it may be 1 or 2"
    if part.outputs == 1:
        return None
    pushed = set()
    for what, batch in cases(seed):
        answer = answer_of(part, batch, 0.3 * error_of(batch, seed), seed)
        gradient = gradient_of(part, answer, batch)
        for name, half in zip(("first", "second"), gradient.chunk(2, dim=1), strict=True):
            if not bool(half.flatten(1).any(1).float().mean() > 0.5):
                return f"no gradient reaches the {name} half of the network's answer at most levels, for {what}"
        for second in (-8.0, -1.0, 0.0, 1.0, 8.0):
            said = torch.cat([answer.chunk(2, dim=1)[0], torch.full_like(batch.target, second)], dim=1)
            pushed |= set(gradient_of(part, said, batch).chunk(2, dim=1)[1].sign().unique().tolist())
    if not {-1.0, 1.0} <= pushed:
        way = "up" if -1.0 in pushed else "down"
        return f"the second half of the network's answer is pushed {way} whatever it says: is a sign wrong?"
    return None


GRADIENTS: tuple[Rule, ...] = (
    learning_helps,
    pulls_at_every_error,
    grows_without_jumps,
    learns_the_mean,
    weights_mean_the_same_for_every_target,
    both_halves_learn,
)
