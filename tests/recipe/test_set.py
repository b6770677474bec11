"""`--set section.key=VALUE` and `--data PATH`."""

import pytest

from difftool.errors import InputError
from difftool.recipe.load import load
from difftool.recipe.overlay import overlay, value_of

from .conftest import RICH, swap


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("3", 3),
        ("1e4", 10_000.0),
        ("true", True),
        ('"3"', "3"),
        ("[1, 2]", [1, 2]),
        ('{name = "l2"}', {"name": "l2"}),
        ("cosine", "cosine"),
        ("a=b=c", "a=b=c"),
        ("True", "True"),
        (r"C:\temp", r"C:\temp"),
        ("", ""),
        ("1\nb = 2", "1\nb = 2"),
        ("[" * 5000, "[" * 5000),
        ("9" * 5000, "9" * 5000),
        ("toy:mine", "toy:mine"),
        ("0-15", "0-15"),
        ("3 # a comment", 3),
    ],
)
def test_a_value_is_toml_and_a_bare_word_is_text(raw, value):
    found = value_of(raw)
    assert found == value
    assert type(found) is type(value)


def test_settings_of_every_kind(read):
    recipe = read(
        RICH,
        sets=[
            "train.steps=1e4",
            "optim.lr = 1e-5",
            "sample.spacing=uniform",
            "train.flip=false",
            "data.kinds=['heart']",
            "name=other",
            "seed=9",
            "predict=eps",
            "preview.sampler.eta=0.25",
        ],
    )
    assert (recipe.train.steps, recipe.optim.lr, recipe.sample.spacing, recipe.train.flip) == (
        10_000,
        1e-5,
        "uniform",
        0,
    )
    assert (recipe.data.kinds, recipe.name, recipe.seed, recipe.preview.sampler.eta) == (("heart",), "other", 9, 0.25)
    assert type(recipe.predict).__name__ == "Eps"


def test_the_same_name_merges_and_another_replaces(read):
    assert read(RICH, sets=["sampler.noise=0.1"]).sampler.variance == "beta"
    assert read(RICH, sets=["sampler.name=ddpm"]).sampler.noise == 0.9
    assert read(RICH, sets=["sampler=ddpm"]).sampler.noise == 0.9
    replaced = read(RICH, sets=["sampler=ddim"]).sampler
    assert type(replaced).__name__ == "DDIM"
    replaced = read(RICH, sets=['loss={name="l1"}']).loss
    assert type(replaced).__name__ == "L1"
    both = read(RICH, sets=["sampler=ddim", "sampler.eta=0.5"]).sampler
    assert both.eta == 0.5
    nested = read(RICH, sets=["preview.sampler=ddpm"]).preview
    assert (type(nested.sampler).__name__, nested.sampler.noise, nested.every) == ("DDPM", 1.0, 50)


def test_a_bare_name_can_be_merged_into(read):
    text = swap(RICH, ('[loss]\nname = "huber"\ndelta = 0.5\n', ""), ("seed = 3\n", 'seed = 3\nloss = "huber"\n'))
    assert read(text, sets=["loss.delta=3"]).loss.delta == 3
    nested = swap(RICH, ('{ name = "ddim", eta = 0.5 }', '"ddim"'))
    assert read(nested, sets=["preview.sampler.eta=0.5"]).preview.sampler.eta == 0.5


def test_options_count_where_they_may_be_used(read, refused):
    assert read(RICH, sets=["loss.delta=3"]).loss.delta == 3  # of no use under the profile big
    assert len(refused(RICH, sets=["loss.delta=3"], profile="big")) == 1
    text = swap(RICH, ("train.batch = 8", "train.batch = 7"))
    (line,) = refused(text, sets=["train.accumulate=1"], profile="none")
    assert line.endswith("(profile cpu)")
    assert read(text, sets=["train.accumulate=1"], profile="cpu").train.batch == 7


def test_overlay():
    base = {"a": {"name": "x", "k": 1, "l": {"m": 1}}, "b": [1]}
    assert overlay(base, {"a": {"k": 2}})["a"] == {"name": "x", "k": 2, "l": {"m": 1}}
    assert overlay(base, {"a": {"name": "x", "k": 2}})["a"] == {"name": "x", "k": 2, "l": {"m": 1}}
    assert overlay(base, {"a": {"name": "y", "k": 2}})["a"] == {"name": "y", "k": 2}
    assert overlay(base, {"a": {"l": {"n": 2}}})["a"]["l"] == {"m": 1, "n": 2}
    assert overlay(base, {"a": "x"})["a"] == base["a"]
    assert overlay(base, {"a": "y"})["a"] == {"name": "y"}
    assert overlay(base, {"a": {"l": "z"}})["a"]["l"] == "z"
    assert overlay({"a": {"inner": "x"}}, {"a": {"inner": {"k": 1}}}) == {"a": {"inner": {"name": "x", "k": 1}}}
    assert overlay(base, {"b": [2], "c": 3}) == {"a": base["a"], "b": [2], "c": 3}
    assert base == {"a": {"name": "x", "k": 1, "l": {"m": 1}}, "b": [1]}


