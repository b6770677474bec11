"""What the dashboard is started with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from difftool.run.launch import Launched
from difftool.run.layout import RunDir
from difftool.tui.pixels import Means


@dataclass(frozen=True)
class Offer:
    """A recipe that can be started."""

    name: str
    about: str


@dataclass(frozen=True)
class Setup:
    """What the command line says."""

    runs: Path
    run: RunDir | None = None
    pipe: int | None = None
    readonly: bool = False
    offers: Sequence[Offer] = ()
    keys: Mapping[str, str] | None = None
    launched: Launched | None = None
    means: Means | None = None
    plugins: bool = True  # whether those of others take part

    @property
    def where(self) -> str:
        """The folder of runs, as a shell shows it."""
        path, home = self.runs.absolute(), Path.home()
        return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
