"""A close look at one's pictures before anything is trained on them."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from difftool.core.types import Report
from difftool.data.array import Pixels
from difftool.data.files import listed, report
from difftool.data.labels import Values, known_of
from difftool.data.listing import Entry
from difftool.data.scan import Fit, read_all
from difftool.data.source import Source

SHOWN = 64


@dataclass(frozen=True)
class Survey:
    """What is there."""

    root: Path
    report: Report
    others: list[tuple[str, str]]  # (name, what it is) of files that are no pictures
    sizes: Counter[tuple[int, int]]  # width and height in the files
    twins: list[list[str]]  # files that are the same, byte for byte
    mean: list[float]  # of each channel, 0 to 1, as they would be trained on
    spread: list[float]  # standard deviation
    values: Values  # what is known of each that can be read
    shown: Pixels  # up to 64 of them, spread over all [N, H, W, C]


def survey(path: Path, fit: Fit, watch: Callable[[str, int, int], None]) -> Survey:
    """Reads every picture once; memory stays small however many there are. `watch` hears what is done, and how far."""
    with closing(listed(path)) as source:
        known = known_of(source)
        pictures = source.listing.pictures
        wanted = set(np.linspace(0, len(pictures) - 1, SHOWN).round().astype(int).tolist())
        due = 0  # pictures to show by now: where one is broken, the next takes its turn
        bad: list[tuple[int, str]] = []
        sizes: Counter[tuple[int, int]] = Counter()
        shown: list[Pixels] = []
        count, total, squares = 0, np.zeros(fit.channels), np.zeros(fit.channels)
        with closing(read_all(source, fit, partial(watch, "reading"))) as reads:
            for index, read in enumerate(reads):
                due += index in wanted
                if read.pixels is None:
                    bad.append((index, read.reason))
                    continue
                count += 1
                sizes[read.size] += 1
                values = read.pixels.reshape(-1, fit.channels) / 255
                total += values.mean(axis=0)
                squares += np.square(values).mean(axis=0)
                if due:
                    shown.append(read.pixels)
                    due -= 1
        mean = total / max(1, count)
        broken = {index for index, _ in bad}
        twins = _twins(source, broken, partial(watch, "looking for duplicates"))
        columns = known.values.items()
        values_of = {key: [each for index, each in enumerate(column) if index not in broken] for key, column in columns}
        return Survey(
            root=source.root,
            report=report(source.listing, bad, known.notes),
            others=source.listing.others,
            sizes=sizes,
            twins=twins,
            mean=mean.tolist(),
            spread=np.sqrt(np.maximum(squares / max(1, count) - mean**2, 0)).tolist(),
            values=values_of,
            shown=np.stack(shown) if shown else np.zeros((0, fit.height, fit.width, fit.channels), np.uint8),
        )


def _twins(source: Source, bad: set[int], watch: Callable[[int, int], None]) -> list[list[str]]:
    """Pictures of the same bytes."""
    groups: dict[bytes, list[str]] = defaultdict(list)
    alike = [entry for index, entry in enumerate(source.listing.pictures) if index not in bad]
    lengths = Counter(entry.size for entry in alike)
    alike = [entry for entry in alike if lengths[entry.size] > 1]
    for done, entry in enumerate(alike, 1):
        # It went away just now; or what an archive holds after the picture is damaged.
        with contextlib.suppress(Exception):
            groups[_digest(source, entry)].append(entry.name)
        watch(done, len(alike))
    return sorted(names for names in groups.values() if len(names) > 1)


def _digest(source: Source, entry: Entry) -> bytes:
    opened = source.open(entry)
    with opened.open("rb") if isinstance(opened, Path) else opened as file:
        return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
