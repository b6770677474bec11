"""Every component that ships, through what every component must hold; a new one is covered by being registered."""

import pytest
import torch

from difftool.core.sampling import SeededNoise, last, walk
from difftool.plugin.loader import installed
from difftool.plugin.registry import objection
from difftool.testing.oracles import Gaussian

REGISTRY = installed().registry
ALL = [pytest.param(offer, id=f"{offer.kind}.{offer.name}") for offer in REGISTRY.offers]


def of(kind):
    return [pytest.param(REGISTRY.get(kind, name), id=name) for name in REGISTRY.names(kind)]


@pytest.mark.parametrize("offer", ALL)
def test_every_field_and_component_explains_itself(offer):
    assert objection(offer.kind, offer.name, offer.component) is None
    for name, field in offer.component.model_fields.items():
        assert field.description, f"{offer.kind}.{offer.name}.{name} has no docstring"


@pytest.mark.parametrize("cls", of("schedule"))
def test_schedules_reach_noise_at_the_paper_s_length_and_invert(cls):
    schedule = cls().build()
    assert schedule.T == 1000
    assert schedule.require_noise() is None
    t = torch.linspace(0.01, 999.9, 777, dtype=torch.float64)
    alpha, sigma = schedule.at(t)
    assert torch.allclose(schedule.level(alpha.log() - sigma.log()), t, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7, 50, 999, 1000])
@pytest.mark.parametrize("cls", of("sampler"))
def test_samplers_end_at_level_0_on_the_only_picture_there_is(cls, steps):
    """Data at one point: whatever the sampler, the answer is that point."""
    sampler, schedule = cls(), REGISTRY.get("schedule", "linear")().build()
    oracle = Gaussian(schedule, 0.3, 1e-9)
    noise = SeededNoise([0, 1], (4,))
    times = sampler.times(schedule, steps)
    step = last(walk(sampler, oracle, times, noise))
    assert step.t == 0
    assert torch.allclose(step.x, torch.full_like(step.x, 0.3), atol=1e-4)


@pytest.mark.parametrize("cls", of("sampler"))
def test_samplers_leave_their_inputs_and_the_global_generator_alone(cls):
    schedule = REGISTRY.get("schedule", "linear")().build()
    oracle = Gaussian(schedule, 0.0, 1.0)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    steps = list(walk(cls(), oracle, cls().times(schedule, 10), SeededNoise([3], (8,))))
    kept = [step.x.clone() for step in steps]
    assert torch.equal(before, torch.random.get_rng_state())
    again = list(walk(cls(), oracle, cls().times(schedule, 10), SeededNoise([3], (8,))))
    assert all(torch.equal(a.x, b) for a, b in zip(again, kept, strict=True))


@pytest.mark.parametrize("cls", [each for each in of("loss") if each.values[0].outputs == 1])
def test_losses_are_one_value_a_sample_zero_at_the_target(cls):
    from difftool.core.target import add_noise

    schedule = REGISTRY.get("schedule", "linear")().build()
    x0, eps = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    t = cls().levels(torch.linspace(0, 0.99, 5, dtype=torch.float64), schedule)
    assert ((t >= 1) & (t <= 1000)).all()
    _, noised = add_noise(x0, eps, t.double(), REGISTRY.get("target", "eps")(), schedule, {})
    assert torch.equal(cls()(noised.target, noised), torch.zeros(5))
    off = noised.target.clone()
    off[2] += 1
    values = cls()(off, noised)
    assert values[2] > 0
    assert values.count_nonzero() == 1
