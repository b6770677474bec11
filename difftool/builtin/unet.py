"""The U-Net of Ho et al. (2020) as a component; the network itself is in unet_net, so that this needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from difftool.api import Backbone, Field, Register, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from difftool.api import Spec


class UNet(Backbone):
    """The U-Net of Ho et al. (2020): residual blocks that hear the noise level, attention where you ask for it."""

    width: int = Field(64, ge=1)
    """channels at full resolution; a multiple of 8"""
    mults: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 2, 2), min_length=1)
    """channels of each level as multiples of width; every level but the last halves the picture"""
    blocks: int = Field(2, ge=1)
    """residual blocks a level on the way down; there is one more on the way up"""
    attention: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """sides of the feature map, after patch, at which attention follows every block; of an oblong the longer side"""
    middle: bool = True
    """attention between the two halves, at the lowest resolution, as the paper always has it"""
    heads: int = Field(1, ge=1)
    """parts into which attention splits the channels, each with its own say on what to look at; the paper has one"""
    dropout: float = Field(0.0, ge=0, lt=1)
    """share of values that each block drops before its second convolution, in training only"""
    patch: int = Field(1, ge=1)
    """side of the squares of pixels that are folded into channels; 2 leaves about a quarter of the work"""
    norm: Literal["group", "instance", "none"] = "group"
    """what is normalised together: groups of channels as in the paper, a channel (blind to brightness), or nothing"""
    activation: Literal["silu", "relu", "gelu", "mish"] = "silu"
    """the bend between layers, everywhere; the paper's is silu, also called swish"""
    scale_shift: bool = False
    """the noise level scales and shifts what each block's second norm gives; the paper only adds, before that norm"""

    def check(self, spec: Spec) -> Iterator[tuple[str, str]]:
        """Whatever would make the network fail, or quietly not be what was asked for."""
        if self.width % 8:
            yield "width", f"{self.width} is not a multiple of 8; {_nearest('is', 'are', _around(self.width, 8))}"
        sides = {"size": spec.height} if spec.height == spec.width else {"height": spec.height, "width": spec.width}
        # Each question is about feature maps that exist only where the one before it found no fault.
        yield from list(self._unfolded(sides)) or list(self._unhalved(sides)) or self._unsuited(spec)

    def takes(self, key: str, shape: tuple[int, ...]) -> bool:
        """Vectors, such as labels: they are told together with the noise level."""
        return len(shape) == 1

    def sides(self, spec: Spec) -> tuple[int, ...]:
        """The longer side of the feature map at each level, from the top."""
        top = max(spec.height, spec.width) // self.patch
        return tuple(top >> level for level in range(len(self.mults)))

    def build(self, spec: Spec) -> nn.Module:
        """The network; untrained, it answers zero, or as good as."""
        from difftool.builtin.unet_net import Network

        return Network(self, spec)

    def _unfolded(self, sides: dict[str, int]) -> Iterator[tuple[str, str]]:
        """A patch that does not fit the picture."""
        common = math.gcd(*sides.values())
        if common % self.patch:
            picture = " and ".join(f"{name} {side}" for name, side in sides.items())
            yield "patch", f"{self.patch} does not divide {picture}; {_dividing(common, self.patch)}"

    def _unhalved(self, sides: dict[str, int]) -> Iterator[tuple[str, str]]:
        """A side that some level would have to halve while it is odd."""
        halvings = len(self.mults) - 1
        times = "once" if halvings == 1 else f"{halvings} times"
        for name, side in sides.items():
            if side % (unit := self.patch << halvings):
                near = _nearest("that can is", "that can are", _around(side, unit))
                yield "mults", f"{name} {side} cannot be halved {times} after patch {self.patch}; {near}"

    def _unsuited(self, spec: Spec) -> Iterator[tuple[str, str]]:
        """What the feature maps cannot serve, or would serve in vain."""
        sides = self.sides(spec)
        if missed := [side for side in self.attention if side not in sides]:
            yield "attention", f"the network never works at side {_list(missed)}, only at {_list(sides)}"
        attending = {m * self.width for m, side in zip(self.mults, sides, strict=True) if side in self.attention}
        attending |= {self.mults[-1] * self.width} if self.middle else set()
        if (common := math.gcd(*attending)) % self.heads:
            what = f"the {_list(sorted(attending))} channels that attend"
            yield "heads", f"{self.heads} does not divide {what}; {_dividing(common, self.heads)}"
        if self.norm == "instance" and not self.scale_shift:
            # What is added to a whole channel is its mean, and that is what this norm takes away.
            yield (
                "norm",
                "instance undoes what the noise level adds to a channel; set scale_shift = true or norm = group",
            )
        if self.norm == "instance" and sides[-1] == 1:
            yield "norm", "instance needs several places, and the last level has one; use norm = group or fewer mults"


def groups(channels: int) -> int:
    """Groups of a group normalisation: the paper's 32, or fewer so that each has four channels at least.

    A group of one channel would lose how bright that channel is, and small networks could not tell colours.
    """
    return math.gcd(32, channels // 4)


def _around(value: int, unit: int) -> list[int]:
    """The positive multiples of unit next to a value that is none."""
    below = value // unit * unit
    return [multiple for multiple in (below, below + unit) if multiple]


def _dividing(whole: int, value: int) -> str:
    """Names the divisors of whole next to a value that is none."""
    divisors = [d for d in range(1, whole + 1) if whole % d == 0]
    near = [d for d in divisors if d < value][-1:] + [d for d in divisors if d > value][:1]
    return _nearest("that does is", "that do are", near)


def _nearest(one: str, many: str, values: Sequence[int]) -> str:
    return f"the nearest {many if len(values) > 1 else one} {_list(values)}"


def _list(values: Sequence[int]) -> str:
    """32, 16 and 8."""
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last


@hookimpl
def register_backbones(register: Register) -> None:
    """Offers `unet`."""
    register("unet", UNet)
