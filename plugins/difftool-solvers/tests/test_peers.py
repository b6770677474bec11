"""Against diffusers: the same network, levels and noise, step by step. Its timestep k is our level k + 1.

Where the definitions coincide the walks agree to 1e-4; where the README says that they do not, that is seen as well.
Its tables are float32, so its sigma at the cleanest levels is off in the fourth digit: ours are made from its own.
"""

from __future__ import annotations

import warnings

import pytest
import torch

from difftool.api import Prediction, Schedule
from difftool_solvers import DEIS, DPM2M, DPM2MSDE, DPM3M, IPNDM, Heun, UniPC

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # diffusers, with numpy 2

CLOSE = 1e-4
SHAPE = (4, 3, 8, 8)
VP = {"beta_start": 1e-4, "beta_end": 0.02, "prediction_type": "sample"}


def network(x, t):
    """A small network that guesses x0 and listens to the timestep; its weights are fixed."""
    g = torch.Generator().manual_seed(7)
    first, second = (torch.randn(each, generator=g).to(x) / 4 for each in ((8, 3, 3, 3), (3, 8, 3, 3)))
    hidden = torch.nn.functional.conv2d(x, first, padding=1) + float(t) / 500
    return torch.nn.functional.conv2d(hidden.tanh(), second, padding=1).tanh()


class Ours:
    """The network as our samplers see it."""

    def __init__(self, schedule, net=network):
        self.schedule, self.net = schedule, net

    def __call__(self, x, t):
        alpha, sigma = (float(each) for each in self.schedule.at(t))
        x0 = self.net(x, t - 1)
        return Prediction(x0, (x - alpha * x0) / sigma)


def schedule_of(scheduler):
    """Our tables from its float32 ones."""
    abar = torch.cat([torch.ones(1, dtype=torch.float64), scheduler.alphas_cumprod.double()])
    return Schedule(abar.sqrt(), (1 - abar).sqrt())


def noises(count):
    g = torch.Generator().manual_seed(3)
    return [torch.randn(SHAPE, generator=g) for _ in range(count + 1)]


def ours(sampler, denoiser, times, drawn):
    """x at every level after the first."""
    start, *rest = drawn
    draw = iter(rest)
    return [step.x for step in sampler.run(denoiser, start, times, lambda: next(draw))]


def theirs(scheduler, drawn, **options):
    """The same of diffusers; options for each step are made of the next noise."""
    x, *rest = drawn
    found = []
    for t, z in zip(scheduler.timesteps, rest, strict=False):
        x = scheduler.step(network(x, t), t, x, **dict.fromkeys(options, z)).prev_sample
        found.append(x)
    return found


def gaps(a, b):
    return [float((one - other).abs().max()) for one, other in zip(a, b, strict=True)]


def compare(scheduler, sampler, n, **options):
    """How far apart the two walks are at each level, over the levels that diffusers takes."""
    scheduler.set_timesteps(n)
    times = (*(float(t) + 1 for t in scheduler.timesteps), 0.0)
    drawn = noises(n)
    return gaps(ours(sampler, Ours(schedule_of(scheduler)), times, drawn), theirs(scheduler, drawn, **options))


def dpm(**options):
    return diffusers.DPMSolverMultistepScheduler(**VP, **options)


def unipc(**options):
    return diffusers.UniPCMultistepScheduler(**VP, **options)


def deis(**options):
    return diffusers.DEISMultistepScheduler(**VP, **options)


