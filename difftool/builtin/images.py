"""The data set of one's own pictures: a folder or an archive of them, of any size and kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from difftool.api import Dataset, Field, Register, hookimpl

if TYPE_CHECKING:
    from difftool.api import Images, PictureFiles, Report, Watch

Side = Annotated[int, Field(ge=1, le=8192)]
Byte = Annotated[int, Field(ge=0, le=255)]


class ImageFolder(Dataset):
    """Pictures (PNG, JPEG, WebP, BMP, GIF, TIFF) in a folder with all below it, a .zip or a .tar.

    Each is turned upright, brought to the same shape once, and kept in the cache. Its label is the first folder it
    lies in, if there are several, or what a labels.csv says (file,label).
    """

    path: Path
    """a folder, a .zip or a .tar; relative to the recipe's own folder, `~` is your home"""
    size: Side | tuple[Side, Side]
    """side of the pictures in pixels, or [height, width]"""
    channels: Literal[1, 3] = 3
    """3: colour, 1: grey; pictures of another kind are converted"""
    crop: Literal["center", "random", "pad"] = "center"
    """of a picture of another shape: its middle, a part that chance picks once for each, or all of it with margins"""
    background: tuple[Byte, Byte, Byte] = (255, 255, 255)
    """what shows through transparent places, and the colour of margins: red, green, blue"""
    seed: int = Field(0, ge=0, lt=2**63)
    """another seed, other random crops"""
    max_bad: int | None = Field(None, ge=0)
    """broken files that are left out before it is an error; absent: 100, or 1 % of all if that is more"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return self.channels, height, width

    def check(self) -> None:
        """Refuses a path without pictures."""
        self._files.check()

    def prepare(self, watch: Watch) -> Report:
        """Reads every picture once, into the cache."""
        return self._files.prepare(watch)

    def open(self) -> Images:
        """The pictures, from the cache."""
        return self._files.open()

    @property
    def _files(self) -> PictureFiles:
        from difftool.api import Fit, PictureFiles

        channels, height, width = self.shape
        return PictureFiles(
            self.path, Fit(height, width, channels, self.crop, self.background, self.seed), self.max_bad
        )


@hookimpl
def register_datasets(register: Register) -> None:
    """Offers `images`."""
    register("images", ImageFolder)
