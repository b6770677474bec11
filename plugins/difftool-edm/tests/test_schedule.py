"""The schedule against equation 5 of the paper, at its levels and between them."""

import pytest
import torch
from pydantic import ValidationError

from difftool_edm.schedule import Exploding


@pytest.mark.parametrize("fields", [{}, {"T": 18}, {"rho": 3.0}, {"lowest": 0.01, "highest": 20.0, "T": 50}])
def test_the_levels_are_the_paper_s_steps_upside_down(fields):
    part = Exploding(**fields)
    schedule = part.build()
    i, n = torch.arange(part.T, dtype=torch.float64), part.T  # the paper counts from the noise, and from 0
    high, low = part.highest ** (1 / part.rho), part.lowest ** (1 / part.rho)
    paper = (high + i / (n - 1) * (low - high)) ** part.rho
    torch.testing.assert_close(schedule.sigma[1:].flip(0), paper, rtol=1e-10, atol=0)
    assert (schedule.alpha == 1).all()


def test_both_ends():
    schedule = Exploding().build()
    assert float(schedule.sigma[0]) == 0
    assert float(schedule.sigma[1]) == pytest.approx(0.002, rel=1e-12)
    assert float(schedule.sigma[-1]) == pytest.approx(80, rel=1e-12)


def test_between_two_levels_the_root_of_sigma_is_straight():
    schedule = Exploding().build()
    t = torch.linspace(1, 1000, 3997, dtype=torch.float64)
    alpha, sigma = schedule.at(t)
    assert (alpha == 1).all()
    assert float((sigma ** (1 / 7)).diff().diff().abs().max()) < 1e-12
    assert float(schedule.at(0.25)[1]) == pytest.approx(0.0005, rel=1e-12)


def test_a_very_large_rho_is_even_in_ln_sigma():
    log = Exploding(rho=1000).build().sigma[1:].log()
    assert float((log.diff() / log.diff().mean() - 1).abs().max()) < 0.01


def test_one_level_is_all_noise():
    assert Exploding(T=1).build().sigma.tolist() == pytest.approx([0, 80])


@pytest.mark.parametrize("fields", [{"lowest": 0.0}, {"lowest": 1.0}, {"highest": 3.0}, {"rho": 1.0}])
def test_what_cannot_work_is_refused(fields):
    with pytest.raises(ValidationError):
        Exploding(**fields)
