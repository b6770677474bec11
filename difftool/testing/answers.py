"""What a network's answer is made of: all of the picture; and what it can be: any number anywhere."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from difftool.plugin.component import Backbone
from difftool.testing.networks import built, specs_of, told_of
from difftool.testing.rules import gap, generator

HEARD = 1e-4
"""A change of the answer, as a share of it, that a network makes which was moved at random, and rounding does not."""

SAME = 1e-7
"""A change that is none."""


def sees_all_of_the_picture(part: Backbone, seed: int) -> str | None:
    """Looks at every channel and pixel that comes in, and how strong they are; all that goes out depends on them."""
    for spec in specs_of(part)[:2]:
        net = built(part, spec, seed).eval()
        told = told_of(part, spec, seed, 1)
        told.x.requires_grad_()
        answer = told(net)
        seen, slopes = torch.zeros_like(told.x), []
        for channel in range(spec.out_channels):
            weights = torch.randn(answer[:, 0].shape, generator=generator(seed + channel))
            (slope,) = torch.autograd.grad((answer[:, channel] * weights).sum(), told.x, retain_graph=True)
            if not bool((slope != 0).any()):
                return f"channel {channel} of its {spec.out_channels} does not depend on the picture"
            seen += slope.abs()
            slopes.append(slope)
        if blind := (seen == 0).flatten(2).all(2)[0].nonzero().flatten().tolist():
            return f"it does not look at channel {blind[0]} of the picture"
        if (share := float((seen == 0).float().mean())) > 0.02:
            return f"{share:.0%} of the pixels make no difference to its answer"
        if (share := _alike(torch.stack(slopes).flatten(1), seen.flatten() > 0)) > 0.1:
            return f"{share:.0%} of the numbers of a picture only count together with others: are they averaged first?"
        with torch.no_grad():
            if gap(replace(told, x=3 * told.x)(net), answer) < HEARD:
                return "it answers the same to a picture three times as strong: is what comes in normalised?"
    return None


def answers_any_number(part: Backbone, seed: int) -> str | None:
    """Can answer any number anywhere: another at each pixel, of both signs, and as large as its weights make it."""
    spec = specs_of(part)[0]
    net = built(part, spec, seed).eval()
    told = told_of(part, spec, seed, 12)
    with torch.no_grad():
        answer = told(net)
        size = answer.abs().mean()
        if bool((answer.flatten(2).std(2) < HEARD * size).all()):
            return "it answers the same at every pixel"
        if (share := float((answer.std(0) < SAME * size).float().mean())) > 0.05:
            return f"{share:.0%} of its answer is always the same"
        if (share := _alike(answer.flatten(1))) > 0.05:
            return f"{share:.0%} of the numbers that it answers are always equal to another"
        if bool((answer.mean((2, 3)).std(0) < 1e-5 * size).any()):
            return "the mean of what it answers is always the same: it cannot make a picture lighter"
        if bool((answer >= 0).all()) or bool((answer <= 0).all()):
            return f"its answers lie in {answer.min():.3g} to {answer.max():.3g}, and what it is to say has both signs"
        sizes = answer.square().flatten(1).mean(1).sqrt()
        if float(sizes.max() - sizes.min()) < 1e-3 * float(sizes.max()):
            return f"whatever it is asked, its answer has the size {sizes[0]:.4g}: is what goes out normalised?"
        tops = [float(answer.abs().max())]
        for _ in range(5):
            for p in net.parameters():
                p.mul_(3)
            loud = told(net)
            tops.append(float(loud.abs().max()))
        if 0.99 < tops[-1] / tops[-2] < 1.01:  # what is not finite has no bound
            return f"however large its weights are, its answers lie in {loud.min():.3g} to {loud.max():.3g}"
    return None


def _alike(rows: Tensor, which: Tensor | None = None) -> float:
    """The share of columns that are equal, row by row, to another."""
    columns = rows.T if which is None else rows.T[which]
    counts = columns.unique(dim=0, return_counts=True)[1]
    return float(counts[counts > 1].sum()) / len(columns)
