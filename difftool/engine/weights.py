"""Tensors to and from sealed safetensors files."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

from difftool.engine.sealed import FORMAT, Sealed, seal
from difftool.errors import InputError


def encode(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file as bytes. Shared or strided tensors are written out plainly."""
    plain = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    raw = safetensors.torch.save(plain)
    (length,) = struct.unpack("<Q", raw[:8])
    header, payload = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    header = {"__metadata__": {"difftool": FORMAT, **metadata}, **header}
    header["__metadata__"]["seal"] = seal(header, payload)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + payload


def tensors_of(file: Sealed) -> dict[str, Tensor]:
    """The numbers of a file whose seal was right."""
    return safetensors.torch.load(file.raw)


def load_into(net: torch.nn.Module, tensors: Mapping[str, Tensor], label: str) -> None:
    """Puts weights into a network; every name and shape must fit."""
    wanted = net.state_dict()
    wrong = [f"{name} is missing" for name in wanted if name not in tensors]
    wrong += [f"{name} is not in the network" for name in tensors if name not in wanted]
    wrong += [
        f"{name} is {list(tensors[name].shape)}, the network has {list(value.shape)}"
        for name, value in wanted.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise InputError(f"the weights do not fit this network: {'; '.join(wrong[:3])}{more}", where=label)
    net.load_state_dict(dict(tensors))
