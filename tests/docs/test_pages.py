"""docs/run-directory.md and docs/command-line.md name what there is: files, fields, commands, options, exit codes."""

import json
import re
from pathlib import Path

import pytest

from difftool import errors
from difftool.engine.start import start
from difftool.engine.watch import Watcher
from difftool.plugin.loader import installed
from difftool.recipe.load import prepare
from difftool.recipe.source import parse

DOCS = Path(__file__).parents[2] / "docs"
RECIPE = b"""
recipe = 1
name = "documented"
[data]
name = "shapes"
size = 8
count = 4
[schedule]
T = 10
name = "linear"
scale = true
last = 0.02
[backbone]
name = "mlp"
width = 8
[train]
steps = 2
batch = 2
device = "cpu"
[preview]
count = 1
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    registry = installed().registry
    recipe, _ = prepare(parse(RECIPE, label="r.toml", folder=folder), registry).recipe("none")
    return start(recipe, registry, folder / "runs", Watcher(), name="run", argv=["difftool"])


def section(page, heading):
    """What stands under a heading, up to the next of its rank."""
    text = (DOCS / page).read_text()
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {heading}"
    return found[2]


def test_every_file_of_a_run_is_described(run):
    page = re.sub(r"\d{8}", "N", (DOCS / "run-directory.md").read_text())
    for path in run.root.rglob("*"):
        assert re.sub(r"\d{8}", "N", path.name) in page, path


def test_every_field_of_every_event_is_described(run):
    for line in run.events.joinpath("00000.jsonl").read_text().splitlines():
        event = json.loads(line)
        text = section("run-directory.md", event.pop("kind"))
        for field in event.keys() - {"time", "nonfinite"}:
            assert f"`{field}`" in text, (field, text)


@pytest.mark.parametrize("file", ["run.json", "status.json"])
def test_every_field_of_the_json_files_is_described(run, file):
    text = section("run-directory.md", file)
    for field in json.loads((run.root / file).read_text()):
        assert f"`{field}`" in text, field


def test_every_word_of_a_weights_file_is_described(run):
    from difftool.engine.sealed import open_sealed

    text = section("run-directory.md", "Weights files")
    for word in open_sealed(run.weights).words:
        assert f"`{word}`" in text, word


def test_every_exit_code_is_described():
    text = section("command-line.md", "Exit codes")
    codes = {cls.exit_code for cls in vars(errors).values() if isinstance(cls, type) and hasattr(cls, "exit_code")}
    for code in codes | {0, 130}:
        assert f"| {code} |" in text, code


def test_every_command_and_option_is_described():
    from typer.main import get_command

    from difftool.cli.app import app

    page = (DOCS / "command-line.md").read_text()

    def walk(command):
        for parameter in command.params:
            yield from (option for option in parameter.opts if option.startswith("--"))
        for name, inner in getattr(command, "commands", {}).items():
            yield name
            yield from walk(inner)

    for word in set(walk(get_command(app))) - {"--install-completion", "--show-completion"}:
        assert word in page, word
