"""The shared maths against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from difftool.api import Prediction
from difftool.testing import PATHS
from difftool_solvers import DPM3M
from difftool_solvers.ipndm import WEIGHTS
from difftool_solvers.path import shares, towards


@pytest.mark.parametrize("h", [-12.0, -1.0, -1e-3, 1e-3, 0.7, 12.0])
def test_shares_sum_to_one_and_give_back_polynomials(h):
    nodes = [0.0, -0.6, -1.7, -2.5]
    found = shares(nodes, h)
    assert sum(found) == pytest.approx(1, abs=1e-12)
    norm = math.expm1(h) / h
    slope = (math.exp(h) - norm) / h / norm  # the mean of u under e^(h u)
    assert sum(share * u for share, u in zip(found, nodes, strict=True)) == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights_of_ipndm_are_those_of_equal_steps(weights):
    assert shares([-float(k) for k in range(len(weights))], 1e-12) == pytest.approx(weights, rel=1e-9)


def test_exact_3m_is_the_polynomial_through_three_guesses():
    """A guess that is the square of lambda, whatever x is, leaves nothing but the start for the method to get wrong."""
    schedule = PATHS["linear"]()
    levels = (700.0, 500.0, 350.0, 240.0)
    lams = [float((schedule.alpha[int(t)] / schedule.sigma[int(t)]).log()) for t in levels]

    class Square:
        def __init__(self):
            self.schedule = schedule

        def __call__(self, x, t):
            guess = torch.full_like(x, lams[levels.index(t)] ** 2) if t in levels else x
            return Prediction(guess, x)

    walk = [
        step.x for step in DPM3M(exact=True).run(Square(), torch.ones(1, dtype=torch.float64), (*levels, 0.0), None)
    ]
    us = [(lam - lams[2]) / (lams[3] - lams[2]) for lam in lams[2::-1]]
    h = lams[3] - lams[2]
    mean = sum(share * lam**2 for share, lam in zip(shares(us, h), lams[2::-1], strict=True))
    hop = schedule.hop(350, 240)
    assert float(walk[2]) == pytest.approx(float(towards(hop, walk[1], mean)), rel=1e-12)
    true = (
        lams[3] ** 2 - 2 * lams[3] + 2 - math.exp(-h) * (lams[2] ** 2 - 2 * lams[2] + 2)
    )  # of lambda^2 e^(lambda - end)
    assert mean * (1 - math.exp(-h)) == pytest.approx(true, rel=1e-12)
