"""Pictures over training: the same noise at every step, from noise to picture, with and without averaging."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from difftool.errors import one_line
from difftool.tui.grid import corner, count_of
from difftool.tui.screens.dialogs import Ask
from difftool.tui.screens.room import Room
from difftool.tui.watched import Preview, Watched
from difftool.tui.widgets.note import Note
from difftool.tui.widgets.picture import Picture

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

MOST = 4
"""Runs side by side."""


@dataclass(frozen=True)
class Shot:
    """One place of the slider: a preview, or pictures that were sampled from here."""

    label: str
    preview: Preview


class SamplesScreen(Room):
    """The grid, scrubbed over training."""

    app: DifftoolApp
    here = "samples"
    about = (
        "Previews are drawn from the same noise every time, so the same place shows the same picture growing up. "
        "e shows the weights without averaging, where they were drawn too; t the way from noise x_T to the picture "
        "x_0; n draws new pictures from the newest weights, in a process of its own."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "by(-1)", "step", id="samples.before", key_display="←→", tooltip="the preview before"),
        Binding("right", "by(1)", "step", id="samples.after", show=False, tooltip="the preview after"),
        Binding("down", "by(-10)", "by ten", id="samples.ten_before", key_display="↑↓", tooltip="ten previews back"),
        Binding("up", "by(10)", "by ten", id="samples.ten_after", show=False, tooltip="ten previews on"),
        Binding("home", "to(0)", "first", id="samples.first", show=False),
        Binding("end", "to(-1)", "newest", id="samples.last", tooltip="the newest, and each new one as it comes"),
        Binding("plus,equals_sign", "closer", "closer", id="samples.closer", key_display="+", tooltip="fewer, larger"),
        Binding("e", "raw", "EMA/raw", id="samples.raw", tooltip="with the averaged weights, or without averaging"),
        Binding("t", "strip", "film strip", id="samples.strip", tooltip="from x_T to x_0"),
        Binding("n", "sample", "sample now", id="samples.sample", tooltip="16 pictures from the newest weights"),
        Binding("o", "where", "path", id="samples.path", tooltip="where the file is, to the clipboard"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.at: int | None = None  # an index; None follows the newest
        self.kind = "ema"
        self.across = 0  # pictures in a row; 0: all
        self.shots: list[Shot] = []

    def body(self) -> ComposeResult:
        """Pictures beside each other, the slider below."""
        with Horizontal(id="pictures"):
            for _ in range(MOST):
                yield Picture("no preview yet", classes="shot")
        yield Note(id="slider")
        yield Note(id="said")

    def renew(self) -> None:
        """The shot that is looked at, of each run."""
        super().renew()
        runs = self.app.looking.runs[:MOST]
        pictures = list(self.query(Picture))
        for number, picture in enumerate(pictures):
            picture.display = number < max(1, len(runs))
        if not runs:
            self.nobody()
            return
        every = [shots_of(run) for run in runs]
        self.shots = next((shots for shots in every if shots), [])  # the first run that has any leads
        count = len(self.shots)
        at = count - 1 if self.at is None else max(0, min(self.at, count - 1))
        shot = self.shots[at] if count else None
        for run, shots, picture in zip(runs, every, pictures, strict=False):
            own = shot if shots is self.shots else _near(shots, shot)
            self._show(run, own, picture, len(runs) > 1)
        self.query_one("#slider", Note).say(_slider(at, count, self.size.width, self.app.ascii))
        said = f" {at + 1} of {count}" if count else " no pictures yet"
        if shot:
            words = shot.preview.words
            said += f", {shot.label}"
            said += f", seeds {words['seeds']}" if words.get("seeds") else ""
            said += f", {_sampler(words)}" if words.get("sampler") else ""
            said += ", follows the newest" if self.at is None else ""
        self.query_one("#said", Note).say([(said, "dim")])

    def _show(self, run: Watched, shot: Shot | None, picture: Picture, named: bool) -> None:
        if shot is None:
            picture.show(None, None, run.name if named else "", "" if run.run else "no pictures come through this pipe")
            return
        source = shot.preview.files.get(self.kind)
        kind = {"ema": "averaged weights (EMA)", "raw": "weights without averaging", "strip": "from x_T to x_0"}[
            self.kind
        ]
        if shot.preview.words.get("ema") is False and self.kind == "ema":
            kind = "weights (no averaging in this run)"
        empty = {
            "raw": "not drawn without averaging: [preview] raw = true does it each time, G once",
            "strip": "no film strip of this step",
            "ema": "pictures stay where the run is: difftool runs tail --json --pictures sends them",
        }[self.kind]
        caption = f"{run.name + ': ' if named else ''}{shot.label}, {kind}"
        count = count_of(shot.preview.words)
        part = (1.0, 1.0)
        if self.across and self.kind != "strip":
            part, shown = corner(count, self.across)
            caption += f", {shown} of {count}"
        picture.show(source, shot.preview.words.get("time"), caption, empty, part)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Sampling needs the run's files."""
        run = self.app.looking.run
        if action == "sample":
            return not self.app.readonly and run is not None and run.run is not None
        return run is not None if action in ("by", "to", "raw", "strip", "where", "closer") else True

    def action_by(self, places: int) -> None:
        """To and fro."""
        last = len(self.shots) - 1
        at = (last if self.at is None else self.at) + places
        self.at = None if at >= last else max(0, at)
        self.renew()

    def action_to(self, where: int) -> None:
        """The first, or the newest."""
        self.at = None if where < 0 else 0
        self.renew()

    def action_closer(self) -> None:
        """The first 16, 9, 4, 1 of them; then all."""
        self.across = 4 if not self.across else self.across - 1
        self.renew()

    def action_raw(self) -> None:
        """Averaged or not."""
        self.kind = "ema" if self.kind == "raw" else "raw"
        self.renew()

    def action_strip(self) -> None:
        """The way, or where it leads."""
        self.kind = "ema" if self.kind == "strip" else "strip"
        self.renew()

    def action_sample(self) -> None:
        """Asks with which weights."""
        run = self.app.looking.run
        if run is None or run.run is None:
            return
        folder = run.run
        shared = " It takes memory of the device that trains." if run.active else ""
        choices = {"e": "with the averaged weights (EMA)", "r": "without averaging (raw)", "c": "cancel"}
        self.app.push_screen(
            Ask(f"Draw 16 pictures from the newest weights of {run.name}?{shared}", choices),
            lambda key: self.app.starting.sample(folder, raw=key == "r") if key in ("e", "r") else None,
        )

    def action_where(self) -> None:
        """The file's place."""
        shot = self.shots[-1 if self.at is None else min(self.at, len(self.shots) - 1)] if self.shots else None
        source = shot.preview.files.get(self.kind) if shot else None
        if isinstance(source, Path):
            self.app.copy_to_clipboard(one_line(str(source.absolute())))
            self.app.tell(str(source.absolute()), title="copied, if this terminal allows it")


