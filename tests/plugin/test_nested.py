"""Components inside components: made from tables, and dumped so that the same comes back."""

from pathlib import Path

import pytest

from difftool.builtin.losses import L1, L2, Huber
from difftool.errors import PluginError
from difftool.plugin.component import Loss
from difftool.recipe.make import Maker
from difftool.recipe.write import toml

CODE = '''
from pathlib import Path
from typing import Annotated
from difftool.api import Field, Loss, Sampler, hookimpl

class Weighted(Loss):
    """Another loss, times a number."""
    inner: Loss
    """what is weighed"""
    weight: float = Field(1.0, gt=0)
    """how much"""
    other: Loss | None = None
    """a second one"""

class Sum(Loss):
    """Several losses."""
    parts: tuple[Loss, ...]
    """what is added"""
    files: tuple[Path, ...] = ()
    """paths"""
    folder: Path | None = None
    """one path"""

@hookimpl
def register_losses(register):
    register("weighted", Weighted)
    register("sum", Sum)
'''


@pytest.fixture
def registry(shelf):
    shelf.add(CODE)
    return shelf.load().registry


def made(registry, table, folder="/recipes"):
    maker = Maker(registry, Path(folder))
    part = maker.component("loss", table, ("loss",))
    return part, [f"{'.'.join(map(str, p.path))}: {p.text}" for p in maker.problems]


def test_there_and_back(registry):
    table = {
        "name": "sum",
        "parts": [
            "l1",
            {"name": "weighted", "inner": {"name": "huber", "delta": 2}, "weight": 0.5},
            {"name": "weighted", "inner": "l2", "other": {"name": "sum", "parts": []}},
        ],
    }
    part, problems = made(registry, table)
    assert problems == []
    assert part.parts[0] == L1()
    assert part.parts[1].inner == Huber(delta=2.0)
    assert part.parts[2].inner == L2()
    dumped = registry.dump(part)
    assert dumped == {
        "name": "toy:sum",
        "parts": [
            registry.dump(L1()),
            {"name": "toy:weighted", "inner": registry.dump(Huber(delta=2.0)), "weight": 0.5},
            {
                "name": "toy:weighted",
                "inner": registry.dump(L2()),
                "weight": 1.0,
                "other": {"name": "toy:sum", "parts": [], "files": []},
            },
        ],
        "files": [],
    }
    again, problems = made(registry, dumped)
    assert problems == []
    assert again == part
    assert registry.dump(again) == dumped


def test_it_survives_toml(registry):
    import tomllib

    part, _ = made(registry, {"name": "weighted", "inner": "huber", "weight": 1e-5})
    table = tomllib.loads(toml({"loss": registry.dump(part)}))["loss"]
    assert made(registry, table) == (part, [])


def test_paths_start_at_the_recipe_and_tilde_is_home(registry, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    part, _ = made(
        registry, {"name": "sum", "parts": [], "files": ["a", "/b", "~/c", "~stranger/d", "$E"], "folder": "f"}
    )
    assert [str(path) for path in part.files] == [
        "/recipes/a", "/b", "/home/me/c", "/recipes/~stranger/d", "/recipes/$E",
    ]  # fmt: skip
    assert part.folder == Path("/recipes/f")
    assert registry.dump(part)["files"][0] == "/recipes/a"


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ({"name": "weighted"}, ["loss.inner: is missing"]),
        ({"name": "weighted", "inner": "l3"}, ["loss.inner: no loss is called 'l3'; did you mean 'l1' or 'l2'?"]),
        (
            {"name": "weighted", "inner": {"name": "huber", "dleta": 1}},
            ["loss.inner.dleta: unknown key; did you mean 'delta'?"],
        ),
        (
            {"name": "weighted", "inner": {"name": "huber", "delta": 0}, "weight": -1, "wieght": 1},
            [
                "loss.inner.delta: must be above 0.0, got 0",
                "loss.weight: must be above 0.0, got -1",
                "loss.wieght: unknown key; did you mean 'weight'?",
            ],
        ),
        ({"name": "weighted", "inner": 3}, ["loss.inner: expected a table or a name, got 3"]),
        ({"name": "weighted", "inner": {"nam": "l2"}}, ["loss.inner.nam: unknown key; did you mean 'name'?"]),
        (
            {"name": "sum", "parts": ["l1", "l9", {"name": "huber", "delta": "1"}]},
            [
                "loss.parts.1: no loss is called 'l9'; did you mean 'l1' or 'l2'?",
                'loss.parts.2.delta: expected a number, got "1" (text: remove the quotes)',
            ],
        ),
        ({"name": "sum", "parts": [], "files": [3]}, ["loss.files.0: expected a path in quotes, got 3"]),
    ],
)
def test_mistakes_inside(registry, table, problems):
    part, found = made(registry, table)
    assert part is None
    assert found == problems


def test_what_was_never_registered_has_no_name(registry):
    class Homeless(Loss):
        """Nobody offers this."""

    with pytest.raises(PluginError, match="Homeless is not registered, so it has no name") as caught:
        registry.dump(Homeless())
    assert caught.value.do == "register it in a plugin: register('homeless', Homeless)"
