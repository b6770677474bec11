"""The recipe two-pixel as it ships, on each of its densities: what it learned is nearly the truth. Minutes."""

import pytest

from difftool import load
from difftool.builtin.density import Density
from difftool.engine.start import start
from difftool.engine.watch import Watcher
from difftool.plugin.loader import installed
from difftool.recipe.load import prepare
from difftool.recipe.offered import shipped
from difftool.recipe.source import parse


def asked(density):
    path = shipped()["two-pixel"]
    source = parse(path.read_bytes(), label=path.name, folder=path.parent)
    return prepare(source, installed().registry, sets=[f"data.density={density}"]).recipe("none")[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("density", ["gaussians", "rings", "lines"])
def test_the_shipped_recipe_learns_each_density(density, tmp_path):
    recipe = asked(density)
    run = start(recipe, installed().registry, tmp_path, Watcher(), name=density)
    images = recipe.data.open()
    result = Density().measure(load(run.weights, "cpu"), images, lambda done, total: None)
    assert result["tv_floor"] < 0.02
    assert result["tv"] < 0.08
    assert result["tv_untrained"] > 0.5


def test_the_shipped_recipe_is_judged_by_the_density_alone():
    recipe = asked("rings")
    assert recipe.data.density == "rings"
    assert recipe.data.judged_by == ("density",)
    assert recipe.data.shape == (1, 1, 2)
