"""`plugins list` imports no plugin: a child process does, once, and whatever happens there is told."""

import sys

import pytest

from difftool.errors import InputError, PluginError
from difftool.plugin import catalogue as c

GOOD = '''
print("hello from the plugin", end="")
from difftool.api import Sampler, hookimpl

class Mine(Sampler):
    """Mine."""

@hookimpl
def register_samplers(register):
    register("mine", Mine)

@hookimpl
def on_log(step):
    pass
'''


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # a new __pycache__ would be news
    return tmp_path / "cache" / "difftool"


@pytest.fixture
def probes(monkeypatch):
    """How often children were started."""
    calls = []
    real = c._child
    monkeypatch.setattr(c, "_child", lambda start: calls.append(start) or real(start))
    return calls


def third():
    return [row for row in c.catalogue() if row["owner"] != "difftool"]


def test_a_good_and_four_bad_ones(shelf, probes):
    shelf.add(GOOD, dist="a-good")
    shelf.add("raise ValueError('no')", dist="b-broken")
    shelf.add("import os, sys\nprint('bye', file=sys.stderr, flush=True)\nos._exit(7)", dist="c-exits")
    shelf.add(GOOD, dist="d-behind")
    shelf.add("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", dist="e-dies")
    before = set(sys.modules)
    good, broken, exits, behind, dies = third()
    assert not {name for name in set(sys.modules) - before if "toy" in name or name.startswith("torch")}
    assert good == {
        "id": "a-good:main",
        "owner": "a-good",
        "version": "1.0",
        "module": shelf.modules[0],
        "state": "ok",
        "reason": "",
        "offers": {"sampler": ["mine"]},
        "observers": ["on_log"],
    }
    assert broken["state"] == "broken"
    assert broken["reason"].startswith("ValueError: no at ")
    assert exits["reason"] == "ends the process that imports it (exit code 7): bye"
    assert behind["state"] == "ok"
    assert dies["reason"] == "ends the process that imports it (exit code -9)"
    assert len(probes) == 2  # the last one leaves nothing to ask
    assert third()[2] == exits
    assert len(probes) == 2


def test_what_changes_the_answer_asks_again(shelf, probes, monkeypatch):
    def asked():
        before = len(probes)
        rows = third()
        return len(probes) > before, rows

    module = shelf.add(GOOD)
    assert asked()[0]
    assert not asked()[0]
    (shelf.folder / f"{module}.py").write_text(GOOD.replace("class Mine", "# longer\nclass Mine"))
    assert asked()[0]
    info = shelf.folder / "toy-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.1\n")
    changed, (row,) = asked()
    assert changed
    assert row["version"] == "1.1"
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "none")
    changed, (row,) = asked()
    assert changed
    assert (row["state"], row["reason"]) == ("off", "DIFFTOOL_PLUGINS=none")
    assert not asked()[0]


def test_a_dependency_that_arrives_mends_a_plugin(shelf):
    shelf.add("import difftool_toy_dependency\n" + GOOD)
    assert third()[0]["state"] == "broken"
    (shelf.folder / "difftool_toy_dependency.py").write_text("")
    assert third()[0]["state"] == "ok"


@pytest.mark.parametrize("origin", ['{"dir_info":{"editable":true}}', '{"dir_info": {"editable": true}}', None])
def test_the_record_is_enough_unless_the_files_may_be_edited(shelf, origin):
    module = shelf.add(GOOD)
    info = shelf.folder / "toy-1.0.dist-info"
    (info / "RECORD").write_text(f"{module}.py,sha256=x,1\n")
    if origin:
        (info / "direct_url.json").write_text(origin)
    key = c._key(c.sources(), True)
    (shelf.folder / f"{module}.py").write_text(GOOD + "# edited in place\n")
    assert (c._key(c.sources(), True) != key) == bool(origin)
    (info / "RECORD").write_text(f"{module}.py,sha256=y,2\n")
    assert c._key(c.sources(), True) != key


def test_a_plugin_that_sleeps_is_given_up(shelf, monkeypatch):
    monkeypatch.setattr(c, "PATIENCE", 5)  # whatever else the machine does, ours are imported by then
    shelf.add(GOOD, dist="a-good")
    shelf.add("import time\ntime.sleep(60)", dist="b-sleeps")
    good, sleeps = third()
    assert good["state"] == "ok"
    assert sleeps["reason"] == "cannot be imported within 5 s"


