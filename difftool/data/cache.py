"""Pictures that were made once: raw bytes in a file under the user's cache folder, mapped into memory when used.

A file lies beside what is known of it, `<key>.<token>.u8` and `<key>.json`. The second is written last and names the
token, so that where it is, the first is whole and its own, even if two processes made it at once. The key is a hash of
everything that the pictures depend on: whatever changes, changes the key.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from difftool.data.array import Pixels
from difftool.data.locked import begun, remove
from difftool.errors import DiskError, InputError

FORMAT = 2
LIMIT = "DIFFTOOL_CACHE_GIB"
DEFAULT_GIB = 20.0


@dataclass(frozen=True)
class Kept:
    """Pictures from the cache, and what was written down with them."""

    pixels: Pixels  # [N, H, W, C], mapped, read-only
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Holding:
    """One entry of the cache, for people."""

    key: str
    about: str
    shape: tuple[int, ...]  # pictures, height, width, channels
    size: int
    used: float  # unix seconds


def folder() -> Path:
    """Where pictures are kept; a home that cannot be written to is replaced by the folder for temporary files."""
    home = Path(platformdirs.user_cache_dir("difftool")) / "pictures"
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    if os.access(home, os.W_OK):
        return home
    spare = Path(tempfile.gettempdir()) / f"difftool-{os.getuid()}"
    spare.mkdir(mode=0o700, exist_ok=True)
    if spare.lstat().st_uid != os.getuid():
        raise DiskError("there is no folder to keep pictures in", where=str(home), why=f"{spare} is somebody else's")
    return spare


def key_of(parts: Mapping[str, Any]) -> str:
    """The hash of everything that the pictures depend on."""
    text = json.dumps({"format": FORMAT, "parts": dict(parts)}, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def recall(key: str) -> Kept | None:
    """What is kept under the key, if it is whole."""
    table = _table(key)
    try:
        said = json.loads(table.read_bytes())
        shape = tuple(said["shape"])
        pixels = _pixels(key, _plain(said["token"]))
        if pixels.stat().st_size != math.prod(shape):
            return None
        os.utime(table)  # it was used just now: the last to go
        return Kept(np.asarray(np.memmap(pixels, np.uint8, "r", shape=shape)), said["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(
    key: str, about: str, shape: tuple[int, int, int], most: int, rows: Iterator[Pixels], facts: Callable[[], Any]
) -> Kept:
    """Writes blocks of pictures [n, H, W, C], at most `most` in all, as they come; then what `facts` says of them."""
    _make_room(most * math.prod(shape))
    token = secrets.token_hex(4)
    pixels, table = _pixels(key, token), _table(key)
    part, note = pixels.with_suffix(".part"), pixels.with_suffix(".note.part")
    count = 0
    with contextlib.ExitStack() as until_named:
        with _writing():
            out = until_named.enter_context(begun(part))
        for block in rows:  # outside of `_writing`: what goes wrong there is no fault of this disk
            _check(block, shape, about)
            with _writing():
                out.write(np.ascontiguousarray(block).data)
            count += len(block)
        said = {"format": FORMAT, "about": about, "token": token, "shape": [count, *shape], "facts": facts()}
        with _writing():
            out.flush()
            os.fsync(out.fileno())  # or after a power cut it may have its length but not its bytes
            if kept := recall(key):  # another process was faster
                return kept
            with begun(note) as last:
                last.write(json.dumps(said).encode())
                last.flush()
                part.replace(pixels)
                note.replace(table)
    _sweep()  # what stood there and was damaged
    kept = recall(key)
    if kept is None:
        raise DiskError("the cache does not hold what was just written to it", where=str(pixels))
    return kept


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """A full disk and the like, in words."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            "the pictures cannot be kept in the cache",
            where=str(folder()),
            why=error.strerror or str(error),
            do="free some space, try `difftool data cache --clear`, or set XDG_CACHE_HOME to another disk",
        ) from error


def _check(block: Pixels, shape: tuple[int, int, int], about: str) -> None:
    if block.dtype != np.uint8 or block.shape[1:] != shape:
        raise ValueError(
            f"{about}: a picture to keep is {block.dtype} {list(block.shape[1:])}, expected uint8 {list(shape)}"
        )


