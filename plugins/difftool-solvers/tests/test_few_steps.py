"""What they are for: closer to the truth than ddim, call for call. Finished pictures, each at its own levels."""

from __future__ import annotations

import pytest
from truth import DDIM, SAMPLERS, Known

from difftool.testing import PATHS

AT_10 = {  # sampler: the error after 10 calls as a share of ddim's, at most, on linear, cosine, flow and exploding
    "dpm-2m": (0.35, 0.6, 0.85, 0.4),
    "dpm-3m": (0.35, 0.65, 0.95, 0.45),
    "dpm-3m exact": (0.25, 0.4, 0.6, 0.3),
    "unipc-2": (0.35, 0.6, 0.9, 0.45),
    "unipc-3": (0.06, 0.1, 0.22, 0.04),
    "deis-3": (0.1, 0.2, 0.35, 0.15),
    "deis-4": (0.04, 0.06, 0.2, 0.06),
    "deis-3 t": (0.35, 0.3, 0.4, 0.3),
    "ipndm-3": (0.13, 0.23, 0.35, 0.15),
    "ipndm-4": (0.25, 0.42, 0.65, 0.3),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", AT_10)
def test_ten_steps_beat_ten_of_ddim(name, path):
    known = Known(PATHS[path]())
    most = AT_10[name][list(PATHS).index(path)]
    assert known.off(SAMPLERS[name], 10) < most * known.off(DDIM(), 10)


@pytest.mark.parametrize("path", PATHS)
def test_heun_needs_many_steps(path):
    """Call for call it is behind ddim at 18 calls on this data, and ahead at 120."""
    known = Known(PATHS[path]())
    assert known.off(SAMPLERS["heun"], 9) > known.off(DDIM(), 17)
    assert known.off(SAMPLERS["heun"], 60) < 0.85 * known.off(DDIM(), 119)
