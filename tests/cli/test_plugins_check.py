"""`difftool plugins check`."""

import json
import os
import subprocess
import sys

import pytest

from difftool.plugin import loader

WRONG = '''
from difftool.api import Condition, Exporter, Field, Loss, Sampler, hookimpl

class Sums(Loss):
    """A sum over the picture."""

    power: float = Field(2.0, gt=0)
    """of the error"""

    def __call__(self, output, noised):
        return (output - noised.target).abs().pow(self.power).flatten(1).sum(1)

class Means(Sums):
    """A mean over the picture."""

    def __call__(self, output, noised):
        return super().__call__(output, noised) / noised.target[0].numel()

class Needy(Condition):
    """Cannot do without."""
    words: tuple[str, ...]
    """needed"""

class Vain(Condition):
    """Its own defaults are refused."""
    many: int = 0
    """how many"""

    def model_post_init(self, context):
        if self.many < 1:
            raise ValueError("one at least")

class Nowhere(Exporter):
    """Keeps nothing."""

@hookimpl
def register_losses(register):
    register("sums", Sums)
    register("means", Means)

@hookimpl
def register_conditions(register):
    register("needy", Needy)

class Owner:
    @hookimpl
    def register_conditions(self, register):
        register("vain", Vain)

@hookimpl
def register_exporters(register):
    register("nowhere", Nowhere)
'''
OBSERVER = "from difftool.api import hookimpl\n@hookimpl\ndef on_log(step): pass\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on sys.path with plugins in it; `wrong` is one of them."""
    folder = tmp_path / "site"
    folder.mkdir()
    codes = {"wrong": WRONG, "watcher": OBSERVER, "broken": "import no_such_library"}
    for dist, code in codes.items():
        (folder / f"{dist}_module.py").write_text(code)
        info = folder / f"{dist}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[difftool]\nmain = {dist}_module\n")
    monkeypatch.syspath_prepend(str(folder))
    loader.installed.cache_clear()
    yield folder
    loader.installed.cache_clear()
    for dist in codes:
        sys.modules.pop(f"{dist}_module", None)


@pytest.fixture
def cli(cli):
    """Runs `difftool plugins check` in this process."""
    return lambda *argv: cli("plugins", "check", *argv)


SUM = """KIND  NAME         RULES KEPT  STATE
loss  wrong:sums   15 of 16    FAILS
loss  wrong:means  16 of 16    ok

loss wrong:sums
  Is a mean over the picture, not a sum: the same picture twice as large costs as much.
      a picture of four times the pixels costs 4 times as much

not checked: condition wrong:needy (it needs --set words=...); exporter wrong:nowhere (its kind has no check)
"""


def test_check_of_a_plugin(site, cli):
    code, out, err = cli("wrong")
    assert (code, out) == (7, SUM)
    assert err.splitlines()[-1] == "difftool: error: 1 of 2 parts is not right: loss wrong:sums"
    code, out, err = cli("loss.means")
    assert (code, out) == (0, "KIND  NAME         RULES KEPT  STATE\nloss  wrong:means  16 of 16    ok\n")


def test_check_with_fields_and_seed(site, cli):
    assert cli("means", "--set", "power=1", "--seed", "5")[0] == 0
    code, out, _ = cli("means", "--set", "power=0.5", "--seed", "5")  # its slope is infinite at 0
    assert code == 7
    assert "the gradient is not finite" in out


