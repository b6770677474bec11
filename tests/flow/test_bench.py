"""`difftool bench samplers`: every sampler on the same noise, by cost and by distance to where the noise leads."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from difftool.cli import asked, bench
from difftool.cli.bench_samplers import candidates, steps_of
from difftool.core.model import How
from difftool.core.sampling import last
from difftool.engine.bench_plot import HIGH, WIDE
from difftool.engine.bench_walks import Bench
from difftool.engine.build import load_model
from difftool.engine.described import describe
from difftool.engine.sealed import open_model_file
from difftool.engine.start import start
from difftool.engine.watch import Watcher
from difftool.errors import InputError
from difftool.plugin import loader
from difftool.recipe.load import prepare
from difftool.recipe.overlay import value_of
from difftool.recipe.source import parse

from .conftest import TINY

TOYS = Path(__file__).with_name("odd_samplers.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains the tiny recipe with changes, for the whole file."""

    def go(name, *sets):
        folder = tmp_path_factory.mktemp("benched")
        source = parse(TINY.encode(), label="tiny.toml", folder=folder)
        recipe, _ = prepare(source, loader.installed().registry, sets=list(sets)).recipe("none")
        return start(recipe, loader.installed().registry, folder, Watcher(), name=name)

    return go


@pytest.fixture(scope="module")
def run(trained):
    return trained("run")


@pytest.fixture
def known(run):
    return described(run)


def described(run):
    return describe(open_model_file(run.weights), loader.installed().registry)


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """An installed plugin with samplers of all kinds, most of them bad."""
    site = tmp_path / "site"
    info = site / "toys-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(TOYS, site / "toys_module.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[difftool]\nmain = toys_module\n")
    monkeypatch.syspath_prepend(str(site))
    loader.installed.cache_clear()
    yield
    loader.installed.cache_clear()
    sys.modules.pop("toys_module", None)


@pytest.fixture
def benched(difftool, run):
    """The command with --json: what it says."""

    def go(*arguments, of=run):
        words = ("bench", "samplers", of.root, "-n", 4, "--device", "cpu", *arguments, "--json")
        return json.loads(difftool(*words, check=0).stdout)

    return go


def rows(said, **wanted):
    return [row for row in said["rows"] if all(row[key] == value for key, value in wanted.items())]


# ---- what is measured


def test_the_baseline_comes_nearer_with_steps_and_is_the_reference_in_the_end(benched):
    said = benched("--sampler", "ddim", "--steps", "20,2,5,10,5")
    assert [row["steps"] for row in said["rows"]] == [2, 5, 10, 20] == [row["calls"] for row in said["rows"]]
    far = [row["distance"] for row in said["rows"]]
    assert far[0] > far[1] > far[2] > far[3] == 0
    assert [row["ratio"] for row in said["rows"]] == [1, 1, 1, None]  # a distance of 0 divides nothing
    assert [row["nearest"] for row in said["rows"]] == [True, True, True, False]  # and wins nothing
    assert all(row["seconds_per_picture"] > 0 and row["reason"] is None for row in said["rows"])
    assert said["reference"]["sampler"] == {"name": "ddim", "eta": 0.0}
    assert (said["reference"]["steps"], said["seeds"], said["complete"]) == (20, [0, 1, 2, 3], True)


def test_the_distance_is_that_of_pictures_before_they_are_rounded(benched, known):
    """As in a notebook."""
    model, ddim = load_model(known, "cpu"), known.registry.get("sampler", "ddim")()
    here, there = (last(model.walk([3, 7], How(ddim, steps))).x for steps in (5, 20))
    words = ("--steps", 5, "--sampler", "ddim", "--seeds", "3,7", "-n", 2)
    (row,) = benched(*words)["rows"]
    assert row["distance"] == pytest.approx(float((here - there).square().mean().sqrt()), rel=1e-5)
    single = (here - there).square().mean((1, 2, 3)).sqrt()
    assert row["median"] == pytest.approx(float(single.mean()), rel=1e-5)  # of two, the mean is in the middle


