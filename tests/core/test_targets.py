"""Targets: three numbers give the conversion, the training target and the gain; and the network behind them."""

from typing import Any

import pytest
import torch

from difftool.builtin.schedules import Cosine, Linear
from difftool.builtin.targets import X0, Eps, V, Velocity
from difftool.core.denoiser import NetDenoiser, heard, on
from difftool.core.schedule import Schedule
from difftool.core.target import add_noise, coefficients
from difftool.errors import InputError
from difftool.plugin.component import Target
from difftool.testing.oracles import Gaussian, Mixture


class Preconditioned(Target):
    """Karras et al. 2022, table 1, for sigma_data = 0.5, with x brought to the alpha = 1 frame first."""

    def coefficients(self, alpha, sigma) -> tuple[Any, Any, Any]:
        s, d = sigma / alpha, 0.5
        return d**2 / (s**2 + d**2) / alpha, s * d / (s**2 + d**2).sqrt(), 1 / (alpha * (s**2 + d**2).sqrt())


def flow(T=1000):
    t = torch.arange(T + 1, dtype=torch.float64)
    return Schedule(1 - t / T, t / T, curve=lambda t: (1 - t / T, t / T))


LINEAR, FLOW = Linear().build(), flow()
TARGETS = [Eps(), X0(), V(), Velocity(), Preconditioned()]
TRUTH = {  # what each name means, in the papers' words
    "Eps": lambda alpha, sigma, x0, eps: eps,
    "X0": lambda alpha, sigma, x0, eps: x0,
    "V": lambda alpha, sigma, x0, eps: alpha * eps - sigma * x0,
    "Velocity": lambda alpha, sigma, x0, eps: eps - x0,
}


def pair(*shape, dtype=torch.float64, seed=3):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=g, dtype=dtype) * 2 - 1, torch.randn(shape, generator=g, dtype=dtype)


def name(value):
    return type(value).__name__ if isinstance(value, Target) else None


# ---- the three numbers


@pytest.mark.parametrize("schedule", [LINEAR, FLOW], ids=["linear", "flow"])
@pytest.mark.parametrize("target", TARGETS, ids=name)
def test_a_network_that_says_the_training_target_gives_x0_exactly(target, schedule):
    """x0 = skip x_t + out F to 1e-12 of the largest term, at whole and broken levels, in float64."""
    t = torch.tensor([1, 1.5, 2, 100, 500.25, 990, 999], dtype=torch.float64)
    x0, eps = pair(len(t), 50)
    c = coefficients(target, schedule, t)
    x_t = c.alpha[:, None] * x0 + c.sigma[:, None] * eps
    F = c.of_x0[:, None] * x0 + c.of_eps[:, None] * eps
    error = (c.skip[:, None] * x_t + c.out[:, None] * F - x0).abs().amax(1)
    assert bool((error < 1e-12 * (1 + c.skip.abs())).all())


@pytest.mark.parametrize("schedule", [LINEAR, FLOW], ids=["linear", "flow"])
@pytest.mark.parametrize("target", TARGETS[:4], ids=name)
def test_the_training_target_is_what_the_papers_call_so(target, schedule):
    """eps, x0, v = alpha eps - sigma x0, velocity = eps - x0: on every schedule."""
    t = torch.tensor([1, 7.5, 500, 999], dtype=torch.float64)
    c = coefficients(target, schedule, t)
    x0, eps = pair(len(t))
    said = c.of_x0 * x0 + c.of_eps * eps
    torch.testing.assert_close(said, TRUTH[name(target)](c.alpha, c.sigma, x0, eps), rtol=0, atol=1e-11)
    assert all(v.dtype == torch.float64 and v.shape == t.shape for v in (c.skip, c.out, c.scale))


def test_preconditioning_gives_inputs_and_targets_of_unit_variance():
    """EDM's promise, for data of variance 0.25: it follows from the three numbers alone."""
    c = coefficients(Preconditioned(), LINEAR, torch.tensor([1.0, 50, 500, 1000], dtype=torch.float64))
    one = torch.ones(4, dtype=torch.float64)
    torch.testing.assert_close(c.scale**2 * (c.alpha**2 * 0.25 + c.sigma**2), one)
    torch.testing.assert_close(c.of_x0**2 * 0.25 + c.of_eps**2, one)


