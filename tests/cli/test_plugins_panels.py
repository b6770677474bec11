"""`difftool plugins` and what is no component: panels, observers, and the modules themselves."""

import json
import sys
from pathlib import Path

import pytest

from difftool.plugin import loader

PARTS = '''
from difftool.api import Loss, Metric, Sink, SinkWriter, hookimpl


class Means(Loss):
    """A mean over the picture."""

    def __call__(self, output, noised):
        return (output - noised.target).square().flatten(1).mean(1)


class Light(Metric):
    """How bright its pictures are."""

    def measure(self, model, images, watch):
        return {"light": float(model.sample(range(4)).float().mean())}


class Picky(Metric):
    """Takes large pictures only."""

    def measure(self, model, images, watch):
        from difftool.api import InputError

        raise InputError("pictures of 299x299 are needed")


class Lines(Sink):
    """Steps."""

    def open(self, run):
        return Writer(run.dir + "/steps.txt")


class Writer(SinkWriter):
    def __init__(self, path):
        self.file = open(path, "a")

    def event(self, event):
        if event["kind"] == "metrics":
            print(event["step"], file=self.file)

    def close(self):
        self.file.close()


@hookimpl
def register_losses(register):
    register("means", Means)


@hookimpl
def register_metrics(register):
    register("light", Light)
    register("picky", Picky)


@hookimpl
def register_sinks(register):
    register("lines", Lines)


class Steps:
    """How far it is."""

    title = "steps"

    def draw(self, run, width, height):
        return f"{len(run['rows'])} rows"


class Rash(Steps):
    def draw(self, run, width, height):
        return f"{run['rows'][-1]['loss']:.3f}"


class Stuck(Steps):
    def draw(self, run, width, height):
        import time

        time.sleep(1000)


class Cancelled(Steps):
    def draw(self, run, width, height):
        raise KeyboardInterrupt  # as if somebody pressed Ctrl-C meanwhile


class Heavy(Steps):
    def draw(self, run, width, height):
        import torch

        return str(torch.zeros(1))
'''
TOP = "import torch\nfrom difftool.api import hookimpl\n@hookimpl\ndef on_log(step): pass\n"
SLOW = "import time\ntime.sleep(1.2)\nfrom difftool.api import hookimpl\n@hookimpl\ndef on_log(step): pass\n"
ENTRIES = {
    "kit-many": "[difftool]\nmany = kit_parts\n[difftool.panels]\nmany = kit_parts:Steps\n",
    "kit-panel": "[difftool.panels]\nrash = kit_parts:Rash\n",
    "kit-stuck": "[difftool.panels]\nstuck = kit_parts:Stuck\ncancelled = kit_parts:Cancelled\n",
    "kit-heavy": "[difftool.panels]\nheavy = kit_parts:Heavy\n",
    "kit-broken": "[difftool.panels]\ngone = kit_gone:Gone\n",
    "kit-top": "[difftool]\ntop = kit_top\n",
    "kit-slow": "[difftool]\nslow = kit_slow\n",
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    for module, code in {"kit_parts": PARTS, "kit_top": TOP, "kit_slow": SLOW}.items():
        (folder / f"{module}.py").write_text(code)
    for dist, entries in ENTRIES.items():
        info = folder / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(entries)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.syspath_prepend(str(folder))
    loader.installed.cache_clear()
    yield folder
    loader.installed.cache_clear()
    for name in ("kit_parts", "kit_top", "kit_slow", "kit_gone"):
        sys.modules.pop(name, None)


@pytest.fixture
def cli(cli):
    """Runs `difftool plugins` in this process."""
    return lambda *argv: cli("plugins", *argv)


def test_panels_are_listed(site, cli):
    rows = {line.split()[0]: line for line in cli("list")[1].splitlines()}
    assert rows["kit-many:many"].split()[1:4] == ["1.2", "ok", "loss"]
    assert rows["kit-many:panel.many"].split()[1:] == ["1.2", "ok", "panel", "many"]
    assert rows["kit-panel:panel.rash"].split()[1:] == ["1.2", "ok", "panel", "rash"]
    assert "broken  ModuleNotFoundError: No module named 'kit_gone'" in rows["kit-broken:panel.gone"]


@pytest.mark.parametrize("name", ["rash", "panel.rash", "kit-panel", "kit-panel:rash", "kit-panel:panel.rash"])
def test_info_of_a_panel(site, cli, name):
    code, out, err = cli("info", name)
    assert (code, err) == (0, "")
    about = "A panel of the dashboard."  # it has no docstring of its own
    assert out == f"panel kit-panel:rash\n{about}\n\n\nfrom kit-panel:panel.rash 1.2 (kit_parts.Rash)\n"


def test_info_of_panels_among_others(site, cli):
    described = json.loads(cli("info", "kit-many", "--json")[1])
    assert [(each["kind"], each["name"]) for each in described] == [
        ("loss", "kit-many:means"),
        ("metric", "kit-many:light"),
        ("metric", "kit-many:picky"),
        ("sink", "kit-many:lines"),
        ("panel", "kit-many:many"),
    ]
    assert described[-1]["about"] == "How far it is."
    code, out, _ = cli("info", "kit-broken")
    assert code == 0
    assert out.startswith("kit-broken:panel.gone 1.2 broken: ModuleNotFoundError")
    assert cli("info", "panel.rahs")[2].endswith("did you mean 'panel.rash'?\n")


def test_a_panel_is_imported_only_if_it_is_meant(site, cli):
    (site / "kit_gone.py").write_text("import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n")
    for name in ("ddpm", "rash", "kit-many"):
        assert cli("info", name)[0] == 0
    assert not (site / "imported").exists()
    cli("info", "gone")
    assert (site / "imported").exists()


MANY = """KIND    NAME             RULES KEPT  STATE
loss    kit-many:means   16 of 16    ok
metric  kit-many:light   8 of 8      ok
sink    kit-many:lines   10 of 10    ok
panel   kit-many:many    7 of 7      ok

not checked: metric kit-many:picky (it refuses all that it could be asked with: pictures of 299x299 are needed)
"""


def test_check_of_a_package_with_parts_of_many_kinds(site, cli):
    code, out, _ = cli("check", "kit-many")
    assert (code, " ".join(out.split())) == (0, " ".join(MANY.split()))


def test_check_of_panels(site, cli):
    code, out, err = cli("check", "panel.rash")
    assert code == 7
    assert "panel kit-panel:rash\n  Draws text, " in out
    assert "for a run of which nothing is known it raises IndexError: list index out of range" in out
    assert err.splitlines()[-1] == "difftool: error: 1 of 1 parts is not right: panel kit-panel:rash"
    code, out, _ = cli("check", "kit-heavy")
    assert code == 7
    assert "drawing loads torch, and the dashboard does without" in out
    code, out, err = cli("check", "kit-broken")
    assert code == 7
    assert "plugin kit-broken:panel.gone: ModuleNotFoundError: No module named 'kit_gone'" in out
    assert cli("check", "kit-panel", "--set", "size=3")[0] == 2


def test_check_of_a_panel_that_never_comes_back(site, cli, monkeypatch):
    from difftool.testing import patience

    monkeypatch.setattr(patience, "PATIENCE", 0.5)
    code, out, _ = cli("check", "panel.stuck")
    assert code == 7
    assert "  and 4 more rules\n      it has not answered after 0.5 s, and is asked no more\n" in out


def test_a_check_can_be_interrupted(site, cli):
    code, out, err = cli("check", "panel.cancelled")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "difftool: error: interrupted while checking panel kit-stuck:cancelled"


def test_whoever_loads_torch_at_the_top_is_told(site, cli):
    code, out, err = cli("check", "kit-top")
    assert code == 7
    assert "module kit_top\n  Loads no torch when it is imported" in out
    assert "and loads torch; import it inside the method that needs it" in out
    assert err.splitlines()[-1] == "difftool: error: 1 of 1 parts is not right: module kit_top"


def test_whoever_takes_long_to_import_is_told_and_is_right(site, cli):
    code, out, _ = cli("check", "kit-slow", "--json")
    (observer, module) = json.loads(out)
    assert code == 0
    assert (observer["kind"], observer["state"]) == ("plugin", "not checked")
    assert (module["kind"], module["name"], module["state"]) == ("module", "kit_slow", "ok")
    assert module["reason"].endswith(" s, and every command that builds parts waits for it")


def test_what_ships_needs_no_torch_to_be_imported(tmp_path, monkeypatch):
    from difftool.testing import check_module

    code = "".join(f"import {module}\n" for module in loader.BUILTIN_MODULES)
    Path(tmp_path, "kit_all_that_ships.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert all(finding.kept for finding in check_module("kit_all_that_ships"))
