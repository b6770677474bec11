"""`--data PATH`: which data set reads it, and the section of the recipe that says so."""

from pathlib import Path
from typing import ClassVar

import pytest

from difftool.errors import InputError
from difftool.plugin.component import Dataset
from difftool.plugin.registry import Offer, Registry
from difftool.recipe.load import load
from difftool.recipe.own import existing, own_data, reader_of, size_of


class Reader(Dataset):
    """Reads the paths whose names end as its own does."""

    ending: ClassVar[str] = ".mine"
    path: Path
    """a file"""

    @classmethod
    def reads(cls, path):
        return path.name.endswith(cls.ending)

    @property
    def shape(self):
        return 3, 8, 8


class Sized(Reader):
    """Has a size, but no channels."""

    size: int | tuple[int, int] = 8
    """side"""


class Full(Sized):
    """Has both."""

    channels: int = 3
    """1 or 3"""


class Other(Full):
    """Another format."""

    ending: ClassVar[str] = ".other"


class Greedy(Full):
    """Takes the same."""


class Eager(Full):
    """And so does this."""


class Faulty(Full):
    """Stumbles over every path."""

    @classmethod
    def reads(cls, path):
        raise RuntimeError("this plugin is wrong")


class Pathless(Dataset):
    """Would take anything, and could not be told what."""

    @classmethod
    def reads(cls, path):
        return True


class Images(Full):
    """Stands for `images`: what no other reads."""

    @classmethod
    def reads(cls, path):
        return False


def having(**parts):
    return Registry([Offer("dataset", name, part, "difftool") for name, part in {"images": Images, **parts}.items()])


def test_pictures_are_what_no_other_claims():
    known = having(mine=Full, other=Other)
    for name in ("folder", "a.zip", "x.mine.png"):
        assert reader_of(Path("/x") / name, known) == "images"
    assert reader_of(Path("/x/a.mine"), known) == "mine"
    assert reader_of(Path("/x/a.other"), known) == "other"


def test_the_recipes_own_is_asked_first():
    known = having(aaa=Full, mine=Full)
    path = Path("/x/a.mine")
    assert reader_of(path, known) == "aaa"
    assert reader_of(path, known, "mine") == "mine"
    assert reader_of(path, known, "nobody") == "aaa"
    assert reader_of(Path("/x/folder"), known, "mine") == "images"


def test_ours_goes_before_theirs_and_two_of_theirs_must_be_told_apart():
    path = Path("/x/a.mine")
    ours = [Offer("dataset", "images", Images, "difftool"), Offer("dataset", "zzz", Full, "difftool")]
    theirs = [Offer("dataset", "aaa", Greedy, "pkg-a"), Offer("dataset", "bbb", Eager, "pkg-b")]
    assert reader_of(path, Registry([*ours, *theirs])) == "zzz"
    assert reader_of(path, Registry([ours[0], theirs[1]])) == "bbb"
    with pytest.raises(InputError, match="aaa and bbb both read this") as caught:
        reader_of(path, Registry([ours[0], *theirs]))
    assert "--set data=aaa --set data.path=/x/a.mine" in caught.value.do
    assert reader_of(path, Registry([ours[0], *theirs]), "bbb") == "bbb"


def test_one_that_fails_or_has_no_path_is_passed_over():
    known = having(a=Faulty, b=Pathless, mine=Full)
    assert reader_of(Path("/x/a.mine"), known) == "mine"
    assert reader_of(Path("/x/a.png"), known, "a") == "images"


def test_a_path_that_no_recipe_can_hold(tmp_path):
    with pytest.raises(InputError, match="cannot be written into a recipe"):
        reader_of(tmp_path / "caf\udce9", having())


@pytest.mark.parametrize(
    ("part", "size", "table"),
    [
        (Full, size_of((1, 16, 16)), {"channels": 1, "size": 16}),
        (Full, size_of((3, 16, 24)), {"channels": 3, "size": [16, 24]}),
        (Sized, size_of((1, 16, 16)), {"size": 16}),
        (Reader, size_of((1, 16, 16)), {}),
        (Full, {}, {}),
    ],
)
def test_size_and_channels_are_handed_over_where_there_are_such_keys(part, size, table):
    assert own_data(Path("/x/a.mine"), "mine", size, having(mine=part)) == {
        "name": "mine",
        "path": "/x/a.mine",
        **table,
    }


