"""What lies in a folder: which files are meant to be pictures, and why each other one is not."""

from __future__ import annotations

import heapq
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from difftool.errors import InputError, one_line

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
LABELS = "labels.csv"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that should be a picture."""

    name: str  # from the root, with "/" between folders
    size: int
    stamp: int  # changes when the file does: its time, or its checksum in an archive
    offset: int = 0  # where it begins, in an archive that has no index


@dataclass
class Listing:
    """Everything below a root."""

    pictures: list[Entry] = field(default_factory=list)
    tables: list[Entry] = field(default_factory=list)  # labels.csv, wherever one lies
    others: list[tuple[str, str]] = field(default_factory=list)  # (name, what it is) of what is no picture
    refused: list[tuple[str, str]] = field(default_factory=list)  # (name, why) of what is never opened

    def add(self, entry: Entry) -> None:
        """Puts a file where its name says it belongs."""
        suffix = suffix_of(entry.name)
        if hidden(entry.name):
            self.others.append((entry.name, "hidden"))
        elif suffix in SUFFIXES:
            self.pictures.append(entry)
        elif is_table(entry.name):
            self.tables.append(entry)
        else:
            self.others.append((entry.name, one_line(suffix) or "no suffix"))

    def refuse(self, name: str, why: str, kind: str = "") -> None:
        """Puts away a file that must not be opened: broken, if it was meant to be a picture; else `kind`, or why."""
        if hidden(re.sub(r"\.\.[/\\]", "", name)):  # editors lock files by hidden links to nothing
            self.others.append((name, "hidden"))
        elif suffix_of(name) in SUFFIXES:
            self.refused.append((name, why))
        else:
            self.others.append((name, kind or why))

    def sort(self) -> Listing:
        """By the bytes of their names: the same on every machine, whatever its language."""
        self.pictures.sort(key=lambda entry: entry.name.encode("utf-8", "surrogateescape"))
        self.others.sort()
        self.refused.sort()
        return self


def hidden(name: str) -> bool:
    """Thumbnails and the like: .DS_Store, ._photo.jpg, __MACOSX/."""
    return name.startswith((".", "__MACOSX/")) or "/." in name or "/__MACOSX/" in name


def is_table(name: str) -> bool:
    """Whether it is called labels.csv, in any case of the letters."""
    return name.rpartition("/")[2].lower() == LABELS


def suffix_of(name: str) -> str:
    """`.png` of `a/b.PNG`. Strings alone: a Path for each of a million files takes longer than all the rest."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return (dot + suffix).lower() if stem and suffix else ""


def counted(reasons: Iterable[str], most: int = 6) -> str:
    """`.txt 3, broken 2`: the commonest first."""
    found = Counter(reasons).most_common()
    shown = [f"{what} {count:,}" for what, count in found[:most]]
    return ", ".join([*shown, *(["..."] if len(found) > most else [])])


def list_folder(root: Path) -> Listing:
    """Every file below a folder. A folder that several links lead to is read once, so a loop of links ends."""
    listing = Listing()
    seen: set[tuple[int, int]] = set()
    links: list[tuple[str, str]] = []
    waiting = [("", str(root))]
    above = os.path.realpath(root)
    while waiting or links:
        # Links come last: what lies in this tree anyway is named by where it lies.
        if waiting:
            prefix, here = waiting.pop()
        else:
            prefix, here = heapq.heappop(links)
            if above.startswith(os.path.join(os.path.realpath(here), "")):  # noqa: PTH118
                listing.others.append((prefix.rstrip("/"), "link to a folder above"))  # to all that lies around
                continue
        try:
            status = Path(here).stat()
            if (place := (status.st_dev, status.st_ino)) in seen:
                continue
            seen.add(place)
            with os.scandir(here) as entries:
                for entry in entries:
                    _sort_out(entry, prefix + entry.name, listing, waiting, links)
        except OSError as error:
            if not prefix:
                raise InputError(
                    "the folder cannot be read", where=str(root), why=error.strerror or str(error)
                ) from error
            # Whatever its name, there may be pictures in it.
            listing.refused.append((prefix.rstrip("/"), f"the folder cannot be read: {error.strerror or error}"))
    return listing.sort()


def _sort_out(
    entry: os.DirEntry[str],
    name: str,
    listing: Listing,
    folders: list[tuple[str, str]],
    links: list[tuple[str, str]],
) -> None:
    try:
        if entry.is_dir():
            if entry.name.startswith("."):
                listing.others.append((name, "hidden"))
            else:
                folder = (name + "/", entry.path)
                heapq.heappush(links, folder) if entry.is_symlink() else folders.append(folder)
            return
        status = entry.stat()
    except OSError as error:  # a link to nothing, or to itself
        listing.refuse(name, (error.strerror or str(error)).lower(), "broken link")
        return
    if stat.S_ISREG(status.st_mode):
        # The second time cannot be set by a program: unpacking gives other files of one size the same first time.
        listing.add(Entry(name, status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)))
    else:
        listing.refuse(name, "not a regular file")  # opening a pipe would wait for ever
