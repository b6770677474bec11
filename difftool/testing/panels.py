"""What every panel of the dashboard must keep: it draws text of any run, in any size, and changes nothing."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from difftool.testing.attempts import end, plain, preview, row, run_in, start, whole
from difftool.testing.patience import in_time
from difftool.testing.rules import FoundError, NoAnswerError, Rule, repeats, short

Told = Mapping[str, Any]

PATIENCE = 60.0
"""Seconds for another process to import a panel and draw: as long as any plugin may take."""

SIZES = ((80, 12), (1, 1), (2, 1), (1, 30), (17, 5), (300, 100))
"""(width, height) from nothing to a whole wall."""


@contextlib.contextmanager
def _runs(seed: int) -> Iterator[dict[str, Told]]:
    """What panels are told of runs of every age, in the very shape that the dashboard gives it."""
    from difftool.run.layout import RunDir
    from difftool.run.reader import summary
    from difftool.run.records import load
    from difftool.tui.panels import run_for
    from difftool.tui.watched import Watched

    with tempfile.TemporaryDirectory(prefix="difftool-panel-") as folder:
        run = RunDir(Path(run_in(Path(folder), seed=seed).dir))
        rows = [row(step, loss=1.0 / step) for step in range(10, 400 + 10 * (seed % 7), 10)]
        lost = row(500, loss=None, loss_q=[None] * 4, nonfinite=["loss", "loss_q"])
        bare = {key: row(7)[key] for key in ("kind", "time", "step", "images", "loss")}
        states = {
            "a run of which nothing is known": [],
            "a run that has just begun": [start()],
            "a run with one row": [start(), row(1)],
            "a run with many rows": [start(), *rows, preview(10), end(390)],
            "a run with a row without a finite number": [start(), row(490), lost],
            "a run whose rows have a loss and little else": [start(), bare],
            "a run in which everything has happened": plain(whole()) + plain(whole(20)),
        }
        found = {}
        for what, events in states.items():
            watched = Watched("small", run if events else None)
            if events:
                watched.summary, watched.info = summary(run), load(run.info)
                watched.recipe = run.recipe.read_text()
            watched.take(copy.deepcopy(events))
            found[what] = run_for(watched)
        yield found


def _made(panel: Any) -> Any:
    """The panel, as the dashboard makes it; an object is one already."""
    return panel if hasattr(panel, "draw") and not isinstance(panel, type) else panel()


def _text(drawn: object) -> str:
    """What was drawn, as something that can be compared."""
    from rich.text import Text

    if isinstance(drawn, Text):
        return repr((drawn.plain, drawn.style, drawn.spans))
    if not isinstance(drawn, str):
        raise FoundError(f"draw() gives a {type(drawn).__name__}; a str or a rich Text was expected")
    return drawn


@in_time
def has_a_title(panel: Any, seed: int) -> str | None:
    """Has a title of one line."""
    title = getattr(_made(panel), "title", None)
    if not isinstance(title, str):
        return f"its title is {short(title)}; a text was expected"
    if not title.strip() or not title.isprintable():
        return f"its title is {short(title)}; one line that can be read was expected"
    return None


@in_time
def draws_every_run(panel: Any, seed: int) -> str | None:
    """Draws text, plain or as rich's Text, of every run: also without rows, or if numbers are missing or infinite."""
    with _runs(seed) as runs:
        for what, run in runs.items():
            try:
                _text(_made(panel).draw(run, *SIZES[0]))
            except Exception as error:
                return f"for {what} it raises {type(error).__name__}: {error}"
    return None


@in_time
def draws_in_every_size(panel: Any, seed: int) -> str | None:
    """Draws in every size, from 1x1 to 300x100."""
    with _runs(seed) as runs:
        made = _made(panel)
        for width, height in SIZES:
            try:
                _text(made.draw(runs["a run with many rows"], width, height))
            except Exception as error:
                return f"{width} wide and {height} high, it raises {type(error).__name__}: {error}"
    return None


@in_time
def changes_nothing(panel: Any, seed: int) -> str | None:
    """Changes nothing in what it is told, nor in the run's folder."""
    with _runs(seed) as runs:
        for what, run in runs.items():
            before, files = copy.deepcopy(run), _files(run)
            _made(panel).draw(run, *SIZES[0])
            if run != before:
                keys = [key for key in {**before, **run} if run.get(key) != before.get(key)]
                return f"for {what} it changes {keys[0]!r} of what it is told"
            if _files(run) != files:
                return "it writes into the run's folder, which others read"
    return None


def _files(run: Told) -> dict[Path, bytes]:
    folder = Path(run["dir"] or "/nonexistent")
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@in_time
def draws_the_same_again(panel: Any, seed: int) -> str | None:
    """Draws the same of the same run, without randomness and whatever it drew before."""
    with _runs(seed) as runs:
        made = _made(panel)

        def drawn() -> list[str]:
            first = [_text(made.draw(run, *SIZES[0])) for run in runs.values()]
            again = [_text(made.draw(run, *SIZES[0])) for run in reversed(runs.values())]
            if first != again[::-1]:
                raise FoundError("the same run looks otherwise after another one was drawn: it remembers")
            return first

        return repeats(drawn)


def needs_no_torch(panel: Any, seed: int) -> str | None:
    """Needs no torch: the dashboard starts in the time that torch would take, and does not hold it in memory."""
    cls = panel if isinstance(panel, type) else type(panel)
    if "<locals>" in cls.__qualname__ or cls.__module__ == "__main__":
        return None  # a class that no other process can find
    code = [
        "import importlib, json, operator, sys",
        "module, name, runs = json.load(sys.stdin)",
        "before, where = 'torch' in sys.modules, 'importing its module'",
        "try:",
        "    panel = operator.attrgetter(name)(importlib.import_module(module))()",
        "    if 'torch' not in sys.modules: where = 'drawing'",
        "    for run in runs: panel.draw(run, 80, 12)",
        "except Exception: pass",
        "guilty = 'torch' in sys.modules and not before",
        "print(); print(where if guilty and 'difftool.testing' not in sys.modules else '')",  # no test is a panel
    ]
    with _runs(seed) as runs:
        try:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", "\n".join(code)],
                input=json.dumps([cls.__module__, cls.__qualname__, list(runs.values())]),
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        except subprocess.TimeoutExpired as error:
            raise NoAnswerError(f"in a process of its own it has not drawn after {PATIENCE:g} s") from error
    where = done.stdout.removesuffix("\n").rpartition("\n")[2]  # the last line, be it empty: panels may print
    return f"{where} loads torch, and the dashboard does without" if where else None


RULES: tuple[Rule, ...] = (
    has_a_title,
    draws_every_run,
    draws_in_every_size,
    changes_nothing,
    draws_the_same_again,
    needs_no_torch,
)
