"""The order of each method, measured: the error falls with the right power of the number of steps, and no faster."""

from __future__ import annotations

import pytest
import torch
from truth import DDIM, SAMPLERS, Known

from difftool.api import Schedule
from difftool.testing import PATHS

MEASURED = {  # sampler: the order between 40 and 160 steps, at least and at most, on every path
    "dpm-2m": (1.9, 2.2),
    "dpm-3m": (1.9, 2.2),  # as published it is no better than second order
    "dpm-3m exact": (2.75, 3.2),
    "unipc-2": (2.9, 3.3),
    "unipc-2 bh1": (2.9, 3.4),
    "unipc-3": (3.8, 4.3),
    "deis-2": (1.9, 2.6),
    "deis-3": (2.9, 3.7),
    "deis-4": (3.4, 4.2),
    "deis-3 t": (2.6, 3.4),
    "deis-4 t": (3.1, 4.1),
    "deis-3 rho": (2.6, 3.1),
    "ipndm-2": (1.9, 2.2),
    "ipndm-3": (1.9, 2.2),  # its weights are those of equal steps in sigma / alpha, which these are not
    "ipndm-4": (1.9, 2.2),
    "heun": (1.9, 2.3),
}


@pytest.mark.parametrize("spacing", ["logsnr", "bent"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", MEASURED)
def test_the_error_falls_with_the_power_that_is_promised(name, path, spacing):
    least, most = MEASURED[name]
    assert least <= Known(PATHS[path]()).order(SAMPLERS[name], spacing) <= most


@pytest.mark.parametrize("path", PATHS)
def test_the_truth_is_where_ddim_goes_with_ever_more_steps(path):
    assert 0.95 <= Known(PATHS[path]()).order(DDIM(), "logsnr") <= 1.1


@pytest.mark.parametrize(("name", "least"), [("ipndm-3", 2.6), ("ipndm-4", 2.6), ("deis-4", 2.6)])
def test_ipndm_is_of_higher_order_where_its_steps_are_equal(name, least):
    """sigma / alpha is t / 50 here: from 20 down to 2 in equal steps."""
    ratio = torch.arange(1001, dtype=torch.float64) / 50
    known = Known(Schedule(torch.ones_like(ratio), ratio))
    ways = [(*(1000 - 900 * k / n for k in range(n + 1)), 0.0) for n in (60, 240)]
    errors = [known.error(SAMPLERS[name], way, 100.0) for way in ways]
    assert errors[0] / errors[1] > 4**least