def shots_of(run: Watched) -> list[Shot]:
    """Previews in order of step, then what was sampled from here, in order of time."""
    with run.guard:
        previews = [Shot(f"step {step:,}", run.previews[step]) for step in sorted(run.previews)]
        return previews + [Shot(f"sampled {name}", preview) for name, preview in sorted(run.sampled.items())]


def _near(shots: list[Shot], shot: Shot | None) -> Shot | None:
    """Another run's shot that is nearest in step."""
    if shot is None or not shots:
        return shots[-1] if shots else None
    return min(shots, key=lambda each: (abs(each.preview.step - shot.preview.step), each.label != shot.label))


def _slider(at: int, count: int, width: int, plain: bool) -> list[tuple[str, str]]:
    if not count or width < 4:
        return []
    room = width - 2
    place = round(at / max(1, count - 1) * (room - 1))
    rail, knob = ("-", "*") if plain else ("─", "●")
    return [(" " + rail * place, "dim"), (knob, "key"), (rail * (room - 1 - place), "dim")]


def _sampler(words: object) -> str:
    sampler = words["sampler"]  # type: ignore[index]
    name = sampler.get("name") if isinstance(sampler, dict) else sampler
    steps = words.get("steps")  # type: ignore[attr-defined]
    return f"{name}, {steps} steps" if steps else str(name)