def drawn(
    about: str,
    depends: Mapping[str, Any],
    shape: tuple[int, int, int, int],
    draw: Callable[[int], Pixels],
    watch: Callable[[int, int], None],
) -> Pixels:
    """Pictures 0 to N - 1 [N, H, W, C] of a function that draws them, drawn once for all runs.

    `about` is a name that nobody else uses, such as that of the package; `depends` names everything that they depend
    on, a version of the drawing included.
    """
    count, size = shape[0], shape[1:]
    key = key_of({"drawn": about, "shape": shape, "depends": dict(depends)})

    def blocks() -> Iterator[Pixels]:
        for index in range(count):
            watch(index, count)
            yield draw(index)[None]
        watch(count, count)

    kept = recall(key) or keep(key, about, size, count, blocks(), dict)
    return kept.pixels


def holdings() -> list[Holding]:
    """What the cache holds, the last used first."""
    sizes: Counter[str] = Counter()
    for path in folder().glob("*.u8"):
        sizes[path.name.partition(".")[0]] += _size(path)
    found = []
    for table in folder().glob("*.json"):
        if table.stem in sizes:
            with contextlib.suppress(OSError):
                found.append(Holding(table.stem, *_described(table), sizes[table.stem], table.stat().st_mtime))
    return sorted(found, key=lambda each: each.used, reverse=True)


def _described(table: Path) -> tuple[str, tuple[int, ...]]:
    try:
        said = json.loads(table.read_bytes())
        return str(said["about"]), tuple(map(int, said["shape"]))
    except (ValueError, KeyError, TypeError):
        return "(damaged)", ()  # it takes space all the same


def limit() -> int:
    """Bytes that all of it may take."""
    text = os.environ.get(LIMIT) or str(DEFAULT_GIB)
    try:
        gib = float(text)
    except ValueError:
        gib = math.nan
    if not 0 <= gib < 2**20:
        raise InputError(f"{LIMIT}={text}: expected a number of GiB, such as {DEFAULT_GIB:g}")
    return int(gib * 2**30)


def drop(key: str) -> None:
    """Forgets an entry; whoever uses it now goes on, and its space comes free when they end."""
    token = _token(key)
    _table(key).unlink(missing_ok=True)
    if token:
        _pixels(key, token).unlink(missing_ok=True)
    for pixels in folder().glob(f"{key}.*u8"):
        remove(pixels, partial(_left_behind, pixels))


def clear() -> int:
    """Empties the cache but for what is being written; the bytes that were freed."""
    before = _taken()
    for table in folder().glob("*.json"):
        drop(table.stem)
    _sweep()
    return max(0, before - _taken())


def _sweep() -> None:
    """Removes what killed processes left behind."""
    for path in folder().iterdir():
        if _left_behind(path):
            remove(path, partial(_left_behind, path))


def _left_behind(path: Path) -> bool:
    """Whether it belongs to no entry: while it is locked, it may yet."""
    key, _, rest = path.name.partition(".")
    return path.suffix == ".part" or (path.suffix == ".u8" and rest != f"{_token(key)}.u8")


def _taken() -> int:
    """Bytes that all pictures take, those being written too; what is said of them is small."""
    return sum(_size(path) for path in folder().iterdir() if path.suffix in (".u8", ".part"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it went away just now
        return 0


def _make_room(coming: int) -> None:
    """Drops what was not used for longest until the new pictures fit the limit."""
    most = limit()
    if coming > most:
        raise InputError(
            f"the pictures take {coming / 2**20:,.1f} MiB, the cache may hold {most / 2**20:,.1f} MiB",
            do=f"set {LIMIT}={math.ceil(coming / 2**30)} in the environment, or a smaller data.size",
        )
    _sweep()
    held, taken = holdings(), _taken()
    while held and taken + coming > most:
        last = held.pop()
        drop(last.key)
        taken -= last.size


def _token(key: str) -> str | None:
    """Which pictures the entry is about, if it can be read."""
    try:
        return _plain(json.loads(_table(key).read_bytes())["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _plain(token: Any) -> str:
    """The token, where it is one: with a slash in it, it might name any file."""
    if not str(token).isalnum():
        raise ValueError(token)
    return str(token)


def _pixels(key: str, token: str) -> Path:
    return folder() / f"{key}.{token}.u8"


def _table(key: str) -> Path:
    return folder() / f"{key}.json"
