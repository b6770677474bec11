"""The parts of the variational bound: its steps, its divergences, the probability of a byte; each is what it says."""

import math

import pytest
import torch

from difftool.builtin.schedules import Cosine, Linear
from difftool.core.bound import Hops, divergence, log_cdf, prior_term, surprise
from difftool.core.schedule import Schedule
from difftool.testing.oracles import Gaussian

BYTES = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def flow(T):
    t = torch.arange(T + 1, dtype=torch.float64) / T
    return Schedule(1 - t, t)


def exploding(T):
    """alpha is 1 throughout; what sampling starts from holds the noise and the signal."""
    sigma = torch.cat([torch.zeros(1), torch.logspace(-2, 2, T)]).double()
    return Schedule(torch.ones(T + 1, dtype=torch.float64), sigma)


LINEAR = Linear().build()
SCHEDULES = {"linear": LINEAR, "cosine": Cosine(T=100).build(), "flow": flow(100), "exploding": exploding(100)}
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


# ---- the steps and their two variances


@each_schedule
def test_the_steps_are_those_of_the_schedule(schedule):
    t = torch.arange(2, schedule.T + 1, dtype=torch.float64)
    hops = Hops.of(schedule, t)
    for k, level in enumerate(t.tolist()):
        hop = schedule.hop(level, level - 1)
        assert math.exp(hops.log_beta[k]) == pytest.approx(hop.beta, rel=1e-9)
        assert math.exp(hops.log_posterior[k]) == pytest.approx(hop.posterior, rel=1e-9)
        assert float(hops.signal[k]) == pytest.approx(hop.mean_x0**2 / hop.posterior, rel=1e-9)
        rise = (schedule.alpha[k + 1] / schedule.sigma[k + 1]) ** 2 - (
            schedule.alpha[k + 2] / schedule.sigma[k + 2]
        ) ** 2
        assert float(hops.signal[k]) == pytest.approx(float(rise), rel=1e-8, abs=1e-12)
    assert not bool(hops.last.any())


def test_the_last_step_takes_the_posterior_of_the_one_above():
    """beta~_2 of the paper's schedule, 5.453e-5, where it has none of its own; beta stays beta."""
    for t in (1.0, 0.5):
        hops = Hops.of(LINEAR, torch.tensor([t], dtype=torch.float64))
        assert bool(hops.last)
        expected = min(LINEAR.hop(2, 1).posterior, LINEAR.hop(t, 0).beta)
        assert math.exp(hops.log_posterior) == pytest.approx(expected, rel=1e-12)
        assert math.exp(hops.log_beta) == pytest.approx(LINEAR.hop(t, 0).beta, rel=1e-12)
    assert math.exp(Hops.of(LINEAR, torch.ones(1).double()).log_posterior) == pytest.approx(5.453e-5, rel=1e-4)


def test_with_a_single_level_there_is_only_beta():
    one = Linear(T=1, first=0.5, last=0.5).build()
    hops = Hops.of(one, torch.ones(1, dtype=torch.float64))
    assert math.exp(hops.log_posterior) == math.exp(hops.log_beta) == pytest.approx(0.5)


@each_schedule
def test_every_level_is_finite_and_ordered(schedule):
    """Fractional levels, the first stretch and an alpha of 0 at T included; posterior never above beta."""
    t = torch.cat([torch.linspace(0.01, schedule.T, 333), torch.arange(1, schedule.T + 1)]).double()
    hops = Hops.of(schedule, t)
    for numbers in (hops.signal, hops.log_beta, hops.log_posterior):
        assert bool(torch.isfinite(numbers).all())
    assert bool((hops.log_posterior <= hops.log_beta).all())
    x0 = torch.rand(len(t), 1, 2, 2) * 2 - 1
    for mix in (0.0, 0.3, 1.0):
        terms = hops.term(x0, x0.flip(0), mix)
        assert bool((torch.isfinite(terms) & (terms >= 0)).all())