def test_eps_where_no_signal_is_left_is_refused_with_the_reason():
    """At alpha = 0 noise says nothing about the picture; the other three do."""
    with pytest.raises(InputError, match="Eps says nothing about x0 at level 1000") as refused:
        coefficients(Eps(), FLOW, torch.tensor([500.0, 1000.0], dtype=torch.float64))
    assert "no signal" in refused.value.why
    assert '"v"' in refused.value.do
    for target in (X0(), V(), Velocity()):
        c = coefficients(target, FLOW, 1000.0)
        assert bool(torch.isfinite(torch.stack([c.skip, c.out, c.scale, c.of_x0, c.of_eps])).all())


# ---- a training batch


@pytest.mark.parametrize("schedule", [LINEAR, FLOW], ids=["linear", "flow"])
@pytest.mark.parametrize("target", TARGETS, ids=name)
def test_a_noised_batch_is_consistent(target, schedule):
    """Every field follows from x0, eps and t; everything a loss sees is float32 and broadcasts over pictures."""
    t = torch.tensor([1, 400.5, 999], dtype=torch.float64)
    x0, eps = pair(3, 2, 4, 5, dtype=torch.float32)
    cond = {"label": torch.arange(3)}
    given, noised = add_noise(x0, eps, t, target, schedule, cond)

    c = coefficients(target, schedule, t)
    assert noised.x0 is x0
    assert noised.eps is eps
    assert noised.cond is cond
    assert noised.schedule is schedule
    torch.testing.assert_close(noised.t, t.float())
    for field, value in (("alpha", c.alpha), ("sigma", c.sigma), ("gain", c.out)):
        torch.testing.assert_close(getattr(noised, field), value.float().reshape(3, 1, 1, 1))
    for field in ("x0", "eps", "x_t", "target", "t", "alpha", "sigma", "gain"):
        assert getattr(noised, field).dtype == torch.float32, field
    for k, level in enumerate(t.tolist()):
        torch.testing.assert_close(noised.x_t[k], schedule.diffuse(x0[k], eps[k], level))
    torch.testing.assert_close(given, c.scale.float().reshape(3, 1, 1, 1) * noised.x_t)
    if name(target) in TRUTH:
        expected = TRUTH[name(target)](noised.alpha, noised.sigma, x0, eps)
        torch.testing.assert_close(noised.target, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS, ids=name)
def test_gain_turns_the_networks_error_into_the_error_of_x0(target):
    """So a weight w on the x0 error is w gain^2 on the network's."""
    x0, eps = pair(2, 1, 3, 3, dtype=torch.float32)
    t = torch.tensor([300.0, 700.0], dtype=torch.float64)
    _, noised = add_noise(x0, eps, t, target, LINEAR, {})
    skip = coefficients(target, LINEAR, t).skip.float().reshape(2, 1, 1, 1)
    guess = skip * noised.x_t + noised.gain * (noised.target + 0.125)
    torch.testing.assert_close(guess - x0, (0.125 * noised.gain).expand_as(x0), rtol=1e-3, atol=1e-4)


# ---- the network behind the denoiser's door


def knowing(target, schedule, x0, eps, spy=None):
    """A network that knows the answer and says it in the words of `target`; c is the level t - 1."""

    def net(x, c, cond):
        k = coefficients(target, schedule, float(c[0]) + 1)
        if spy is not None:
            spy.append((x, c, cond))
        return (float(k.of_x0) * x0 + float(k.of_eps) * eps).to(x.dtype)

    return net


@pytest.mark.parametrize("schedule", [LINEAR, FLOW], ids=["linear", "flow"])
@pytest.mark.parametrize("target", TARGETS, ids=name)
def test_the_denoiser_undoes_the_target(target, schedule):
    """A network that says the training target yields x0 and eps, through input scale, skip and gain."""
    x0, eps = pair(2, 1, 4, 4, dtype=torch.float32)
    for t in (1.0, 2.5, 400.0, 900.0):
        spy: list[Any] = []
        told = {"label": torch.tensor([[7.0]])}
        denoiser = NetDenoiser(knowing(target, schedule, x0, eps, spy), schedule, target, cond=told)
        x_t = schedule.diffuse(x0, eps, t)
        guess = denoiser(x_t, t)
        torch.testing.assert_close(guess.x0, x0, rtol=0, atol=2e-5 / float(schedule.at(t)[0]))
        torch.testing.assert_close(guess.eps, eps, rtol=0, atol=2e-5 / float(schedule.at(t)[1]))
        ((seen, c, cond),) = spy
        torch.testing.assert_close(seen, float(coefficients(target, schedule, t).scale) * x_t)
        assert c.tolist() == [t - 1, t - 1]
        assert c.dtype == torch.float32
        assert cond["label"].tolist() == [[7.0]] * len(x_t)  # one row serves all


