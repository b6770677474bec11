"""The network behind `mlp`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import silu

from difftool.builtin.unet_net import Told, initial, sinusoid

if TYPE_CHECKING:
    from difftool.api import Spec
    from difftool.builtin.mlp import MLP


class Network(nn.Module):
    """Flat picture in, flat picture out, and residual blocks that hear the noise level between."""

    def __init__(self, config: MLP, spec: Spec) -> None:
        super().__init__()
        self.width = config.width
        self.shape = (spec.out_channels, spec.height, spec.width)
        pixels = spec.height * spec.width
        self.dense0 = initial(nn.Linear(config.width, config.width))
        self.dense1 = initial(nn.Linear(config.width, config.width))
        self.enter = initial(nn.Linear(spec.channels * pixels, config.width))
        self.blocks = nn.ModuleList(Block(config.width) for _ in range(config.depth))
        # No normalisation in front: the answer grows with x, and what is normalised has no size left.
        self.leave = initial(nn.Linear(config.width, spec.out_channels * pixels), gain=0.0)
        self.told = Told(spec.conditions, config.width)  # the last to draw, so all others start as without it

    def forward(self, x: Tensor, c: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """x [B, C, H, W] at levels c [B], told cond -> [B, out_channels, H, W]."""
        if c.stride() == (0,):  # one level for all, as in sampling: what is made of it is made once
            c = c[:1]
        emb = sinusoid(c, self.width).to(x.dtype)
        emb = silu(self.told(self.dense1(silu(self.dense0(emb))), cond))  # [B or 1, width]
        h = self.enter(x.flatten(1))
        for block in self.blocks:
            h = block(h, emb)
        out: Tensor = self.leave(h).unflatten(1, self.shape)
        return out


class Block(nn.Module):
    """Two layers with the news of the noise level between, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)  # on a mixture of normals it halves the distance to the exact answer
        self.dense = initial(nn.Linear(width, width))
        self.layer1 = initial(nn.Linear(width, width))
        self.layer2 = initial(nn.Linear(width, width))

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """h [B, width], emb [B or 1, width] -> [B, width]."""
        out: Tensor = h + self.layer2(silu(self.layer1(self.norm(h)) + self.dense(emb)))
        return out