def test_the_child_does_not_see_the_working_folder(shelf, tmp_path, monkeypatch):
    shelf.add(GOOD)
    (tmp_path / "json.py").write_text("raise SystemExit('run from the working folder')")
    monkeypatch.chdir(tmp_path)
    assert third()[0]["state"] == "ok"


def test_one_cache_file_stays(shelf, cache):
    third()
    shelf.add(GOOD)
    third()
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe"])
def test_a_damaged_cache_is_made_anew(cache, damage):
    rows = c.catalogue()
    (file,) = cache.iterdir()
    file.write_bytes(damage)
    assert c.catalogue() == rows


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch, probes):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert c.catalogue() == c.catalogue()
    assert len(probes) == 2


def test_a_broken_house_says_so(monkeypatch, cache):
    monkeypatch.setattr(c, "_child", lambda start: ([], "ends the process that imports it (exit code 1): oh"))
    with pytest.raises(PluginError, match="a part of difftool itself is broken"):
        c.catalogue()
    assert not cache.exists()


def test_a_wrong_wish_is_refused(monkeypatch):
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "some")
    with pytest.raises(InputError, match="DIFFTOOL_PLUGINS is 'some'"):
        c.catalogue()


PANEL = """
class Mine:
    title = "mine"

    def draw(self, run, width, height):
        return "drawn"
"""


def test_a_package_that_has_only_a_panel_is_known_and_a_broken_panel_hurts_nobody(shelf):
    panel = shelf.add(PANEL, dist="a-panel", entry="mine", target="{module}:Mine", group="difftool.panels")
    both = shelf.add(GOOD + PANEL.replace("Mine", "Shown"), dist="b-both", entry="both")
    shelf.add("", dist="b-both", entry="both", target=f"{both}:Shown", group="difftool.panels")
    for entry, target in (("none", "{module}:Gone"), ("object", "{module}:shown"), ("mute", "{module}:Mute")):
        code = "shown = 3\nclass Mute:\n    title = 'mute'\n"
        shelf.add(code, dist="c-broken", entry=entry, target=target, group="difftool.panels")
    shelf.add("import os; os._exit(3)", dist="d-dies", entry="dies", group="difftool.panels")
    before = set(sys.modules)
    rows = {row["id"]: row for row in third()}
    assert not {name for name in set(sys.modules) - before if "toy" in name}
    assert rows.pop("a-panel:panel.mine") == {
        "id": "a-panel:panel.mine",
        "owner": "a-panel",
        "version": "1.0",
        "module": f"{panel}:Mine",
        "state": "ok",
        "reason": "",
        "offers": {"panel": ["mine"]},
        "observers": [],
    }
    assert rows.pop("b-both:both")["offers"] == {"sampler": ["mine"]}
    assert rows.pop("b-both:panel.both")["offers"] == {"panel": ["both"]}
    assert {row["state"] for row in rows.values()} == {"broken"}
    assert rows["c-broken:panel.none"]["reason"].startswith("AttributeError: ")
    assert rows["c-broken:panel.object"]["reason"].endswith(
        ":shown is no class; a panel is a class with a title and draw(run, width, height)"
    )
    assert "has no method draw(run, width, height)" in rows["c-broken:panel.mute"]["reason"]
    assert rows["d-dies:panel.dies"]["reason"] == "ends the process that imports it (exit code 3)"
    here = shelf.load()
    assert not [plugin for plugin in here.plugins if plugin.panel or "panel" in plugin.source.id]
    assert panel not in sys.modules  # whoever builds parts imports no panel
    assert here.registry.broken == []


def test_panels_are_left_out_with_all_the_others(shelf, monkeypatch):
    shelf.add(PANEL, dist="a-panel", entry="mine", target="{module}:Mine", group="difftool.panels")
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "none")
    assert [(row["id"], row["state"], row["offers"]) for row in third()] == [("a-panel:panel.mine", "off", {})]


def test_a_panel_that_arrives_changes_the_answer(shelf, probes):
    shelf.add(GOOD)
    assert len(third()) == 1
    shelf.add(PANEL, dist="a-panel", entry="mine", target="{module}:Mine", group="difftool.panels")
    assert len(third()) == 2
    assert len(probes) == 2
