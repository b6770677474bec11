"""Mistakes hide in options: each choice that a part has is tried by itself."""

import math
from itertools import pairwise
from typing import Literal

from difftool.builtin.ddpm import DDPM
from difftool.builtin.losses import Huber
from difftool.builtin.unet import UNet
from difftool.core.types import Step
from difftool.plugin.component import Sampler
from difftool.testing import examine
from difftool.testing.variants import variants


class Ancestral(Sampler):
    """Right as it comes, wrong with the other variance: its root is forgotten."""

    variance: Literal["full", "beta"] = "full"
    """which"""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)
            x0 = denoiser(x, t).x0
            sigma = math.sqrt(hop.posterior) if self.variance == "full" else hop.beta
            x = hop.mean_x0 * x0 + hop.mean_xt * x
            if s > 0:
                x = x + sigma * draw()
            yield Step(index, len(times) - 1, s, x, x0)


def test_every_other_choice_is_a_part_of_its_own():
    assert [name for name, _ in variants(DDPM(noise=0.5))] == ["variance=beta", "variance=zero", "variance=learned"]
    assert all(other.noise == 0.5 for _, other in variants(DDPM(noise=0.5)))
    assert [name for name, _ in variants(Huber(weight="p2"))] == ["weight=none", "weight=min-snr"]
    names = [name for name, _ in variants(UNet(width=8, mults=(1, 2)))]
    assert "middle=False" in names
    assert "norm=instance" not in names  # not without scale_shift
    assert "norm=instance" in [name for name, _ in variants(UNet(width=8, mults=(1, 2), scale_shift=True))]


def test_a_mistake_in_an_option_is_found():
    part = Ancestral()
    assert all(finding.kept for finding in examine(part))
    ((name, other),) = variants(part)
    broken = [finding for finding in examine(other) if not finding.kept]
    assert name == "variance=beta"
    assert any("spread" in finding.reason for finding in broken)


def test_every_choice_of_what_ships_is_right():
    for part in (DDPM(), Huber()):
        for name, other in variants(part):
            assert [finding.reason for finding in examine(other) if not finding.kept] == [], name
