"""Picture files as a data set: listed, read once into the cache, and told about."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from difftool.core.types import Report
from difftool.data import cache
from difftool.data.array import ArrayImages, Pixels
from difftool.data.labels import known_of
from difftool.data.listing import SUFFIXES, Listing, counted
from difftool.data.scan import Fit, read_all
from difftool.data.source import DO, Source, source_at
from difftool.errors import DiskError, InputError

FEW = 100
Bad = Sequence[tuple[int, str]]
"""(position in the list of pictures, why) of each that cannot be read."""
VERSION = 2
"""Raised when the same file would give other pixels, so that what is in the cache is made anew."""


class PictureFiles:
    """The pictures in a folder, a .zip or a .tar, each brought to one shape."""

    def __init__(self, path: Path, fit: Fit, max_bad: int | None = None) -> None:
        self.path, self.fit, self.max_bad = path, fit, max_bad

    def check(self) -> None:
        """Refuses a path with no picture below it, or with labels that cannot be read; decodes nothing."""
        with closing(listed(self.path)) as source:
            known_of(source)

    def prepare(self, watch: Callable[[int, int], None]) -> Report:
        """Reads every picture, unless the cache has them; says what there was."""
        with closing(listed(self.path)) as source:
            known = known_of(source)  # first: a table that cannot be read is told before hours of reading
            bad = self._kept(source, watch).facts["bad"]
            skipped = "broken files are listed in skipped.jsonl" + "; other pictures stand in their places" * bool(bad)
            notes = [*known.notes, *([skipped] if bad or source.listing.refused else [])]
            return report(source.listing, bad, notes)

    def open(self) -> ArrayImages:
        """The pictures. One that cannot be read has another in its place, so that no other moves."""
        with closing(listed(self.path)) as source:
            kept = self._kept(source, lambda done, total: None)
            names = [entry.name for entry in source.listing.pictures]
            stands = _standing_in(names, {index for index, _ in kept.facts["bad"]})
            row_of = {place: row for row, place in enumerate(sorted(set(stands)))}
            columns = known_of(source).values
            values = {key: [column[place] for place in stands] for key, column in columns.items()}
            return ArrayImages(kept.pixels, values, np.array([row_of[place] for place in stands], np.int64))

    def _kept(self, source: Source, watch: Callable[[int, int], None]) -> cache.Kept:
        """From the cache, or made now."""
        import PIL  # alone it loads next to nothing

        listing = source.listing
        names = hashlib.sha256()
        for entry in listing.pictures:
            names.update(
                f"{entry.name}\0{entry.size}\0{entry.stamp}\0{entry.offset}\n".encode("utf-8", "surrogateescape")
            )
        # Another release of Pillow may decode or scale a little differently.
        made = {"version": VERSION, "pillow": PIL.__version__}
        key = cache.key_of({"pictures": names.hexdigest(), "made": made, "fit": self.fit.settings})
        kept = cache.recall(key)
        if kept is None:
            bad: list[tuple[int, str]] = []
            self._tolerate(source, bad)  # what is never opened may be too much already
            shape = (self.fit.height, self.fit.width, self.fit.channels)
            with closing(self._good(source, bad, watch)) as rows:
                kept = cache.keep(key, str(source.root), shape, len(listing.pictures), rows, lambda: {"bad": bad})
        self._tolerate(source, kept.facts["bad"])
        return kept

    def _good(self, source: Source, bad: list[tuple[int, str]], watch: Callable[[int, int], None]) -> Generator[Pixels]:
        """The pictures that can be read; the others go into `bad`."""
        with closing(read_all(source, self.fit, watch)) as reads:
            for index, read in enumerate(reads):
                if read.pixels is not None:
                    yield read.pixels[None]
                elif read.passing:  # kept in the cache, it would count as broken for ever
                    raise DiskError(
                        "a picture could not be read this time",
                        where=f"{source.root}/{read.entry.name}",
                        why=read.reason,
                        do="try again; if it stays so, leave the file out",
                    )
                else:
                    bad.append((index, read.reason))
                    self._tolerate(source, bad)

    def _tolerate(self, source: Source, bad: Bad) -> None:
        """Refuses a source of which too much is broken."""
        count = len(source.listing.pictures) + len(source.listing.refused)
        most = max(100, count // 100) if self.max_bad is None else self.max_bad
        skipped = _skipped(source.listing, bad)
        if none := len(bad) == len(source.listing.pictures):
            what = f"none of the {count} pictures can be read"
        elif len(skipped) > most:
            what = f"too many pictures cannot be read: {len(skipped)} so far, of {count}; data.max_bad allows {most}"
        else:
            return
        raise InputError(
            what,
            where=str(source.root),
            why="; ".join(f"{name}: {why}" for name, why in skipped[:3]),
            do="repair them, or leave them out"
            if none
            else f"difftool data scan {shlex.quote(str(source.root))} names all of them; data.max_bad = N allows N",
        )


def listed(path: Path) -> Source:
    """The files at a path; where there is no picture, refused with what there is."""
    source = source_at(path)
    if source.listing.pictures:
        return source
    source.close()
    there = counted(what for _, what in [*source.listing.others, *source.listing.refused])
    raise InputError(
        "no pictures here",
        where=str(source.root),
        why=f"found only: {there}" if there else "it is empty",
        do=f"put pictures there ({' '.join(sorted(SUFFIXES))}), or {DO}",
    )


def report(listing: Listing, bad: Bad, notes: Sequence[str] = ()) -> Report:
    """What there was, for people and for skipped.jsonl."""
    skipped = _skipped(listing, bad)
    broken = {index for index, _ in bad}
    good = [entry.name for index, entry in enumerate(listing.pictures) if index not in broken]
    images, folders = len(good), len({name.rpartition("/")[0] for name in good})
    ignored = [what for _, what in listing.others] + ["broken"] * len(skipped)
    found = (
        f"found {images} image{'s' * (images != 1)} in {folders} folder{'s' * (folders != 1)}, "
        f"ignored {len(ignored)} file{'s' * (len(ignored) != 1)}"
    )
    told = list(notes)
    if 0 < images < FEW:
        told.append(f"{images} image{'s are' if images != 1 else ' is'} few: a model learns them by heart")
    return Report(found + (f" ({counted(ignored)})" if ignored else ""), skipped, tuple(told))


def _skipped(listing: Listing, bad: Bad) -> tuple[tuple[str, str], ...]:
    """Every file that should have been a picture, with its reason."""
    return tuple(sorted([(listing.pictures[index].name, why) for index, why in bad] + listing.refused))


def _standing_in(names: Sequence[str], bad: set[int]) -> list[int]:
    """For each place the picture that stands there: its own, or for a broken one another, chosen by its name."""
    stands = list(range(len(names)))
    # The next good one after a place that depends on nothing else: when more break, those that stand in stay.
    following = min(index for index in stands if index not in bad)
    next_good = list(stands)
    for index in reversed(stands):
        if index not in bad:
            following = index
        next_good[index] = following
    for index in bad:
        digest = hashlib.sha256(names[index].encode("utf-8", "surrogateescape")).digest()
        stands[index] = next_good[int.from_bytes(digest[:8]) % len(names)]
    return stands
