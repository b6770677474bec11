"""The recipes that come with the package: right, and the one whose truth is known learns it."""

import json
import math
import subprocess
import sys
import tomllib
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
def test_a_recipe_is_right_in_every_profile(name, tmp_path):
    asked(tmp_path, "recipes", "check", files("difftool_edm").joinpath("recipes", name))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_and_draws_with_every_part_of_the_package(name, tmp_path):
    sets = ["train.steps=2", "train.batch=2", "data.count=64", "preview.count=1", "preview.every=0"]
    run = difftool.train(
        str(files("difftool_edm").joinpath("recipes", name)), set=sets, profile="none", runs=tmp_path, name="short"
    )
    recipe = tomllib.loads((run / "recipe.toml").read_text("utf-8"))
    names = {part: recipe[part]["name"] for part in ("predict", "schedule", "sampler", "loss")}
    edm = "difftool-edm:edm"
    assert names == {"predict": edm, "schedule": edm, "sampler": edm, "loss": "difftool-edm:lognormal"}
    assert recipe["predict"]["sigma_data"] == recipe["loss"]["sigma_data"]
    assert recipe["sampler"]["churn"] <= (math.sqrt(2) - 1) * recipe["sample"]["steps"]  # more does nothing
    model = difftool.load(run, "cpu")
    pictures = model.sample(range(2), steps=3)
    assert tuple(pictures.shape) == (2, *model.shape[1:], model.shape[0])


@pytest.mark.parametrize(
    ("steps", "pictures", "floor"), [(1500, 5000, 0.043), pytest.param(12_000, 50_000, 0.014, marks=pytest.mark.slow)]
)
def test_two_pixels_come_out_within_twice_the_floor(steps, pictures, floor, tmp_path):
    """Of a mixture of normals: no further from it than twice as far as as many exact samples are on average."""
    sets = ("--set", "train.device=cpu", "--set", f"train.steps={steps}")
    asked(tmp_path, "train", "edm-two-pixel", "--name", "two", *sets)
    words = ("eval", "two", "--json", "--device", "cpu", "--set", f"metric.pictures={pictures}")
    result = json.loads(asked(tmp_path, *words))["metrics"]["density"]["result"]
    assert result["tv"] <= 2 * result["tv_floor"]
    assert result["tv_floor"] < floor  # known from the law alone
    assert result["tv_untrained"] > 10 * result["tv_floor"]