@pytest.mark.parametrize("clip", [True, False])
def test_clipping_holds_x0_and_derives_eps_again(clip):
    """x = alpha x0 + sigma eps stays true, whatever the network said; and only clip = False lets x0 out of range."""
    x = pair(4, 1, 5, 5, dtype=torch.float32)[1]
    denoiser = NetDenoiser(lambda x, c, cond: torch.full_like(x, 0.5), LINEAR, Eps(), clip=clip)
    for t in (1.0, 300.0, 1000.0):
        guess = denoiser(x, t)
        torch.testing.assert_close(LINEAR.diffuse(guess.x0, guess.eps, t), x, rtol=1e-4, atol=1e-4)
    assert bool((guess.x0.abs() <= 1).all()) is clip
    assert bool((guess.eps == 0.5).all()) is False


def test_what_a_network_hears():
    """The level counted from 0, the log of alpha^2 / sigma^2 (finite where alpha is 0), or alpha."""
    t = torch.tensor([1, 2.5, 500, 1000], dtype=torch.float64)
    assert heard("level", FLOW, t).tolist() == [0, 1.5, 499, 999]
    torch.testing.assert_close(heard("alpha", FLOW, t), 1 - t / 1000)
    logsnr = heard("logsnr", FLOW, t)
    torch.testing.assert_close(logsnr[:3], ((1 - t[:3] / 1000) ** 2 / (t[:3] / 1000) ** 2).log())
    assert logsnr[3] == -40
    spy: list[Any] = []

    def net(x, c, cond):
        spy.append(c.tolist())
        return x

    NetDenoiser(net, FLOW, V(), hears="alpha")(torch.zeros(2, 1, 2, 2), 250.0)
    NetDenoiser(net, FLOW, V(), hears="logsnr")(torch.zeros(1, 1, 2, 2), 500.0)
    assert spy == [[0.75, 0.75], [0.0]]


def test_bfloat16_stays_inside_the_network():
    """The matrix product is rounded, what comes out of the denoiser is float32."""
    layer = torch.nn.Linear(4, 4, bias=False)
    seen: list[Any] = []

    def net(x, c, cond):
        seen.append(layer(x))
        return seen[-1]

    x = pair(1, 1, 4, 4, dtype=torch.float32)[1]
    with torch.no_grad():
        for precision, dtype in (("bf16", torch.bfloat16), ("float32", torch.float32)):
            guess = NetDenoiser(net, LINEAR, V(), precision=precision)(x, 500.0)
            assert seen.pop().dtype == dtype
            assert guess.x0.dtype == guess.eps.dtype == torch.float32


# ---- one network, another schedule


@pytest.mark.parametrize(
    "oracle",
    [lambda schedule: Gaussian(schedule, 0.3, 0.5), lambda schedule: Mixture(schedule, (-1, 1), (0, 0.2), (0.2, 0.8))],
    ids=["gaussian", "mixture"],
)
@pytest.mark.parametrize("other", [FLOW, Cosine(T=300).build()], ids=["flow", "cosine"])
def test_on_another_schedule_a_perfect_denoiser_stays_perfect(oracle, other):
    """Sampling by equal lambda: the same prediction as the oracle that was built there, both halves."""
    there, here = oracle(other), on(oracle(LINEAR), other)
    assert here.schedule is other
    x = torch.linspace(-2, 2, 31, dtype=torch.float64)
    for t in (0.02 * other.T, 0.5 * other.T, 0.513 * other.T, 0.9 * other.T):
        torch.testing.assert_close(here(x, t).x0, there(x, t).x0, rtol=0, atol=1e-7)
        torch.testing.assert_close(here(x, t).eps, there(x, t).eps, rtol=0, atol=1e-6)


def test_on_another_schedule_the_network_hears_its_own_levels():
    """Never below its first and never above its last, though the other schedule is cleaner and noisier at its ends."""
    told: list[float] = []

    def net(x, c, cond):
        told.append(float(c[0]))
        return torch.zeros_like(x)

    finer = Linear(T=4000, scale=True).build()
    x = torch.ones(1, 1, 2, 2)
    for other in (FLOW, finer):
        denoiser = on(NetDenoiser(net, LINEAR, V()), other)
        assert denoiser.schedule is other
        for t in (1.0, 1.5, 0.5 * other.T, other.T - 0.5, float(other.T)):
            guess = denoiser(x, t)
            torch.testing.assert_close(other.diffuse(guess.x0, guess.eps, t), x, rtol=1e-4, atol=1e-4)
    assert min(told) == 0  # clamped there
    assert max(told) == 999
    assert told[2] == pytest.approx(float(LINEAR.level(0.0)) - 1, abs=1e-4)  # flow's middle: alpha = sigma
