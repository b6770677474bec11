"""How the machine of the trainer is doing; everything that is not known is said with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip

from difftool.errors import one_line
from difftool.run.spoken import clock, size
from difftool.tui.column import Bin
from difftool.tui.outside import number
from difftool.tui.plot import Curve, gauge
from difftool.tui.screens.room import Room
from difftool.tui.theme import CURVES
from difftool.tui.watched import Watched
from difftool.tui.widgets.chart import LEFT, Drawing, axis_line, binned, curve_lines
from difftool.tui.widgets.drawn import Drawn, cut
from difftool.tui.widgets.lines import Sheet
from difftool.tui.widgets.note import Note

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

WINDOWS = {1: 60.0, 10: 600.0, 60: 3600.0}
"""Minutes, seconds."""
LABEL = 14
OLD = 5.0
"""Seconds after which figures are no longer what the machine does now."""


class History(Drawn):
    """The shares of the last minutes: how busy GPUs and processor were."""

    app: DifftoolApp

    def __init__(self) -> None:
        super().__init__()
        self.strips: list[Strip] = []

    def show(self, samples: Sequence[dict[str, Any]], seconds: float) -> None:
        """These figures."""
        width, height = self.size
        room, rows = max(1, width - LEFT), height - 2
        if rows < 1:
            return
        newest = number(samples[-1].get("time")) if samples else None
        curves: list[Curve] = []
        legend: list[tuple[str, str, int]] = []
        for label, figure in series_of(samples):
            points = [(number(each.get("time")) or 0.0, figure(each)) for each in samples]
            bins: list[Bin] = binned(points, (newest or 0) - seconds, newest or 0, 2 * room)
            curves.append(Curve(bins, len(legend)))
            legend.append((label, "", len(legend)))
        words = [(f"{label}  ", Style(color=CURVES[colour % len(CURVES)])) for label, _, colour in legend]
        strips = [self.strip_of([(f" last {clock(seconds)}, per cent  ", "title"), *words])]
        strips += curve_lines(self, Drawing(tuple(curves), tuple(legend), 0.0, 100.0), room, rows, False)
        strips.append(axis_line(self, (-seconds, 0.0), room, "number"))
        self.strips = strips
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line that was put together before."""
        return self.strips[y] if y < len(self.strips) else self.strip_of([])