def test_a_level_just_above_1_is_finite():
    """Its posterior would be 1e-40, and what is divided by it no float32."""
    t = torch.full((2,), math.nextafter(1, 2), dtype=torch.float64)
    same = torch.zeros(2, 1, 1, 2)
    assert bool(torch.isfinite(Hops.of(Linear(first=1e-8).build(), t).term(same, same, 0.5)).all())


# ---- the two divergences


def test_divergence_is_that_of_two_normals():
    """Against the textbook, and against torch's own; exactly 0 for equal laws, and near them right in float32."""
    g = torch.Generator().manual_seed(1)
    m, n = torch.randn(2, 50, generator=g, dtype=torch.float64)
    v, w = torch.rand(2, 50, generator=g, dtype=torch.float64) + 0.1
    ours = divergence((m - n) ** 2 / v, (w / v).log())
    p, q = torch.distributions.Normal(m, v.sqrt()), torch.distributions.Normal(n, w.sqrt())
    torch.testing.assert_close(ours, torch.distributions.kl_divergence(p, q))
    zero = torch.zeros(1)
    assert float(divergence(zero, zero)) == 0
    assert float(divergence(zero, torch.tensor(1e-3))) == pytest.approx((1e-3 + math.expm1(-1e-3)) / 2, rel=3e-4)


@each_schedule
def test_the_prior_term_is_the_divergence_from_where_sampling_starts(schedule):
    a, s = float(schedule.alpha[-1]), float(schedule.sigma[-1])
    x0 = torch.tensor([[-1.0, 0.2], [0.7, 1.0]], dtype=torch.float64)[:, None, None]
    q = torch.distributions.Normal(a * x0, s)
    p = torch.distributions.Normal(torch.zeros_like(x0), math.hypot(a, s))
    expected = torch.distributions.kl_divergence(q, p).flatten(1).mean(1)
    torch.testing.assert_close(prior_term(x0, schedule), expected, rtol=1e-9, atol=1e-15)


# ---- the probability of a byte


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("std", [1e-3, 7.4e-3, 0.1, 0.6])
@pytest.mark.parametrize("mean", [-1.02, -1.0, -0.99, 0.0, 0.3337, 0.9999, 1.2])
def test_the_256_bytes_share_the_probability_1(mean, std, dtype):
    nats = surprise(BYTES.to(dtype), torch.full((256,), mean, dtype=dtype), torch.tensor(std, dtype=dtype))
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6
    assert float((-nats).double().exp().sum()) == pytest.approx(1, abs=tolerance)
    assert bool((torch.isfinite(nats) & (nats >= 0)).all())


# (x0, mean, std): computed with 60 digits
TAILS = [
    ((-1.0, 1.0, 0.01), 19927.860839240817),
    ((1.0, -1.0, 0.01), 19927.860839240817),
    ((-1.0, -1.0, 0.01), 0.42689993772632865),
    ((1.0, 0.5, 0.002), 30768.158800779042),
    ((-1.0, 0.9, 0.003), 199735.89108936253),
    ((0.2, -0.7, 0.003), 44615.315874901842),
    ((-0.6, 0.9, 0.002), 279788.87049799265),
    ((0.2, 0.2, 0.001), 8.7978254273925313e-5),
]


@pytest.mark.parametrize(("where", "nats"), TAILS)
def test_the_tails_are_right(where, nats):
    assert float(surprise(*torch.tensor(where, dtype=torch.float64))) == pytest.approx(nats, rel=1e-11)
    # In float32 the numbers themselves are rounded, which moves a bin that is far out.
    assert float(surprise(*torch.tensor(where))) == pytest.approx(nats, rel=2e-5)


def test_log_cdf_has_all_its_digits_and_a_slope_everywhere():
    z = (torch.arange(-6000, 1201, dtype=torch.float64) / 100).requires_grad_()  # 0 among them
    torch.testing.assert_close(log_cdf(z), torch.special.log_ndtr(z), rtol=1e-13, atol=0)
    (slope,) = torch.autograd.grad(log_cdf(z).sum(), z)
    hazard = torch.exp(-(z.detach() ** 2) / 2 - torch.special.log_ndtr(z.detach())) / math.sqrt(math.tau)
    torch.testing.assert_close(slope, hazard, rtol=1e-9, atol=1e-15)


