"""The built-in data sets, and the plain one: a folder of pictures that are already of the right size."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from difftool.api import Dataset, Field, InputError, Register, hookimpl, read_picture
from difftool.builtin.shapes import Shapes

if TYPE_CHECKING:
    import numpy as np

    from difftool.api import Images

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

Side = Annotated[int, Field(ge=1, le=8192)]


@hookimpl
def register_datasets(register: Register) -> None:
    """The names that recipes use."""
    register("shapes", Shapes)
    register("images", ImageFolder)


class ImageFolder(Dataset):
    """A folder of pictures (PNG, JPEG, WebP, BMP, GIF, TIFF), subfolders included, all of one size.

    Hidden files and links to folders are passed over. All pictures are held in memory.
    """

    path: Path
    """the folder; relative to the recipe's own folder, `~` is your home"""
    size: Side | tuple[Side, Side]
    """side of the pictures in pixels, or [height, width]"""
    channels: Literal[1, 3] = 3
    """3: colour, 1: grey; pictures of another kind are converted, transparency becomes white"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return self.channels, height, width

    def open(self) -> Images:
        """Reads every picture; the first that cannot be used is named."""
        import numpy as np

        folder = self.path.expanduser().absolute()
        files = _pictures_in(folder)
        channels, height, width = self.shape
        pixels = np.empty((len(files), height, width, channels), dtype=np.uint8)

        def place(position: int) -> None:
            picture = read_picture(files[position], channels)
            if picture.shape[:2] != (height, width):
                found = f"{picture.shape[1]}x{picture.shape[0]}"
                raise InputError(
                    f"the picture is {found}, not {width}x{height} (width x height)",
                    where=files[position],
                    do=f"resize the pictures to {width}x{height}, "
                    f"or set data.size = [{picture.shape[0]}, {picture.shape[1]}] if all are {found}",
                )
            pixels[position] = picture

        # Decoders let go of the interpreter's lock. `map` keeps the order, so the same file is always named first.
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for _ in pool.map(place, range(len(files))):
                pass
        return _Folder(pixels)


class _Folder:
    """Pictures in memory, without labels."""

    def __init__(self, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self._pixels)

    def take(self, indices: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """uint8 [N, H, W, C]."""
        import numpy as np

        chosen = np.asarray(indices, dtype=np.int64)
        if chosen.size and chosen.min() < 0:  # numpy would count from the end, which hides a wrong index
            raise IndexError(f"there is no picture {chosen.min()}; the first is 0")
        return self._pixels.take(chosen, axis=0)

    def values(self, indices: Sequence[int]) -> Mapping[str, Sequence[Any]]:
        """Nothing: a folder holds pictures alone."""
        return {}


def _pictures_in(folder: Path) -> list[str]:
    """The paths of the pictures, in the order of their bytes: the same on every machine, whatever its language."""
    do = "set data.path (or --data PATH) to a folder of pictures"
    if not folder.exists():
        raise InputError("there is no such folder", where=str(folder), do=do)
    if not folder.is_dir():
        raise InputError("this is a file, not a folder", where=str(folder), do=do)
    found: list[str] = []
    others: Counter[str] = Counter()
    waiting = [str(folder)]
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            raise InputError("the folder cannot be read", where=here, why=error.strerror or str(error)) from error
        for entry in entries:
            suffix = Path(entry.name).suffix.lower()
            if entry.name.startswith("."):  # thumbnails and the like: .DS_Store, ._photo.jpg
                others["hidden"] += 1
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.is_dir():  # a link: it may lead back up, or bring the same pictures twice
                others["link to a folder"] += 1
            elif suffix in SUFFIXES:
                found.append(entry.path)
            else:
                others[suffix or "no suffix"] += 1
    if not found:
        counts = ", ".join(f"{count} {what}" for what, count in others.most_common(6))
        raise InputError(
            "no pictures here",
            where=str(folder),
            why=f"found only: {counts}" if counts else "the folder is empty",
            do=f"put pictures there ({' '.join(sorted(SUFFIXES))}), or {do}",
        )
    return sorted(found, key=os.fsencode)
