"""A sink for difftool: where the events of a run go besides its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from difftool.api import RunInfo, Sink, SinkWriter, hookimpl


class Sprout(Sink):
    """One line of text for each event, in sprout.txt in the run's folder."""

    kinds: tuple[str, ...] = ("start", "metrics", "checkpoint", "end")
    """which events"""

    def open(self, run: RunInfo):
        """Called once when training begins or goes on; run has dir, id, recipe, seed and device."""
        return Writer(Path(run.dir) / "sprout.txt", self.kinds)


class Writer(SinkWriter):
    """The opened sink. Training waits for it: be quick, or hand the work to a thread."""

    def __init__(self, path: Path, kinds: tuple[str, ...]):
        self.kinds = kinds
        self.file = path.open("a", encoding="utf-8", buffering=1)  # a resumed run goes on; each line is written at once

    def event(self, event: Mapping[str, Any]):
        """One event, as the dict that was written to the run's events/."""
        if event["kind"] in self.kinds:
            # YOURS: what becomes of it.
            self.file.write(line(event) + "\n")

    def close(self):
        """The run has ended."""
        self.file.close()


def line(event: Mapping[str, Any]) -> str:
    """An event in one line: its kind, then its plain values."""
    plain = {key: value for key, value in event.items() if isinstance(value, str | int | float)}
    words = [f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}" for key, value in plain.items()]
    return " ".join([event["kind"], *(word for word in words if not word.startswith(("kind=", "time=")))])


@hookimpl
def register_sinks(register):
    """Offers it to recipes."""
    register("sprout", Sprout)
