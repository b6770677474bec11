"""The packages in plugins/: what they bring is what difftool says of them, and none reaches past difftool.api."""

import ast
import importlib
import tomllib
from pathlib import Path

import pytest
import torch

from difftool.core.sampling import SeededNoise, walk
from difftool.plugin.house import HOUSE
from difftool.plugin.loader import Source, load
from difftool.testing import PATHS, Mixture

PLUGINS = Path(__file__).parents[2] / "plugins"
PACKAGES = sorted(folder.name for folder in PLUGINS.iterdir() if (folder / "pyproject.toml").is_file())


def module_of(package):
    return package.replace("-", "_")


def project(package):
    return tomllib.loads((PLUGINS / package / "pyproject.toml").read_text())["project"]


@pytest.fixture
def importable(monkeypatch):
    """The packages as if they were installed, for this process."""
    for package in PACKAGES:
        monkeypatch.syspath_prepend(str(PLUGINS / package / "src"))
    monkeypatch.delenv("DIFFTOOL_PLUGINS", raising=False)
    importlib.invalidate_caches()


@pytest.mark.parametrize("package", sorted({*PACKAGES, *HOUSE}))
def test_what_difftool_says_of_it_is_what_it_brings(package, importable):
    ((entry, target),) = project(package)["entry-points"]["difftool"].items()
    plugin = load(Source(package, "0", entry, target))
    assert (plugin.state, plugin.reason) == ("ok", "")
    brought: dict[str, set[str]] = {}
    for offer in plugin.offers:
        brought.setdefault(offer.kind, set()).add(offer.name)
    ((_, home),) = project(package)["entry-points"]["difftool.recipes"].items()
    recipes = PLUGINS / package / "src" / home / "recipes"
    brought["recipe"] = {path.stem for path in recipes.glob("*.toml")}
    assert brought == {kind: set(names) for kind, names in HOUSE[package].items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_its_recipes_write_owned_names(package):
    """So that whoever lacks the package is told which it is, for every part."""
    for path in (PLUGINS / package / "src" / module_of(package) / "recipes").glob("*.toml"):
        text = path.read_text()
        assert f'"{package}:' in text
        for names in (names for kind, names in HOUSE[package].items() if kind != "recipe"):
            assert not [name for name in names if f'name = "{name}"' in text]
        assert tomllib.loads(text)["name"] == path.stem
        assert text.startswith("# ")


def reaching(source, allowed):
    """What a module asks of difftool beyond the allowed modules, or of anything beyond its public names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found += [name for name in names if name.split(".")[0] == "difftool" and name not in allowed]
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] == "difftool" and node.module not in allowed:
                found.append(node.module)
        elif isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if node.attr.startswith("_") and not node.attr.startswith("__") and not own:
                found.append(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            found += [ast.unparse(each) for each in node.args[1:2] if ast.unparse(each).strip("'").startswith("_")]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [node.value] if node.value.startswith("difftool.") and node.value not in allowed else []
    return found


FILES = sorted(PLUGINS.glob("*/src/**/*.py"))
TESTS = sorted(PLUGINS.glob("*/tests/**/*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_a_plugin_asks_difftool_for_its_api_alone(path):
    assert reaching(path.read_text(), {"difftool.api"}) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_its_tests_ask_for_the_kit_and_the_notebooks_door_besides(path):
    assert reaching(path.read_text(), {"difftool.api", "difftool.testing", "difftool"}) == []


@pytest.mark.parametrize(
    "line",
    [
        "import difftool",
        "import difftool.core.schedule as s",
        "from difftool import api",
        "from difftool.core.sampling import walk",
        "importlib.import_module('difftool.core.sampling')",
        "schedule._lam",
        "getattr(schedule, '_lam')",
        "def f():\n    from difftool.engine import build",
    ],
)
def test_whoever_reaches_past_it_is_seen(line):
    assert reaching(line, {"difftool.api"})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("churn", [{}, {"churn": 6.0, "churn_from": 0.05, "churn_to": 50.0, "churn_size": 1.003}])
def test_the_two_heuns_walk_alike(churn, path, importable):
    schedule = PATHS[path]()
    heuns = [importlib.import_module(name).Heun(**churn) for name in ("difftool_edm", "difftool_solvers")]
    levels = [heun.times(schedule, 18) for heun in heuns]
    assert levels[0] == pytest.approx(levels[1], rel=1e-9)
    oracle = Mixture(schedule, (-0.6, 0.1, 0.7), (0.3, 0.25, 0.35), (2, 1, 3))
    walks = [walk(heun, oracle, levels[0], SeededNoise(range(8), (1, 1, 1))) for heun in heuns]
    for one, other in zip(*walks, strict=True):
        torch.testing.assert_close(one.x, other.x)
