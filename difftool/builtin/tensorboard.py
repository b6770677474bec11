"""A run for TensorBoard: its numbers, its previews and its recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from difftool.api import InputError, Register, RunInfo, Sink, SinkWriter, hookimpl
from difftool.builtin.metric_row import numbers
from difftool.builtin.tensorboard_file import EventFile, image, scalar, text

PICTURES = {"path": "preview/pictures", "strip": "preview/strip", "raw": "preview/raw"}
"""Files that a preview event names, and what they are called in TensorBoard."""
SEVERAL = {"loss_q": "loss_quarters"}
"""What is told in several numbers, and the group that these stand in."""


@hookimpl
def register_sinks(register: Register) -> None:
    """Offers `tensorboard`."""
    register("tensorboard", TensorBoard)


class TensorBoard(Sink):
    """Numbers, previews and recipe for TensorBoard, in the run's folder: `tensorboard --logdir runs` shows all runs.

    TensorBoard is not needed to write them.
    """

    previews: bool = True
    """whether previews are copied too; each takes its size on disk once more"""

    def open(self, run: RunInfo) -> SinkWriter:
        """Begins a new file, one for each attempt."""
        folder = Path(run.dir)
        try:
            return TensorBoardWriter(EventFile(folder), folder, self.previews)
        except OSError as error:
            why, do = error.strerror or str(error), "check who may write there, or leave tensorboard out of log.sinks"
            raise InputError("cannot write for TensorBoard", where=run.dir, why=why, do=do) from error


class TensorBoardWriter(SinkWriter):
    """What TensorBoard shows of the events of a run."""

    def __init__(self, file: EventFile, folder: Path, previews: bool) -> None:
        self.file, self.folder, self.previews = file, folder, previews

    def event(self, event: Mapping[str, Any]) -> None:
        """A start, a row of metrics or a preview; others are left out."""
        kind, when = event["kind"], event["time"]
        if kind == "start":
            # Readers drop what has this step or a later one, so a resumed run keeps the step that it continues from.
            first = event["from_step"] + 1 if event["from_step"] else 0
            self.file.start(when, first)
            self.file.summary(when, first, self._recipe())
        elif kind == "metrics":
            self.file.summary(when, event["step"], scalars(event))
        elif kind == "preview" and self.previews:
            self.file.summary(when, event["step"], self._pictures(event))

    def close(self) -> None:
        """The run ended."""
        self.file.close()

    def _recipe(self) -> Iterator[bytes]:
        if content := _read(self.folder / "recipe.toml"):
            yield text("recipe", f"```toml\n{content.decode(errors='replace')}\n```")

    def _pictures(self, event: Mapping[str, Any]) -> Iterator[bytes]:
        for key, tag in PICTURES.items():
            if key in event and (value := image(tag, _read(self.folder / event[key]))):
                yield value


def scalars(row: Mapping[str, Any]) -> Iterator[bytes]:
    """All numbers of a row; when and at which step they were is told apart."""
    for key, place, number in numbers(row):
        if number is not None and key not in ("time", "step"):
            yield scalar(f"{SEVERAL.get(key, key)}/{place}" if place else key, number)


def _read(path: Path) -> bytes:
    """The content of a file; nothing if it is gone, since a picture that somebody took away must not cost the rest."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
