"""Every rule of difftool's kit, also with other settings than the defaults."""

import pytest

from difftool.testing import check_loss, check_sampler, check_schedule, check_target
from difftool_edm.loss import Lognormal
from difftool_edm.sampler import Heun
from difftool_edm.schedule import Exploding
from difftool_edm.target import Preconditioned


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("churn", [{}, {"churn": 40.0, "churn_from": 0.05, "churn_to": 50.0}])
def test_the_sampler(churn, seed):
    check_sampler(Heun(**churn), seed=seed)


@pytest.mark.parametrize("fields", [{}, {"rho": 3.0}, {"rho": 1000.0}, {"T": 18}, {"T": 1}, {"highest": 10.0}])
def test_the_schedule(fields):
    check_schedule(Exploding(**fields))


@pytest.mark.parametrize("sigma_data", [0.2, 0.5, 1.0])
def test_the_target(sigma_data):
    check_target(Preconditioned(sigma_data=sigma_data))


@pytest.mark.parametrize("fields", [{}, {"mean": 0.5, "std": 1.5}, {"sigma_data": 0.2}])
def test_the_loss(fields):
    check_loss(Lognormal(**fields))
