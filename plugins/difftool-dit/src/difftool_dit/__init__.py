"""The diffusion transformer of Peebles and Xie (2023) as a component; the network itself is in net.py, without which
difftool can describe and check it, and so without torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from difftool.api import Backbone, Field, Register, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from difftool.api import Spec

SIZES = {"S": (12, 384, 6), "B": (12, 768, 12), "L": (24, 1024, 16), "XL": (28, 1152, 16)}
"""depth, width and heads of the published networks"""

Count = Annotated[int, Field(ge=1)]


class DiT(Backbone):
    """The diffusion transformer (Peebles and Xie 2023): squares of pixels, each of which looks at all others."""

    size: Literal["S", "B", "L", "XL"] = "S"
    """the published network: 33, 130, 458 or 675 million weights; depth, width and heads may say otherwise"""
    patch: int = Field(2, ge=1)
    """side of the squares of pixels; half of it is four times as many squares, and as much work or more"""
    depth: Count | None = None
    """blocks; absent: as size says (S and B 12, L 24, XL 28)"""
    width: Count | None = None
    """numbers that stand for a square; absent: as size says (S 384, B 768, L 1024, XL 1152)"""
    heads: Count | None = None
    """parts of the width that look around separately; absent: as size says (S 6, B 12, L and XL 16)"""
    mlp_ratio: float = Field(4.0, ge=1)
    """the hidden layer of each block is as many times as wide"""
    dropout: float = Field(0.0, ge=0, lt=1)
    """share of what each branch of a block says that is dropped, in training only; the paper drops none"""

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """(depth, width, heads)."""
        depth, width, heads = SIZES[self.size]
        return self.depth or depth, self.width or width, self.heads or heads

    def check(self, spec: Spec) -> Iterator[tuple[str, str]]:
        """What does not divide what it must."""
        common = math.gcd(spec.height, spec.width)
        if common % self.patch:
            sides = f"{spec.height}x{spec.width}"
            yield (
                "patch",
                f"{self.patch} does not divide pictures of {sides}; {_nearest(_divisors(common), self.patch)}",
            )
        _, width, heads = self.dimensions
        if width % 4:
            near = _nearest([width // 4 * 4, width // 4 * 4 + 4], width)
            yield "width", f"{width} is not a multiple of 4: a sine and a cosine for row and column; {near}"
        elif width % heads:
            near = _nearest(_divisors(width), heads)
            if self.heads:
                yield "heads", f"{heads} does not divide width {width}; {near}"
            else:
                yield "width", f"{width} does not split into the {heads} heads of size {self.size}; set heads: {near}"

    def takes(self, key: str, shape: tuple[int, ...]) -> bool:
        """Vectors, such as labels: they are told together with the noise level."""
        return len(shape) == 1

    def build(self, spec: Spec) -> nn.Module:
        """The network; untrained, it answers zero."""
        from difftool_dit.net import Network

        return Network(self, spec)


def _divisors(whole: int) -> list[int]:
    return [d for d in range(1, whole + 1) if whole % d == 0]


def _nearest(fitting: list[int], value: int) -> str:
    """Names the fitting numbers next to one that is none of them."""
    near = [n for n in fitting if 0 < n < value][-1:] + [n for n in fitting if n > value][:1]
    return f"the nearest that fit are {near[0]} and {near[1]}" if near[1:] else f"the nearest that fits is {near[0]}"


@hookimpl
def register_backbones(register: Register) -> None:
    """Offers `dit`."""
    register("dit", DiT)
