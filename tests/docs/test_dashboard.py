"""docs/dashboard.md: every key and every screen of the dashboard stands there, and nothing else; its panel works."""

import re
import subprocess
import sys

import pytest
from rich.text import Text
from textual.binding import Binding

from difftool.tui.app import DifftoolApp
from difftool.tui.panels import run_for
from difftool.tui.screens.room import Room
from difftool.tui.watched import Watched
from difftool.tui.widgets.lines import Lines

from .extract import page

PAGE = page("dashboard.md")
WORDS = {
    "plus": "+", "minus": "-", "equals_sign": "=", "slash": "/", "question_mark": "?", "left_square_bracket": "[",
    "right_square_bracket": "]",
}  # fmt: skip


def bindings():
    """{name: its keys} of the app, of every screen, and of lists."""
    found = {}
    for owner in (DifftoolApp, Room, Lines, *DifftoolApp.MODES.values()):
        for binding in vars(owner).get("BINDINGS", ()):
            assert isinstance(binding, Binding)
            assert binding.id, f"{owner.__name__}: {binding.key} has no name"
            found.setdefault(binding.id, [])
            found[binding.id] += [WORDS.get(key, key) for key in binding.key.split(",")]
    return found


def documented():
    """{name: what stands in the column of keys}."""
    table = PAGE[PAGE.index("| name | key | does |") :].partition("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        names, keys, _ = (cell.strip() for cell in line.strip("|").split("|", 2))
        names = re.findall(r"`([a-z_.]+)`", names)
        parts = [re.findall(r"`([^`]+)`", part) for part in keys.split(";")]
        if len(parts) == 1 and len(parts[0]) == len(names):
            parts = [[key] for key in parts[0]]
        for number, name in enumerate(names):
            found[name] = parts[min(number, len(parts) - 1)]
    return found


def test_every_binding_has_its_line_and_every_line_its_binding():
    assert set(documented()) == set(bindings())


@pytest.mark.parametrize("name", sorted(bindings()))
def test_the_key_that_is_documented_is_the_one(name):
    keys, shown = bindings()[name], documented()[name]
    if name.startswith("list."):
        assert keys[0] in ("up", "down", "pageup", "pagedown", "home", "end")
    elif name.startswith("go."):
        assert keys == [str(list(DifftoolApp.MODES).index(name.removeprefix("go.")) + 1)]
    else:
        assert set(shown) <= set(keys)
        assert shown[0] == keys[0]


def test_every_screen_is_described():
    for number, mode in enumerate(DifftoolApp.MODES, 1):
        if mode != "panels":
            assert f"| `{number}` {mode.capitalize()} |" in PAGE
    assert "on screen `7`" in PAGE


def test_every_state_is_described():
    from difftool.tui.widgets.head import STATES

    table = PAGE[PAGE.index("| state | means |") :].partition("\n\n")[0]
    for state in set(STATES) - {"unknown"}:
        assert re.search(rf"^\|[^|]*\b{state}\b[^|]*\|", table, re.MULTILINE), state


def test_the_panel_of_the_page_works():
    source = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class Overfit" in block)
    names = {}
    exec(source, names)
    panel = names["Overfit"]()
    run = Watched("toy", None)
    assert panel.draw(run_for(run), 80, 12) == "nothing yet"
    run.take([{"kind": "metrics", "time": 1.0, "step": 1200, "images": 8, "loss": 0.5, "loss_q": [1.0, 0.5, 0.3, 0.2]}])
    drawn = panel.draw(run_for(run), 80, 12)
    assert isinstance(drawn, str | Text)
    assert drawn == "2.00 of the mean at step 1,200"
    assert panel.title == "quarters"


def test_what_a_panel_is_given_is_what_the_page_says():
    said = PAGE[PAGE.index("`run` is a plain dict:") :].partition("A panel is drawn")[0]
    for key in run_for(Watched("toy", None)):
        assert f"`{key}`" in said, key


WATCH = """
import asyncio, sys
from pathlib import Path
from difftool.run.layout import RunDir
from difftool.tui.app import DifftoolApp
from difftool.tui.setup import Setup

async def main():
    folder = Path(sys.argv[1])
    app = DifftoolApp(Setup(folder))
    async with app.run_test(size=(120, 40)) as pilot:
        while not app.looking.lister.looked:
            await pilot.pause(0.01)
        app.open_run(RunDir(folder / sys.argv[2]))
        for key in ("2", "3", "4", "5", "6", "1"):
            await pilot.press(key)
            await pilot.pause()
        assert app.looking.run is not None

asyncio.run(main())
heavy = {name.partition(".")[0] for name in sys.modules} & {"torch", "numpy", "pydantic", "safetensors", "typer"}
inside = {".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("difftool.")}
print(sorted(heavy), sorted(inside))
"""


def test_watching_loads_neither_torch_nor_anything_of_training(tmp_path):
    from tests.tui import canned

    canned.make(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(tmp_path), canned.STOPPED],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[] ['difftool.errors', 'difftool.run', 'difftool.tui']"


def test_the_command_loads_no_torch_until_it_refuses():
    code = (
        "import sys\nfrom difftool.cli import app\nsys.argv = ['difftool', 'tui']\n"
        "try:\n    app.main()\nexcept SystemExit as left:\n    assert left.code == 2, left.code\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
