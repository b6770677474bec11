"""`difftool plugins new`: what it writes builds, installs, is right and can be used, untouched, without a network."""

import errno
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import difftool
from difftool.cli import plugins_new
from difftool.cli.plugins_new import FILES, KINDS, SPROUT, files, planted
from difftool.plugin.component import KINDS as COMPONENTS

from ..borrowed import borrowed

RECIPE = """
recipe = 1
name = "own"
predict = "own-target"

[data]
name = "own-dataset"
size = 16
count = 32

[schedule]
name = "own-schedule"
T = 20

[backbone]
name = "own-backbone"
width = 8
depth = 4

[loss]
name = "own-loss"

[sampler]
name = "own-sampler"

[conditions.radius]
name = "own-condition"

[train]
steps = 2
batch = 4

[preview]
count = 1

[log]
sinks = ["own-sink"]
"""
DRIVER = """
import shlex, sys
from difftool.cli.app import app
for line in sys.argv[1:]:
    print("$", line, flush=True)
    if code := app(shlex.split(line)[1:], standalone_mode=False):
        sys.exit(f"exit code {code}")
print("torch is loaded:", "torch" in sys.modules)
"""
"""Runs command lines in one process: torch is loaded once."""


class Shell:
    """A virtual environment that sees what is installed here, with ten packages in `pk`, one for each kind."""

    def __init__(self, folder):
        self.folder, self.packages = folder, {kind: folder / "pk" / f"difftool-own-{kind}" for kind in KINDS}
        self.env = borrowed(folder)

    def __call__(self, *argv):
        """Runs python with these arguments; what it printed."""
        command = [str(self.folder / ".venv/bin/python"), *map(str, argv)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=280
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def difftool(self, *lines):
        """Command lines, in one process."""
        return self("-c", DRIVER, *lines)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Ten packages, written by the command and installed with pip."""
    shell = Shell(tmp_path_factory.mktemp("grown"))
    made = shell.difftool(*(f"difftool plugins new own-{kind} --kind {kind} --out pk" for kind in KINDS))
    assert [line for line in made.splitlines() if not line.startswith("$")] == [
        *map(str, shell.packages.values()),
        "torch is loaded: False",
    ]
    editable = [argument for package in shell.packages.values() for argument in ("-e", package)]
    shell("-m", "pip", "install", "--no-build-isolation", *editable)
    return shell


def test_its_own_tests_pass(grown):
    told = grown("-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "--import-mode=importlib", "-rA", "pk")
    for kind in KINDS:
        passed = re.findall(rf"^PASSED pk/difftool-own-{kind}/tests/test_conformance.py::(\w+)", told, re.MULTILINE)
        assert len(passed) >= 3, told
        assert any(name.startswith("test_it_keeps_the_rules_of_every_") for name in passed)
    assert "FAILED" not in told
    assert "skipped" not in told


def test_one_by_itself_as_its_readme_says(grown):
    package = grown.packages["sink"]
    readme = (package / "README.md").read_text()
    install, test = re.search(r"install 'difftool\[test\]'\n(.*)\n(.*)\n```", readme).groups()
    assert install.split() == ["pip", "install", "--no-build-isolation", "-e", "."]
    assert test == "pytest"
    done = subprocess.run(
        [grown.folder / ".venv/bin/python", "-m", "pytest", "-q"],
        cwd=package, env=grown.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_difftool_knows_all_of_them_and_finds_them_right(grown):
    rows = {line.split()[0]: line for line in grown.difftool("difftool plugins list").splitlines()}
    for kind in KINDS:
        shown = "panel.own-panel" if kind == "panel" else f"own-{kind}"
        assert rows[f"difftool-own-{kind}:{shown}"].split()[1:] == ["0.1.0", "ok", kind, f"own-{kind}"]
    told = grown.difftool(*(f"difftool plugins check difftool-own-{kind}" for kind in KINDS))
    for kind in KINDS:
        assert re.search(rf"^{kind} +difftool-own-{kind}:own-{kind} +(\d+) of \1 +ok", told, re.MULTILINE), told


def test_a_run_is_made_of_them(grown):
    (grown.folder / "own.toml").write_text(RECIPE)
    told = grown.difftool(
        "difftool train own.toml --name own",
        "difftool sample own -n 2 --steps 4 --label radius=0.2 -o drawn-own",
        "difftool eval own --metric own-metric --set metric.pictures=2 --json",
    )
    run = grown.folder / "runs/own"
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    used = [recipe["predict"], recipe["conditions"]["radius"], *recipe["log"]["sinks"]]
    used += [recipe[section] for section in ("data", "schedule", "backbone", "loss", "sampler")]
    names = {part["name"] if isinstance(part, dict) else part for part in used}
    assert names == {f"difftool-own-{kind}:own-{kind}" for kind in KINDS if kind not in ("metric", "panel")}
    assert 0 < recipe["conditions"]["radius"]["low"] < recipe["conditions"]["radius"]["high"]  # learned from the data
    lines = (run / "own-sink.txt").read_text().splitlines()
    assert lines[0].startswith("start ")
    assert lines[-1].startswith("end state=done")
    assert "contrast_of_data" in told
    assert len(list((grown.folder / "drawn-own").glob("seed-*.png"))) == 2


def test_every_command_and_recipe_of_the_readmes_works(grown):
    pictures = grown.folder / "PICTURES"
    lines = ["difftool data draw shapes PICTURES -n 8 --size 16"]
    small = "train.steps=1 train.batch=2 preview.count=1 preview.steps=2 sample.steps=10 data.size=16 backbone.width=8"
    small = " ".join(f"--set {each}" for each in small.split())
    for kind in sorted(KINDS, key=lambda kind: kind != "condition"):  # it trains the run that is sampled afterwards
        readme = (grown.packages[kind] / "README.md").read_text()
        use = readme.split("\n## Use\n")[1].split("\n## Change it\n")[0]
        for line in re.search(r"^```sh\n(.*?)^```", use, re.MULTILINE | re.DOTALL)[1].splitlines():
            if " train " in line and "--dry-run" not in line:
                lines.append(f"{line} {small if kind == 'condition' else '--dry-run'}")
            elif " tui " not in line:
                lines.append(line)
        for block in re.findall(r"^```toml\n(.*?)^```", use, re.MULTILINE | re.DOTALL):
            sets = [f"--set {shlex.quote(f'{key}={inline(value)}')}" for key, value in tomllib.loads(block).items()]
            lines.append(f"difftool recipes check quickstart {' '.join(sets)}")
        lines += re.findall(r"^`(difftool [^`]+)`\.$", use, re.MULTILINE)
    grown.difftool(lines[0])
    rows = [f"{path.name},{20 + number}" for number, path in enumerate(sorted(pictures.glob("*.png")))]
    (pictures / "labels.csv").write_text("\n".join(["file,age", *rows]))
    told = grown.difftool(*lines[1:])
    for command in ("train", "sample", "eval", "data draw", "recipes check", "plugins info"):
        assert f"$ difftool {command}" in told


def inline(value):
    """As TOML has it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def test_wheels_are_built_of_them(grown):
    grown("-m", "pip", "wheel", "--no-build-isolation", "-w", "dist", *grown.packages.values())
    for kind in KINDS:
        with zipfile.ZipFile(grown.folder / f"dist/difftool_own_{kind}-0.1.0-py3-none-any.whl") as wheel:
            names = {name for name in wheel.namelist() if "dist-info" not in name}
            points = wheel.read(f"difftool_own_{kind}-0.1.0.dist-info/entry_points.txt").decode()
        extra = {"difftool_own_backbone/net.py"} if kind == "backbone" else set()
        assert names == {f"difftool_own_{kind}/__init__.py"} | extra
        point = "[difftool.panels]\nown-panel = difftool_own_panel:OwnPanel"
        assert points.strip() == (point if kind == "panel" else f"[difftool]\nown-{kind} = difftool_own_{kind}")


@pytest.mark.skipif(not find_spec("ruff"), reason="ruff is not here")
@pytest.mark.parametrize("kind", KINDS)
def test_ruff_has_nothing_to_say(kind, cli, tmp_path):
    assert cli("plugins", "new", "own", "--kind", kind)[0] == 0
    for command in ("check", "format --check"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--isolated", "--line-length=120", "."]
        done = subprocess.run(ruff, cwd=tmp_path / "difftool-own", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_there_is_one_for_every_kind_of_part():
    assert KINDS.keys() == (COMPONENTS.keys() - {"exporter"}) | {"panel"}
    assert {path.name for path in SPROUT.iterdir()} == {"every", *KINDS}
    known = {path.relative_to(folder).as_posix() for folder in SPROUT.iterdir() for path in folder.rglob("*.*")}
    assert {path for path in known if "__pycache__" not in path} - {"use.md", ".github"} == set(FILES)


@pytest.mark.parametrize("kind", KINDS)
def test_each_says_where_the_idea_goes_and_nothing_of_its_seed_is_left(kind):
    texts = files(planted("long-name-2", kind))
    for path, text in texts.items():
        assert "sprout" not in (path + text).lower()
    (source,) = (text for path, text in texts.items() if path == "src/difftool_long_name_2/__init__.py")
    assert "class LongName2" in source
    assert "# YOURS: " in texts["src/difftool_long_name_2/net.py" if kind == "backbone" else
                                "src/difftool_long_name_2/__init__.py"]  # fmt: skip
    assert "# YOURS: " in texts["tests/test_conformance.py"]
    assert tomllib.loads(texts["pyproject.toml"])["project"]["dependencies"] == [f"difftool>={difftool.__version__}"]


def test_the_wheel_of_difftool_has_them():
    wheel = pytest.importorskip("hatchling.builders.wheel")
    packed = {each.distribution_path for each in wheel.WheelBuilder(str(SPROUT.parents[1])).recurse_included_files()}
    own = {path for path in SPROUT.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path.relative_to(SPROUT.parents[1]).as_posix() for path in own} <= packed


def test_what_it_says(cli, tmp_path, monkeypatch):
    code, out, err = cli("plugins", "new", "difftool-my-way", "--kind", "sampler", "-o", "some where")
    folder = tmp_path / "some where/difftool-my-way"
    assert (code, out) == (0, f"{folder}\n")  # a script wants the path alone
    assert err.splitlines()[0] == "the sampler my-way:"
    told, typed = err.split("next:\n")
    for path in folder.rglob("*"):
        assert path.is_dir() or f"  {path.relative_to(folder)} " in told
    assert [line.strip() for line in typed.splitlines()] == [
        f"cd '{folder}'",
        "pip install --no-build-isolation -e .",
        "pytest",
        "difftool plugins check difftool-my-way",
        "difftool plugins info sampler.my-way",
        "difftool sample latest --sampler my-way --steps 20",
        "difftool sample latest --sampler my-way --steps 20 --set sampler.fresh=0.5",
    ]
    monkeypatch.setattr(plugins_new, "find_spec", lambda name: None if name == "hatchling" else find_spec(name))
    err = cli("plugins", "new", "other", "--kind", "loss")[2]
    assert "pip install 'difftool[test]'\n  pip install --no-build-isolation -e .\n" in err


NAME = "cannot be a name: that is lower-case letters and digits, words joined by -, a letter first"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["foo"], ["--kind is missing", *(f"|{kind}" for kind in list(KINDS)[1:])]),
        (["foo", "--kind", "samler"], ["did you mean 'sampler'?"]),
        (["foo", "--kind", "exporter"], ["there is no such kind; there are backbone, condition, dataset"]),
        (["Foo Bar", "--kind", "loss"], [NAME, "do: difftool plugins new foo-bar --kind loss"]),
        (["FooBar", "--kind", "loss"], ["do: difftool plugins new foo-bar --kind loss"]),
        (["difftool-2m", "--kind", "loss"], [NAME, "do: difftool plugins new my-2m --kind loss"]),
        (["difftool-", "--kind", "loss"], [NAME, "do: difftool plugins new my-loss --kind loss"]),
        (["", "--kind", "loss"], [NAME, "do: difftool plugins new my-loss --kind loss"]),
        (["foo_", "--kind", "loss"], [NAME, "do: difftool plugins new foo --kind loss"]),
        (["größe", "--kind", "loss"], [NAME]),
        (["a\nb", "--kind", "loss"], [NAME, "do: difftool plugins new a-b --kind loss"]),
        ([51 * "a", "--kind", "loss"], ["50 in all at most", f"new {50 * 'a'} --kind"]),
        (["a/b", "--kind", "loss"], ["a/b is a path, and NAME is a name", "--out"]),
        (["../b", "--kind", "loss"], ["is a path"]),
        (["none", "--kind", "loss"], ["None means something else", "such as none-loss"]),
        (["difftool", "--kind", "loss"], ["Difftool means something else"]),
        (["step", "--kind", "sampler"], ["Step means something else", "such as step-sampler"]),
        (["network", "--kind", "backbone"], ["Network means something else"]),
        (["exception", "--kind", "sink"], ["Exception means something else"]),
        (["nan", "--kind", "loss"], ["in a recipe it is no word"]),
        (["ddim", "--kind", "sampler"], ["ddim is built in", "difftool-ddim:ddim", "such as ddim-sampler"]),
        (["difftool-l2", "--kind", "loss"], ["l2 is built in"]),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(argv, words, cli, tmp_path):
    code, out, err = cli("plugins", "new", *argv)
    assert (code, out) == (2, "")
    assert [line.split(":")[0] for line in err.splitlines()][:2] in (["difftool", "do"], ["difftool"])
    for word in words:
        assert word in err
    assert not list(tmp_path.iterdir())


def test_a_name_of_one_kind_is_free_in_another(cli):
    assert cli("plugins", "new", "ddim", "--kind", "panel")[0] == 0
    assert cli("plugins", "new", "step", "--kind", "loss")[0] == 0


def test_nothing_is_overwritten(cli, tmp_path):
    (tmp_path / "difftool-foo").mkdir()
    code, out, err = cli("plugins", "new", "foo", "--kind", "loss")
    assert (code, out) == (2, "")
    assert f"{tmp_path}/difftool-foo is already there\ndo: another name, or another folder with --out" in err
    assert not any((tmp_path / "difftool-foo").iterdir())

    (tmp_path / "difftool-bar").symlink_to("nowhere")
    assert "is already there" in cli("plugins", "new", "bar", "--kind", "loss")[2]
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_made(cli, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = cli("plugins", "new", "foo", "--kind", "loss", "--out", "file")
    assert (code, err) == (2, f"difftool: error: {tmp_path}/file is a file\ndo: name a folder with --out\n")
    code, _, err = cli("plugins", "new", "foo", "--kind", "loss", "--out", "file/in/it")
    assert (code, err.splitlines()[-1]) == (74, "do: name a folder that you may write to with --out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_half_a_package_is_taken_away_again(cli, tmp_path, monkeypatch):
    write = Path.write_text

    def full(path, *args, **kwargs):
        if path.name == "README.md":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    code, _, err = cli("plugins", "new", "foo", "--kind", "loss")
    assert code == 74
    assert f"cannot make {tmp_path}/difftool-foo\nwhy: No space left on device" in err
    assert not list(tmp_path.iterdir())


def test_what_is_installed_is_not_replaced(grown):
    for line, words in (
        ("own-sink --kind loss", "difftool-own-sink 0.1.0 is installed, and yours would replace it"),
        ("difftool-own-sink --kind sink", "difftool-own-sink 0.1.0 is installed"),
    ):
        done = subprocess.run(
            [grown.folder / ".venv/bin/python", "-m", "difftool", "plugins", "new", *line.split()],
            cwd=grown.folder, env=grown.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert words in done.stderr
    assert not (grown.folder / "difftool-own-sink").exists()