def test_seeds_make_the_distance_and_batches_do_not(benched):
    one, other, third = (
        benched("--sampler", "ddim", "--steps", 5, *extra)["rows"][0]
        for extra in ((), ("--batch", 3), ("--seeds", "4-7"))
    )
    assert one["calls"] == other["calls"] == 5  # for a picture, in however many batches
    assert other["distance"] == pytest.approx(one["distance"], rel=1e-4)
    assert third["distance"] != pytest.approx(one["distance"], rel=1e-3)


@pytest.mark.usefixtures("toys")
def test_a_sampler_that_asks_twice_costs_twice(benched):
    """The same way to the end as ddim, at 2n - 1 calls; ddim takes part unasked, because ratios need it."""
    said = benched("--sampler", "toys:twice", "--steps", "3,5")
    assert [(row["name"], row["steps"], row["calls"]) for row in said["rows"]] == [
        ("ddim", 3, 3),
        ("toys:twice", 3, 5),
        ("ddim", 5, 5),
        ("toys:twice", 5, 9),
    ]
    for n in (3, 5):
        ddim, twice = rows(said, steps=n)
        assert twice["distance"] == pytest.approx(ddim["distance"], rel=1e-5)
        assert twice["ratio"] == pytest.approx(1, rel=1e-5)
    assert (twice["sampler"], said["versions"]["toys"]) == ({"name": "toys:twice"}, "1.0")


def test_clipping_and_guidance_are_the_recipe_s(benched, trained):
    """A guided call counts as one; labels are taken in turn; what is not clipped is not clipped afterwards either."""
    run = trained("told", 'conditions.label={name="labels"}', "sample.guidance=3.0", "sample.clip=false")
    (row,) = benched("--sampler", "ddim", "--steps", "4", of=run)["rows"]
    model = load_model(described(run), "cpu")
    ddim = loader.installed().registry.get("sampler", "ddim")()
    here, there = (last(model.walk(range(4), replace(model.how, sampler=ddim, steps=n))).x for n in (4, 20))
    assert row["calls"] == 4
    assert row["distance"] == pytest.approx(float((here - there).square().mean().sqrt()), rel=1e-5)
    assert max(float(here.abs().max()), float(there.abs().max())) > 1


# ---- who takes part


@pytest.mark.usefixtures("toys")
def test_what_ends_elsewhere_on_purpose_is_not_compared(benched, difftool, run):
    names = [part for name in ("noisy", "middling", "ddpm", "direct", "twice") for part in ("--sampler", name)]
    said = benched(*names, "--steps", "2,5")
    assert {row["name"]: row["draws_noise"] for row in said["rows"]} == {
        **{"noisy": True, "ddpm": True},
        **{"middling": False, "direct": False, "ddim": False, "twice": False},
    }
    for row in said["rows"]:
        compared = row["name"] in ("ddim", "twice")
        assert (row["ratio"] is not None) is compared, row
        assert compared or not row["nearest"]
        assert row["distance"] > 0
    assert [(row["asked"], row["steps"]) for row in rows(said, name="direct")] == [(2, 1)]  # never more: said once
    text = difftool("bench", "samplers", run.root, "-n", 2, *names, "--steps", "2,5", "--device", "cpu", check=0).stdout
    lines = [line.split() for line in text.splitlines()]
    marked = {line[1] for line in lines if len(line) > 4 and line[4].startswith("~")}
    assert marked == {"noisy", "middling", "ddpm", "direct"}
    assert "\n~ is meant to end elsewhere" in text
    assert [line[5] for line in lines if line[1:2] == ["ddim"]] == ["1.00x", "1.00x"]


