"""One idx file: two zeros, a type, how many dimensions, each of them in four bytes, the numbers; maybe all in gzip."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from difftool.api import InputError
from difftool.builtin import foreign_file as foreign

if TYPE_CHECKING:
    import numpy as np

TYPES = {0x08: "byte", 0x09: "signed byte", 0x0B: "short", 0x0C: "int", 0x0D: "float", 0x0E: "double"}
GZIP = b"\x1f\x8b"
SHORT = "the file is shorter than its header says"


@dataclass(frozen=True)
class IdxFile:
    """A file of bytes whose header was read, and which is large enough to keep what it promises."""

    path: Path
    dims: tuple[int, ...]

    @property
    def length(self) -> int:
        """Bytes, unpacked."""
        return 4 + 4 * len(self.dims) + math.prod(self.dims)

    @property
    def each(self) -> tuple[int, int, int]:
        """(height, width, channels) of a picture."""
        return self.dims[1], self.dims[2], self.dims[3] if len(self.dims) == 4 else 1

    def read_pictures(self, room: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
        """Reads all into an array [N, H, W, C] of at least their size, centred, in pieces.

        Where the frame is odd, its extra line is below and on the right.
        """
        import numpy as np

        count, (height, width, _) = self.dims[0], self.each
        top, left = (room.shape[1] - height) // 2, (room.shape[2] - width) // 2
        middle = room[:, top : top + height, left : left + width]
        at_once = max(1, foreign.PIECE // math.prod(self.each))
        with self._numbers() as content:
            for start in range(0, count, at_once):
                piece = np.empty((min(at_once, count - start), *self.each), dtype=np.uint8)
                came = foreign.filled(content, piece)
                if came < piece.nbytes:
                    why = f"it ends in picture {start + came // math.prod(self.each) + 1:,} of {count:,}"
                    raise InputError(SHORT, where=str(self.path), why=why, do=foreign.AGAIN)
                middle[start : start + len(piece)] = piece

    def read_labels(self) -> bytes:
        """One byte a label."""
        labels = bytearray(self.dims[0])
        with self._numbers() as content:
            came = foreign.filled(content, labels)
            if came < len(labels):
                why = f"it ends after {came:,} of {len(labels):,} labels"
                raise InputError(SHORT, where=str(self.path), why=why, do=foreign.AGAIN)
        return bytes(labels)

    @contextmanager
    def _numbers(self) -> Iterator[foreign.Source]:
        """What follows the header; after it nothing may follow. Reading on makes gzip verify its checksum."""
        with _unpacked(self.path) as (content, _, _):
            if _dims(content, self.path) != self.dims:
                raise InputError("the file was changed while it was read", where=str(self.path))
            yield content
            if content.read(1):
                raise self.longer()

    def longer(self) -> InputError:
        """The refusal of a file that goes on."""
        why = f"it should end after {self.length:,} bytes"
        return InputError("the file is longer than its header says", where=str(self.path), why=why, do=foreign.AGAIN)


def described(path: Path) -> IdxFile:
    """The file with its dimensions; refused if it is not idx, not bytes, or cannot hold what its header promises."""
    with _unpacked(path) as (content, size, packed):
        file = IdxFile(path, _dims(content, path))
        foreign.refuse_above_most(math.prod(file.dims), path, "a header is rarely so large unless it is damaged")
        most = size * foreign.INFLATED if packed else size
        if most < file.length:
            # Refused before anything is reserved: a header of 16 bytes can promise all of memory.
            why = f"{file.length:,} bytes are promised, {'at most ' * packed}{most:,} are there"
            raise InputError(SHORT, where=str(path), why=why, do=foreign.AGAIN)
        if size > file.length and not packed:
            raise file.longer()
    return file


def looks_like_idx(start: bytes) -> bool:
    """Whether a file that begins so is idx, packed or not."""
    if start.startswith(GZIP):
        try:
            start = zlib.decompressobj(31).decompress(start, 4)
        except zlib.error:
            return False
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in TYPES and 1 <= start[3] <= 4


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[foreign.Source, int, bool]]:
    """The content, the size of the file, and whether it is packed: which its first bytes say, not its name."""
    with foreign.opened(path) as file, foreign.blamed(path):
        packed, size = file.read(2) == GZIP, foreign.size_of(file)
        file.seek(0)
        if not packed:
            yield file, size, False
            return
        with gzip.GzipFile(fileobj=file) as content:
            yield content, size, True


def _dims(content: foreign.Source, path: Path) -> tuple[int, ...]:
    start = content.read(4)
    if start.startswith(GZIP) or not looks_like_idx(start):
        why = f"it begins with {start!r}" if start else "it is empty"
        raise InputError("this is not an idx file", where=str(path), why=why, do=foreign.AGAIN)
    if start[2] != 8:
        do = "save them as unsigned bytes (type 0x08)"
        raise InputError(f"this idx file holds numbers of type {TYPES[start[2]]}", where=str(path), do=do)
    sizes = content.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise InputError("the file ends inside its header", where=str(path), do=foreign.AGAIN)
    return tuple(int.from_bytes(sizes[place : place + 4], "big") for place in range(0, len(sizes), 4))
