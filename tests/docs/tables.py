"""The numbers in the tables of docs/mathematics.md, row by row: words, and values by the code or by definition."""

import math

import torch

from difftool.builtin.losses import L2
from difftool.builtin.schedules import Constant, Cosine, Linear, Quadratic, Sigmoid
from difftool.builtin.targets import X0, Eps, V, Velocity
from difftool.core.sampling import spaced
from difftool.core.schedule import Schedule
from difftool.core.target import add_noise
from difftool.engine.ema import decay_at


def line(t):
    return 1 - t / 1000, t / 1000


LINEAR, FLOW = Linear().build(), Schedule(*line(torch.arange(1001, dtype=torch.float64)), line)


def schedules():
    """What ships, with its defaults."""
    for name, kind in (
        ("linear", Linear),
        ("quadratic", Quadratic),
        ("sigmoid", Sigmoid),
        ("constant", Constant),
        ("cosine", Cosine),
    ):
        betas, built = kind().betas(), kind().build()
        abar = built.alpha.square()
        yield [name, betas[0], betas[499], betas[999], abar[500], abar[1000], built.level(0.0)]


def paper():
    """Betas, levels, and one step back."""
    for t in (1, 2, 10, 100, 500, 1000):
        hop = LINEAR.hop(t, t - 1)
        yield [t, hop.beta, hop.alpha_t**2, hop.alpha_t, hop.sigma_t, hop.posterior, hop.mean_x0, hop.mean_xt]


def weights():
    """From the losses themselves, not from the formulas."""
    for t in (100, 500):
        for name, target in (("eps", Eps()), ("x0", X0()), ("v", V()), ("velocity", Velocity())):
            one = torch.ones(1, 1, 1, 1)
            _, noised = add_noise(0 * one, one, torch.tensor([float(t)], dtype=torch.float64), target, LINEAR, {})
            of_x0 = L2()(noised.target + 1 / noised.gain, noised)  # the guess is off by 1
            yield [name, t, of_x0, *(L2(weight=w)(noised.target + 1, noised) for w in ("min-snr", "p2"))]


def spacings():
    """Five steps."""
    for spacing in ("uniform", "quadratic", "logsnr", "karras"):
        yield [spacing, *spaced(LINEAR, 5, spacing)]


def average():
    """The warm-up of the averaged weights."""
    yield ["d", *(decay_at(n, 0.9999, True) for n in (1, 10, 100, 1000, 10_000, 100_000))]


def avatars():
    """The list of betas of an introduction."""
    betas = Cosine(T=300, max_beta=0.9999).betas()
    yield ["beta_t", *betas[:4], *betas[-2:]]


def level500():
    """One place in every notation."""
    hop, beta = LINEAR.hop(500, 499), float(Linear().betas()[499])
    alpha, sigma = float(LINEAR.alpha[500]), float(LINEAR.sigma[500])
    lecture = "the lecture with alpha^2 + beta^2 = 1"
    flow = float(FLOW.level(math.log(alpha / sigma))) / FLOW.T
    return [
        ["ours", "t", 500],
        ["ours", "alpha", alpha],
        ["ours", "sigma", sigma],
        ["ours", "lambda", math.log(alpha / sigma)],
        ["the paper", "beta_t", beta],
        ["the paper", "alpha_t", 1 - beta],
        ["the paper", "abar_t", torch.prod(1 - Linear().betas()[:500])],
        ["the DDIM paper", "alpha_t", alpha**2],
        ["EDM, k-diffusion", "sigma", sigma / alpha],
        ["EDM, k-diffusion", "x for x_t = 1", 1 / alpha],
        ["flow matching, at the same SNR", "t", flow],
        ["diffusers", "timestep", 499],
        ["log-SNR papers", "log-SNR", math.log(alpha**2 / sigma**2)],
        [lecture, "alpha_t", hop.alpha_t / hop.alpha_s],
        [lecture, "beta_t", math.sqrt(beta)],
        [lecture, "bar-alpha_t", math.prod((1 - float(b)) ** 0.5 for b in Linear().betas()[:500])],
        [lecture, "bar-beta_t", math.sqrt(1 - alpha**2)],
    ]


TABLES = {each.__name__: each for each in (schedules, paper, weights, spacings, average, avatars, level500)}
"""By the name that stands before a table."""