@pytest.mark.usefixtures("toys")
def test_whoever_cannot_take_part_says_why_and_stops_nobody(difftool, run, tmp_path):
    done = difftool(
        *("bench", "samplers", run.root, "-n", 2, "--steps", "2,5", "--device", "cpu", "-o", "o"),
        *(
            part
            for name in ("raises", "quits", "nan", "early", "few", "flat", "learned", "torn", "endless")
            for part in ("--sampler", name)
        ),
        check=0,
    )
    said = json.loads((tmp_path / "o" / "samplers.json").read_text())
    reasons = {(row["name"], row["asked"]): row["reason"] for row in rows(said) if row["reason"]}
    assert all(row["distance"] is None for row in said["rows"] if row["reason"])
    told = {
        "raises": "RuntimeError: out of ideas",
        "quits": "SystemExit: 3",
        "nan": "not finite",
        "flat": "[1, 1, 8, 8]",
        "learned": "learns its variance",
        "torn": "KeyError: 'torn'",
        "endless": "not JSON compliant",
    }
    for name, words in told.items():
        assert words in reasons.pop((name, 2))
        assert words in reasons.pop((name, 5))
        assert done.stdout.count(f" {name} ") == 1  # the same reason is told once, for all numbers of steps
    assert "stopped at level" in reasons.pop(("early", 5))
    assert "stopped at level" in reasons.pop(("early", 2))
    assert "three at most" in reasons.pop(("few", 5))
    assert not reasons
    assert [row["name"] for row in rows(said, reason=None)] == ["ddim", "few", "ddim"]
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("toys")
def test_everybody_installed_takes_part(known):
    """With their defaults; those that have none say so."""
    known = describe(known.file, loader.installed().registry)
    found = {each.name: each for each in candidates(known, ())}
    assert sorted(found) == known.registry.names("sampler")
    assert next(iter(found)) == "ddim"
    assert found["needy"].sampler is None
    assert "cannot be made with its defaults: order" in found["needy"].reason
    assert all(each.sampler or each.reason for each in found.values())


@pytest.mark.parametrize(
    "text", ['{name="ddim", eta=0.5}', '{name="ddpm", variance="beta", noise=0.5}', "ddpm", "ddim"]
)
def test_what_is_advised_to_be_typed_means_the_same_sampler(known, trained, text):
    """Also for a model whose own recipe says other things of a sampler of that name."""
    other = described(trained("other", "sampler.variance=zero", "sampler.noise=0.25"))
    for model in (known, other):
        *_, chosen = candidates(model, [text])
        name, *sets = chosen.typed(model).removeprefix("--sampler ").split(" --set ")
        sampled = asked.sampled(model, name, None, None, [each.strip("'") for each in sets], 20)
        assert sampled.sampler == chosen.sampler
        assert isinstance(value_of(text), dict) is ("(" in chosen.name)


# ---- what is refused, before torch


def test_everything_that_can_be_refused_is_refused_before_torch(difftool_apart, run, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('torch was loaded')")
    path = os.pathsep.join([str(tmp_path), *(each for each in sys.path if each)])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "samplers.png").touch()
    (tmp_path / "file").touch()
    for arguments, says in (
        (("--sampler", "ddmi"), "--sampler ddmi: no sampler is called 'ddmi'; did you mean 'ddim'?"),
        (("--sampler", "nobody:ddim"), "pip install nobody"),
        (("--sampler", '{name="ddim", etta=1}'), "etta: unknown key; did you mean 'eta'?"),
        (("--steps", "21"), "21 is not from 1 to 20: at most one step a level"),
        (("-n", "0"), "at least one picture"),
        (("-o", "full"), "full/samplers.png is already there"),
        (("-o", "file"), "file is a file"),
    ):
        done = difftool_apart("bench", "samplers", run.root, *arguments, check=2, PYTHONPATH=path)
        assert says in done.stderr, done.stderr
        assert done.stdout == ""
    assert "torch was loaded" in difftool_apart("bench", "samplers", run.root, PYTHONPATH=path).stderr


@pytest.mark.parametrize("text", ["0", "5,0", "21", "five", "", "5,,10", "5,", "-3", "2.5", "1e1", "9" * 30, "٣"])
def test_numbers_of_steps_that_are_none(text):
    with pytest.raises(InputError, match="--steps"):
        steps_of(text, 20)


@pytest.mark.parametrize(
    ("text", "T", "steps"),
    [
        ("10, 5,10", 20, [5, 10]),
        ("20", 20, [20]),
        (None, 1000, [5, 10, 20, 50]),
        (None, 20, [5, 10, 20]),
        (None, 3, [3]),
    ],
)
def test_numbers_of_steps(text, T, steps):
    assert steps_of(text, T) == steps


# ---- what is left


