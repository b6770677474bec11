"""The screen one leaves open: curves, the newest pictures, the last lines of the log."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical

from difftool.tui.grid import corner, count_of
from difftool.tui.screens.log import line_parts
from difftool.tui.screens.room import Room
from difftool.tui.theme import CURVES
from difftool.tui.view import AXES, SMOOTH
from difftool.tui.widgets.chart import Chart, Kind
from difftool.tui.widgets.drawn import middle
from difftool.tui.widgets.note import Note
from difftool.tui.widgets.picture import Picture

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

KINDS = (
    Kind("loss", (("loss", ""), ("heldout_loss", "held out")), clip=True),
    Kind(
        "loss by t",
        (("loss_q.1", "clean"), ("loss_q.2", "2"), ("loss_q.3", "3"), ("loss_q.4", "noise")),
        log=True,
        one_run=True,
    ),
    Kind("gradient norm", (("grad_norm", ""),), clip=True),
    Kind("learning rate", (("lr", ""),)),
    Kind("pictures/s", (("images_per_s", ""),)),
    Kind("waiting for data", (("data_wait", ""),)),
)
LOG_LINES = 8
CELLS = 15
"""As wide as a picture must be to show a face."""


class TrainScreen(Room):
    """How training goes."""

    app: DifftoolApp
    here = "train"
    about = (
        "A flat loss is normal: it is an average over noise levels and soon hardly falls, while pictures go on "
        "getting better. Watch the quarters of t/T instead: 'clean' is the loss where almost no noise is left, "
        "where detail is learned, 'noise' where almost nothing else is there. Each column of a chart is drawn from "
        "its lowest to its highest value, so that no spike is lost at any zoom; × marks where a value was not finite. "
        "The bright line is the mean."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "log_y", "log-y", id="train.log_y", tooltip="logarithmic, or not"),
        Binding("x", "axis", "axis", id="train.axis", tooltip="by step, by time, by images"),
        Binding(
            "left_square_bracket", "smooth(-1)", "smooth", id="train.rougher", key_display="[", tooltip="less smoothing"
        ),
        Binding(
            "right_square_bracket",
            "smooth(1)",
            "smooth",
            id="train.smoother",
            key_display="]",
            show=False,
            tooltip="more smoothing",
        ),
        Binding("plus,equals_sign", "zoom(2)", "zoom", id="train.closer", key_display="+", tooltip="closer"),
        Binding("minus", "zoom(0.5)", "zoom", id="train.farther", key_display="-", show=False, tooltip="farther off"),
        Binding("left", "pan(-0.25)", "pan", id="train.left", key_display="←→", tooltip="to the left, to the right"),
        Binding("right", "pan(0.25)", "pan", id="train.right", show=False, tooltip="to the right"),
        Binding("0", "reset", "all", id="train.reset", tooltip="all of the run, following it"),
        Binding("p", "freeze", "freeze", id="train.freeze", tooltip="hold the charts still"),
        Binding("g", "columns", "columns", id="train.columns", tooltip="more charts, or larger ones"),
        Binding("enter", "enlarge", "enlarge", id="train.enlarge", tooltip="one chart alone; tab chooses which"),
        Binding("escape", "back", "back", id="train.back", show=False, tooltip="all charts again"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.columns = 0  # 0: as many as there is room for
        self.alone: Chart | None = None

    def body(self) -> ComposeResult:
        """Charts at the left, pictures at the right, the log below."""
        yield Note(id="runs")
        with Horizontal(id="upper"):
            with Grid(id="charts"):
                for kind in KINDS:
                    yield Chart(kind)
            with Vertical(id="side"):
                yield Picture("no preview yet", id="preview")
        with Vertical(id="tail"):
            for _ in range(LOG_LINES):
                yield Note(classes="tail")

    def on_mount(self) -> None:
        """The loss is what enter enlarges first."""
        self.query(Chart).first().focus()

    def laid_out(self, width: int, height: int) -> None:
        """As many charts as can be read."""
        columns = self.columns or (1 if width < 110 else 2)
        rows = {1: 2, 2: 2, 3: 2}[columns] if height < 48 else 3
        if height < 20:
            rows = 1
        charts = list(self.query(Chart))
        shown = [self.alone] if self.alone else charts[: columns * rows]
        for chart in charts:
            chart.display = chart in shown
        grid = self.query_one("#charts", Grid)
        grid.styles.grid_size_columns = 1 if self.alone else columns
        side = self.query_one("#side")
        side.display = width >= 60 and not self.alone
        side.styles.width = max(24, min(2 * (height - 8), width * 2 // 5 if width < 150 else width // 3))
        lines = 2 if height < 30 else 5 if height < 50 else LOG_LINES
        for number, note in enumerate(self.query(".tail")):
            note.display = number < lines and height >= 16
        self.call_after_refresh(self.renew)

    def renew(self) -> None:
        """Everything that is new."""
        super().renew()
        app, run = self.app, self.app.looking.run
        if run is None:
            self.nobody("#runs")
            return
        for chart in self.query(Chart):
            chart.show(app.looking.runs, app.view)
        with run.guard:
            preview = run.previews[max(run.previews)] if run.previews else None
        picture = self.query_one("#preview", Picture)
        if preview is not None:
            count = count_of(preview.words)
            part, shown = corner(count, max(1, picture.size.width // CELLS))
            caption = f"step {preview.step:,}, {f'{shown} of {count}: 3 shows all' if shown < count else 'preview'}"
            picture.show(preview.files.get("ema"), preview.words.get("time"), caption, _absent(run.run), part)
        else:
            picture.show(None, None, "", "no preview yet: G draws one" if app.acting.can_ask() else "no preview yet")
        with run.guard:
            told = (line for line in reversed(run.log) if line.level != "stderr")  # that repeats the rows, in words
            lines = list(islice(told, LOG_LINES))[::-1]
        notes = [note for note in self.query(".tail").results(Note) if note.display]
        lines = lines[max(0, len(lines) - len(notes)) :]
        for number, note in enumerate(notes):
            note.say(line_parts(lines[number], self.size.width) if number < len(lines) else [])
        smooth = SMOOTH[app.view.smooth]
        words = [app.view.words, f"smoothed over {smooth:.0%}" if smooth else "not smoothed"]
        names: list[tuple[str, str | Style]] = []
        if app.looking.runs[1:]:  # each in the colour of its curves, whose titles have no room for all
            room = max(8, (self.size.width - 20) // len(app.looking.runs) - 2)
            colours = [Style(color=CURVES[app.looking.colour(each.name) % len(CURVES)]) for each in app.looking.runs]
            names = [(f" {middle(each.name, room)} ", ink) for each, ink in zip(app.looking.runs, colours, strict=True)]
        self.query_one("#runs", Note).say([*names, (" " + ", ".join(each for each in words if each), "dim")])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape leaves a chart that is alone."""
        return self.alone is not None if action == "back" else True

    def action_log_y(self) -> None:
        """As each chart reads best, logarithmic all, none."""
        view = self.app.view
        view.log = {None: True, True: False, False: None}[view.log]
        self.app.tell({None: "each chart as it reads best", True: "logarithmic", False: "linear"}[view.log])
        self.renew()

    def action_axis(self) -> None:
        """By step, time or images."""
        view = self.app.view
        view.axis = AXES[(AXES.index(view.axis) + 1) % len(AXES)]
        self.renew()

    def action_smooth(self, way: int) -> None:
        """Less or more."""
        view = self.app.view
        view.smooth = max(0, min(len(SMOOTH) - 1, view.smooth + way))
        self.renew()

    def action_zoom(self, factor: float) -> None:
        """Closer or farther off."""
        self.app.view.magnify(factor)
        self.renew()

    def action_pan(self, share: float) -> None:
        """Sideways."""
        self.app.view.pan(share)
        self.renew()

    def action_reset(self) -> None:
        """All of it."""
        self.app.view.reset()
        self.renew()

    def action_freeze(self) -> None:
        """Still, or live."""
        self.app.view.frozen = not self.app.view.frozen
        self.renew()

    def action_columns(self) -> None:
        """One, two, three columns, as many as fit."""
        self.columns = (self.columns + 1) % 4
        self.laid_out(*self.size)

    def action_enlarge(self) -> None:
        """The chart that has the focus, alone; again, all."""
        chosen = self.focused if isinstance(self.focused, Chart) else self.query(Chart).first()
        self.alone = None if self.alone else chosen
        self.laid_out(*self.size)
        chosen.focus()

    def action_back(self) -> None:
        """All charts."""
        self.alone = None
        self.laid_out(*self.size)


def _absent(run: object) -> str:
    return "" if run else "pictures stay where the run is: runs tail --json --pictures sends them"
