"""The network behind `dit`: the topology and the initial values of Peebles and Xie (2023).

A picture is cut into squares, and each becomes a vector (a token). Blocks follow in which every token looks at all
others, then each thinks for itself. The noise level and the conditions never become tokens: they say how loud each
branch of each block is, at the start not at all (adaLN-zero). In the end every token becomes a square again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention, silu

if TYPE_CHECKING:
    from difftool.api import Spec
    from difftool_dit import DiT

WAVES = 256
"""sines and cosines that the noise level is told as, whatever the width"""


class Network(nn.Module):
    """Squares in, blocks that hear the noise level, squares out."""

    def __init__(self, config: DiT, spec: Spec) -> None:
        super().__init__()
        depth, width, heads = config.dimensions
        self.patch, self.width = config.patch, width
        pixels = config.patch**2  # of a square
        self.level0, self.level1 = linear(WAVES, width, std=0.02), linear(width, width, std=0.02)
        self.enter = linear(spec.channels * pixels, width)
        hidden = int(width * config.mlp_ratio)
        self.blocks = nn.ModuleList(Block(width, heads, hidden, config.dropout) for _ in range(depth))
        self.news = linear(width, 2 * width, std=0)
        self.leave = linear(width, spec.out_channels * pixels, std=0)
        # The last to draw their initial values, so that all others are the same without conditions.
        self.keys = sorted(spec.conditions)
        self.told = nn.ModuleList(linear(spec.conditions[key][0], width, std=0.02, bias=False) for key in self.keys)

    def forward(self, x: Tensor, c: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """x [B, C, H, W] at levels c [B], told cond -> [B, out_channels, H, W]."""
        sin, cos = waves(c, WAVES)
        emb = self.level1(silu(self.level0(torch.cat((cos, sin), dim=-1).to(x.dtype))))
        for key, layer in zip(self.keys, self.told, strict=True):
            if key in cond:  # what is not told adds nothing, as zeros do
                emb = emb + layer(cond[key].to(x.dtype))
        emb = silu(emb)  # [B, width]; every block would do it, so it is done once

        p, rows, columns = self.patch, x.shape[2] // self.patch, x.shape[3] // self.patch
        h = self.enter(rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=p, q=p))
        h = h + positions(rows, columns, self.width, x.device).to(x.dtype)
        for block in self.blocks:
            h = block(h, emb)
        h = self.leave(normed(h, *self.news(emb).chunk(2, dim=-1)))
        out: Tensor = rearrange(h, "b (h w) (p q c) -> b c (h p) (w q)", h=rows, p=p, q=p)
        return out


class Block(nn.Module):
    """Attention, then two layers for each token alone; what both add is scaled by gates that start at zero."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.news = linear(width, 6 * width, std=0)
        self.qkv, self.proj = linear(width, 3 * width), linear(width, width)
        self.layer0, self.layer1 = linear(width, hidden), linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """h [B, tokens, width], emb [B, width] -> [B, tokens, width]."""
        shift0, scale0, gate0, shift1, scale1, gate1 = self.news(emb).chunk(6, dim=-1)
        h = h + gate0[:, None] * self.dropout(self.attention(normed(h, shift0, scale0)))
        hidden = gelu(self.layer0(normed(h, shift1, scale1)), approximate="tanh")
        out: Tensor = h + gate1[:, None] * self.dropout(self.layer1(hidden))
        return out

    def attention(self, h: Tensor) -> Tensor:
        """Every token looks at every token, each head with numbers of its own."""
        q, k, v = rearrange(self.qkv(h), "b n (three k c) -> three b k n c", three=3, k=self.heads)
        out: Tensor = self.proj(rearrange(scaled_dot_product_attention(q, k, v), "b k n c -> b n (k c)"))
        return out


def normed(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Each token with mean 0 and variance 1, then scaled and shifted as the noise level wants it."""
    return layer_norm(h, h.shape[-1:], eps=1e-6) * (1 + scale[:, None]) + shift[:, None]


def positions(rows: int, columns: int, width: int, device: torch.device) -> Tensor:
    """Where each token is, [rows columns, width]: waves of its column, then of its row. Computed, so never saved."""
    x = torch.cat(waves(torch.arange(columns, device=device), width // 2), dim=-1)
    y = torch.cat(waves(torch.arange(rows, device=device), width // 2), dim=-1)
    return torch.cat((repeat(x, "w d -> (h w) d", h=rows), repeat(y, "h d -> (h w) d", w=columns)), dim=-1)


def waves(values: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """[N] as size / 2 sines and as many cosines, of frequencies that fall geometrically from 1 towards 1/10000."""
    half = size // 2
    frequencies = 10_000.0 ** -(torch.arange(half, device=values.device) / half)
    angles = values.float()[:, None] * frequencies
    return angles.sin(), angles.cos()


def linear(taken: int, given: int, std: float | None = None, bias: bool = True) -> nn.Linear:
    """A layer whose weights start normal with this std, or uniform with variance 1 / fan_avg (Glorot); no bias yet."""
    layer = nn.Linear(taken, given, bias=bias)
    if std is None:
        nn.init.xavier_uniform_(layer.weight)
    else:
        nn.init.normal_(layer.weight, std=std)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
