"""What several commands of `difftool runs` are given."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, the beginning of its name, or latest.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON on standard output.")]


def place(about: dict[str, Any]) -> str:
    """Where a run is trained, if not here: " on box"; from its summary."""
    from difftool.run.reader import ALIVE

    return f" on {about['host']}" if about["host"] and not about["here"] and about["state"] in ALIVE else ""


def steps(about: dict[str, Any]) -> str:
    """How far a run is; from its summary."""
    return f"step {about['step']:,} of {about['total']:,}" if about["total"] else f"step {about['step']:,}"
