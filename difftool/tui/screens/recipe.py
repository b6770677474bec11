"""The recipe of the run, what of it is not at its default, and where it came from."""

from __future__ import annotations

import shlex
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from difftool.errors import one_line
from difftool.run.layout import RunDir
from difftool.tui.follow import LONGEST_TEXT
from difftool.tui.outside import lines_of
from difftool.tui.screens.dialogs import Choose
from difftool.tui.screens.room import Room
from difftool.tui.threads import Errand
from difftool.tui.watched import Watched
from difftool.tui.widgets.drawn import cut
from difftool.tui.widgets.lines import Sheet
from difftool.tui.widgets.note import Note

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp


@dataclass
class Other:
    """The run that is compared with, as far as its recipe has been read."""

    name: str
    recipe: str | None = None
    trouble: str = ""

    @property
    def words(self) -> str:
        """What there is to see."""
        if self.trouble:
            return f" the recipe of {self.name} cannot be read: {self.trouble}"
        if self.recipe is None:
            return f" reading the recipe of {self.name}…"
        return f" what differs from {self.name}; d again: the recipe"


class RecipeScreen(Room):
    """Recipe and provenance."""

    app: DifftoolApp
    here = "recipe"
    about = (
        "The resolved recipe: every default and every measured choice is written out, so `difftool train` on it "
        "repeats the run. A dot marks what is not at its default. d shows what differs from another run."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "differ", "differences", id="recipe.differ", tooltip="from another run"),
        Binding("y", "copy", "copy command", id="recipe.copy", tooltip="the command that started it, to the clipboard"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.other: Other | None = None
        self.stamp: tuple[object, ...] = ()

    def body(self) -> ComposeResult:
        """The sheet."""
        yield Sheet()
        yield Note(id="said")

    def on_mount(self) -> None:
        """The sheet takes the keys."""
        self.query_one(Sheet).focus()

    def renew(self) -> None:
        """The sheet as it is now."""
        super().renew()
        run, sheet = self.app.looking.run, self.query_one(Sheet)
        if run is None:
            self.nobody()
            return
        other = self.other
        theirs = other.recipe if other else None
        stamp = (run.name, run.recipe, len(run.info), other and other.name, theirs, self.size)
        if stamp != self.stamp:
            self.stamp = stamp
            below = _recipe(run) if other is None or theirs is None else _differences(run, other.name, theirs)
            sheet.show([*_provenance(run, self.size.width), [], *below])
        differs = run.info.get("differs")
        count = len(differs) if isinstance(differs, dict) else 0
        words = other.words if other else f" {count} keys are not at their defaults"
        self.query_one("#said", Note).say([(cut(words, self.size.width), "dim")])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """With whom there is to compare."""
        return self.app.looking.run is not None if action in ("differ", "copy") else True

    def action_differ(self) -> None:
        """Asks which run; again, the recipe."""
        if self.other:
            self.other = None
            self.renew()
            return
        here = self.app.looking.run
        rows = [
            (row["name"], row["state"]) for row in self.app.looking.lister.rows if here and row["name"] != here.name
        ]
        if not rows:
            self.app.tell("there is no other run in this folder")
            return
        self.app.push_screen(Choose("What differs from which run?", rows, "enter shows it   esc: none"), self._differ)

    def _differ(self, name: str | None) -> None:
        path = next((row["path"] for row in self.app.looking.lister.rows if row["name"] == name), None)
        here = self.app.looking.run
        if path is None or here is None:
            return
        file, other = RunDir(Path(path)).recipe, Other(str(name))

        def read() -> None:
            with file.open("rb") as opened:
                other.recipe = opened.read(LONGEST_TEXT).decode("utf-8", "backslashreplace")
            here.version += 1  # something is new

        def sorry(why: str) -> None:
            other.trouble = why
            here.version += 1

        self.other = other
        self.renew()
        Errand("read another recipe", read, sorry).start()

    def action_copy(self) -> None:
        """The command line, for another terminal."""
        run = self.app.looking.run
        if run and (words := _command(run)):
            self.app.copy_to_clipboard(words)
            self.app.tell(words, title="copied, if this terminal allows it")


def _command(run: Watched) -> str | None:
    """What one would type to do it again, whatever Python calls the program."""
    argv = run.info.get("argv")
    return shlex.join(["difftool", *map(str, argv[1:])]) if isinstance(argv, list) and argv else None


def _provenance(run: Watched, width: int) -> list[list[tuple[str, str]]]:
    info = run.info
    versions, git, data = info.get("versions"), info.get("git"), info.get("data")
    facts = {
        "run": str(run.run.root.absolute()) if run.run else run.name,
        "created": info.get("created"),
        "command": _command(run),
        "device": f"{info.get('device')}, {info.get('precision')}" if info.get("device") else None,
        "parameters": f"{info['parameters']:,}" if isinstance(info.get("parameters"), int) else None,
        "data": ", ".join(
            f"{value:,} {key}" if isinstance(value, int) else f"{key} {value}" for key, value in data.items()
        )
        if isinstance(data, dict)
        else None,
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items())
        if isinstance(versions, dict)
        else None,
        "observers": ", ".join(map(str, info["observers"])) if isinstance(info.get("observers"), list) else None,
        "git": str(git) if git else None,
    }
    rows = []
    for label, text in facts.items():
        if text is not None:  # whole, however long: a path that is cut leads nowhere
            lines = textwrap.wrap(one_line(str(text)), max(10, width - 15), break_on_hyphens=False)
            rows += [[(f" {label if not k else '':>11}  ", "dim"), (line, "")] for k, line in enumerate(lines)]
    return rows


def _recipe(run: Watched) -> list[list[tuple[str, str]]]:
    """The text with its keys and sections inked; what is not default has a dot."""
    differs = run.info.get("differs")
    changed = set(differs) if isinstance(differs, dict) else set()
    rows, section = [], ""
    for line in lines_of(run.recipe):
        key, equals, value = line.partition(" = ")
        if line.startswith("["):
            section = line.strip("[] ")
            rows.append([("   " + line, "title")])
        elif equals:
            full = f"{section}.{key}" if section else key
            own = full in changed or any(full.startswith(f"{each}.") or each.startswith(f"{full}.") for each in changed)
            rows.append(
                [
                    (" ● " if own else "   ", "mark"),
                    (key, "strong" if own else ""),
                    (" = ", "dim"),
                    (value, "mark" if own else ""),
                ]
            )
        else:
            rows.append([("   " + line, "")])
    return rows


def _differences(run: Watched, name: str, recipe: str) -> list[list[tuple[str, str]]]:
    """One line a key that differs from the recipe of another run: here, there."""
    mine, theirs = _flat(run.recipe), _flat(recipe)
    keys = [key for key in dict.fromkeys([*mine, *theirs]) if mine.get(key) != theirs.get(key)]
    if not keys:
        return [[("   the two recipes are the same", "dim")]]
    wide = max(len(key) for key in keys) + 2
    head = [[("   " + cut("", wide), ""), (cut(run.name, 36) + " ", "strong"), (name, "strong")]]
    return head + [
        [("   " + cut(key, wide), ""), (cut(mine.get(key, "-"), 36) + " ", "mark"), (theirs.get(key, "-"), "")]
        for key in keys
    ]


def _flat(text: str) -> dict[str, str]:
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
    found: dict[str, str] = {}

    def walk(value: Any, key: str) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, f"{key}.{name}" if key else name)
        else:
            found[one_line(key)] = one_line(str(value))

    walk(table, "")
    return found
