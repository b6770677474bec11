"""DDIM beside DDPM: no noise at eta 0, the same walk at eta 1, a share of the posterior's sigma between."""

import math

import pytest
import torch

from difftool.builtin.ddim import DDIM
from difftool.builtin.ddpm import DDPM
from difftool.builtin.schedules import Cosine, Linear
from difftool.core.sampling import last, spaced, walk
from difftool.core.schedule import Schedule
from difftool.testing.oracles import Gaussian, Mixture


def flow(T=1000):
    def line(t):
        return 1 - t / T, t / T

    return Schedule(*line(torch.arange(T + 1, dtype=torch.float64)), curve=line)


LINEAR, COSINE, FLOW = Linear().build(), Cosine().build(), flow()


def silent():
    """No sampler may ask for noise here."""
    raise AssertionError("drew noise")


def seeded(size):
    """A draw in float64: the same noise each time."""
    g = torch.Generator().manual_seed(0)
    return lambda: torch.randn(size, generator=g, dtype=torch.float64)


def test_ddim_with_eta_0_is_deterministic():
    """It never draws, and one x_T has one answer."""
    data = Mixture(LINEAR, (-1, 1), (0.1, 0.3), (0.2, 0.8))
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    times = spaced(LINEAR, 50, "quadratic")
    one, two = (last(DDIM().run(data, x, times, silent)).x for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("spacing", ["uniform", "logsnr", "karras"])
@pytest.mark.parametrize("schedule", [LINEAR, COSINE, FLOW], ids=["linear", "cosine", "flow"])
def test_ddim_with_eta_1_is_ddpm_with_full_variance(schedule, spacing):
    """The same numbers from the same noise, at every level, to 1e-10."""
    data = Mixture(schedule, (-1, 0.5), (0.1, 0.3), (0.2, 0.8))
    times = spaced(schedule, 40, spacing)
    streams = [walk(sampler, data, times, seeded(64)) for sampler in (DDIM(eta=1.0), DDPM())]
    for ours, theirs in zip(*streams, strict=True):
        assert ours.t == theirs.t
        torch.testing.assert_close(ours.x, theirs.x, rtol=1e-10, atol=1e-10)


def test_ddim_moves_along_eps():
    """One hop of eta = 0 is alpha_s x0 + sigma_s eps, the forward process's own line."""
    data, x = Gaussian(LINEAR, 0.3, 0.5), torch.tensor([0.4, -1.0], dtype=torch.float64)
    guess = data(x, 600.0)
    hopped = next(DDIM().run(data, x, (600.0, 400.0, 0.0), silent)).x
    torch.testing.assert_close(hopped, LINEAR.diffuse(guess.x0, guess.eps, 400.0), rtol=0, atol=1e-14)


@pytest.mark.parametrize("eta", [0.25, 0.5, 1.0])
def test_eta_is_a_share_of_the_posteriors_sigma(eta):
    """One hop leaves a spread of eta sqrt(posterior), and eps keeps the rest of sigma_s^2."""
    hop, x = LINEAR.hop(600, 400), torch.tensor([0.4], dtype=torch.float64)
    guess = Gaussian(LINEAR, 0.3, 0.5)(x, 600.0)

    def first(z):
        steps = DDIM(eta=eta).run(
            Gaussian(LINEAR, 0.3, 0.5), x, (600.0, 400.0, 0.0), lambda: torch.full((1,), z).double()
        )
        return float(next(steps).x)

    assert first(1) - first(-1) == pytest.approx(2 * eta * math.sqrt(hop.posterior), abs=1e-14)
    rest = math.sqrt(hop.sigma_s**2 - eta**2 * hop.posterior)
    assert first(0) == pytest.approx(float(hop.alpha_s * guess.x0 + rest * guess.eps), abs=1e-14)
