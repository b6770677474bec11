"""What a loss teaches: where its gradient leads, and how strongly."""

from __future__ import annotations

import torch

from difftool.core.target import add_noise
from difftool.plugin.component import Loss
from difftool.testing.batches import SHAPE, answer_of, cases, error_of, gradient_of, noised, read
from difftool.testing.known import PATHS, TARGETS, pictures
from difftool.testing.rules import Rule, gap, generator


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
            share = (gradient != 0).flatten(1).float().mean(1)
            if bool((moved & (share < 0.1)).any()):
                k = int((moved & (share < 0.1)).nonzero()[0])
                return (
                    f"at level {float(batch.t[k]):g} for {what} only {share[k]:.0%} of a wrong picture's pixels are "
                    "pulled at all: is a guess clipped?"
                )
    return None if pulled else "the gradient of what the denoiser reads is 0 everywhere"


def learns_the_mean(part: Loss, seed: int) -> str | None:
    """Pulls alike up and down, and whatever the picture is: else it is not the mean that a network learns."""
    for what, batch in cases(seed):
        for size in (0.1, 0.5):
            up, down = (part(answer_of(part, batch, sign * size, seed), batch) for sign in (1, -1))
            uneven = (up - down).abs() > 0.25 * torch.maximum(up.abs(), down.abs()) + 1e-6
            if bool(uneven.any()):
                k = int(uneven.nonzero()[0])
                return (
                    f"an answer too high by {size:g} costs {float(up[k]):.4g}, one too low by it {float(down[k]):.4g}, "
                    f"at level {float(batch.t[k]):g} for {what}"
                )
    schedule, level = PATHS["linear"](), torch.full((4,), 300.0)
    for target in TARGETS:
        batch = noised(target, schedule, level, seed)
        error = error_of(batch, seed)[:1].expand(batch.target.shape)
        pull = read(part, gradient_of(part, answer_of(part, batch, error, seed), batch))
        if (off := max(gap(pull[k], pull[0]) for k in range(1, len(pull)))) > 0.02:
            return (
                f"one and the same error is pulled at otherwise in another picture, by {off:.2g} of its strength, for "
                f"{target} at level 300"
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
        f"at level {levels[0]:g} one and the same error of x0 is pulled at with strengths {told}, and the network's "
        "own error is not weighed alike at all levels either: a weight on x0's error goes on gain * error, "
        "so its square is multiplied by gain^2"
    )


def both_halves_learn(part: Loss, seed: int) -> str | None:
    """Teaches everything it asks for: with outputs = 2, the second half too."""
    if part.outputs not in (1, 2):
        return f"outputs is {part.outputs}; it may be 1 or 2"
    for what, batch in cases(seed):
        gradient = gradient_of(part, answer_of(part, batch, 0.3 * error_of(batch, seed), seed), batch)
        for name, half in zip(("first", "second"), gradient.chunk(part.outputs, dim=1), strict=False):
            if part.outputs > 1 and not bool(half.flatten(1).any(1).float().mean() > 0.5):
                return f"no gradient reaches the {name} half of the network's answer at most levels, for {what}"
    return None


GRADIENTS: tuple[Rule, ...] = (
    learning_helps,
    learns_the_mean,
    weights_mean_the_same_for_every_target,
    both_halves_learn,
)
