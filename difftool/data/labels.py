"""What is known of each picture: from a labels.csv beside them, or from the folders they lie in."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from difftool.data.listing import LABELS, Entry, is_table
from difftool.data.source import Source
from difftool.errors import InputError

Values = Mapping[str, Sequence[str | None]]
SPLITS = frozenset({"train", "val", "valid", "validation", "test"})
LONGEST = 64 << 20  # bytes of a labels.csv: a million rows with captions


@dataclass(frozen=True)
class Known:
    """A column for each thing known, with None where a picture has none; and what a person should know."""

    values: Values
    notes: tuple[str, ...] = ()


def known_of(source: Source) -> Known:
    """labels.csv stands over folders; neither is fine too."""
    shared = _common(source.listing.pictures)
    above = [entry for entry in source.listing.tables if shared.startswith(entry.name[: -len(LABELS)])]
    for name, why in source.listing.others:
        if is_table(name) and why != "hidden" and shared.startswith(name[: -len(LABELS)]):
            raise InputError("the table of labels cannot be read", where=f"{source.root}/{name}", why=why)
    above.sort(key=lambda entry: len(entry.name))
    known = _from_table(source, above[0]) if above else _from_folders(source.listing.pictures)
    unused = sorted(entry.name for entry in source.listing.tables if entry not in above[:1])
    note = f"not used: {', '.join(unused[:3])}{', ...' * (len(unused) > 3)}; {LABELS} lies beside all pictures or above"
    return Known(known.values, (*known.notes, note)) if unused else known


def _common(pictures: Sequence[Entry]) -> str:
    """The folder that all pictures share: an archive often begins with one, and it tells nothing."""
    shared: list[str] = []
    for parts in zip(*(entry.name.split("/")[:-1] for entry in pictures), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0] + "/")
    return "".join(shared)


def _from_folders(pictures: Sequence[Entry]) -> Known:
    """The first folder below the shared one names what lies in it, if there are two at least."""
    start = len(_common(pictures))
    parts = (entry.name[start:].partition("/") for entry in pictures)
    labels = [_printable(folder) if slash else None for folder, slash, _ in parts]
    kinds = {label for label in labels if label is not None}
    if len(kinds) < 2:
        return Known({})
    return Known({"label": labels}, (_splits(kinds),) if {kind.lower() for kind in kinds} <= SPLITS else ())


def _printable(folder: str) -> str:
    """Bytes that are no text would be refused wherever the label is written down."""
    return folder.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _splits(kinds: set[str]) -> str:
    """Parts of a set that was divided for training are hardly what its pictures show."""
    *some, last = sorted(kinds)
    return f"the labels are {', '.join(some)} and {last}: point data.path at one of them, or are they what you mean?"


def _from_table(source: Source, table: Entry) -> Known:
    where = f"{source.root}/{table.name}"
    if table.size > LONGEST:
        raise InputError(f"the table of labels is larger than {LONGEST >> 20} MiB", where=where)
    text = _text(source, table, where)
    first = text.partition("\n")[0]
    between = max(",;\t", key=first.count)  # a spreadsheet writes ; where the comma is in the numbers
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    try:
        head = [cell.strip() for cell in next(rows, [])]
        if len(head) < 2 or head[0] != "file" or not all(re.fullmatch(r"[A-Za-z][\w-]*", key) for key in head):
            raise InputError(
                f"the first line is {','.join(head)[:80]!r}",
                where=where,
                do="let it name the columns, `file` first, in letters, digits, _ and -: file,label",
            )
        if len(set(head)) < len(head):
            raise InputError("the first line names a column twice", where=where)
        folder = str(PurePosixPath(table.name).parent / "_")[:-1]
        names = {entry.name for entry in source.listing.pictures}
        # One and the same é may be one sign or two: macOS writes the second, spreadsheets the first.
        composed = {unicodedata.normalize("NFC", name): name for name in names}
        found: dict[str, list[str | None]] = {}
        for row in rows:
            if not row:
                continue
            if len(row) != len(head):
                raise InputError(f"line {rows.line_num} has {len(row)} cells, not {len(head)}", where=where)
            name = folder + row[0].rstrip().removeprefix("./")
            if name not in names:
                name = composed.get(unicodedata.normalize("NFC", name), name)
            if name in found:
                raise InputError(f"line {rows.line_num} names {row[0]} again", where=where)
            found[name] = [cell.strip() or None for cell in row[1:]]
    except csv.Error as error:
        raise InputError(f"line {rows.line_num} is not as in a table", where=where, why=str(error)) from error
    nothing: list[str | None] = [None] * (len(head) - 1)
    columns = zip(*(found.get(entry.name, nothing) for entry in source.listing.pictures), strict=True)
    notes = []
    if missing := [name for name in found if name not in names]:
        there = f"; there is {source.listing.pictures[0].name}" if len(missing) == len(found) else ""
        count = f"{len(missing):,} of {len(found):,} lines of {table.name} name no picture here"
        notes.append(f"{count}, such as {missing[0]}{there}")
    if bare := sum(entry.name not in found for entry in source.listing.pictures):
        them = "1 picture is" if bare == 1 else f"{bare:,} pictures are"
        notes.append(f"{them} not in {table.name}: trained on without being told what is shown")
    return Known({key: list(column) for key, column in zip(head[1:], columns, strict=True)}, tuple(notes))


def _text(source: Source, table: Entry, where: str) -> str:
    try:
        opened = source.open(table)
        raw = opened.read_bytes() if isinstance(opened, Path) else opened.read()
    except Exception as error:  # of an archive: a bad checksum, a member cut short
        why = getattr(error, "strerror", None) or str(error)
        raise InputError("the table of labels cannot be read", where=where, why=why) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"line {line} is not UTF-8", where=where, do="save it as UTF-8") from error
