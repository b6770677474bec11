"""Counter-based randomness: every random number is a function of (seed, stream, step, slot), never of history.

Philox 4x32-10 (Salmon et al. 2011) in torch integer operations: the same integers on every device, and the state of
all randomness in a run is one integer, the step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIER = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


class Stream(IntEnum):
    """What a number is for; streams of one seed never meet. Never reuse one; 128 to 255 are for plugins."""

    ORDER = 1
    LEVELS = 2
    NOISE = 3
    FLIP = 4
    DROPOUT = 5
    LABELS = 6
    AUGMENT = 7
    SAMPLE = 8
    INIT = 9


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Ten rounds on four 32-bit words held in int64 tensors that broadcast together."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # The product of two 32-bit words wraps in int64, yet its bits are right: shift and mask give both halves.
        p0, p1 = c0 * _MULTIPLIER[0], c2 * _MULTIPLIER[1]
        c0, c1, c2, c3 = ((p1 >> 32) & _MASK) ^ c1 ^ k0, p1 & _MASK, ((p0 >> 32) & _MASK) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return [c0, c1, c2, c3]


def integers(seed: int | Sequence[int], stream: int, step: int, slots: Tensor | Sequence[int], n: int) -> Tensor:
    """32-bit words as int64 [len(slots), n]. With a list of seeds, row i uses seeds[i].

    Seeds count modulo 2^64, so negative ones are as good as any.
    """
    slot = torch.as_tensor(slots, dtype=torch.int64)
    device = slot.device
    seeds = [seed] if isinstance(seed, int) else list(seed)
    key = torch.tensor([[s & _MASK, (s >> 32) & _MASK] for s in seeds], dtype=torch.int64, device=device)
    block = torch.arange((n + 3) // 4, dtype=torch.int64, device=device)[None]
    row = slot[:, None]
    # slot up to 2^40 and step up to 2^48: more than any run will see
    third = torch.tensor(step & _MASK, device=device)
    fourth = (int(stream) << 24) ^ ((step >> 32) & 0xFFFF) ^ ((row >> 32) << 16 & 0xFF0000)
    words = philox((block, row & _MASK, third, fourth), (key[:, :1], key[:, 1:]))
    return torch.stack(torch.broadcast_tensors(*words), dim=-1).flatten(1)[:, :n]


def uniform(seed: int, stream: int, step: int, slots: Tensor | Sequence[int]) -> Tensor:
    """One float64 in [0, 1) per slot, 53 bits, on the CPU."""
    words = integers(seed, stream, step, slots, 2)
    return ((words[:, 0] >> 5) * 67108864 + (words[:, 1] >> 6)).double() / 9007199254740992


def normal(
    seed: int | Sequence[int], stream: int, step: int, slots: Tensor | Sequence[int], shape: Sequence[int]
) -> Tensor:
    """Standard normals, float32 [len(slots), *shape], by Box and Muller on the words of `integers`."""
    n = math.prod(shape)
    words = integers(seed, stream, step, slots, n + n % 2)
    if words.device.type == "cpu" and not isinstance(seed, int):
        # Vectorised logarithms may round differently at another place in memory: each image goes alone, so that
        # its noise is the same to the bit whatever the batch.
        rows = torch.stack([_box_muller(row) for row in words])
    else:
        rows = _box_muller(words)
    return rows[:, :n].reshape(len(rows), *shape)


def _box_muller(words: Tensor) -> Tensor:
    # 23 bits and a half: exact in float32, never 0 and never 1
    u = ((words >> 9).float() + 0.5) * 2.0**-23
    radius = torch.sqrt(-2 * torch.log(u[..., 0::2]))
    angle = (2 * math.pi) * u[..., 1::2]
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