def test_files_say_what_was_printed(difftool, run, tmp_path):
    done = difftool("bench", "samplers", run.root, "-n", 3, "--steps", "2,5", "--device", "cpu", "--json", check=0)
    said = json.loads(done.stdout)
    files = said.pop("files")
    folder = tmp_path / f"bench-{run.name}"
    assert files == [str(folder / name) for name in ("samplers.json", "samplers.png", "pictures.png")]
    assert json.loads((folder / "samplers.json").read_text()) == said
    assert said["weights"] == open_model_file(run.weights).digest
    assert all(file in done.stderr for file in files)
    assert f"next  difftool sample {run.root} --sampler ddim --steps 5" in done.stderr
    with Image.open(folder / "pictures.png") as sheet, Image.open(folder / "samplers.png") as drawn:
        assert drawn.size == (WIDE, HIGH)
        assert sheet.size[0] > 3 * 2 * 64  # two numbers of steps and the reference, two pictures each
        assert sheet.text["difftool.weights"] == said["weights"]
    again = difftool("bench", "samplers", run.root, "-n", 3, "--steps", "2", "--device", "cpu", check=0)
    assert f"{folder}-2/" in again.stderr
    assert "already there" in difftool("bench", "samplers", run.root, "-o", folder, check=2).stderr


@pytest.mark.usefixtures("toys")
def test_two_benches_at_once_have_a_folder_each(difftool, run, tmp_path):
    words = ("bench", "samplers", run.root, "-n", 1, "--sampler", "rival", "--steps", 2, "--device", "cpu")
    done = difftool(*words, check=0)
    assert (tmp_path / "bench-run" / "samplers.json").read_text() == "the other's"
    assert f"{tmp_path / 'bench-run-2' / 'samplers.json'}" in done.stderr


@pytest.mark.parametrize(("extra", "said"), [((), "2      ddim"), (("--json",), '"name": "ddim"')])
def test_what_was_measured_is_said_though_it_cannot_be_written(difftool, run, tmp_path, extra, said):
    (tmp_path / "file").touch()
    words = ("--sampler", "ddim", "--steps", 2, "-n", 1, "-o", "file/o", "--device", "cpu", *extra)
    done = difftool("bench", "samplers", run.root, *words, check=74)
    assert "cannot make" in done.stderr
    assert said in done.stdout


@pytest.mark.usefixtures("toys")
def test_ctrl_c_keeps_what_was_measured(difftool, run, tmp_path):
    words = ("bench", "samplers", run.root, "-n", 2, "--sampler", "stopped", "--steps", "2,3,5,10", "--device", "cpu")
    done = difftool(*words, "-o", "o", check=130)
    said = json.loads((tmp_path / "o" / "samplers.json").read_text())
    assert [(row["name"], row["steps"]) for row in said["rows"]] == [
        *(("ddim", 2), ("stopped", 2), ("ddim", 3), ("stopped", 3), ("ddim", 5))
    ]
    assert said["complete"] is False
    assert "interrupted after 5 of 8 measurements" in done.stderr
    assert f"saved: what was measured is in {tmp_path / 'o'}" in done.stderr
    assert done.stdout.count("stopped") == 2


def test_ctrl_c_before_anything_is_measured_leaves_nothing(difftool, run, tmp_path, monkeypatch):
    def pressed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Bench, "measure_reference", pressed)
    done = difftool("bench", "samplers", run.root, "-n", 2, "--device", "cpu", check=130)
    assert "before anything was measured" in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_fewer_pictures_where_they_would_take_too_long(difftool, run, monkeypatch):
    monkeypatch.setattr(bench, "PATIENCE", 0)
    words = ("bench", "samplers", run.root, "--sampler", "ddim", "--steps", 2, "--device", "cpu", "--json")
    done = difftool(*words, check=0)
    assert len(json.loads(done.stdout)["seeds"]) == 4
    assert "-n 16 draws all" in done.stderr
    assert len(json.loads(difftool(*words, "-n", 6, check=0).stdout)["seeds"]) == 6  # what is asked for is done


def test_weights_that_are_not_finite_have_no_reference(known):
    model = load_model(known, "cpu")
    with torch.no_grad():
        next(model.net.parameters()).fill_(float("nan"))
    bench, ddim = Bench(model, [0, 1], 2), known.registry.get("sampler", "ddim")()
    with pytest.raises(InputError, match=r"there is no reference: ddim with 5 steps: .* not finite"):
        bench.measure_reference("ddim", ddim, 5, lambda calls: None)
