"""Is the metric right? The rules of every metric, and one promise of its own."""

import numpy as np
import pytest
from difftool.testing import check_metric, check_module

from difftool_sprout import Sprout, contrast


def test_it_keeps_the_rules_of_every_metric():
    check_metric(Sprout(pictures=4))


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def test_flat_pictures_have_no_contrast_and_black_and_white_ones_the_most():
    # YOURS: what only your metric promises.
    flat = np.full((2, 4, 4, 3), 200, np.uint8)
    halves = np.zeros((2, 4, 4, 3), np.uint8)
    halves[:, :2] = 255
    assert contrast(flat) == 0
    assert contrast(halves) == pytest.approx(127.5)
    assert contrast(np.concatenate([flat, halves])) == pytest.approx(127.5 / 2)
