"""Run observers: they get what they ask for, and cannot stop the run."""

import pytest

from difftool.plugin.observers import Observers

CODE = """
from difftool.api import hookimpl

seen = []

@hookimpl
def on_log(metrics, step):
    seen.append((step, metrics))

@hookimpl
def on_run_end():
    seen.append("end")
"""


@pytest.fixture
def told():
    return []


def observers(shelf, told):
    return Observers(shelf.load().plugins, told.append)


def test_arguments_come_by_name_in_any_order_and_only_those_asked_for(shelf, told):
    import sys

    module = shelf.add(CODE)
    heard = observers(shelf, told)
    heard.notify("on_log", run=None, step=3, metrics={"loss": 1.0})
    heard.notify("on_preview", run=None, step=3, image=None)
    heard.notify("on_run_end", run=None, outcome="done", added_in_a_later_version=1)
    assert sys.modules[module].seen == [(3, {"loss": 1.0}), "end"]
    assert told == []


@pytest.mark.parametrize(
    "fault", ["raise ValueError('no\\nroom')", "import sys; sys.exit(1)", "assert False", "{}['step']"]
)
def test_three_failures_switch_a_plugin_off_while_others_go_on(shelf, told, fault):
    import sys

    good = shelf.add(CODE, dist="good")
    bad = shelf.add(
        "from difftool.api import hookimpl\ncalls = []\n"
        f"@hookimpl\ndef on_log(run):\n    calls.append(1)\n    {fault}\n"
        "@hookimpl\ndef on_run_end(run):\n    calls.append(2)\n",
        dist="bad",
    )
    heard = observers(shelf, told)
    for step in range(5):
        heard.notify("on_log", run=None, step=step, metrics={})
    heard.notify("on_run_end", run=None, outcome="done")
    assert sys.modules[bad].calls == [1, 1, 1]
    assert len(sys.modules[good].seen) == 6
    assert len(told) == 3
    assert all(line.startswith("the plugin bad:main failed in on_log: ") and "\n" not in line for line in told)
    assert [line.endswith("; it is now switched off") for line in told] == [False, False, True]
    assert f"{bad}.py:6" in told[0]


def test_failures_of_different_hooks_add_up(shelf, told):
    shelf.add(
        "from difftool.api import hookimpl\n"
        "@hookimpl\ndef on_log(run):\n    raise ValueError\n@hookimpl\ndef on_preview(run):\n    raise ValueError\n"
    )
    heard = observers(shelf, told)
    heard.notify("on_log", run=None)
    heard.notify("on_preview", run=None)
    heard.notify("on_log", run=None)
    heard.notify("on_preview", run=None)
    assert len(told) == 3


def test_ctrl_c_passes(shelf, told):
    shelf.add("from difftool.api import hookimpl\n@hookimpl\ndef on_log(run):\n    raise KeyboardInterrupt\n")
    heard = observers(shelf, told)
    with pytest.raises(KeyboardInterrupt):
        heard.notify("on_log", run=None)


def test_broken_plugins_and_plugins_without_observers_are_not_asked(shelf, told):
    shelf.add("raise ValueError")
    assert observers(shelf, told).plugins == []
