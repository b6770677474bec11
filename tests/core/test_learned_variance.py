"""Networks that learn the variance of their reverse steps: the loss that teaches it, the sampler that uses it."""

import math

import pytest
import torch

from difftool.builtin.ddpm import DDPM
from difftool.builtin.hybrid import Hybrid
from difftool.builtin.losses import L2
from difftool.builtin.schedules import Cosine, Linear
from difftool.builtin.targets import X0, Eps, V
from difftool.core.bound import Hops, surprise
from difftool.core.sampling import last, spaced, walk
from difftool.core.target import add_noise
from difftool.core.types import Prediction
from difftool.errors import InputError
from difftool.testing.oracles import Gaussian

LINEAR = Linear().build()


def batch(target, t, schedule=LINEAR):
    g = torch.Generator().manual_seed(4)
    x0, eps, error, raw = torch.randn(4, len(t), 3, 4, 4, generator=g)
    _, noised = add_noise(x0.clamp(-1, 1), eps, torch.tensor(t, dtype=torch.float64), target, schedule, {})
    return noised, noised.target + 0.3 * error, raw


# ---- the loss


@pytest.mark.parametrize("target", [Eps(), X0(), V()])
@pytest.mark.parametrize("T", [1000, 40])
def test_hybrid_is_l2_and_the_bound_beside_each_other(target, T):
    """L_simple + lambda T L_(t-1) in bits, with the variance that the second half says."""
    schedule = Linear(T=T, scale=True).build()
    noised, answer, raw = batch(target, [1.0, 2.0, 7.0, 30.5, float(T)], schedule)
    guess = noised.x0 + noised.gain * (answer - noised.target)
    term = Hops.of(schedule, noised.times).term(noised.x0, guess, (raw + 1) / 2)
    expected = L2()(answer, noised) + 0.01 * T * term / math.log(2)
    torch.testing.assert_close(Hybrid(vlb=0.01)(torch.cat([answer, raw], 1), noised), expected)


@pytest.mark.parametrize("target", [Eps(), X0(), V()])
def test_the_first_half_learns_as_by_l2_to_the_bit(target):
    noised, answer, raw = batch(target, [1.0, 2.0, 500.0, 1000.0])
    output = torch.cat([answer, raw], 1).requires_grad_()
    (slope,) = torch.autograd.grad(Hybrid(vlb=1.0)(output, noised).sum(), output)
    alone = answer.clone().requires_grad_()
    (expected,) = torch.autograd.grad(L2()(alone, noised).sum(), alone)
    assert torch.equal(slope[:, :3], expected)
    assert bool((slope[:, 3:].flatten(1).abs().amax(1) > 0).all())


def test_the_second_half_learns_from_the_bound_alone():
    """Its gradient is that of lambda T L_(t-1) by the variance; with lambda 0 there is none."""
    noised, answer, raw = batch(Eps(), [1.0, 300.0])
    output = torch.cat([answer, raw], 1).requires_grad_()
    (slope,) = torch.autograd.grad(Hybrid()(output, noised).sum(), output)
    guess = noised.x0 + noised.gain * (answer - noised.target)
    v = raw.clone().requires_grad_()
    term = Hops.of(LINEAR, noised.times).term(noised.x0, guess, (v + 1) / 2)
    (expected,) = torch.autograd.grad(0.001 * 1000 * term.sum() / math.log(2), v)
    torch.testing.assert_close(slope[:, 3:], expected)
    (none,) = torch.autograd.grad(Hybrid(vlb=0)(output, noised).sum(), output)
    assert float(none[:, 3:].abs().max()) == 0


def test_the_last_step_says_bytes_with_the_variance_of_the_step_above():
    """v = -1 is the posterior of the step from 2 to 1, v = 1 is beta_1."""
    noised, answer, _ = batch(Eps(), [1.0])
    guess = noised.x0 + noised.gain * (answer - noised.target)
    for v, variance in ((-1.0, LINEAR.hop(2, 1).posterior), (1.0, LINEAR.hop(1, 0).beta)):
        output = torch.cat([answer, torch.full_like(answer, v)], 1)
        nats = surprise(noised.x0, guess, torch.tensor(math.sqrt(variance))).mean()
        expected = L2()(answer, noised) + 0.001 * 1000 * nats / math.log(2)
        torch.testing.assert_close(Hybrid()(output, noised), expected, rtol=1e-5, atol=0)


def best_mix(schedule, t, std):
    """Where the variance posterior + mean_x0^2 Var(x0 | x_t) lies between its bounds, for data N(0, std^2)."""
    hop = schedule.hop(t, t - 1)
    spread = (std * hop.sigma_t) ** 2 / ((hop.alpha_t * std) ** 2 + hop.sigma_t**2)
    return math.log1p(hop.mean_x0**2 * spread / hop.posterior) / math.log(hop.beta / hop.posterior)


