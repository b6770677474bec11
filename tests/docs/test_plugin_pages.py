"""docs/plugins.md and write-a-sampler.md do what they say: their packages are cut out, installed, trained with."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

from PIL import Image

from ..borrowed import borrowed
from .extract import commands, files, page, write

GUIDE, TEXT = page("write-a-sampler.md"), page("plugins.md")
SAMPLER, PLAIN = "difftool-dpm2m", "difftool-flow"
SOURCE = f"{SAMPLER}/src/difftool_dpm2m/__init__.py"
FILES = files(GUIDE) | files(TEXT)
PACKAGES = sorted({name.split("/")[0] for name in FILES if "/" in name})


class Shell:
    """A virtual environment that sees what is installed here, with `pip`, `python` and `difftool` first on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.env = folder, borrowed(folder)
        self(commands(GUIDE, "new")[0])
        write(FILES, folder)
        for package in PACKAGES:
            if not (folder / package / "pyproject.toml").exists():  # "for the other sections, `flow` is replaced"
                own = FILES[f"{PLAIN}/pyproject.toml"].replace("flow", package.removeprefix("difftool-"))
                (folder / package / "pyproject.toml").write_text(own)

    def __call__(self, script: str, expect: int = 0) -> str:
        """Runs it as a person would; what it printed, errors included."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout
        return done.stdout

    def run_dir(self) -> Path:
        """The one run there is."""
        (run,) = (self.folder / "runs").iterdir()
        return run


def test_a_sampler_fits_on_a_page():
    assert len(FILES[SOURCE].splitlines()) <= 32
    assert len(FILES[f"{PLAIN}/pyproject.toml"].splitlines()) <= 15


def test_the_sampler_from_start_to_end(tmp_path):
    shell = Shell(tmp_path)
    install, sample, check, test, bench = commands(GUIDE)
    told = shell(install)
    assert "difftool-dpm2m:dpm2m 0.1.0 ok sampler dpm2m" in " ".join(told.split())
    assert "= 1.0\n      how much of the correction is used; 0 is ddim" in told
    assert "from difftool-dpm2m:dpm2m 0.1.0 (difftool_dpm2m.DPM2M)" in told

    shell(sample)
    run = shell.run_dir()
    assert json.loads((run / "status.json").read_text())["step"] == 3
    assert json.loads((run / "run.json").read_text())["versions"]["difftool-dpm2m"] == "0.1.0"
    assert tomllib.loads((run / "recipe.toml").read_text())["sampler"] == {
        "name": "difftool-dpm2m:dpm2m",
        "look_back": 0.5,
    }
    folders = sorted(tmp_path.glob("samples-*"), key=lambda folder: folder.stat().st_mtime)
    assert [len(list(folder.glob("seed-*.png"))) for folder in folders] == [4, 4, 4]
    words = [Image.open(folder / "seed-00000000.png").text for folder in folders]
    assert [json.loads(each["difftool.sampler"]) for each in words] == [
        {"name": "difftool-dpm2m:dpm2m", "look_back": 0.5},
        {"name": "ddim", "eta": 0.0},
        {"name": "difftool-dpm2m:dpm2m", "look_back": 1.0},
    ]
    assert [each["difftool.steps"] for each in words] == ["20", "10", "10"]  # 20 is the sampler's own wish

    told = shell(check)
    assert "quickstart.toml: good" in told
    told = shell(test)
    assert "2 passed" in told
    assert re.search(r"difftool-dpm2m:dpm2m +(\d+) of \1 +ok", told)
    told = shell(bench)
    assert re.search(r"\b10\b.*dpm2m|dpm2m.*\b10\b", told)

    assert "sampler.look_back: must be at most 1" in shell(
        "difftool recipes check tiny.toml --set sampler.look_back=2", 2
    )
    # What is edited is what runs; what fails is said with its name.
    source = tmp_path / SOURCE
    source.write_text(
        source.read_text().replace("guess, rise = None", 'raise KeyError("here")\n        guess, rise = None')
    )
    told = shell("difftool sample latest -n 1", 7)
    assert "the sampler difftool-dpm2m:dpm2m failed while sampling: KeyError: 'here'" in told
    # Without the plugin, the run says what is missing.
    told = shell("DIFFTOOL_PLUGINS=none difftool sample latest -n 1", 2)
    assert "needs the plugin difftool-dpm2m" in told


def test_recipes_from_a_plugin(tmp_path):
    shell = Shell(tmp_path)
    told = shell(commands(TEXT, "garden")[0])
    assert re.search(r"^stars +Stars: a small network learns to draw them\. +difftool-garden$", told, re.MULTILINE)
    runs = sorted(tmp_path.glob("runs/*/recipe.toml"))
    assert [tomllib.loads(run.read_text())["data"]["kinds"] for run in runs] == [["star"], ["star"]]


def test_every_part_of_a_run_from_a_plugin(tmp_path):
    shell = Shell(tmp_path)
    shell("pip install --no-build-isolation " + " ".join(f"./{package}" for package in PACKAGES))
    listed, trained = commands(TEXT, "all")[0].split("difftool recipes", 1)
    told = shell(listed)
    assert "broken" not in told
    for offer in (
        "schedule flow", "loss middle", "target unit", "backbone convs", "dataset stripes", "dataset splits",
        "sink album", "condition amount; metric brightness; exporter npz", "observes the run",
    ):  # fmt: skip
        assert offer in told
    shell("difftool recipes" + trained)

    run = shell.run_dir()
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    assert recipe["predict"] == {"name": "difftool-unit:unit", "sigma_data": 0.4}
    assert recipe["data"] == {"name": "difftool-stripes:stripes", "size": 8, "count": 64}
    assert recipe["schedule"] == {"name": "difftool-flow:flow", "T": 20, "shift": 2.0}
    assert recipe["backbone"] == {"name": "difftool-convs:convs", "width": 8, "depth": 3}
    assert recipe["loss"] == {"name": "difftool-middle:middle", "mean": -0.8, "std": 1.2, "of": "network"}
    assert recipe["sampler"]["name"] == "difftool-dpm2m:dpm2m"
    album = tmp_path / "album"
    assert recipe["log"]["sinks"] == [
        {"name": "tensorboard", "previews": True},
        {"name": "difftool-album:album", "folder": str(album)},
    ]
    versions = json.loads((run / "run.json").read_text())["versions"]
    used = {"unit", "stripes", "flow", "convs", "middle", "dpm2m", "album"}
    assert {name for name in versions if name.startswith("difftool-")} == {f"difftool-{name}" for name in used}

    assert [path.name for path in album.iterdir()] == [f"{run.name}-00000003.png"]
    assert (album / f"{run.name}-00000003.png").read_bytes() == (run / "previews/step-00000003.png").read_bytes()
    assert len(list(run.glob("events.out.tfevents.*"))) == 1
    diary = [line.split(" ", 2)[2].split(":")[0] for line in (run / "diary.txt").read_text().splitlines()]
    assert diary[0].startswith("all-")
    assert diary[0].endswith("with seed 0")
    assert sorted(diary[1:-1]) == ["step 3"] * 3  # metrics, checkpoint, preview
    assert diary[-1] == "done"
    assert len(list(tmp_path.glob("samples-*/seed-*.png"))) == 2

    told = shell("difftool recipes check all.toml --set backbone.depth=2", 2)
    assert "backbone.depth: 2 layers cannot see across 8 pixels; 3 can" in told
    assert "says nothing about x0 at level 20" in shell("difftool train all.toml --set predict=eps", 2)

    told = shell(commands(TEXT, "splits")[0])
    assert re.search(r"splits +(\d+) of \1 +ok", told)
    assert "found 60 images in 2 folders, ignored 0 files" in told
    (run,) = tmp_path.glob("runs/tiny-*")
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    assert recipe["data"]["name"] == "difftool-splits:splits"
    assert recipe["data"]["size"] == 8  # the recipe's
    assert recipe["conditions"]["label"]["classes"] == ["moon", "star"]
    (tmp_path / "things/words.txt").write_text("n01")
    assert "the names of the classes cannot be read" in shell("difftool train tiny.toml --data things", 2)