def test_check_as_json(site, cli):
    code, out, err = cli("wrong", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 7
    assert err == "difftool: error: 1 of 2 parts is not right: loss wrong:sums\n"
    assert rows["wrong:means"] == {
        "kind": "loss",
        "name": "wrong:means",
        "state": "ok",
        "kept": 16,
        "of": 16,
        "reason": "",
        "broken": [],
    }
    assert (rows["wrong:sums"]["state"], rows["wrong:sums"]["kept"]) == ("FAILS", 15)
    assert rows["wrong:sums"]["broken"] == [
        {
            "rule": "Is a mean over the picture, not a sum: the same picture twice as large costs as much.",
            "reason": "a picture of four times the pixels costs 4 times as much",
        }
    ]
    assert rows["wrong:needy"]["state"] == rows["wrong:nowhere"]["state"] == "not checked"


def test_check_of_what_cannot_be_asked(site, cli):
    code, out, err = cli("broken")
    assert code == 7
    assert out.startswith("KIND    NAME         RULES KEPT  STATE\nplugin  broken:main              broken\n\n")
    assert "plugin broken:main: ModuleNotFoundError: No module named 'no_such_library'" in out
    assert err == "difftool: error: 1 of 1 parts is not right: plugin broken:main\n"
    code, out, _ = cli("watcher")
    reason = "it observes runs, by on_log, and offers no parts: there is nothing to ask it"
    assert (code, out) == (0, f"not checked: plugin watcher:main ({reason})\n")
    assert cli("nowhere")[:2] == (0, "not checked: exporter wrong:nowhere (its kind has no check)\n")
    assert "(it needs --set path=... --set size=...)" in cli("images")[1]


def test_check_of_what_cannot_even_be_made(site, cli):
    info = site / "vain-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vain\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[difftool]\nmain = wrong_module:Owner.made\n")
    with (site / "wrong_module.py").open("a") as module:
        module.write("\nOwner.made = Owner()\n")
    code, out, _ = cli("vain")
    assert code == 7
    assert "condition vain:vain: cannot be made with its defaults: condition vain:vain: one at least\n" in out
    assert cli("vain", "--set", "many=0")[0] == 2


def test_check_of_pictures(cli, tmp_path):
    from PIL import Image

    for index in range(5):
        Image.new("RGB", (8, 8), (40 * index, 200, 255 - 30 * index)).save(tmp_path / f"{index}.png")
    fields = ["--set", f"path={tmp_path}", "--set", "size=8"]
    code, out, _ = cli("images", *fields)
    assert (code, out.split()[5:]) == (0, ["dataset", "images", "9", "of", "9", "ok"])
    code, out, _ = cli("images", "--set", f"path={tmp_path / 'none'}", "--set", "size=8")
    assert code == 7
    assert out.count("the data path does not exist") == 1
    assert "  and 7 more rules\n" in out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("dppm",), "nothing installed is called 'dppm'; did you mean 'ddpm'?"),
        (("difftool:losses", "--set", "delta=1"), "--set is for one component, and difftool:losses has 3"),
        (("--set", "delta=1"), "--set is for one component, and all are meant"),
        (("huber", "--set", "delta"), "--set delta: expected section.key=VALUE, as in --set optim.lr=1e-4"),
        (("huber", "--set", "delta=-1"), "--set delta=-1: delta: must be above 0.0, got -1"),
        (("huber", "--set", "dleta=1"), "--set dleta=1: dleta: unknown key; did you mean 'delta'?"),
        (("images", "--set", "size=8"), "dataset images: path: is missing"),
    ],
)
def test_check_refuses_before_torch(argv, told):
    script = (
        f"import sys; sys.argv = ['difftool', 'plugins', 'check', *{list(argv)!r}]\n"
        "from difftool.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as done: print(done.code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"DIFFTOOL_PLUGINS": "none"},
    )
    assert done.stdout == "2 False\n"
    assert done.stderr.splitlines()[0] == f"difftool: error: {told}"


def test_every_kind_has_a_check_or_is_known_to_have_none():
    from difftool.cli.plugins_check import WITHOUT_CHECK
    from difftool.plugin.component import KINDS
    from difftool.testing.conformance import RULES

    assert {*KINDS, "panel", "module"} == {*RULES, *WITHOUT_CHECK}
    assert not set(RULES) & set(WITHOUT_CHECK)