@pytest.mark.parametrize("t", [2, 30, 500, 1000])
@pytest.mark.parametrize("std", [1.0, 0.5, 0.01])
def test_v_alone_learns_the_variance_of_the_closed_form(std, t):
    """Between the posterior, right for one point, and beta, right for N(0, 1). The mean is perfect, v is all there is.

    x0 = +-std and eps = +-1 in all four ways have the moments of their laws, and the term is quadratic in them.
    """
    x0 = torch.tensor([std, std, -std, -std]).reshape(1, 1, 2, 2)
    eps = torch.tensor([1.0, -1.0, 1.0, -1.0]).reshape(1, 1, 2, 2)
    _, noised = add_noise(x0, eps, torch.tensor([float(t)], dtype=torch.float64), V(), LINEAR, {})
    guess = Gaussian(LINEAR, 0.0, std)(noised.x_t, t).x0
    answer = noised.target + (guess - x0) / noised.gain
    v = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [v], max_iter=60, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        # lambda as large as it takes for a clear view of v
        loss = Hybrid(vlb=1e3)(torch.cat([answer, v.expand_as(answer)], 1), noised).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    expected = best_mix(LINEAR, t, std)
    assert -1e-9 < expected < 1 + 1e-9
    gap = math.log(LINEAR.hop(t, t - 1).beta / LINEAR.hop(t, t - 1).posterior)
    assert float((v.detach() + 1) / 2 - expected) * gap == pytest.approx(0, abs=2e-4)  # of the log variance
    if gap > 0.1:
        assert float(v.detach()) == pytest.approx(2 * expected - 1, abs=2e-3)
    if std == 1.0:
        assert expected == pytest.approx(1, abs=1e-9)


# ---- the sampler


class Learned(Gaussian):
    """A perfect denoiser that says a mix: one number, or the best for single steps."""

    mix = None

    def __call__(self, x, t):
        guess = super().__call__(x, t)
        mix = self.mix if self.mix is not None else best_mix(self.schedule, t, self.std) if t > 1 else 0.0
        return Prediction(guess.x0, guess.eps, torch.full_like(x, mix))


def said(mix, schedule=LINEAR, std=0.2):
    oracle = Learned(schedule, 0.0, std)
    object.__setattr__(oracle, "mix", mix)
    return oracle


def after_one_hop(sampler, oracle, t, s):
    draw = iter([torch.ones(1, dtype=torch.float64)])
    return float(next(sampler.run(oracle, torch.zeros(1, dtype=torch.float64), (t, s, 0.0), lambda: next(draw))).x)


@pytest.mark.parametrize(("t", "s"), [(1000.0, 999.0), (1000.0, 1.0), (613.5, 20.25), (2.0, 1.0)])
def test_the_two_ends_are_full_and_beta_and_the_middle_is_their_geometric_mean(t, s):
    sampler, hop = DDPM(variance="learned"), LINEAR.hop(t, s)
    assert after_one_hop(sampler, said(0.0), t, s) == pytest.approx(math.sqrt(hop.posterior), rel=1e-12)
    assert after_one_hop(sampler, said(1.0), t, s) == pytest.approx(math.sqrt(hop.beta), rel=1e-12)
    middle = (hop.posterior * hop.beta) ** 0.25
    assert after_one_hop(sampler, said(0.5), t, s) == pytest.approx(middle, rel=1e-12)
    half = DDPM(variance="learned", noise=0.5)
    assert after_one_hop(half, said(0.5), t, s) == pytest.approx(middle / 2, rel=1e-12)


@pytest.mark.parametrize("std", [0.05, 0.2, 1.0])
def test_with_the_variance_of_the_bound_gaussian_data_comes_back_exactly(std):
    """Neither full (too narrow) nor beta (too wide): exact at every level, over few levels of a hard schedule."""
    schedule = Cosine(T=40).build()

    class Basis:
        rows, count = torch.eye(41, dtype=torch.float64), 0

        def __call__(self):
            self.count += 1
            return self.rows[self.count - 1]

    draw = Basis()
    start = math.sqrt(float((schedule.alpha[-1] * std) ** 2 + schedule.sigma[-1] ** 2))
    sampler = DDPM(variance="learned")
    oracle = Learned(schedule, 0.0, std)
    for step in sampler.run(oracle, start * draw(), spaced(schedule, 40, "uniform"), draw):
        if step.t > 0:
            alpha, sigma = (float(v) for v in schedule.at(step.t))
            assert float(step.x.square().sum()) == pytest.approx((alpha * std) ** 2 + sigma**2, rel=1e-9)


def test_each_pixel_has_its_own_variance():
    class Two(Gaussian):
        def __call__(self, x, t):
            guess = super().__call__(x, t)
            return Prediction(guess.x0, guess.eps, torch.tensor([0.0, 1.0]).double())

    hop = LINEAR.hop(500, 400)
    step = next(
        DDPM(variance="learned").run(
            Two(LINEAR, 0.0, 0.2), torch.zeros(2).double(), (500.0, 400.0, 0.0), lambda: torch.ones(2).double()
        )
    )
    assert step.x.tolist() == pytest.approx([math.sqrt(hop.posterior), math.sqrt(hop.beta)], rel=1e-12)


def test_a_model_that_learned_no_variance_is_refused_in_plain_words():
    with pytest.raises(InputError, match="did not learn its variance") as refused:
        last(walk(DDPM(variance="learned"), Gaussian(LINEAR, 0.0, 1.0), (1000.0, 1.0, 0.0), lambda: torch.zeros(1)))
    assert '"beta"' in refused.value.do


def test_the_sampler_says_what_it_needs():
    assert DDPM(variance="learned").outputs == Hybrid().outputs == 2
    assert {DDPM(variance=each).outputs for each in ("full", "beta", "zero")} == {1}
