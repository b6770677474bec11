"""A data set whose truth is known exactly: pictures of two grey pixels, so few that every picture can be counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from difftool.api import Dataset, Field, Register, hookimpl

if TYPE_CHECKING:
    from difftool.api import Images


class TwoPixel(Dataset):
    """Pictures of two grey pixels (left, right): points of the plane, from a density that is known exactly.

    Whatever a model learns of them can be compared with the truth, all of it: `difftool eval` measures `density`.
    Picture i depends on the seed and i alone, so a larger `count` keeps the pictures there were.
    """

    judged_by: ClassVar[tuple[str, ...]] = ("density",)

    density: Literal["gaussians", "rings", "lines"] = "gaussians"
    """what the points lie around: eight spots, two rings in one another, or five strokes of which some cross"""
    count: int = Field(1_000_000, ge=1, le=50_000_000)
    """how many pictures"""
    seed: int = Field(0, ge=0, lt=2**63)
    """another seed, other pictures of the same density"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return 1, 1, 2

    def open(self) -> Images:
        """All pictures, drawn at once; and their law, worked out when it is asked for."""
        from difftool.builtin.two_pixel_law import Drawn

        return Drawn(self.density, self.count, self.seed)


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `two-pixel`."""
    register("two-pixel", TwoPixel)