class SystemScreen(Room):
    """The machine."""

    app: DifftoolApp
    here = "system"
    about = (
        "Figures of the machine that trains, which the trainer takes once a second, so they are the same wherever "
        "this is looked at. A GPU that is not busy while 'data wait' is high waits for pictures; one that is not busy "
        "otherwise could take a larger batch."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "window", "window", id="system.window", tooltip="the last minute, ten minutes, hour"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.minutes = 10

    def body(self) -> ComposeResult:
        """Figures above, their history below."""
        sheet = Sheet()
        sheet.styles.height = "auto"  # no higher than its lines
        yield sheet
        yield History()
        yield Note(id="said")

    def on_mount(self) -> None:
        """The figures take the keys."""
        self.query_one(Sheet).focus()

    def laid_out(self, width: int, height: int) -> None:
        """Half for the figures at most."""
        self.call_after_refresh(self.renew)

    def renew(self) -> None:
        """The newest figures."""
        super().renew()
        run, sheet = self.app.looking.run, self.query_one(Sheet)
        if run is None:
            self.nobody()
            return
        with run.guard:
            samples = list(run.system)
            waits = run.table.last("data_wait")
            saved = [each["seconds"] for each in run.checkpoints[-5:] if number(each.get("seconds")) is not None]
        newest = samples[-1] if samples else {}
        rows = [*figures(newest, self.size.width, self.app.ascii), *_trainer(waits, saved, self.app.ascii)]
        # The figures first: their history needs some lines to be one.
        room = max(3, self.size.height - 6)
        self.query_one(History).display = room - len(rows) >= 6
        sheet.styles.height = min(len(rows), room)
        sheet.show(rows)
        self.query_one(History).show(samples, WINDOWS[self.minutes])
        self.query_one("#said", Note).say([(self._said(run, newest), "dim")])

    def _said(self, run: Watched, newest: dict[str, Any]) -> str:
        if not newest:
            return " the trainer has not told anything of its machine yet"
        last = number(run.summary.get("heartbeat"))
        where = f" on {run.summary['host']}" if run.summary.get("host") else ""
        if not run.active:
            return f" these are the last figures{where}: the run is {run.state}"
        late = (last or 0) - (number(newest.get("time")) or 0)
        return f" taken once a second{where}" + (f"; the last ones are {clock(late)} old" if late > OLD else "")

    def action_window(self) -> None:
        """The next window."""
        every = list(WINDOWS)
        self.minutes = every[(every.index(self.minutes) + 1) % len(every)]
        self.renew()


def figures(sample: dict[str, Any], width: int, plain: bool) -> list[list[tuple[str, str]]]:
    """Lines of bars and numbers for every GPU, processor, memory, disk; a reason where there is none."""
    rows: list[list[tuple[str, str]]] = []
    absent = sample.get("absent") if isinstance(sample.get("absent"), dict) else {}
    assert isinstance(absent, dict)
    for gpu in gpus_of(sample):
        why = gpu.get("absent") if isinstance(gpu.get("absent"), dict) else {}
        assert isinstance(why, dict)
        rows.append([(f" GPU {gpu.get('index', '?')}  ", "title"), (one_line(str(gpu.get("name") or "")), "strong")])
        rows.append(_bar("  busy", gpu.get("used"), 1.0, lambda v: f"{v:.0%}", why.get("used"), plain))
        rows.append(_bar("  memory", gpu.get("memory"), gpu.get("memory_total"), size, why.get("memory"), plain))
        rows.append(
            _bar("  power", gpu.get("power"), gpu.get("power_limit"), lambda v: f"{v:.0f} W", why.get("power"), plain)
        )
        rows.append(
            _bar("  heat", gpu.get("temperature"), 100.0, lambda v: f"{v:.0f} °C", why.get("temperature"), plain)
        )
    if not gpus_of(sample):
        rows.append(
            [(cut(" GPU", LABEL), "title"), (f"n/a: {one_line(str(absent.get('gpus') or 'not told yet'))}", "dim")]
        )
    cores = sample.get("cores")
    named = f" CPU ({cores})" if cores else " CPU"
    used, total = number(sample.get("disk_free")), number(sample.get("disk_total"))
    taken = total - used if used is not None and total is not None else None
    rows.append(_bar(named, sample.get("cpu"), 1.0, lambda v: f"{v:.0%}", absent.get("cpu"), plain))
    rows.append(_bar(" memory", sample.get("memory"), sample.get("memory_total"), size, absent.get("memory"), plain))
    rows.append(_bar(" trainer", sample.get("process"), sample.get("memory_total"), size, absent.get("process"), plain))
    rows.append(_bar(" disk", taken, total, size, absent.get("disk_free") or absent.get("disk"), plain))
    return rows


def _trainer(waits: float | None, saved: list[float], plain: bool) -> list[list[tuple[str, str]]]:
    rows = [_bar(" data wait", waits, 1.0, lambda v: f"{v:.1%} of the time", "no row of metrics yet", plain)]
    words = ", ".join(f"{seconds:.1f} s" for seconds in saved) or "none yet"
    return [
        *rows,
        [(cut(" checkpoints", LABEL), "title"), (f"took {words}" if saved else words, "" if saved else "dim")],
    ]


def _bar(
    label: str, value: object, most: object, say: Callable[[float], str], why: object, plain: bool
) -> list[tuple[str, str]]:
    figure, top = number(value), number(most)
    head = (cut(label, LABEL), "title" if not label.startswith("  ") else "")
    if figure is None:
        return [head, (f"n/a: {one_line(str(why or 'not told'))}", "dim")]
    share = figure / top if top else 0.0
    ink = "bad" if share > 0.95 and "memory" in label else "warn" if share > 0.9 and "disk" in label else "good"
    of = f" of {say(top)}" if top and top not in (1.0, 100.0) else ""
    return [head, (gauge(share, 20, plain) if top else "", ink), (f"  {say(figure)}{of}", "")]


def series_of(samples: Sequence[dict[str, Any]]) -> list[tuple[str, Callable[[dict[str, Any]], float | None]]]:
    """(label, per cent of a sample) for each GPU, and for the processor."""
    count = max((len(gpus_of(each)) for each in samples[-1:]), default=0)

    def busy(k: int) -> Callable[[dict[str, Any]], float | None]:
        return lambda each: _per_cent(gpus_of(each)[k].get("used")) if k < len(gpus_of(each)) else None

    return [(f"GPU {k}", busy(k)) for k in range(count)] + [("CPU", lambda each: _per_cent(each.get("cpu")))]


def gpus_of(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """The GPUs of a sample, whatever else may stand there."""
    found = sample.get("gpus")
    return [gpu for gpu in found if isinstance(gpu, dict)][:16] if isinstance(found, list) else []


def _per_cent(value: object) -> float | None:
    share = number(value)
    return None if share is None else 100 * share
