"""What is written out reads back as the same recipe."""

import tomllib

import pytest

from difftool.recipe.load import load
from difftool.recipe.write import changes, differences, flat, plain, toml

from .conftest import ALL, RICH, swap


@pytest.mark.parametrize("name", ALL)
def test_a_resolved_recipe_is_the_same_recipe(name, read, registry, file):
    file.write_text(ALL[name])
    for profile in ["none", *load(str(file), registry).profiles]:
        recipe = read(ALL[name], profile)
        text = toml(plain(recipe, registry))
        again = read(text)
        assert again == recipe
        assert toml(plain(again, registry)) == text


def test_every_default_is_written_out(read, registry):
    small = 'recipe = 1\nname = "x"\ndata = "shapes"\nbackbone = "unet"\ntrain.steps = 5\n'
    table = plain(read(small), registry)
    assert table["train"]["ema"] == 0.9999
    assert table["data"]["count"] == 8192
    assert table["predict"] == {"name": "eps"}
    assert table["optim"]["betas"] == [0.9, 0.999]
    assert tomllib.loads(toml(table)) == table


def test_none_is_an_absent_key(read, registry):
    small = 'recipe = 1\nname = "x"\ndata = "shapes"\nbackbone = "unet"\ntrain.steps = 5\n'
    table = plain(read(small), registry)
    assert sorted(table["sample"]) == ["batch", "clip", "count", "guidance", "guidance_rescale"]
    assert sorted(table["preview"]) == ["count", "every", "raw"]


def test_the_path_that_is_written_is_absolute(read, registry, tmp_path):
    text = (
        'recipe = 1\nname = "x"\ndata = {name = "images", path = "p", size = 8}\nbackbone = "unet"\ntrain.steps = 5\n'
    )
    recipe = read(text)
    assert plain(recipe, registry)["data"]["path"] == str(tmp_path / "p")


def test_differences_are_exactly_what_is_not_usual(read, registry):
    small = 'recipe = 1\nname = "x"\ndata = "shapes"\nbackbone = "unet"\ntrain.steps = 5\n'
    usual = {"name": "x", "data.name": "shapes", "backbone.name": "unet", "train.steps": 5}
    assert differences(read(small), registry) == usual
    assert (
        differences(read(small + "train.batch = 128\nloss = 'l2'\nsampler = {name = 'ddpm', noise = 1}\n"), registry)
        == usual
    )
    more = small + "seed = 1\nloss = 'huber'\nsampler = {name = 'ddpm', noise = 0.5}\nsample.steps = 10\n"
    assert differences(read(more), registry) == usual | {
        "seed": 1,
        "loss.name": "huber",
        "sampler.noise": 0.5,
        "sample.steps": 10,
    }


def test_differences_of_everything_are_everything(read, registry):
    table = tomllib.loads(RICH)
    del table["profile"]
    said = flat(table) | {"predict.name": "v"}
    usual = ("predict", "recipe", "sampler.name", "log.sinks")
    assert differences(read(RICH), registry) == {key: value for key, value in said.items() if key not in usual}


def test_changes(read, registry):
    before = plain(read(RICH), registry)
    after = plain(read(swap(RICH, ("keep = 3", "keep = 4"), ('spacing = "karras"\n', "")), sets=["loss=l1"]), registry)
    assert changes(before, after) == {
        "checkpoint.keep": (3, 4),
        "loss.delta": (0.5, None),
        "loss.name": ("huber", "l1"),
        "sample.spacing": ("karras", None),
    }
    assert changes(before, before) == {}


def test_third_party_names_are_owned_and_come_back(registry, read, file, tmp_path, monkeypatch):
    from difftool.plugin.component import Loss, Sampler
    from difftool.plugin.registry import Offer, Registry

    class Mine(Loss):
        """Mine."""

        inner: Loss
        """another"""

    class Way(Sampler):
        """A way."""

    mixed = Registry([*registry.offers, Offer("loss", "mine", Mine, "toy"), Offer("sampler", "ddpm", Way, "toy")])
    file.write_text(swap(RICH, ('[loss]\nname = "huber"\ndelta', '[loss]\nname = "mine"\ninner = "huber"\n#')))
    text = toml(plain(load(str(file), mixed, sets=["sampler=toy:ddpm"]).recipe("none")[0], mixed))
    table = tomllib.loads(text)
    assert table["loss"]["name"] == "toy:mine"
    assert table["loss"]["inner"] == mixed.dump(mixed.get("loss", "huber")())
    assert table["sampler"] == {"name": "toy:ddpm"}
    file.write_text(text)
    again = load(str(file), mixed).recipe("none")[0]
    assert type(again.loss) is Mine
    assert type(again.sampler) is Way
    assert toml(plain(again, mixed)) == text
