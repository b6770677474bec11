"""The dashboard: which run is looked at, on which screen, and what is asked of its trainer.

It reads run directories and asks trainers through control.jsonl; it never shares a process with training, so nothing
that happens here, a crash included, touches a run.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from rich.console import RenderableType
from rich.style import Style
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen

from difftool.errors import one_line, safe_text
from difftool.run.layout import RunDir
from difftool.tui.acting import Acting
from difftool.tui.darkroom import Darkroom
from difftool.tui.keymap import problems
from difftool.tui.looking import Looking
from difftool.tui.palette import commands
from difftool.tui.panels import Panels
from difftool.tui.pixels import Lens, Means
from difftool.tui.screens.dialogs import Ask, Recipes
from difftool.tui.screens.help import Help
from difftool.tui.screens.log import LogScreen
from difftool.tui.screens.panels import PanelScreen
from difftool.tui.screens.recipe import RecipeScreen
from difftool.tui.screens.room import Room
from difftool.tui.screens.runs import RunsScreen
from difftool.tui.screens.samples import SamplesScreen
from difftool.tui.screens.system import SystemScreen
from difftool.tui.screens.train import TrainScreen
from difftool.tui.setup import Setup
from difftool.tui.starting import Starting
from difftool.tui.terminal import ascii_only
from difftool.tui.theme import DARK, LIGHT, inks_of
from difftool.tui.view import View
from difftool.tui.wall import Wall
from difftool.tui.widgets.lines import Lines
from difftool.tui.widgets.picture import Picture

TICK = 0.1
"""Seconds between two looks at what the threads have read."""
CALM = 0.25
"""Seconds between two drawings of what is new: more often nobody reads it."""
BUSY = 1.5
"""The same while a long history is read, which needs the processor more."""


class DifftoolApp(App[None]):
    """Screens over runs."""

    TITLE = "difftool"
    CSS_PATH = "difftool.tcss"
    ENABLE_COMMAND_PALETTE = True
    NOTIFICATION_TIMEOUT = 6
    MODES: ClassVar[Mapping[str, Callable[[], Screen[Any]]]] = {  # type: ignore[assignment]
        "runs": RunsScreen,
        "train": TrainScreen,
        "samples": SamplesScreen,
        "system": SystemScreen,
        "log": LogScreen,
        "recipe": RecipeScreen,
        "panels": PanelScreen,
    }
    DEFAULT_MODE = "runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"go('{mode}')", mode, show=False, id=f"go.{mode}", tooltip=f"the screen {mode}")
            for number, mode in enumerate(MODES, 1)
        ),
        Binding("S", "stop", "stop…", id="run.stop", tooltip="stop after a checkpoint, or kill"),
        Binding("C", "ask('checkpoint')", "checkpoint", id="run.checkpoint", tooltip="save a checkpoint now"),
        Binding("G", "ask('preview')", "preview", id="run.preview", tooltip="draw a preview now"),
        Binding(
            "P", "ask('pause')", "pause", id="run.pause", tooltip="train no further until P: the processor is free"
        ),
        Binding("P", "ask('resume')", "go on", id="run.go_on", tooltip="after a pause"),
        Binding("R", "resume", "resume", id="run.resume", tooltip="go on with a run that stopped, failed or crashed"),
        Binding("T", "theme", "theme", show=False, id="app.theme", tooltip="the next theme"),
        Binding("k", "pixels", "pixels", show=False, id="app.pixels", tooltip="pictures in full, or in half blocks"),
        Binding("question_mark", "help", "help", id="app.help", key_display="?", tooltip="keys, and what one sees"),
        Binding("q", "detach", "leave", id="app.leave", tooltip="training goes on"),
        Binding(
            "ctrl+c,ctrl+q",
            "detach",
            show=False,
            priority=True,
            id="app.leave_now",
            tooltip="leave, out of dialogs too",
        ),
    ]

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.readonly = setup.readonly or setup.pipe is not None
        self.ascii = ascii_only()
        self.where = one_line(setup.where)
        self.view = View()
        self.lens = Lens(setup.means or Means(), self.console.color_system)
        self.darkroom = Darkroom()
        self.acting = Acting(self)
        self.looking = Looking(setup.runs)
        self.starting = Starting(self)
        self.panels = Panels(setup.plugins)
        self.left: str = ""  # what the shell is told afterwards
        self._wall = Wall(self.ascii)
        self._seen: tuple[Any, ...] = ()
        self._drawn = 0.0
        self._inks: dict[str, dict[str, Style]] = {}

    @property
    def titles(self) -> dict[str, str]:
        """The screens there are."""
        without = {"runs"} if self.setup.pipe is not None else set()
        without |= set() if self.panels.names else {"panels"}
        return {mode: mode.capitalize() for mode in self.MODES if mode not in without}

    @property
    def inks(self) -> dict[str, Style]:
        """The words' colours in the theme of now."""
        if self.theme not in self._inks:
            self._inks[self.theme] = inks_of(self.current_theme)
        return self._inks[self.theme]

    # Life

    def on_mount(self) -> None:
        """Starts the threads, and shows what was asked for."""
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        if self.setup.keys:
            self._remap(self.setup.keys)
        self.darkroom.start()
        self.panels.start()
        if self.setup.pipe is not None:
            self.looking.listen(self.setup.pipe)
            self.switch_mode("train")
        else:
            self.looking.lister.start()
            if self.setup.run:
                self.looking.at(self.setup.run)
                self.switch_mode("train")
            if self.setup.launched:
                self.starting.adopt(self.setup.launched)
        self.set_interval(TICK, self.tick)
        gc.freeze()  # all that is there by now stays: the collector need not look at it whenever a history is read

    def tick(self) -> None:
        """Shows what is new; nothing is drawn if nothing is."""
        self.acting.look()
        self.starting.look()
        seen = (self.looking.version, self.darkroom.version, self.panels.version, self.starting.version)
        reading = any(run.read < 1 for run in self.looking.runs)
        if seen != self._seen and time.monotonic() - self._drawn >= (BUSY if reading else CALM):
            self._seen, self._drawn = seen, time.monotonic()
            screen = self.screen_stack[0] if self.screen_stack else None
            if isinstance(screen, Room) and screen.built:
                screen.renew()
                screen.refresh_bindings()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """A frame; then what lies over its cells."""
        super()._display(screen, renderable)
        if self.lens.kind == "sixel" and renderable is not None:
            for picture in screen.query(Picture):
                picture.redrawn(getattr(renderable, "spans", None))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, and the wall."""
        return [self._wall, *super().get_line_filters()]

    def _remap(self, keys: Mapping[str, str]) -> None:
        """The user's keys; what does not fit is said."""
        self.set_keymap(dict(keys))
        screens = {mode: [*_bindings(screen), *_bindings(type(self))] for mode, screen in self.MODES.items()}
        screens["lists"] = _bindings(Lines)
        for words in problems(keys, screens):
            self.tell(f"keys.toml: {words}", "warning")

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Textual asks at each key that has two meanings; they were said when the keys were read."""

    def tell(self, text: str, severity: str = "information", title: str = "") -> None:
        """A note in the corner; what it holds is text and nothing else."""
        self.notify(safe_text(text), title=title, severity=severity, markup=False)  # type: ignore[arg-type]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every key that works here has its line in the palette."""
        return commands(self, screen)

    def open_run(self, run: RunDir) -> None:
        """Looks at a run from close by."""
        self.looking.at(run)
        self.switch_mode("train")

    # What keys do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What cannot be done here is not offered."""
        if action in ("stop", "ask"):
            paused = {"pause": False, "resume": True}.get(str(parameters[0])) if parameters else None
            return self.acting.can_ask() and paused in (None, self.acting.state() == "paused")
        if action == "resume":
            return self.acting.can_resume()
        if action == "go":
            return parameters[0] in self.titles
        return True

    def action_go(self, mode: str) -> None:
        """Another screen; of the run under the cursor, if none is looked at yet."""
        if self.looking.run is None and (run := self.acting.target()):
            self.looking.at(run)
        self.switch_mode(mode)

    def action_theme(self) -> None:
        """The next theme."""
        names = [DARK.name, LIGHT.name, *sorted(name for name in self.available_themes if "ansi" not in name)]
        names = list(dict.fromkeys(names))
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else DARK.name
        self.tell(f"theme {self.theme}")

    def action_pixels(self) -> None:
        """Pictures in full resolution or in half blocks."""
        if words := self.lens.turn():
            self.tell(words)
        screen = self.screen_stack[0]
        if isinstance(screen, Room):
            screen.renew()

    def action_help(self) -> None:
        """Keys and meanings."""
        screen = self.screen_stack[0]
        if isinstance(screen, Room) and not isinstance(self.screen, Help):
            self.push_screen(Help(screen))

    def action_ask(self, command: str) -> None:
        """Asks the trainer for something that needs no question."""
        self.acting.ask(command)

    def action_resume(self) -> None:
        """A new attempt, from the newest checkpoint."""
        if run := self.acting.target():
            self.starting.resume(run)

    def action_stop(self) -> None:
        """Asks how."""
        run = self.acting.target()
        if run is None:
            return
        words = f"Stop {one_line(run.name)}?"
        choices = {
            "s": "stop: finish this step, save a checkpoint, end; difftool resume goes on from there",
            "k": "kill: end without saving; what was trained since the last checkpoint is lost",
            "c": "cancel",
        }
        self.push_screen(
            Ask(words, choices), lambda key: self.acting.stop(run, str(key)) if key in ("s", "k") else None
        )

    def action_new(self) -> None:
        """Starts a recipe."""
        self.push_screen(Recipes(self.setup.offers), lambda name: self.starting.train(name) if name else None)

    def action_detach(self) -> None:
        """Leaves; training goes on."""
        run = self.looking.run
        if run is not None and run.active and run.run is not None:
            self.left = f"{run.name}: training goes on; difftool tui {run.run.typed}"
        elif self.starting.names:
            self.left = f"{', '.join(sorted(self.starting.names))}: goes on starting; difftool tui shows it"
        self.exit()


def _bindings(owner: object) -> list[Binding]:
    """All bindings of a class and of those it is made of."""
    found = [each for base in getattr(owner, "__mro__", ()) for each in vars(base).get("BINDINGS", ())]
    return [each for each in found if isinstance(each, Binding) and each.id]
