"""The recipe that comes with the package is right, and draws in the few steps that it says."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import difftool
import difftool_solvers

RECIPE = Path(difftool_solvers.__file__).parent / "recipes" / "fast-faces.toml"


def test_the_recipe_is_good():
    done = subprocess.run(
        [sys.executable, "-m", "difftool", "recipes", "check", str(RECIPE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_trains_and_samples_in_ten_to_twelve_steps(tmp_path):
    sets = ["train.steps=1", "train.batch=2", "data.count=8", "preview.count=1"]
    run = difftool.train(str(RECIPE), set=sets, profile="none", runs=tmp_path, name="short")
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    assert recipe["sampler"]["name"] == "difftool-solvers:unipc"
    assert 10 <= recipe["sample"]["steps"] == recipe["preview"]["steps"] <= 12
