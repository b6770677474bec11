"""The training loop. No files, no clocks, no printing: it yields one Tick a step, and tensors stay on the device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from difftool.core.denoiser import autocast, heard
from difftool.core.randomness import Stream, integers, normal, uniform
from difftool.core.schedule import Schedule
from difftool.core.target import add_noise
from difftool.engine.ema import EMA
from difftool.engine.feed import Feed
from difftool.errors import PluginError
from difftool.plugin.blame import blamed
from difftool.recipe.model import Optim, Recipe


@dataclass
class State:
    """The only thing that training changes."""

    net: nn.Module
    ema: EMA | None
    optimizer: torch.optim.Optimizer
    step: int = 0

    @property
    def best(self) -> nn.Module:
        """The weights that pictures are drawn with."""
        return self.ema.net if self.ema else self.net


@dataclass(frozen=True, slots=True)
class Tick:
    """One optimizer step. Everything but step and lr is still on the device."""

    step: int
    lr: float
    loss: Tensor
    loss_sum: Tensor  # [4], by quarter of t / T
    loss_count: Tensor  # [4]
    grad_norm: Tensor
    skipped: Tensor  # 1 where loss or gradient was not finite and the step was left out


def optimizer_for(net: nn.Module, optim: Optim) -> torch.optim.Optimizer:
    """AdamW; without weight decay it is the paper's Adam."""
    return torch.optim.AdamW(
        net.parameters(), lr=optim.lr, betas=optim.betas, weight_decay=optim.weight_decay, fused=True
    )


def lr_at(step: int, optim: Optim, steps: int) -> float:
    """The learning rate of a step: a linear rise, then as `lr_decay` says."""
    if step < optim.warmup:
        return optim.lr * step / optim.warmup
    done = (step - optim.warmup) / max(1, steps - optim.warmup)
    if optim.lr_decay == "linear":
        return optim.lr * (1 - done)
    if optim.lr_decay == "cosine":
        return optim.lr * (1 + math.cos(math.pi * done)) / 2
    return optim.lr


def train(
    state: State, feed: Feed, recipe: Recipe, schedule: Schedule, device: torch.device, precision: str
) -> Iterator[Tick]:
    """Steps from where `state` stands to the recipe's last."""
    while state.step < recipe.train.steps:
        step = state.step + 1
        loss, loss_sum, loss_count = gradients(state.net, feed, recipe, schedule, device, precision, step)
        limit = recipe.optim.grad_clip or math.inf
        grad_norm = nn.utils.clip_grad_norm_(state.net.parameters(), limit)
        bad = ~(torch.isfinite(loss) & torch.isfinite(grad_norm))
        lr = lr_at(step, recipe.optim, recipe.train.steps)
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        # The fused optimizer leaves weights and moments alone where found_inf is 1, without asking the device.
        state.optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        if state.ema:
            state.ema.update(state.net, step)
        state.step = step
        yield Tick(step, lr, loss, loss_sum, loss_count, grad_norm, bad.float())


def gradients(
    net: nn.Module, feed: Feed, recipe: Recipe, schedule: Schedule, device: torch.device, precision: str, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Leaves the batch's mean gradient on `net`; (mean loss, loss by quarter of t / T, samples by quarter)."""
    net.train()
    loss_sum, loss_count = torch.zeros(4, device=device), torch.zeros(4, device=device)
    for number, part in enumerate(feed(step)):
        x0, slots = part.x0, part.slots
        # Dropout alone uses torch's own generator, which on the CPU hears only 32 bits of a seed: mix them first.
        torch.manual_seed(int(integers(recipe.seed, Stream.DROPOUT, step, [number], 1)))
        with blamed(feed.registry, recipe.loss, "placing noise levels"):
            t = recipe.loss.levels(uniform(recipe.seed, Stream.LEVELS, step, slots), schedule).double()
        eps = normal(recipe.seed, Stream.NOISE, step, slots.to(device), x0.shape[1:])
        scaled, noised = add_noise(x0, eps, t, recipe.predict, schedule, part.cond)
        told = heard(recipe.backbone.hears, schedule, t).float().to(device, non_blocking=True)
        with blamed(feed.registry, recipe.backbone, "running the network"), autocast(device, precision):
            output = net(scaled, told, noised.cond)
        with blamed(feed.registry, recipe.loss, "comparing"):
            losses = recipe.loss(output.float(), noised)  # [B]
            if not losses.requires_grad:
                raise PluginError(
                    f"the loss {feed.registry.offer(type(recipe.loss)).owned} teaches nothing: it depends "
                    "on nothing that the network says"
                )
        with blamed(feed.registry, recipe.backbone, "computing the gradient"):
            (losses.sum() / recipe.train.batch).backward()
        quarter = (t * 4 / schedule.T).ceil().clamp(1, 4).long().sub(1).to(device, non_blocking=True)
        loss_sum.index_add_(0, quarter, losses.detach())
        loss_count.index_add_(0, quarter, torch.ones_like(losses))
    return loss_sum.sum() / recipe.train.batch, loss_sum, loss_count
