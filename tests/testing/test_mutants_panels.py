"""Panels with one error each, and unusual ones that are right."""

import importlib
import random
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from difftool.testing import check_panel, examine, panels, patience
from difftool.testing.conformance import examine_as
from difftool.testing.rules import findings

from ..docs.extract import page
from .mutants import broken, mutants
from .right_panels import Cached, Chatty, Coloured, Right, made_by_a_function


def wrong(name, **changes):
    """A panel that differs from the right one."""
    return type(name, (Right,), changes)


def drawing(name, draw):
    """A panel that draws what draw(run, width, height) gives."""
    return wrong(name, draw=lambda self, run, width, height: draw(run, width, height))


def quarters(run, width, height):
    return f"{run['rows'][-1]['loss_q.1']:.2f}" if run["rows"] else ""


def mean(run, width, height):
    losses = [row["loss"] for row in run["rows"]]
    return f"{sum(losses) / len(losses):.2f}"


def whole(run, width, height):
    return f"{int(1000 * run['rows'][-1]['loss'])}" if run["rows"] else ""


def rates(run, width, height):
    return f"{run['rows'][-1]['images_per_s']:.0f} a second" if run["rows"] else ""


def machine(run, width, height):
    return f"{run['system']['cpu']:.0%}"


def step(run, width, height):
    return f"{run['summary']['step'] + 1} of {run['summary']['total']}"


def wraps(run, width, height):
    return "\n".join(textwrap.wrap(f"{len(run['rows'])} rows of numbers", width - 2))