def test_the_gradient_of_a_wrong_byte_is_finite():
    std = torch.tensor([1e-4, 7e-3, 2.0], requires_grad=True)
    for x0, mean in ((-1.0, 1.0), (1.0, 1.0), (0.2, -1.0), (0.2, 0.2)):
        (slope,) = torch.autograd.grad(surprise(torch.full((3,), x0), torch.full((3,), mean), std).sum(), std)
        assert bool(torch.isfinite(slope).all())


# ---- the parts add up to the bound in one go


def in_one_go(oracle, x0, mix, g):
    """log q(x_1..T | x0) - log p(x_0..T) of each picture, along one path of the forward process and number."""
    schedule, x, nats = oracle.schedule, x0, 0.0

    def log_normal(x, mean, var):
        return -((x - mean) ** 2 / var + math.log(math.tau * var)) / 2

    for t in range(1, schedule.T + 1):
        hop = schedule.hop(t, t - 1)
        mean = hop.alpha_t / hop.alpha_s * x
        after = mean + math.sqrt(hop.beta) * torch.randn(x.shape, generator=g, dtype=x.dtype)
        nats = nats + log_normal(after, mean, hop.beta)
        guess = oracle(after, t).x0
        if t > 1:
            var = math.exp(mix * math.log(hop.beta) + (1 - mix) * math.log(hop.posterior))
            nats = nats - log_normal(x, hop.mean_x0 * guess + hop.mean_xt * after, var)
        else:
            std = math.exp((mix * math.log(hop.beta) + (1 - mix) * math.log(schedule.hop(2, 1).posterior)) / 2)
            above, below = ((x + sign / 255 - guess) / std for sign in (1, -1))  # no byte here is the first or the last
            nats = nats - (torch.special.ndtr(above) - torch.special.ndtr(below)).log()
        x = after
    nats = nats - log_normal(x, 0.0, float(schedule.alpha[-1] ** 2 + schedule.sigma[-1] ** 2))
    return nats.flatten(1).mean(1)


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("schedule", [Linear(T=20, scale=True, last=0.01).build(), flow(20)], ids=["linear", "flow"])
def test_the_parts_add_up_to_the_bound_in_one_go(schedule, mix):
    """Terms with noise of their own and the prior term have the mean of log q - log p over whole paths."""
    g = torch.Generator().manual_seed(3)
    oracle = Gaussian(schedule, 0.1, 0.25)
    x0 = BYTES[torch.randint(60, 200, (300, 1, 32, 32), generator=g)]
    parts = prior_term(x0, schedule)
    for t in range(1, schedule.T + 1):
        guess = oracle(schedule.diffuse(x0, torch.randn(x0.shape, generator=g, dtype=x0.dtype), t), t).x0
        parts += Hops.of(schedule, torch.full((300,), t, dtype=torch.float64)).term(x0, guess, mix)
    gap = parts - in_one_go(oracle, x0, mix, g)  # of the same pictures
    error = float(gap.std()) / math.sqrt(len(gap))
    assert error < 2e-3 * float(parts.mean())
    assert float(gap.mean()) == pytest.approx(0, abs=4 * error)


def test_levels_may_be_mixed_and_each_is_as_alone():
    g = torch.Generator().manual_seed(1)
    x0, guess = BYTES[torch.randint(256, (4, 1, 3, 3), generator=g)], 2 * torch.rand((4, 1, 3, 3), generator=g) - 1
    times = torch.tensor([1.0, 2.0, 500.0, 0.5], dtype=torch.float64)
    together = Hops.of(LINEAR, times).term(x0, guess.double(), 0.3)
    for k in range(4):
        alone = Hops.of(LINEAR, times[k : k + 1]).term(x0[k : k + 1], guess[k : k + 1].double(), 0.3)
        torch.testing.assert_close(together[k : k + 1], alone)
