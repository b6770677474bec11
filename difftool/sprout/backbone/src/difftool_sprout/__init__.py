"""A network for difftool. The layers are in net.py: this module is read without torch, so that it costs nothing."""

from difftool.api import Backbone, Field, Spec, hookimpl


class Sprout(Backbone):
    """A stack of residual convolutions, each of which looks twice as far as the one before."""

    hears = "logsnr"  # what c is: ln(alpha^2 / sigma^2); or "level", "alpha"

    width: int = Field(32, ge=8, multiple_of=8)
    """channels of every layer"""
    depth: int = Field(5, ge=1, le=9)
    """layers; n of them see 2^n - 1 pixels to each side"""

    def check(self, spec: Spec):
        """Yields (field, what is wrong and what would work), before there are tensors."""
        side = max(spec.height, spec.width)
        if 2**self.depth < side:
            yield "depth", f"{self.depth} layers cannot see across {side} pixels; {(side - 1).bit_length()} can"

    def takes(self, key: str, shape: tuple[int, ...]):
        """Whether it can be told this condition: anything that is a vector, such as a label."""
        return len(shape) == 1

    def build(self, spec: Spec):
        """The module that is trained; spec has channels, out_channels, height, width, T and conditions."""
        from difftool_sprout.net import Network

        return Network(spec, self.width, self.depth)


@hookimpl
def register_backbones(register):
    """Offers it to recipes and to the command line."""
    register("sprout", Sprout)