def bars(run, width, height):
    return "|" * (len(run["rows"]) // (width // 4)) if run["rows"] else ""


def last(run, width, height):
    return str(run["rows"].pop()["step"]) if run["rows"] else ""


def units(run, width, height):
    for row in run["rows"]:
        row["loss"] *= 1.0
        row["loss in bits"] = row["loss"] / 0.6931
    return str(len(run["rows"]))


def keeps_notes(run, width, height):
    if run["dir"]:
        Path(run["dir"], "notes.txt").write_text("seen\n")
    return "noted"


def remembers(self, run, width, height):
    self.most = max(getattr(self, "most", 0), len(run["rows"]))
    return f"{len(run['rows'])} of {self.most}"


WRONG = [
    (wrong("Untitled", title=""), panels.has_a_title, "its title is ''"),
    (wrong("Mute", title=None), panels.has_a_title, "its title is None"),
    (wrong("Long", title="two\nlines"), panels.has_a_title, "one line that can be read"),
    (drawing("Quarters", quarters), panels.draws_every_run, "KeyError: 'loss_q.1'"),
    (drawing("Mean", mean), panels.draws_every_run, "of which nothing is known it raises ZeroDivisionError"),
    (drawing("Whole", whole), panels.draws_every_run, "without a finite number it raises OverflowError"),
    (drawing("Rates", rates), panels.draws_every_run, "KeyError: 'images_per_s'"),
    (drawing("Machine", machine), panels.draws_every_run, "it raises TypeError"),
    (drawing("Summary", step), panels.draws_every_run, "it raises KeyError"),
    (drawing("Lines", lambda run, width, height: ["a", "b"]), panels.draws_every_run, "draw() gives a list"),
    (drawing("Nothing", lambda run, width, height: None), panels.draws_every_run, "draw() gives a NoneType"),
    (drawing("Wraps", wraps), panels.draws_in_every_size, "1 wide and 1 high, it raises ValueError"),
    (drawing("Bars", bars), panels.draws_in_every_size, "1 wide and 1 high, it raises ZeroDivisionError"),
    (drawing("Last", last), panels.changes_nothing, "it changes 'rows'"),
    (drawing("Units", units), panels.changes_nothing, "it changes 'rows'"),
    (drawing("Notes", keeps_notes), panels.changes_nothing, "it writes into the run's folder"),
    (drawing("Random", lambda run, width, height: str(random.random())), panels.draws_the_same_again, "otherwise"),
    (drawing("Clock", lambda run, width, height: str(time.time_ns())), panels.draws_the_same_again, "otherwise"),
    (wrong("Remembers", draw=remembers), panels.draws_the_same_again, "it remembers"),
]  # fmt: skip


HERE = tuple(rule for rule in panels.RULES if rule is not panels.needs_no_torch)
"""That one asks another process to import this module, which loads torch: it has a test of its own."""


@mutants(*WRONG)
def test_each_is_caught_by_its_rule_and_by_no_other(part, rule, word):
    found = broken([part], (rule,), [0])
    assert word in found[0][3], found
    others = broken([part], tuple(other for other in HERE if other is not rule), [0])
    if rule is panels.draws_every_run:  # all that draw every run fail likewise
        assert all("raises " in reason or "draw() gives" in reason for *_, reason in others)
    elif part.__name__ not in ("Last",):  # what is gone cannot be drawn again
        assert others == []


HEAVY = """
class Top:
    title = "heavy"

    def draw(self, run, width, height):
        return ""


class Late(Top):
    def draw(self, run, width, height):
        import torch

        return str(torch.zeros(2)) if run["rows"] else ""
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Imports a module of this text, where another process can find it too."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def module(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        made.append(name)
        return importlib.import_module(name)

    yield module
    for name in made:
        sys.modules.pop(name, None)


def test_whoever_loads_torch_is_told(module):
    late = module("kit_panel_late", HEAVY).Late
    top = module("kit_panel_top", "import torch\n" + HEAVY).Top
    assert [reason for *_, reason in broken([late], panels.RULES, [0])] == [
        "drawing loads torch, and the dashboard does without"
    ]
    assert [reason for *_, reason in broken([top], panels.RULES, [0])] == [
        "importing its module loads torch, and the dashboard does without"
    ]


def test_whoever_prints_is_told():
    part = drawing("Prints", lambda run, width, height: print("hello") or "drawn")
    assert "it prints 'hello" in findings((panels.draws_in_every_size,), part, 0)[-1].reason


def test_whoever_never_comes_back_is_told_once_and_asked_no_more(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE", 0.5)
    released = threading.Event()
    asked = []

    def waits(run, width, height):
        asked.append(threading.current_thread())
        released.wait()

    try:
        part = drawing("Waits", waits)
        found = examine_as("panel", part, 0)
        assert [finding.reason for finding in found] == [
            None,  # its title is there
            *["it has not answered after 0.5 s, and is asked no more"] * 5,
            None,  # and the process is as it was
        ]
        assert len(asked) == 1
    finally:
        released.set()
        asked[0].join()


def test_whoever_waits_in_a_process_of_its_own_is_told(module, monkeypatch):
    monkeypatch.setattr(panels, "PATIENCE", 2.0)
    part = module("kit_panel_waits", "import time\n" + HEAVY.replace("import torch", "time.sleep(1000)")).Late
    assert findings((panels.needs_no_torch,), part, 0)[0].reason == "in a process of its own it has not drawn after 2 s"


def shown():
    names = {}
    text = page("dashboard.md").split("## Panels of your own")[1]
    exec(text.split("```python\n")[1].split("```")[0], names)
    return names["Overfit"]


@pytest.mark.parametrize("seed", [0, 1, 6])
@pytest.mark.parametrize(
    "panel",
    [Right, Right(), Coloured, Cached, made_by_a_function, shown()],
    ids=["class", "object", "coloured", "cached", "function", "page"],
)
def test_what_is_right_is_let_alone(panel, seed):
    assert broken([panel], HERE, [seed]) == []


def test_a_panel_is_known_by_its_drawing():
    assert examine(Right()) == check_panel(Right)
    assert len(check_panel(Coloured)) == len(panels.RULES) + 1


def test_whoever_only_prints_is_not_said_to_load_torch():
    assert panels.needs_no_torch(Chatty, 0) is None