WHOLE = {  # diffusers' scheduler, our sampler, the number of steps, what its step() is given: all of the walk agrees
    "dpm-2m": (dpm, DPM2M(), 10, ()),
    "dpm-2m, 30 steps": (dpm, DPM2M(), 30, ()),
    "dpm-3m from 15 steps on": (lambda: dpm(solver_order=3), DPM3M(), 20, ()),
    "dpm-3m, lower_order_final off": (lambda: dpm(solver_order=3, lower_order_final=False), DPM3M(), 10, ()),
    "dpm-2m-sde": (lambda: dpm(algorithm_type="sde-dpmsolver++"), DPM2MSDE(), 10, ("variance_noise",)),
    "unipc-2": (lambda: unipc(solver_order=2), UniPC(order=2), 10, ()),
    "unipc-2 bh1": (lambda: unipc(solver_order=2, solver_type="bh1"), UniPC(order=2, variant="bh1"), 10, ()),
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_walk_agrees(name):
    make, sampler, n, options = WHOLE[name]
    assert max(compare(make(), sampler, n, **dict.fromkeys(options))) < CLOSE


PART = {  # ..., how many of the last levels differ, and why
    "unipc-3: the last but one step is of order 2 there": (lambda: unipc(solver_order=3), UniPC(), 10, 2),
    "dpm-3m under 15 steps: lower_order_final": (lambda: dpm(solver_order=3), DPM3M(), 10, 2),
    "deis-2: its walk ends at level 1, with a step that stays": (
        lambda: deis(lower_order_final=False),
        DEIS(order=2),
        20,
        1,
    ),
    "deis-3: the same": (lambda: deis(solver_order=3, lower_order_final=False), DEIS(), 20, 1),
}


@pytest.mark.parametrize("name", PART)
def test_it_agrees_up_to_the_levels_where_the_definitions_part(name):
    make, sampler, n, last = PART[name]
    found = compare(make(), sampler, n)
    assert max(found[:-last]) < CLOSE
    assert min(found[-last:]) > 10 * CLOSE


@pytest.mark.parametrize("order", [2, 3])
def test_other_settings_are_other_methods(order):
    """midpoint is ours, not heun; the published 3M is ours, not the exact one; bh2 is not bh1."""
    pairs = {
        2: [(dpm(solver_type="heun"), DPM2M()), (unipc(solver_type="bh1"), UniPC(order=2))],
        3: [(dpm(solver_order=3), DPM3M(exact=True)), (deis(solver_order=3), DEIS(variable="t"))],
    }
    for scheduler, sampler in pairs[order]:
        assert max(compare(scheduler, sampler, 20)[:-2]) > CLOSE


def test_karras_levels_are_asked_about_at_rounded_timesteps_there():
    scheduler = dpm(use_karras_sigmas=True)
    scheduler.set_timesteps(10)
    schedule, drawn = schedule_of(scheduler), noises(10)
    levels = schedule.level(-scheduler.sigmas[:-1].double().log()).tolist()
    rounded = dict(zip(levels, scheduler.timesteps.tolist(), strict=True))
    found = theirs(scheduler, drawn)

    def as_there(x, t):
        return network(x, rounded[t + 1])

    assert max(gaps(ours(DPM2M(), Ours(schedule, as_there), (*levels, 0.0), drawn), found)) < CLOSE
    assert max(gaps(ours(DPM2M(), Ours(schedule), (*levels, 0.0), drawn), found)) > CLOSE


@pytest.mark.parametrize(("top", "alike"), [(900, True), (1000, False)])
def test_heun_agrees_call_for_call_from_where_edm_has_levels(top, alike):
    """At level 900 sigma / alpha is 57, at 1000 it is 157: there ours is of first order."""
    scheduler = diffusers.HeunDiscreteScheduler(**VP)
    scheduler.set_timesteps(timesteps=[k - 1 for k in (top, 800, 550, 300, 150, 60, 20, 5, 1)])
    times = (*dict.fromkeys(float(t) + 1 for t in scheduler.timesteps), 0.0)
    schedule, (start, *_) = schedule_of(scheduler), noises(1)
    x = start / float(schedule.at(times[0])[0])  # it walks in x / alpha
    found = []
    for t in scheduler.timesteps:
        x0 = network(scheduler.scale_model_input(x, t), t)
        x = scheduler.step(x0, t, x).prev_sample
        found.append(x)
    alphas = [float(schedule.at(t)[0]) for t in times[1:]]
    found = [alpha * each for alpha, each in zip(alphas, [*found[1::2], found[-1]], strict=True)]
    assert (max(gaps(ours(Heun(), Ours(schedule), times, [start]), found)) < CLOSE) == alike


def test_ipndm_agrees_until_the_last_step_which_is_of_fourth_order_there():
    schedule = schedule_of(dpm())
    times = (1000.0, 850.0, 700.0, 550.0, 400.0, 260.0, 150.0, 70.0, 20.0, 1.0, 0.0)
    scheduler = diffusers.IPNDMScheduler(
        trained_betas=[float(schedule.at(t)[1]) for t in times]
    )  # its betas are sigmas
    scheduler.set_timesteps(len(times) - 1)
    denoiser, drawn = Ours(schedule), [noises(1)[0].double()]  # eps from x0 at level 1 costs float32 two digits
    x, found = drawn[0], []
    scheduler.set_begin_index(0)
    for t, level in zip(times, scheduler.timesteps, strict=False):
        alpha, sigma = (float(each) for each in schedule.at(t))
        guess = denoiser(x, t)
        x = scheduler.step(alpha * guess.eps - sigma * guess.x0, level, x).prev_sample  # it wants v
        found.append(x)
    *apart, last = gaps(ours(IPNDM(), denoiser, times, drawn), found)
    assert max(apart) < CLOSE
    assert last > 100 * CLOSE  # theirs keeps its order to the end, where there is no noise to keep it for
