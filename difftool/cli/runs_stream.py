"""A run as lines of JSON: all that `difftool tui -` needs at the other end of a connection."""

from __future__ import annotations

import base64
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from difftool.cli.follow import rounds
from difftool.run.reader import AGAIN, Tail, summary
from difftool.run.records import load

if TYPE_CHECKING:
    from difftool.run.layout import RunDir

ALIVE_EVERY = 5.0
"""Seconds after which a run that says nothing is told of all the same."""
LARGEST = 2 << 20
"""Bytes of a picture that is sent."""
_PICTURES = {"path": "png", "strip": "png_strip", "raw": "png_raw"}


def stream(run: RunDir, follow: bool | None, pictures: bool) -> None:
    """Who the run is, everything that happened and happens, and its state whenever that is news."""
    _send([_who(run, summary(run))])
    state, beat, told = "", None, 0.0
    for about, events in rounds(run, Tail(run), follow):
        lines: list[dict[str, Any]] = []
        for event in events:
            lines.append(_with_pictures(run, event) if pictures and event["kind"] == "preview" else event)
            if event["kind"] == AGAIN:
                lines.append(_who(run, about))
        if not events:
            since = time.monotonic() - told
            if about["state"] != state or since >= (1.0 if about["heartbeat"] != beat else ALIVE_EVERY):
                lines.append({"kind": "state", **about})
                state, beat, told = about["state"], about["heartbeat"], time.monotonic()
        _send(lines)


def as_json(record: dict[str, Any]) -> bytes:
    """One line of ASCII, as in the run's own files: nothing in it can steer a terminal."""
    try:
        line = to_json(record)  # several times as fast as json
        if line.isascii() and b"\x7f" not in line:
            return line + b"\n"
    except ValueError:  # half a surrogate pair
        pass
    return json.dumps(record).encode() + b"\n"


def _send(lines: list[dict[str, Any]]) -> None:
    if lines:
        sys.stdout.buffer.write(b"".join(map(as_json, lines)))
        sys.stdout.buffer.flush()


def _who(run: RunDir, about: dict[str, Any]) -> dict[str, Any]:
    try:
        recipe = run.recipe.read_text(errors="replace")
    except OSError:
        recipe = ""
    return {"kind": "run", **about, "info": load(run.info), "recipe": recipe}


def _with_pictures(run: RunDir, event: dict[str, Any]) -> dict[str, Any]:
    found = {name: _picture(run, event.get(key)) for key, name in _PICTURES.items()}
    return {**event, **{name: text for name, text in found.items() if text}}


def _picture(run: RunDir, path: object) -> str:
    """A picture of this run as text; empty if there is none, or what the log names is something else."""
    try:
        file = (run.root / str(path)).resolve()
        inside = file.is_relative_to(run.root.resolve())  # a run that somebody sent must not fetch other files
        if not inside or not file.is_file() or file.stat().st_size > LARGEST:
            return ""
        data = file.read_bytes()
    except (OSError, ValueError):
        return ""
    return base64.b64encode(data).decode() if data.startswith(b"\x89PNG\r\n\x1a\n") else ""
