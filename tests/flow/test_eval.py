"""`difftool eval`, and a learned variance from end to end: training, weights, pictures, bits."""

import json
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from difftool import load
from difftool.builtin.bits import BitsPerDim
from difftool.cli.eval import _metrics, evaluate
from difftool.engine.start import start
from difftool.engine.watch import Watcher
from difftool.errors import InputError, RecipeError
from difftool.plugin.component import Metric
from difftool.plugin.loader import installed
from difftool.plugin.registry import Offer, Registry
from difftool.recipe.load import prepare
from difftool.recipe.source import parse

TOY = """
recipe = 1
name = "toy"
[data]
name = "shapes"
size = 8
count = 96
channels = 1
[schedule]
name = "cosine"
T = 50
[backbone]
name = "mlp"
width = 32
[loss]
name = "hybrid"
[sampler]
name = "ddpm"
variance = "learned"
[optim]
lr = 3e-3
[train]
steps = 300
batch = 48
precision = "float32"
ema = 0.0
device = "cpu"
[preview]
every = 0
count = 2
[checkpoint]
every = 1000
"""


def trained(folder, name, *sets):
    registry = installed().registry
    recipe, _ = prepare(parse(TOY.encode(), label="toy.toml", folder=folder), registry, sets=list(sets)).recipe("none")
    return start(recipe, registry, folder / "runs", Watcher(), name=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judged")


@pytest.fixture(scope="module")
def good(folder):
    return trained(folder, "good")


@pytest.fixture(scope="module")
def fresh(folder):
    """The same network at its start: after three steps of nearly nothing."""
    return trained(folder, "fresh", "train.steps=3", "optim.lr=1e-9")


@pytest.fixture(scope="module")
def plain(folder):
    return trained(folder, "plain", "train.steps=3", "loss=l2", "sampler.variance=full")


@pytest.fixture
def judged(capsys):
    """The command without a process of its own: what it prints."""

    def go(run, *sets, json=False, data=None, names=("bits-per-dim",)):
        evaluate(str(run.root), list(names), list(sets), data, device="cpu", json=json)
        return capsys.readouterr().out

    return go


@pytest.fixture
def images():
    return installed().registry.get("dataset", "shapes")(size=8, count=96, channels=1).open()


def bits(metric, model, images):
    return metric.measure(model, images, lambda done, total: None)


METRIC = ("--metric", "bits-per-dim")


def test_training_lowers_the_bits(difftool, good, fresh):
    """Through the command, from two weights files alone; each report adds up exactly."""
    totals = []
    for run in (good, fresh):
        done = difftool("eval", run.weights, *METRIC, "--json", check=0)
        said = json.loads(done.stdout)
        result = said["metrics"]["bits-per-dim"]["result"]
        assert result["bits-per-dim"] == result["L_0"] + result["rate"] + result["L_T"]
        assert result["rate"] == sum(result["by-level"][1:])
        assert result["L_0"] == result["by-level"][0]
        assert len(result["by-level"]) == len(result["x0-mse"]) == 50
        assert said["metrics"]["bits-per-dim"]["settings"] == {
            "name": "bits-per-dim",
            "pictures": 64,
            "batch": 64,
            "seed": 0,
        }
        assert (said["model"], said["pictures"], said["data"]["name"]) == ("toy", 96, "shapes")
        totals.append(result["bits-per-dim"])
    assert totals[0] < totals[1] - 0.5
    assert totals[1] < 12


def test_the_table_adds_up_to_the_total(judged, good):
    text = judged(good, "metric.pictures=5")
    scalars, levels = ([line.split() for line in part.splitlines()] for part in text.split("\n\n"))
    value = {key: float(number) for key, number in scalars[1:]}
    assert list(value) == ["bits-per-dim", "L_0", "rate", "L_T"]
    assert [row[0] for row in levels[1:4]] == ["1", "2-5", "6-10"]
    assert levels[-1][0] == "1-50"
    assert len(levels) == 13
    assert float(levels[1][1]) == value["L_0"]
    assert sum(float(row[1]) for row in levels[1:-1]) == pytest.approx(value["L_0"] + value["rate"], rel=1e-4)
    assert float(levels[-1][1]) + value["L_T"] == pytest.approx(value["bits-per-dim"], rel=1e-4)
    assert float(levels[2][2]) == pytest.approx(float(levels[2][1]) / 4, rel=1e-4)


def test_what_is_set_is_what_is_measured(judged, good, images):
    """As in a notebook, to the bit."""
    expected = bits(BitsPerDim(pictures=3, seed=5, variance="full"), load(good.weights, "cpu"), images)
    said = json.loads(judged(good, "metric.pictures=3", "metric.seed=5", "metric.variance=full", json=True))
    assert said["metrics"]["bits-per-dim"]["result"] == {
        key: list(value) if isinstance(value, tuple) else value for key, value in expected.items()
    }


def test_ones_own_pictures(judged, good, images, tmp_path):
    """The same pictures from a folder give the same bits; others, others."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1)).astype(np.uint8)
    for name, pixels in (("same", images.take(range(96))), ("noise", noise)):
        (tmp_path / name).mkdir()
        for k, picture in enumerate(pixels):
            Image.fromarray(picture[:, :, 0]).save(tmp_path / name / f"{k:03d}.png")
    ours, same, other = (
        json.loads(judged(good, json=True, data=data and str(tmp_path / data)))["metrics"]["bits-per-dim"]["result"]
        for data in (None, "same", "noise")
    )
    assert same == ours
    assert other["bits-per-dim"] > ours["bits-per-dim"] + 1


def test_everything_that_can_be_refused_is_refused_before_torch(difftool_apart, good, folder, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('torch was loaded')")
    path = os.pathsep.join([str(tmp_path), *(each for each in sys.path if each)])
    for arguments, says in (
        ((good.root,), "which metric? there are bits-per-dim"),
        ((good.root, "--metric", "bits-per-dm"), "did you mean 'bits-per-dim'?"),
        (("god", *METRIC, "--runs", folder / "runs"), "did you mean"),
        ((tmp_path / "none.safetensors", *METRIC), "there is no file"),
        (
            (good.root, *METRIC, "--set", "metric.pictres=3"),
            "--set metric.pictres=3: metric.pictres: unknown key; did you",
        ),
        ((good.root, *METRIC, "--set", "metric.variance=large"), "expected 'learned', 'full' or 'beta'"),
        ((good.root, *METRIC, "--set", "metric=3"), "only keys of the metric may be set here"),
        ((good.root, *METRIC, "--set", "train.steps=3"), "only keys of the metric may be set here"),
        ((good.root, *METRIC, "--data", tmp_path / "nowhere"), "there is no such folder"),
        ((good.weights, *METRIC, "--raw"), "--raw is for a run"),
    ):
        done = difftool_apart("eval", *arguments, check=2, PYTHONPATH=path)
        assert says in done.stderr, done.stderr
        assert done.stdout == ""
    assert "torch was loaded" in difftool_apart("eval", good.root, *METRIC, PYTHONPATH=path).stderr


def test_what_is_set_goes_to_each_metric_that_has_it():
    class One(Metric):
        """One."""

        size: int = 1
        """how large"""

    class Two(Metric):
        """Two."""

        size: int = 2
        """how large"""
        depth: int = 3
        """how deep"""

    registry = Registry([Offer("metric", "one", One, "difftool"), Offer("metric", "two", Two, "difftool")])
    made = _metrics(registry, ["one", "two", "one"], ["metric.size=7", "metric.depth=9"])
    assert made == {"one": One(size=7), "two": Two(size=7, depth=9)}
    with pytest.raises(RecipeError) as refused:
        _metrics(registry, ["one", "two"], ["metric.widht=7", "metric.size=x"])
    assert len(refused.value.problems) == 3  # size is wrong for both, said once; each has other keys to offer
    with pytest.raises(InputError, match="which metric"):
        _metrics(registry, [], [])


# ---- metrics that the data names

TWO = (
    *("data=two-pixel", "loss=l2", "sampler.variance=beta", "backbone.depth=1", "backbone.width=16"),
    *("train.steps=400", "train.batch=64"),
)


@pytest.fixture(scope="module")
def two(folder):
    return trained(folder, "two", *TWO)


def test_data_that_says_how_it_is_judged_needs_no_metric(difftool, two, judged):
    done = difftool("eval", two.root, "--set", "metric.pictures=2000", check=0)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["density", "tv", "tv_floor", "tv_untrained"]
    assert rows[0][1] == "VALUE"
    said = json.loads(judged(two, "metric.pictures=2000", json=True, names=()))["metrics"]
    assert list(said) == ["density"]
    assert {key: f"{value:.6g}" for key, value in said["density"]["result"].items()} == dict(rows[1:])
    result = said["density"]["result"]
    assert result["tv_floor"] < result["tv"] < result["tv_untrained"] - 0.02
    both = json.loads(judged(two, "metric.pictures=50", json=True, names=("bits-per-dim", "density")))["metrics"]
    assert list(both) == ["bits-per-dim", "density"]
    alone = json.loads(judged(two, "metric.pictures=50", json=True))["metrics"]
    assert alone == {"bits-per-dim": both["bits-per-dim"]}


def test_data_that_does_not_say_it_is_asked(judged, two, good, tmp_path):
    """One's own pictures have no law, nor do shapes."""
    Image.new("L", (2, 1)).save(tmp_path / "a.png")
    for run, data in ((good, None), (two, str(tmp_path))):
        with pytest.raises(InputError, match="which metric") as refused:
            judged(run, data=data, names=())
        assert "bits-per-dim, density" in str(refused.value)
        with pytest.raises(InputError, match="law is known"):
            judged(run, data=data, names=("density",))


def test_the_untrained_network_is_the_one_that_training_began_with(two, folder):
    """The same numbers as a run of it that hardly learned; and what is loaded is not touched."""
    model = load(two.weights, "cpu")
    learned = {key: value.clone() for key, value in model.net.state_dict().items()}
    began = model.untrained().net.state_dict()
    barely = load(trained(folder, "barely", *TWO, "train.steps=1", "optim.lr=1e-30").weights, "cpu").net.state_dict()
    assert all(torch.allclose(began[key], barely[key], rtol=0, atol=1e-20) for key in began)
    assert not any(torch.allclose(began[key], learned[key]) for key in began)
    assert all((value == learned[key]).all() for key, value in model.net.state_dict().items())


# ---- learned variance, from end to end


def test_a_learned_variance_trains_and_samples(good, plain, images):
    model = load(good.weights, "cpu")
    pictures = model.sample(range(3))
    assert pictures.shape == (3, 8, 8, 1)
    assert pictures.float().std() > 10
    found = {each: bits(BitsPerDim(variance=each), model, images) for each in ("learned", "full", "beta")}
    totals = {each: result["bits-per-dim"] for each, result in found.items()}
    assert totals["learned"] < min(totals["full"], totals["beta"])
    with pytest.raises(InputError, match="did not learn its variance"):
        bits(BitsPerDim(variance="learned"), load(plain.weights, "cpu"), images)


def test_a_model_with_labels_is_measured_with_the_labels_of_its_pictures(folder, images):
    run = trained(folder, "labelled", 'conditions.label={name="labels"}', "train.steps=30", "optim.lr=0.01")
    model = load(run.weights, "cpu")

    class Wordless:
        take = images.take

        def __len__(self):
            return 96

        def values(self, indices):
            return {}

    told, untold = (bits(BitsPerDim(pictures=8), model, each)["bits-per-dim"] for each in (images, Wordless()))
    assert told != untold
