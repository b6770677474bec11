"""Recipes that plugins bring: found by name without importing anything, and what is said where they are missing."""

import re

import pytest

from difftool.cli.recipes import list_
from difftool.errors import InputError
from difftool.plugin.house import HOUSE, install
from difftool.recipe.offered import named, offered, shipped
from difftool.recipe.source import find


@pytest.fixture
def bring(tmp_path, monkeypatch):
    """Installs a distribution that brings recipes; importing its package would end the test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delenv("DIFFTOOL_PLUGINS", raising=False)

    def bring(dist, *names, package="{module}", under=""):
        module = dist.replace("-", "_")
        folder = site / module / under / "recipes"
        folder.mkdir(parents=True)
        (site / module / "__init__.py").write_text("raise SystemExit('imported')")
        for name in names:
            (folder / f"{name}.toml").write_text(f"# Recipe {name} of {dist}.\n")
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[difftool.recipes]\nmain = {package.format(module=module)}\n")
        return folder

    return bring


def test_it_is_found_by_its_name_its_owned_name_and_as_a_file_of_that_name(bring, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = bring("acme-recipes", "roses", "tulips")
    assert find("roses") == (folder / "roses.toml", "")
    assert find("acme-recipes:tulips") == (folder / "tulips.toml", "")
    assert find("recipes/roses.toml") == (
        folder / "roses.toml",
        "recipes/roses.toml is not here; using the recipe roses that comes with acme-recipes",
    )
    assert [each.owned for each in offered()][len(shipped()) :] == ["acme-recipes:roses", "acme-recipes:tulips"]


def test_a_folder_within_the_package(bring):
    folder = bring("acme-recipes", "roses", package="{module}.deep.er", under="deep/er")
    assert named("roses").path == folder / "roses.toml"


def test_ours_come_before_all_and_theirs_still_have_a_name(bring):
    folder = bring("acme-recipes", "quickstart")
    assert find("quickstart")[0] == shipped()["quickstart"]
    assert find("acme-recipes:quickstart")[0] == folder / "quickstart.toml"


def test_two_of_one_name(bring):
    bring("acme-recipes", "roses")
    folder = bring("other", "roses")
    with pytest.raises(InputError, match="2 plugins bring a recipe called roses") as caught:
        find("roses")
    assert caught.value.do == "write acme-recipes:roses or other:roses"
    assert find("other:roses")[0] == folder / "roses.toml"


@pytest.mark.parametrize("package", ["not_there", "difftool_no.such", "", "a b", ".", ":"])
def test_a_package_that_cannot_be_found_brings_nothing(bring, package):
    bring("acme-recipes", "roses", package=package)
    assert named("roses") is None


def test_without_plugins_there_are_only_ours(bring, monkeypatch):
    bring("acme-recipes", "roses")
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "none")
    assert [each.owned for each in offered()] == list(shipped())


def test_near_misses_count_theirs_too(bring):
    bring("acme-recipes", "roses")
    with pytest.raises(InputError) as caught:
        find("rosse")
    assert "did you mean 'roses'?" in caught.value.why


def test_a_file_that_cannot_be_read_hurts_nobody(bring, capsys):
    folder = bring("acme-recipes", "roses", "tulips")
    (folder / "roses.toml").write_bytes(b"# caf\xe9\n")
    (folder / "gone.toml").symlink_to(folder / "nowhere.toml")
    list_()
    told = capsys.readouterr().out
    assert re.search(r"^roses +cannot be read +acme-recipes$", told, re.MULTILINE)
    assert re.search(r"^tulips +Recipe tulips of acme-recipes\. +acme-recipes$", told, re.MULTILINE)
    assert "gone" not in told


@pytest.mark.parametrize("text", ["{name}", "{package}:{name}", "recipes/{name}.toml"])
@pytest.mark.parametrize("package", HOUSE)
def test_a_recipe_of_the_house_names_its_package(package, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "none")  # it may be installed here
    for name in HOUSE[package]["recipe"]:
        with pytest.raises(InputError, match="there is no recipe") as caught:
            find(text.format(name=name, package=package))
        assert (caught.value.why, caught.value.do) == (f"it comes with {package}", install(package))
