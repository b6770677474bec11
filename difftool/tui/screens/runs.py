"""All runs of a folder, from their status.json alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from difftool.run.layout import RunDir
from difftool.run.spoken import clock
from difftool.tui.plot import gauge, spark
from difftool.tui.screens.dialogs import Ask, Filter, Recipes
from difftool.tui.screens.room import Room
from difftool.tui.theme import CURVES
from difftool.tui.widgets.drawn import Parts, cut, middle
from difftool.tui.widgets.head import STATES
from difftool.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

SORTS = ("newest", "name", "state", "loss", "rate")
COLUMNS = (("PROGRESS", 23), ("LOSS", 8), ("CURVE", 16), ("RATE", 9), ("LEFT", 12), ("AGE", 12), ("DEVICE", 14))
"""Head and cells; on a narrow terminal the last ones go first."""
NAME = 26


class RunList(Lines):
    """One line a run."""

    app: DifftoolApp

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.marked: list[str] = []  # paths, in the order they were marked

    def columns(self, width: int) -> tuple[int, list[tuple[str, int]]]:
        """(cells for the name, the columns there is room for)."""
        room, fitting = width - NAME - 14, []
        for head, cells in COLUMNS:
            if room - cells < 0:
                break
            room -= cells
            fitting.append((head, cells))
        return NAME + min(max(0, room), 22), fitting

    def head(self, width: int) -> Parts:
        """The line above."""
        name, columns = self.columns(width)
        return [
            ("  " + cut("STATE", 11) + cut("RUN", name + 1), "dim"),
            *((cut(head, n), "dim") for head, n in columns),
        ]

    def parts(self, index: int, width: int) -> tuple[Parts, str]:
        """State, name, progress, loss, rate, time left, age, device: as much as there is room for."""
        row = self.rows[index]
        sign, ink = STATES.get(row["state"], STATES["unknown"])
        marked = row["path"] in self.marked
        name, columns = self.columns(width)
        bold: Style | str = "strong"
        if marked:
            bold = Style(color=CURVES[self.app.looking.colours.get(row["name"], 0)], bold=True)
        words: list[tuple[str, str | Style]] = [
            (("▶" if marked else " "), bold),
            (f"{sign} {cut(row['state'], 9)} ", ink),
            (cut(middle(row["name"], name), name) + " ", bold),
        ]
        for head, cells in columns:
            shown = cut(_CELLS[head](row, self.app.ascii), cells - 1) + " "
            words += [(shown[:7], ink), (shown[7:], "")] if head == "PROGRESS" else [(shown, "dim")]
        return words, ""


def _progress(row: dict[str, Any], plain: bool) -> str:
    step, total = row.get("step") or 0, row.get("total")
    if not total:
        return f"{step:,}"
    return f"{gauge(min(1.0, step / total), 6, plain)} {step:,}/{total:,}"


def _loss(row: dict[str, Any], plain: bool) -> str:
    return "" if row.get("loss") is None else f"{row['loss']:.4f}"


_CELLS = {
    "PROGRESS": _progress,
    "LOSS": _loss,
    "CURVE": lambda row, plain: spark(row.get("curve") or [], 15, plain),
    "RATE": lambda row, plain: f"{row['rate']:,.0f}/s" if row.get("rate") else "",
    "LEFT": lambda row, plain: clock(row["eta"]) if row.get("eta") else "",
    "AGE": lambda row, plain: clock(row["age"]) if row.get("age") is not None else "",
    "DEVICE": lambda row, plain: (
        f"on {row['host']}" if row.get("here") is False and row.get("host") else str(row.get("device") or "")
    ),
}


class RunsScreen(Room):
    """Which runs there are, and how each is doing."""

    here = "runs"
    about = (
        "Every run in the folder, the newest first. enter opens one; space marks several and c shows their curves over "
        "each other. n starts a recipe. A run that was killed is told apart from one that was stopped: crashed means "
        "that its process is gone without a word; R goes on from its newest checkpoint."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="runs.open", tooltip="look at this run"),
        Binding("n", "new", "new", id="runs.new", tooltip="start a recipe"),
        Binding("space", "mark", "mark", id="runs.mark", tooltip="mark for comparing"),
        Binding("c", "compare", "compare", id="runs.compare", tooltip="the marked runs over each other"),
        Binding("slash", "filter", "filter", id="runs.filter", key_display="/", tooltip="by name"),
        Binding("f", "state", "state", id="runs.state", tooltip="only those in one state"),
        Binding("s", "sort", "sort", id="runs.sort", tooltip="by another column"),
        Binding("D", "remove", "delete", id="runs.remove", tooltip="move this run into .trash"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.sorting = "newest"
        self.only = ""
        self.offered = False
        self.asked_for: str | None = None

    def body(self) -> ComposeResult:
        """The heads, the list, the filter."""
        from difftool.tui.widgets.note import Note

        yield Note(id="heads")
        yield RunList()
        yield Note(id="said")
        yield Filter(placeholder="part of a name")

    def on_mount(self) -> None:
        """The list takes the keys."""
        self.query_one(RunList).focus()

    @property
    def list(self) -> RunList:
        """The list."""
        return self.query_one(RunList)

    @property
    def row(self) -> dict[str, Any] | None:
        """The run under the cursor."""
        rows = self.list.rows if self.built else []
        return rows[self.list.cursor] if rows else None

    def laid_out(self, width: int, height: int) -> None:
        """Other columns."""
        self.renew()

    def renew(self) -> None:
        """The list as it is now; the cursor stays on its run."""
        super().renew()
        from difftool.tui.widgets.note import Note

        runs, lister = self.list, self.app.looking.lister
        at = self.row["path"] if self.row else None
        there = {row["path"] for row in lister.rows}
        runs.marked = [path for path in runs.marked if path in there]
        typed = self.query_one(Filter).value.casefold()
        rows = [row for row in lister.rows if typed in str(row["name"]).casefold() and self.only in ("", row["state"])]
        runs.rows = sorted(rows, key=_ORDER[self.sorting])
        paths = [row["path"] for row in runs.rows]
        if at in paths:
            runs.cursor = paths.index(at)
        runs.resized(len(runs.rows))
        self.query_one("#heads", Note).say(runs.head(self.size.width))
        self.query_one("#said", Note).say([(self._said(len(lister.rows)), "bad" if lister.trouble else "dim")])
        self.refresh_bindings()
        if lister.looked and not lister.rows and not self.offered and not self.app.readonly and self.app.setup.offers:
            self.offered = True
            if not self.app.starting.processes:
                self.app.push_screen(
                    Recipes(self.app.setup.offers, empty=True),
                    lambda name: self.app.starting.train(name) if name else None,
                )

    def _said(self, count: int) -> str:
        if self.app.looking.lister.trouble:
            return f" {self.app.looking.lister.trouble}"
        starting = [f"{each.name}: {each.line or 'starting'}" for each in self.app.starting.processes]
        if starting:
            return " starting " + "; ".join(starting)
        if not count:
            return f" no runs in {self.app.where}" + ("" if self.app.readonly else "; n starts one")
        shown = len(self.list.rows)
        said = [f"{shown} of {count} runs" if shown < count else f"{count} run{'s' if count > 1 else ''}"]
        said += [f"only {self.only}"] if self.only else []
        said += [f"by {self.sorting}"] if self.sorting != "newest" else []
        said += [f"{len(self.list.marked)} marked"] if self.list.marked else []
        return f" {', '.join(said)} in {self.app.where}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What the run under the cursor allows."""
        state = str(self.row["state"]) if self.row else ""
        if action in ("open", "mark"):
            return bool(state)
        if action == "compare":
            return self.built and len(self.list.marked) > 1
        if action == "remove":
            return not self.app.readonly and state in ("stopped", "crashed", "failed", "done", "unknown")
        if action == "new":
            return not self.app.readonly and bool(self.app.setup.offers)
        return True

    def on_lines_chosen(self) -> None:
        """A click on the line the cursor stands on."""
        self.action_open()

    def on_input_changed(self) -> None:
        """Filters while one types."""
        self.renew()

    def action_open(self) -> None:
        """This run, from close by."""
        if self.row:
            self.app.open_run(RunDir(Path(self.row["path"])))

    def action_new(self) -> None:
        """Starts a recipe."""
        self.app.action_new()

    def action_mark(self) -> None:
        """For comparing; again, no longer."""
        if self.row is None:
            return
        path, marked = self.row["path"], self.list.marked
        if path in marked:
            marked.remove(path)
        else:
            marked.append(path)
            from difftool.tui.theme import colours_of

            colours_of([self.row["name"]], self.app.looking.colours)
        self.list.action_by(1)
        self.renew()

    def action_compare(self) -> None:
        """The marked runs over each other."""
        self.app.looking.at(*(RunDir(Path(path)) for path in self.list.marked))
        self.app.switch_mode("train")

    def action_filter(self) -> None:
        """Types a name."""
        self.query_one(Filter).open()

    def action_state(self) -> None:
        """The next state that some run is in; then all."""
        states = ["", *dict.fromkeys(str(row["state"]) for row in self.app.looking.lister.rows)]
        self.only = states[(states.index(self.only) + 1) % len(states)] if self.only in states else ""
        self.renew()

    def action_sort(self) -> None:
        """The next order."""
        self.sorting = SORTS[(SORTS.index(self.sorting) + 1) % len(SORTS)]
        self.renew()

    def action_remove(self) -> None:
        """Asks first."""
        if self.row is None:
            return
        run = RunDir(Path(self.row["path"]))
        words = f"Delete {self.row['name']}?"
        choices = {"d": "delete: moves its folder into .trash, from where it can be brought back", "c": "cancel"}
        self.app.push_screen(Ask(words, choices), lambda key: self.app.acting.remove(run) if key == "d" else None)


_ORDER: dict[str, Any] = {
    "newest": lambda row: 0,
    "name": lambda row: str(row["name"]),
    "state": lambda row: list(STATES).index(row["state"]) if row["state"] in STATES else 99,
    "loss": lambda row: row["loss"] if row.get("loss") is not None else float("inf"),
    "rate": lambda row: -(row.get("rate") or 0),
}
