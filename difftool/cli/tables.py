"""Columns of text, as wide as they must be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer

from difftool.errors import safe_text


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints rows under their heads; no colours, so that it can be cut and grepped."""
    cells = [list(head), *[[safe_text(str("" if cell is None else cell)) for cell in row] for row in rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def as_json(value: Any) -> None:
    """Prints JSON on standard output."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))
