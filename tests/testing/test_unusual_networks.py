"""Networks, data sets and conditions that are right and do not ship: what is unusual is no error."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import relu, silu

from difftool.api import Backbone, Condition, Dataset, InputError
from difftool.testing import check_condition, conformance

from .mutants import broken


class Transformer(nn.Module):
    """Patches, places, words looked at across, layers that begin as nothing, dropout."""

    def __init__(self, spec, size=32, patch=2):
        super().__init__()
        self.patch, self.out = patch, spec.out_channels
        self.enter = nn.Linear(spec.channels * patch**2, size)
        self.place = nn.Parameter(torch.zeros(1, spec.height * spec.width // patch**2, size))
        self.register_buffer("frequencies", torch.logspace(0, -4, 8))
        self.level = nn.Linear(16, size)
        self.words = nn.ModuleDict({key: nn.Linear(shape[1], size) for key, shape in spec.conditions.items()})
        self.look = nn.MultiheadAttention(size, 2, batch_first=True)
        self.read = nn.MultiheadAttention(size, 2, batch_first=True) if spec.conditions else None
        self.scale = nn.Linear(size, 2 * size)
        self.leave = nn.Linear(size, spec.out_channels * patch**2)
        self.norm, self.drop = nn.LayerNorm(size, elementwise_affine=False), nn.Dropout(0.2)
        for layer in (self.scale, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x, c, cond):
        count, _, height, width = x.shape
        p = self.patch
        cut = x.unflatten(2, (-1, p)).unflatten(4, (-1, p)).permute(0, 2, 4, 1, 3, 5)
        h = self.enter(cut.flatten(3).flatten(1, 2)) + self.place
        angles = c[:, None] * self.frequencies
        emb = silu(self.level(torch.cat([angles.sin(), angles.cos()], 1)))
        scale, shift = self.scale(emb)[:, None].chunk(2, -1)
        q = self.norm(h) * (1 + scale) + shift
        h = h + self.drop(self.look(q, q, q, need_weights=False)[0])
        if self.read is not None:
            words = torch.cat([self.words[key](cond[key]) for key in self.words], 1)
            h = h + self.read(self.norm(h), words, words, need_weights=False)[0]
        y = self.leave(self.norm(h)).reshape(count, height // p, width // p, self.out, p, p)
        return y.permute(0, 3, 1, 4, 2, 5).reshape(count, self.out, height, width)


class Small(nn.Module):
    """A few convolutions with relus, some of which are dead; pictures beside the picture; weights normalised."""

    def __init__(self, spec, width=4):
        super().__init__()
        channels = spec.channels + sum(shape[0] for shape in spec.conditions.values())
        self.enter = nn.utils.parametrizations.weight_norm(nn.Conv2d(channels, width, 3, padding=1))
        self.level = nn.Linear(1, width)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.leave = nn.Conv2d(width, spec.out_channels, 1)

    def forward(self, x, c, cond):
        h = self.enter(torch.cat([x, *cond.values()], 1)) + self.level(c[:, None] / 10)[:, :, None, None]
        return self.leave(relu(self.middle(relu(h))))


class Nulls(nn.Module):
    """Learns what "not told" means."""

    def __init__(self, spec, width=16):
        super().__init__()
        self.enter, self.leave = nn.Conv2d(spec.channels, width, 1), nn.Conv2d(width, spec.out_channels, 1)
        self.level = nn.Embedding(spec.T, width)  # a table of whole levels
        self.told = nn.ModuleDict({key: nn.Linear(shape[0], width) for key, shape in spec.conditions.items()})
        self.null = nn.ParameterDict({key: nn.Parameter(torch.randn(width)) for key in spec.conditions})

    def forward(self, x, c, cond):
        emb = self.level(c.round().long())
        for key, layer in self.told.items():
            known = (cond[key] != 0).any(1, keepdim=True)
            emb = emb + torch.where(known, layer(cond[key]), self.null[key])
        return self.leave(silu(self.enter(x) + emb[:, :, None, None]))


def backbone(net, axes, hears="level"):
    """A component that takes conditions of so many axes."""

    def takes(self, key, shape):
        return len(shape) == axes

    return type(net.__name__, (Backbone,), {"hears": hears, "takes": takes, "build": lambda self, spec: net(spec)})()


def test_networks():
    parts = [
        backbone(Transformer, 2),
        backbone(Transformer, 2, "alpha"),
        backbone(Small, 3, "logsnr"),
        backbone(Nulls, 1),
    ]
    assert broken(parts, conformance.RULES["backbone"], [0, 1]) == []


class Kept(Dataset):
    """In memory, with labels as an array; or one picture only; or black and white."""

    kind: str = "many"

    @property
    def shape(self):
        return (1, 5, 7)

    def open(self):
        pixels = np.random.default_rng(3).integers(0, 256, (1 if self.kind == "one" else 300, 5, 7, 1), dtype=np.uint8)
        return Table(pixels // 128 * np.uint8(255) if self.kind == "black and white" else pixels)


class Table:
    def __init__(self, pixels):
        self.pixels = pixels

    def __len__(self):
        return len(self.pixels)

    def take(self, indices):
        return self.pixels[self.checked(indices)]

    def values(self, indices):
        return {"label": self.checked(indices) % 10, "name": [f"picture {i}" for i in indices]}

    def checked(self, indices):
        indices = np.asarray(indices)
        if indices.min() < 0 or indices.max() >= len(self.pixels):
            raise IndexError(indices)
        return indices


def test_data_sets():
    parts = [Kept(), Kept(kind="one"), Kept(kind="black and white")]
    assert broken(parts, conformance.RULES["dataset"][:-1], [0]) == []  # the last starts a process


class Attributes(Condition):
    """Any number of names at once."""

    known: tuple[str, ...] = ()

    @property
    def shape(self):
        return (len(self.known) + 1,)

    def fit(self, values):
        return self.model_copy(update={"known": tuple(sorted({name for value in values for name in value}))})

    def encode(self, value):
        row = torch.ones(len(self.known) + 1)
        row[1:] = torch.tensor([float(name in value) for name in self.known])
        if wrong := set(value) - set(self.known):
            raise InputError(f"there is no {min(wrong)}; there are {', '.join(self.known)}")
        return row


class Sketch(Condition):
    """A picture."""

    @property
    def shape(self):
        return (3, 4, 4)

    def encode(self, value):
        return torch.from_numpy(value).movedim(-1, 0).float() / 127.5 - 1


def test_conditions_whose_values_the_test_gives():
    check_condition(Attributes(), seed=1, values=[("red",), ("red", "round"), (), ("big", "round")])
    sketches = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    check_condition(Sketch(), values=sketches)
    # what a test gives is forgotten after it
    assert all(finding.kept is False for finding in conformance.examine(Sketch(), 1)[:5])
