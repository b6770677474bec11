"""Every picture of a source, decoded and brought to one shape, by several threads at once and in order."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import Any, Literal

from difftool.data.array import Pixels
from difftool.data.listing import Entry
from difftool.data.source import Source
from difftool.errors import one_line

BLOCK = 32
"""Pictures a thread takes at once: with fewer, handing them over costs more than reading them."""
BLOCK_BYTES = 8 << 20
"""Large pictures make smaller blocks: four for each thread lie in memory."""

LASTING = frozenset(
    {None, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EINVAL, errno.EISDIR, errno.ENOTDIR}
    | {errno.ELOOP, errno.ENAMETOOLONG, errno.EOVERFLOW, errno.EFBIG}
)
"""What the system says of a file itself, or a decoder of its contents; all else may be over the next minute."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Fit:
    """The shape that every picture is brought to, and how."""

    height: int
    width: int
    channels: int = 3
    crop: Literal["center", "random", "pad"] = "center"
    background: Colour = (255, 255, 255)
    seed: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """All that a picture depends on, beside its file."""
        return asdict(self) | ({} if self.crop == "random" else {"seed": 0})

    def place(self, name: str) -> tuple[float, float]:
        """Where a random crop lies: always the same for the same picture."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:6]) / 2**48, int.from_bytes(digest[6:12]) / 2**48


@dataclass(frozen=True, slots=True)
class Read:
    """One file after reading."""

    entry: Entry
    pixels: Pixels | None  # [H, W, C], or None with a reason
    reason: str = ""
    size: tuple[int, int] = (0, 0)  # width and height in the file
    passing: bool = False  # the reason is this machine's and not the file's: too little memory, a disk out of reach


def read_all(source: Source, fit: Fit, watch: Callable[[int, int], None]) -> Generator[Read]:
    """The pictures in the order of their list; one that cannot be read comes with its reason.

    To be closed before the source is: until then threads read from it.
    """
    entries = source.listing.pictures
    # Decoders let go of the interpreter's lock, so threads are enough; a few blocks each keep them busy.
    workers = min(32, os.cpu_count() or 1)
    step = max(1, min(BLOCK, BLOCK_BYTES // (fit.height * fit.width * fit.channels)))
    blocks = deque(entries[first : first + step] for first in range(0, len(entries), step))
    coming: deque[Future[list[Read]]] = deque()
    stop = threading.Event()
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        try:
            watch(0, len(entries))
            while blocks or coming:
                while blocks and len(coming) < 4 * workers:
                    coming.append(pool.submit(_read_block, source, fit, blocks.popleft(), stop))
                for read in coming.popleft().result():
                    done += 1
                    if read.passing:
                        wait(coming)  # what many do at once may be too much
                        yield _read(source, fit, read.entry)
                    else:
                        yield read
                watch(done, len(entries))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _read_block(source: Source, fit: Fit, entries: Sequence[Entry], stop: threading.Event) -> list[Read]:
    """All of them, unless nobody waits any more."""
    return [_read(source, fit, entry) for entry in entries if not stop.is_set()]


def _read(source: Source, fit: Fit, entry: Entry) -> Read:
    from difftool.data.decode import Unreadable, decode
    from difftool.data.fit import fit as fitted

    try:
        least = (fit.height, fit.width)
        image, size = decode(source.open(entry), fit.channels, fit.background, least, entry.size)
        pixels = fitted(image, fit.height, fit.width, fit.crop, fit.background, fit.place(entry.name))
    except Unreadable as error:
        return Read(entry, None, str(error), passing=_passing(error.__cause__))
    except MemoryError as error:
        return Read(entry, None, "too large for this machine's memory", passing=_passing(error))
    except Exception as error:  # of an archive: a bad checksum, a member cut short
        reason = "truncated" if isinstance(error, EOFError) else one_line(str(error) or type(error).__name__)
        return Read(entry, None, reason, passing=_passing(error))
    return Read(entry, pixels, "", size)


def _passing(error: BaseException | None) -> bool:
    """Whether the same file may be read another time."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in LASTING)
