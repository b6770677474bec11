"""The numbers of a run as a table that every spreadsheet reads."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

from difftool.api import Field, InputError, Register, RunInfo, Sink, SinkWriter, hookimpl
from difftool.builtin.metric_row import numbers

NAME = "metrics.csv"


@hookimpl
def register_sinks(register: Register) -> None:
    """Offers `csv`."""
    register("csv", CSV)


class CSV(Sink):
    """Each row of metrics as a line of metrics.csv in the run's folder.

    A resumed run goes on below, after it took out the lines of steps that are trained again.
    """

    columns: tuple[str, ...] | None = Field(None, min_length=1)
    """numbers beside the step, as in ["loss", "loss_q1", "lr"]; absent: all that the first row has"""

    def open(self, run: RunInfo) -> SinkWriter:
        """Looks whether the file can be written and is ours; a table with other columns is refused."""
        path = Path(run.dir) / NAME
        try:
            with path.open("a+b") as file:
                file.seek(0)
                found = tuple(next(csv.reader(_whole_lines(file.readline())), ()))
        except (OSError, ValueError, csv.Error) as error:
            why = getattr(error, "strerror", None) or str(error)
            do = "check who may write there, or leave csv out of log.sinks"
            raise InputError(f"cannot write {NAME}", where=run.dir, why=why, do=do) from error
        columns = _step_first(self.columns) if self.columns else None
        if found and (found != columns if columns else "step" not in found):
            raise InputError(
                f"there is a {NAME} with other columns",
                where=run.dir,
                why=f"its first line is {','.join(found)}",
                do="rename that file: a new one begins with the next row",
            )
        return CSVWriter(path, found or columns)


class CSVWriter(SinkWriter):
    """Appends to the table; its columns are known with the first row at the latest."""

    def __init__(self, path: Path, columns: tuple[str, ...] | None) -> None:
        self.path, self.columns = path, columns
        self.file: FileIO | None = None

    def event(self, event: Mapping[str, Any]) -> None:
        """A start, or a row of metrics; others are left out."""
        if event["kind"] == "start":
            self._take_out(event["from_step"])
        elif event["kind"] == "metrics":
            row = {f"{key}{place or ''}": number for key, place, number in numbers(event)}
            self.columns = self.columns or _step_first(row)
            if self.file is None:
                self.file = self.path.open("ab", buffering=0)
                if not self.file.tell():
                    self._append(self.columns)
            self._append([row.get(column) for column in self.columns])

    def close(self) -> None:
        """The run ended."""
        if self.file:
            self.file.close()

    def _append(self, cells: Sequence[Any]) -> None:
        """One line, out at once."""
        assert self.file
        rest = memoryview(_table([cells]))
        try:
            while rest:
                rest = rest[self.file.write(rest) or 0 :]
        except OSError:
            self.close()  # whoever fails is not asked again
            raise

    def _take_out(self, from_step: int) -> None:
        """Takes out the lines of later steps, and one that a killed trainer left half written."""
        content = self.path.read_bytes()
        rows = list(csv.reader(_whole_lines(content)))
        place = rows[0].index("step") if rows else 0
        kept = [row for row in rows if not _later(row[place : place + 1], from_step)]
        if len(kept) == len(rows) and content[-1:] in (b"", b"\n"):
            return
        draft = self.path.with_name(f".{NAME}.tmp")
        with draft.open("wb") as file:
            file.write(_table(kept))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)


def _step_first(columns: Iterable[str]) -> tuple[str, ...]:
    """Without the step nobody could say which lines a resumed run is to take out."""
    return tuple(dict.fromkeys(("step", *columns)))


def _whole_lines(content: bytes) -> io.StringIO:
    """The text up to the last end of a line."""
    return io.StringIO(content[: content.rfind(b"\n") + 1].decode(), newline="")


def _table(rows: Iterable[Sequence[Any]]) -> bytes:
    """The rows as lines; what is None stays empty."""
    lines = io.StringIO(newline="")
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue().encode()


def _later(cell: Sequence[str], step: int) -> bool:
    """Whether it is the number of a later step; what is none, such as a title, is not ours to take out."""
    try:
        return int(cell[0]) > step
    except (IndexError, ValueError):
        return False
