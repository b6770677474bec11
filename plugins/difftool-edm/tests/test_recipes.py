"""The recipes that come with the package: right, and the one whose truth is known learns it."""

import json
import subprocess
import sys
from importlib.resources import files

import pytest

import difftool

RECIPES = sorted(
    path.name for path in files("difftool_edm").joinpath("recipes").iterdir() if path.name != "__init__.py"
)


def asked(folder, *words):
    """What `difftool` says, from a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "difftool", *map(str, words)], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_right_and_names_what_it_needs(name, tmp_path):
    recipe = files("difftool_edm").joinpath("recipes", name)
    asked(tmp_path, "recipes", "check", recipe)
    text = recipe.read_text("utf-8")
    assert text.count("difftool-edm:edm") == 3
    assert text.count("difftool-edm:lognormal") == 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_and_draws(name, tmp_path):
    sets = ["train.steps=2", "train.batch=2", "data.count=64", "preview.count=1", "preview.every=0"]
    run = difftool.train(
        str(files("difftool_edm").joinpath("recipes", name)), set=sets, profile="none", runs=tmp_path, name="short"
    )
    model = difftool.load(run, "cpu")
    pictures = model.sample(range(2), steps=3)
    assert tuple(pictures.shape) == (2, *model.shape[1:], model.shape[0])


@pytest.mark.slow
def test_two_pixels_come_out_within_twice_the_floor(tmp_path):
    """Of a mixture of normals: no further from it than twice as far as as many exact samples are on average."""
    asked(tmp_path, "train", "edm-two-pixel", "--name", "two", "--set", "train.device=cpu")
    words = ("eval", "two", "--json", "--device", "cpu", "--set", "metric.pictures=50_000")
    result = json.loads(asked(tmp_path, *words))["metrics"]["density"]["result"]
    assert result["tv"] <= 2 * result["tv_floor"]
    assert result["tv_floor"] < 0.014  # the floor of so many samples, known from the law alone
    assert result["tv_untrained"] > 0.5