def test_a_mistake_names_the_option_instead_of_a_line(refused):
    assert sorted(refused(RICH, sets=["train.stepz=3", "optim.lr=fast", "sampler=ddmp"])) == [
        '--set optim.lr=fast: optim.lr: expected a number, got "fast" (text: remove the quotes)',
        "--set sampler=ddmp: sampler.name: no sampler is called 'ddmp'; did you mean 'ddpm'?",
        "--set train.stepz=3: train.stepz: unknown key; did you mean 'steps'?",
    ]


def test_a_cross_check_is_told_where_the_last_word_came_from(refused):
    (line, *_) = refused(RICH, sets=["train.accumulate=5"])
    assert line.startswith("--set train.accumulate=5: train.accumulate: 5 parts do not divide a batch of 16")


@pytest.mark.parametrize(
    "text", ["train.steps", "=3", "train..steps=3", "train. =3", "a b=3", "x" * 5, "a." * 40 + "b=1"]
)
def test_a_malformed_option(refused, text):
    assert refused(RICH, sets=[text]) == [f"--set {text}: expected section.key=VALUE, as in --set optim.lr=1e-4"]


def test_deep_values_are_refused_too(refused):
    assert len(refused(RICH, sets=["optim.lr=" + "[" * 400 + "]" * 400])) == 1


# --data


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


def test_data_keeps_size_and_channels(read, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = read(RICH, data="pictures").data
    assert type(data).__name__ == "ImageFolder"
    assert (data.path, data.size, data.channels) == (pictures, (32, 16), 1)
    assert data.path.is_absolute()


def test_data_keeps_what_was_never_written(read, pictures):
    data = read(
        "recipe = 1\nname = 'x'\ndata = 'shapes'\nbackbone = 'unet'\ntrain.steps = 1\n", data=str(pictures)
    ).data
    assert (data.size, data.channels) == (32, 3)


def test_data_keeps_the_size_of_the_profile(read, pictures):
    text = RICH + "\n[profile.mps]\ndata = { size = [64, 64] }\nbackbone = { attention = [32] }\n"
    assert read(text, profile="mps", data=str(pictures)).data.size == 64
    assert read(text, data=str(pictures)).data.size == (32, 16)


def test_data_fills_in_a_recipe_that_left_the_path_open(read, refused, pictures):
    text = swap(
        RICH,
        ('name = "shapes"', 'name = "images"'),
        ('count = 512\nseed = 5\nkinds = ["circle", "star"]\n', ""),
    )
    assert refused(text) == ["mine.toml:6: data.path: is missing"]
    data = read(text, data=str(pictures)).data
    assert (data.path, data.size, data.channels) == (pictures, (32, 16), 1)


def test_set_comes_after_data(read, pictures):
    data = read(RICH, data=str(pictures), sets=["data.size=[32, 64]", "data.channels=3", "backbone.attention=[]"]).data
    assert (data.path, data.size, data.channels) == (pictures, (32, 64), 3)


def test_a_folder_that_is_not_there(registry, file, tmp_path):
    from difftool.recipe.load import load

    file.write_text(RICH)
    with pytest.raises(InputError, match=r"--data .*nowhere: there is no such folder"):
        load(str(file), registry, data=str(tmp_path / "nowhere"))


def test_a_path_in_a_recipe_starts_at_the_recipe(read, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    text = swap(
        RICH,
        ('name = "shapes"', 'name = "images"\npath = "pictures/mine"'),
        ('count = 512\nseed = 5\nkinds = ["circle", "star"]\n', ""),
    )
    assert read(text).data.path == tmp_path / "pictures" / "mine"
    monkeypatch.setenv("HOME", "/home/me")
    assert str(read(text.replace("pictures/mine", "~/x")).data.path) == "/home/me/x"
    assert read(text.replace("pictures/mine", "$HOME/x")).data.path == tmp_path / "$HOME" / "x"


def test_a_key_of_what_is_there_by_default_may_be_set(registry, file):
    file.write_text('recipe = 1\nname = "x"\ndata = "shapes"\nbackbone = "unet"\ntrain.steps = 5\n')
    recipe, _ = load(str(file), registry, sets=["sampler.variance=beta", "loss.weight=p2"]).recipe("none")
    assert recipe.sampler.variance == "beta"
    assert recipe.loss.weight == "p2"
