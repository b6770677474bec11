"""A data set of drawn anime faces: nothing to download, any size, with words for hair, eyes, expression, accessory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from difftool.api import Dataset, Field, Register, hookimpl

if TYPE_CHECKING:
    import numpy as np

    from difftool.api import Images, Watch

Side = Annotated[int, Field(ge=16, le=256)]


class Avatars(Dataset):
    """Anime faces, drawn once and kept in the cache: nothing to download, and labelled.

    Picture i depends on the seed and i alone, so a larger `count` keeps the pictures there were; and it is the same
    face at every size.
    """

    size: Side | tuple[Side, Side] = 64
    """side of the pictures in pixels, or [height, width]"""
    channels: Literal[1, 3] = 3
    """3: colour, 1: grey"""
    count: int = Field(20_000, ge=1, le=10_000_000)
    """how many pictures"""
    seed: int = Field(0, ge=0, lt=2**63)
    """another seed, other faces"""
    label: Literal["hair", "eyes", "expression", "accessory", "all"] = "hair"
    """what a picture's label tells: the colour of hair or eyes, the expression, the accessory, or all four at once"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return self.channels, height, width

    def prepare(self, watch: Watch) -> None:
        """Draws them all, unless that was done before."""
        self._pixels(watch)

    def open(self) -> Images:
        """The pictures, from the cache."""
        from difftool.builtin.avatar_set import AvatarImages

        return AvatarImages(self._pixels(lambda done, total: None), self.seed, self.label)

    def _pixels(self, watch: Watch) -> np.ndarray[Any, np.dtype[np.uint8]]:
        import PIL

        from difftool.api import drawn
        from difftool.builtin.avatar_paint import VERSION, draw

        channels, height, width = self.shape
        depends = {"version": VERSION, "pillow": PIL.__version__, "seed": self.seed}
        return drawn("avatars", depends, (self.count, height, width, channels), partial(draw, self), watch)


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `avatars`."""
    register("avatars", Avatars)
