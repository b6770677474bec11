"""The network behind `unet`: the topology and the initial values of Ho et al. (2020), and options beyond them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, mish, pad, relu, scaled_dot_product_attention, silu

from difftool.builtin.unet import UNet, groups

if TYPE_CHECKING:
    from difftool.api import Spec

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

FAINT = 1e-5
"""gain of the layers that end a branch: the paper's variance of 1e-10, so every block starts as the identity"""

PREFIX = "about_"
"""before the key of a condition in the names of weights: a module may not be called `type`, and a condition may"""

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"silu": silu, "relu": relu, "gelu": gelu, "mish": mish}


class Network(nn.Module):
    """Down through the levels, once through the middle, and up again past what was kept on the way down."""

    def __init__(self, config: UNet, spec: Spec) -> None:
        super().__init__()
        self.patch, self.width = config.patch, config.width
        pixels = config.patch**2  # of a patch, and so the factor of its channels
        heard = 4 * config.width
        sides = config.sides(spec)
        channels = [config.width * mult for mult in config.mults]
        self.activation = ACTIVATIONS[config.activation]

        self.dense0 = initial(nn.Linear(config.width, heard))
        self.dense1 = initial(nn.Linear(heard, heard))
        self.conv_in = conv3(spec.channels * pixels, config.width)

        now, kept = config.width, [config.width]
        self.down = nn.ModuleList()
        for level, (side, given) in enumerate(zip(sides, channels, strict=True)):
            if level:
                self.down.append(Downsample(now))
                kept.append(now)
            for _ in range(config.blocks):
                self.down.append(Block(config, now, given, side in config.attention))
                kept.append(now := given)

        self.middle = nn.ModuleList([Block(config, now, now, config.middle), Block(config, now, now, False)])

        self.up = nn.ModuleList()
        for level, (side, given) in reversed(list(enumerate(zip(sides, channels, strict=True)))):
            for _ in range(config.blocks + 1):
                self.up.append(Block(config, now + kept.pop(), given, side in config.attention))
                now = given
            if level:
                self.up.append(Upsample(now))

        self.norm_out = norm(config, now)
        self.conv_out = conv3(now, spec.out_channels * pixels, FAINT)
        self.told = Told(spec.conditions, heard)  # the last to draw its initial values: all others stay as without it

    def forward(self, x: Tensor, c: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """x [B, C, H, W] at levels c [B], told cond -> [B, out_channels, H, W]."""
        emb = sinusoid(c, self.width).to(x.dtype)
        emb = self.told(self.dense1(self.activation(self.dense0(emb))), cond)
        emb = self.activation(emb)  # [B, 4 width]; every block would do it, so it is done once

        h = self.conv_in(fold(x, self.patch))
        kept = [h]
        for layer in self.down:
            kept.append(h := layer(h, emb))
        for layer in self.middle:
            h = layer(h, emb)
        for layer in self.up:
            h = layer(h if isinstance(layer, Upsample) else torch.cat((h, kept.pop()), dim=1), emb)
        return unfold(self.conv_out(self.activation(self.norm_out(h))), self.patch)


class Block(nn.Module):
    """Two convolutions around the news of the noise level, added to what came in; attention afterwards if asked."""

    def __init__(self, config: UNet, taken: int, given: int, attends: bool) -> None:
        super().__init__()
        self.activation, self.scale_shift = ACTIVATIONS[config.activation], config.scale_shift
        news = 2 if config.scale_shift else 1
        self.norm1 = norm(config, taken)
        self.conv1 = conv3(taken, given)
        self.dense = initial(nn.Linear(4 * config.width, news * given), parts=news)
        self.norm2 = norm(config, given)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = conv3(given, given, FAINT)
        self.shortcut = nn.Identity() if taken == given else initial(nn.Conv2d(taken, given, 1))
        self.attention = Attention(config, given) if attends else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x [B, taken, H, W], emb [B, heard] -> [B, given, H, W]."""
        # No backward pass needs what a convolution gave, so adding in place saves the memory and its traffic.
        h = self.conv1(self.activation(self.norm1(x)))
        news = self.dense(emb)[:, :, None, None]
        if self.scale_shift:
            scale, shift = news.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h += news
            h = self.norm2(h)
        h = self.conv2(self.dropout(self.activation(h)))
        h += self.shortcut(x)
        out: Tensor = self.attention(h)
        return out


class Attention(nn.Module):
    """Every place looks at every other, each head with channels of its own; added to what came in."""

    def __init__(self, config: UNet, channels: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = norm(config, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = initial(nn.Linear(channels, channels), FAINT)
        initial(self.qkv, parts=3)  # three layers of the paper in one product

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        qkv = self.qkv(rearrange(self.norm(x), "b c h w -> b 1 (h w) c")).chunk(3, dim=-1)
        q, k, v = (rearrange(part, "b 1 n (k c) -> b k n c", k=self.heads) for part in qkv)
        seen = rearrange(scaled_dot_product_attention(q, k, v), "b k n c -> b n (k c)")
        out: Tensor = rearrange(self.proj(seen), "b (h w) c -> b c h w", h=x.shape[2])
        return x + out


class Told(nn.Module):
    """What the conditions say, added to what the noise level says; zeros, or a missing key, add exactly nothing."""

    def __init__(self, conditions: Mapping[str, tuple[int, ...]], given: int) -> None:
        super().__init__()
        for key in sorted(conditions):
            (size,) = conditions[key]
            layer = nn.Linear(size, given, bias=False)
            nn.init.normal_(layer.weight)  # whichever entry of a one-hot is 1, its column arrives with variance 1
            self.add_module(f"{PREFIX}{key}", layer)

    def forward(self, emb: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """emb [B, given], and by key [B, size] -> [B, given]."""
        for name, layer in self.named_children():
            if (value := cond.get(name.removeprefix(PREFIX))) is not None:
                emb = emb + layer(value.to(emb.dtype))
        return emb


class Downsample(nn.Module):
    """A strided convolution, padded below and on the right alone, as TensorFlow's SAME does for an even side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = initial(nn.Conv2d(channels, channels, 3, stride=2))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H/2, W/2]."""
        out: Tensor = self.conv(pad(x, (0, 1, 0, 1)))
        return out


class Upsample(nn.Module):
    """Every pixel becomes four, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 2H, 2W]."""
        out: Tensor = self.conv(interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


def sinusoid(c: Tensor, size: int) -> Tensor:
    """c [B] as sines, then cosines, [B, size], of frequencies that fall geometrically from 1 to 1/10000."""
    half = size // 2
    frequencies = torch.exp(torch.arange(half, device=c.device) * (-math.log(10_000) / (half - 1)))
    angles = c.float()[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), dim=1)


def fold(x: Tensor, patch: int) -> Tensor:
    """Squares of pixels become channels: [B, C, H, W] -> [B, C p p, H/p, W/p]."""
    return rearrange(x, "b c (h p) (w q) -> b (c p q) h w", p=patch, q=patch)


def unfold(x: Tensor, patch: int) -> Tensor:
    """Undoes `fold`: [B, C p p, H, W] -> [B, C, H p, W p]."""
    return rearrange(x, "b (c p q) h w -> b c (h p) (w q)", p=patch, q=patch)


def norm(config: UNet, channels: int) -> nn.Module:
    """Never over a batch: pictures must not meet. The eps is TensorFlow's, not PyTorch's."""
    if config.norm == "none":
        return nn.Identity()
    return nn.GroupNorm(channels if config.norm == "instance" else groups(channels), channels, eps=1e-6)


def conv3(taken: int, given: int, gain: float = 1.0) -> nn.Conv2d:
    """A 3 by 3 convolution that keeps the size."""
    return initial(nn.Conv2d(taken, given, 3, padding=1), gain)


def initial(layer: Layer, gain: float = 1.0, parts: int = 1) -> Layer:
    """Uniform with variance gain^2 / fan_avg (Glorot), and no bias: the paper's variance_scaling.

    Several parts are layers of their own that one product computes.
    """
    for weight in layer.weight.detach().chunk(parts):
        nn.init.xavier_uniform_(weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
