"""A network that is right: three convolutions that hear the level and labels."""

from typing import ClassVar

import torch
from torch import nn
from torch.nn.functional import silu

from difftool.api import Backbone


class Net(nn.Module):
    """Right: three convolutions that hear the level and a label."""

    def __init__(self, spec, width=16):
        super().__init__()
        self.spec = spec
        self.enter = nn.Conv2d(spec.channels, width, 3, padding=1)
        self.level = nn.Linear(8, width)
        self.told = nn.ModuleDict({key: nn.Linear(shape[0], width) for key, shape in spec.conditions.items()})
        self.norm = nn.GroupNorm(4, width)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.leave = nn.Conv2d(width, spec.out_channels, 3, padding=1)
        nn.init.zeros_(self.leave.weight)

    def emb(self, c, cond):
        angles = c[:, None] * torch.logspace(0, -3, 4, device=c.device)
        return self.level(torch.cat([angles.sin(), angles.cos()], 1)) + self.hear(cond)

    def hear(self, cond):
        return sum(self.told[key](cond[key]) for key in self.told) if len(self.told) else 0

    def body(self, h):
        return h + self.middle(silu(self.norm(h)))

    def forward(self, x, c, cond):
        h = self.enter(x) + self.emb(c, cond)[:, :, None, None]
        return self.leave(silu(self.body(h)))


class Right(Backbone):
    net: ClassVar[type] = Net

    def takes(self, key, shape):
        return len(shape) == 1

    def build(self, spec):
        return self.net(spec)


def wrong(name, **methods):
    """A backbone whose network differs from the right one in some methods."""
    return type(name, (Right,), {"__module__": __name__, "net": type(name, (Net,), methods)})


def init(extra):
    """__init__ with something more."""

    def __init__(self, spec):
        Net.__init__(self, spec)
        extra(self, spec)

    return __init__