def test_a_path_that_is_there(tmp_path, monkeypatch):
    (tmp_path / "pets").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("pets", "~/pets", str(tmp_path / "pets")):
        assert existing(text) == tmp_path / "pets"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("pet", "there is no such folder or file"),
        ("C:\\Users\\me\\pets", "there is no such folder or file"),
        ("~nobody-of-that-name/x", ""),
        ("x" * 5000, ""),
        ("a\0b", ""),
        ("two\nlines", "there is no such folder or file"),
    ],
)
def test_a_path_that_is_not_there(tmp_path, monkeypatch, text, part):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        existing(text)
    error = caught.value
    assert error.exit_code == 2
    assert part in error.what
    assert error.what.startswith("--data ")
    assert len(error.render().splitlines()) <= 3
    assert "\\" not in text or "/" in error.do
    if part:
        assert error.where == str(tmp_path / text)


RECIPE = 'recipe = 1\nname = "x"\nbackbone = "unet"\n[train]\nsteps = 5\n'


@pytest.fixture
def data(file, registry):
    """The data section of a recipe, given its text, with --data."""

    def data(section, path, *sets, profile="none"):
        file.write_text(RECIPE + section)
        loaded = load(str(file), registry, data=str(path), sets=list(sets), profile=profile)
        return loaded.recipe(profile)[0].data

    return data


def dump(known, part):
    return {key: value for key, value in known.dump(part).items() if key in ("name", "path", "size", "channels")}


def test_pictures_take_the_size_and_channels_of_what_they_replace(data, tmp_path, registry):
    folder = tmp_path / "pets"
    folder.mkdir()
    found = data('[data]\nname = "shapes"\nsize = [16, 24]\nchannels = 1\n', folder)
    assert dump(registry, found) == {"name": "images", "path": str(folder), "size": [16, 24], "channels": 1}
    found = data('[data]\nname = "shapes"\nsize = 16\n', folder, "data.size=48")
    assert dump(registry, found) == {"name": "images", "path": str(folder), "size": 48, "channels": 3}


def test_pictures_in_place_of_pictures_keep_how_they_are_cut(data, tmp_path):
    folder = tmp_path / "pets"
    folder.mkdir()
    found = data('[data]\nname = "images"\npath = "gone"\nsize = 16\ncrop = "pad"\nmax_bad = 3\n', folder)
    assert (found.path, found.size, found.crop, found.max_bad) == (folder, 16, "pad", 3)


def test_a_relative_path_counts_from_where_one_is_not_from_the_recipe(data, tmp_path, monkeypatch):
    place = tmp_path / "here"
    (place / "pets").mkdir(parents=True)
    monkeypatch.chdir(place)
    assert data('[data]\nname = "shapes"\n', "pets").path == place / "pets"


def test_so_does_one_that_is_set_and_one_in_the_recipe_does_not(registry, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    text = RECIPE + '[data]\nname = "images"\npath = "pets"\nsize = 8\n'
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text)
    for sets, path in (
        ([], tmp_path / "pets"),
        (["data.size=16"], tmp_path / "pets"),
        (["data.path=cats"], tmp_path / "here" / "cats"),
        (['data={name="images", path="cats", size=8}'], tmp_path / "here" / "cats"),
    ):
        assert load(str(recipe), registry, sets=sets).recipe("none")[0].data.path == path, sets


def test_a_recipe_without_usable_data_still_tells_size(data, tmp_path):
    assert data('[data]\nname = "images"\nsize = 24\n', tmp_path).size == 24


def test_profiles_that_change_the_size_are_minded(data, tmp_path):
    section = '[data]\nname = "shapes"\nsize = 16\n[profile.small.data]\nsize = 8\n'
    assert data(section, tmp_path, profile="small").size == 8
    assert data(section, tmp_path).size == 16
