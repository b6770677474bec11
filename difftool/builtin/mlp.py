"""A network for pictures of a few pixels; the network itself is in mlp_net, so that this needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from difftool.api import Backbone, Field, Register, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from difftool.api import Spec

MOST = 4096
"""numbers a picture may have: beyond, the layers at both ends outgrow all between, and a U-Net learns more"""


class MLP(Backbone):
    """A residual multilayer perceptron on the flattened picture: for data of a few pixels, not for photographs."""

    width: int = Field(128, ge=4, multiple_of=2)
    """size of the hidden layers; even"""
    depth: int = Field(3, ge=1)
    """residual blocks, each of two layers"""

    def check(self, spec: Spec) -> Iterator[tuple[str, str]]:
        """Pictures that are too large for a network that does not know which pixels are neighbours."""
        numbers = max(spec.channels, spec.out_channels) * spec.height * spec.width
        if numbers > MOST:
            yield (
                "name",
                f"mlp takes pictures of at most {MOST} numbers, and these have {numbers}; unet is made for them",
            )

    def takes(self, key: str, shape: tuple[int, ...]) -> bool:
        """Vectors, such as labels: they are told together with the noise level."""
        return len(shape) == 1

    def build(self, spec: Spec) -> nn.Module:
        """The network; untrained, it answers zero."""
        from difftool.builtin.mlp_net import Network

        return Network(self, spec)


@hookimpl
def register_backbones(register: Register) -> None:
    """Offers `mlp`."""
    register("mlp", MLP)
