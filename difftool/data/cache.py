"""Pictures that were made once: raw bytes in a file under the user's cache folder, mapped into memory when used.

A file lies beside what is known of it, `<key>.u8` and `<key>.json`; the second is written last, so that where it is,
the first is whole. The key is a hash of everything that the pictures depend on: whatever changes, changes the key.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from difftool.data.array import Pixels
from difftool.errors import DiskError, InputError

FORMAT = 1
LIMIT = "DIFFTOOL_CACHE_GIB"
DEFAULT_GIB = 20.0
A_DAY = 86_400


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
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def recall(key: str) -> Kept | None:
    """What is kept under the key, if it is whole."""
    pixels, facts = _paths(key)
    try:
        said = json.loads(facts.read_bytes())
        shape = tuple(said["shape"])
        if pixels.stat().st_size != math.prod(shape):
            return None
        os.utime(facts)  # it was used just now: the last to go
        return Kept(np.asarray(np.memmap(pixels, np.uint8, "r", shape=shape)), said["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(
    key: str, about: str, shape: tuple[int, int, int], most: int, rows: Iterator[Pixels], facts: Callable[[], Any]
) -> Kept:
    """Writes blocks of pictures [n, H, W, C], at most `most` in all, as they come; then what `facts` says of them."""
    height, width, channels = shape
    each = height * width * channels
    _make_room(most * each)
    pixels, table = _paths(key)
    part = pixels.with_suffix(f".{secrets.token_hex(4)}.part")
    count = 0
    try:
        with part.open("xb") as out:
            for block in rows:
                out.write(np.ascontiguousarray(block).data)
                count += len(block)
            out.flush()
            os.fsync(out.fileno())  # or after a power cut it may have its length but not its bytes
        said = {"format": FORMAT, "about": about, "shape": [count, *shape], "facts": facts()}
        note = part.with_suffix(".note.part")
        note.write_text(json.dumps(said))
        part.replace(pixels)
        note.replace(table)
    except OSError as error:
        raise DiskError(
            "the pictures cannot be kept in the cache",
            where=str(pixels.parent),
            why=error.strerror or str(error),
            do="free some space, try `difftool data cache --clear`, or set XDG_CACHE_HOME to another disk",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    kept = recall(key)
    if kept is None:
        raise DiskError("the cache does not hold what was just written to it", where=str(pixels))
    return kept


def drawn(
    about: str,
    depends: Mapping[str, Any],
    shape: tuple[int, int, int, int],
    draw: Callable[[int], Pixels],
    watch: Callable[[int, int], None],
) -> Pixels:
    """Pictures 0 to N - 1 [N, H, W, C] of a function that draws them, drawn once for all runs.

    `depends` names everything that they depend on, a version of the drawing included.
    """
    count, size = shape[0], shape[1:]
    key = key_of({"drawn": about, "shape": shape, **depends})

    def blocks() -> Iterator[Pixels]:
        for index in range(count):
            watch(index, count)
            yield draw(index)[None]
        watch(count, count)

    kept = recall(key) or keep(key, about, size, count, blocks(), dict)
    return kept.pixels


def holdings() -> list[Holding]:
    """What the cache holds, the last used first."""
    found = []
    for table in folder().glob("*.json"):
        with contextlib.suppress(OSError):
            size = table.with_suffix(".u8").stat().st_size
            found.append(Holding(table.stem, *_described(table), size, table.stat().st_mtime))
    return sorted(found, key=lambda each: each.used, reverse=True)


def _described(table: Path) -> tuple[str, tuple[int, ...]]:
    try:
        said = json.loads(table.read_bytes())
        return str(said["about"]), tuple(map(int, said["shape"]))
    except (ValueError, KeyError, TypeError):
        return "(damaged)", ()  # it takes space all the same


def limit() -> int:
    """Bytes that all of it may take."""
    text = os.environ.get(LIMIT, str(DEFAULT_GIB))
    try:
        gib = float(text)
    except ValueError:
        gib = math.nan
    if not 0 <= gib < 2**20:
        raise InputError(f"{LIMIT}={text}: expected a number of GiB, such as {DEFAULT_GIB:g}")
    return int(gib * 2**30)


def drop(key: str) -> None:
    """Forgets an entry; whoever uses it now goes on, and its space comes free when they end."""
    pixels, table = _paths(key)
    table.unlink(missing_ok=True)
    pixels.unlink(missing_ok=True)


def clear() -> int:
    """Empties the cache; the bytes that were freed."""
    held = holdings()
    for each in held:
        drop(each.key)
    _sweep()
    return sum(each.size for each in held)


def _sweep() -> None:
    """Removes what a killed process left behind; a part that grows is somebody's work."""
    for path in folder().iterdir():
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > A_DAY and (path.suffix == ".part" or _orphan(path)):
                path.unlink()


def _orphan(path: Path) -> bool:
    return path.suffix == ".u8" and not path.with_suffix(".json").exists()


def _make_room(coming: int) -> None:
    """Drops what was not used for longest until the new pictures fit the limit."""
    most = limit()
    if coming > most:
        raise InputError(
            f"the pictures take {coming / 2**30:.1f} GiB, the cache may hold {most / 2**30:.1f} GiB",
            do=f"set {LIMIT}={math.ceil(coming / 2**30)} in the environment, or a smaller data.size",
        )
    _sweep()
    held = holdings()
    while held and sum(each.size for each in held) + coming > most:
        drop(held.pop().key)


def _paths(key: str) -> tuple[Path, Path]:
    return folder() / f"{key}.u8", folder() / f"{key}.json"
