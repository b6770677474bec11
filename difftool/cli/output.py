"""The folder that pictures go to; nothing in it is overwritten unasked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difftool.errors import DiskError, InputError, Stopped

if TYPE_CHECKING:
    from difftool.engine.sample import Batch

ON_A_SHEET = 64
"""Pictures that a grid or an animation shows, the first of them; a film strip shows eight."""


def new_folder(label: str) -> Path:
    """samples-<label>, or the first of -2, -3, ... that is not there yet."""
    base = Path(f"samples-{label}")
    number = 2
    folder = base
    while folder.exists():
        folder = Path(f"{base}-{number}")
        number += 1
    return folder


def make_folder(label: str, what: str) -> Path:
    """WHAT-LABEL, or the first of -2, -3, ... that is free; made at once, so that nobody else is given it."""
    number = 1
    while True:
        folder = Path(f"{what}-{label}{f'-{number}' if number > 1 else ''}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise DiskError(f"cannot make {folder.absolute()}", why=error.strerror or str(error)) from None
        else:
            return folder


class Output:
    """Pictures as files, and sheets of the first of them."""

    def __init__(self, folder: Path, names: Sequence[str], *, strip: int, gif: Path | None, overwrite: bool) -> None:
        self.folder, self.names, self.strip, self.gif = folder, names, strip, gif
        self.words: dict[str, Any] = {}  # of every picture
        self.each: Sequence[Mapping[str, Any]] = []  # of one
        self.written = 0
        self.shown: list[Batch] = []  # the first pictures, for the sheets
        self.sheets = [folder / "grid.png", *([folder / "strip.png"] if strip else []), *([gif] if gif else [])]
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder.absolute()} is a file", do="name a folder with -o")
        there = [path for path in [*(folder / name for name in names), *self.sheets] if path.exists()]
        if there and not overwrite:
            raise InputError(
                f"{there[0].absolute()} is already there" + (f", and {len(there) - 1} more" if there[1:] else ""),
                do="another folder with -o, or --overwrite",
            )

    def take(self, part: Batch) -> None:
        """Writes a finished batch at once: Ctrl-C keeps what is done."""
        from difftool.engine.pictures import png

        for place, picture in zip(part.places, part.pixels, strict=True):
            put(self.folder / self.names[place], png(picture, {**self.each[place], **self.words}))
            self.written += 1
        if sum(len(each.places) for each in self.shown) < ON_A_SHEET:
            self.shown.append(part)

    def interrupted(self) -> Stopped:
        """What Ctrl-C leaves."""
        kept = f"{self.written} pictures in {self.folder.absolute()}" if self.written else ""
        return Stopped(f"interrupted after {self.written} of {len(self.names)} pictures", interrupted=True, saved=kept)

    def finish(self, columns: int | None = None) -> None:
        """The sheets of the first pictures: grid, film strip, animation."""
        import torch

        from difftool.engine import pictures

        places = [place for part in self.shown for place in part.places][:ON_A_SHEET]
        words = {f"{key}s": ",".join(str(self.each[place][key]) for place in places) for key in self.each[0]}
        words |= self.words
        shown = torch.cat([part.pixels for part in self.shown])[:ON_A_SHEET]
        put(self.folder / "grid.png", pictures.grid(shown, words, columns))
        frames = [torch.cat(each) for each in zip(*(part.frames for part in self.shown), strict=True)]
        if self.strip:
            put(self.folder / "strip.png", pictures.strip(frames, self.strip, words))
        if self.gif:
            put(self.gif, pictures.gif([frame[:ON_A_SHEET] for frame in frames]))


def put(path: Path, data: bytes) -> None:
    """Writes a file whole, and its folder if that is missing."""
    from difftool.run.writer import replace_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"cannot make {path.parent.absolute()}", why=error.strerror or str(error)) from None
    replace_file(path, data, sync=False)
