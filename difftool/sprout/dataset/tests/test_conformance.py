"""Is the data set right? The rules of every data set, and one promise of its own."""

import math

import pytest
from difftool.testing import check_dataset, check_module

from difftool_sprout import Sprout


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # pictures that a test draws are not kept


def test_it_keeps_the_rules_of_every_data_set():
    check_dataset(Sprout(size=16))


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def test_a_disc_is_as_large_as_its_radius_says():
    # YOURS: what only your data set promises.
    images = Sprout(size=64, count=8).open()
    for picture, radius in zip(images.take(range(8)), images.values(range(8))["radius"], strict=True):
        cover = picture.max(2) / picture.max()
        assert cover.mean() == pytest.approx(math.pi * radius**2, rel=0.02)
