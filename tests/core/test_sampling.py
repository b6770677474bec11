"""The walk that drives a sampler, the noise it draws, pictures as bytes."""

import itertools
import math
from itertools import pairwise
from types import SimpleNamespace
from typing import get_args

import pytest
import torch

from difftool.builtin.ddim import DDIM, Direct
from difftool.builtin.ddpm import DDPM
from difftool.builtin.schedules import Linear
from difftool.builtin.targets import V
from difftool.core.denoiser import NetDenoiser, on
from difftool.core.model import How, Model
from difftool.core.randomness import Stream, normal
from difftool.core.sampling import (
    SeededNoise,
    Spacing,
    from_bytes,
    last,
    spaced,
    to_bytes,
    walk,
)
from difftool.core.schedule import Schedule
from difftool.core.types import Step
from difftool.errors import InputError
from difftool.testing.oracles import Gaussian, Point

LEVELS = torch.arange(1001, dtype=torch.float64)
SCHEDULES = {
    "linear": Linear().build(),
    "flow": Schedule(1 - LEVELS / 1000, LEVELS / 1000),
    "exploding": Schedule(torch.ones_like(LEVELS), 80 * (LEVELS / 1000) ** 3),
}
SPACINGS = get_args(Spacing)


@pytest.fixture(params=SCHEDULES)
def schedule(request):
    return SCHEDULES[request.param]


# ---- the walk


def counting_draw(shape=(2, 1, 2, 2)):
    """Ones, twos, threes, ...: which draw went where can be read off the result."""
    count = itertools.count(1)
    return lambda: torch.full(shape, float(next(count)))


def test_the_walk_begins_with_noise_at_the_power_of_the_last_level(schedule):
    """Index 0 is x_T = sqrt(alpha_T^2 + sigma_T^2) z with the first draw, at level T; nothing is guessed yet."""
    steps = list(walk(DDIM(), Gaussian(schedule, 0.0, 1.0), spaced(schedule, 5, "uniform"), counting_draw()))
    first = steps[0]
    power = float(schedule.alpha[-1] ** 2 + schedule.sigma[-1] ** 2)
    assert (first.index, first.total, first.t) == (0, 5, 1000)
    torch.testing.assert_close(first.x, torch.full((2, 1, 2, 2), math.sqrt(power)))
    assert first.x0 is first.x
    assert [step.index for step in steps] == list(range(6))
    assert [step.t for step in steps] == [1000, 800, 600, 400, 200, 0]
    assert {step.total for step in steps} == {5}


@pytest.mark.parametrize("sampler", [DDPM(), DDIM(eta=0.5), Direct()])
def test_pictures_stay_float32_and_the_step_holds_the_guess_it_used(sampler):
    """The guess is the denoiser's, at the level before."""
    linear = Linear(T=20, scale=True).build()
    denoiser = Gaussian(linear, 0.3, 0.5)
    steps = list(walk(sampler, denoiser, sampler.times(linear, 6), SeededNoise([1, 2], (1, 2, 2))))
    for before, step in pairwise(steps):
        assert step.x.dtype == step.x0.dtype == torch.float32
        torch.testing.assert_close(step.x0, denoiser(before.x, before.t).x0)
    torch.testing.assert_close(steps[-1].x, steps[-1].x0)  # the last hop lands on the guess


def test_gradients_are_off_inside_and_as_they_were_outside():
    """The mode does not leak from a suspended walk into the consumer, nor from the consumer into the walk."""
    linear = Linear(T=10, scale=True).build()
    seen = []

    class Spy(Point):
        def expected(self, x, alpha, sigma):
            seen.append(torch.is_grad_enabled())
            return super().expected(x, alpha, sigma)

    weight = torch.ones(1, requires_grad=True)
    for step in walk(DDPM(), Spy(linear, weight), spaced(linear, 4, "uniform"), counting_draw()):
        assert torch.is_grad_enabled()
        assert not step.x.requires_grad
        assert (weight * 2).requires_grad
    assert seen == [False] * 4
    with torch.no_grad():
        for _ in walk(DDPM(), Spy(linear, weight), spaced(linear, 4, "uniform"), counting_draw()):
            assert not torch.is_grad_enabled()
    stopped = walk(DDPM(), Spy(linear, weight), spaced(linear, 4, "uniform"), counting_draw())
    next(stopped)
    next(stopped)
    stopped.close()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("steps", "words"), [(0, "yielded nothing"), (2, "stopped at level 3")])
def test_a_sampler_that_stops_early_is_refused(steps, words):
    class Lazy:
        def run(self, denoiser, x, times, draw):
            for index in range(1, steps + 1):
                yield Step(index, len(times) - 1, times[index], x, x)

    linear = Linear(T=10, scale=True).build()
    with pytest.raises(InputError, match=f"sampler Lazy {words}; a walk ends at level 0"):
        list(walk(Lazy(), Point(linear, 0.0), (10.0, 6.0, 3.0, 1.0, 0.0), counting_draw()))


def test_last_shows_every_step_and_keeps_the_last():
    steps = [Step(k, 2, 2.0 - k, torch.zeros(1), torch.zeros(1)) for k in range(3)]
    seen = []
    assert last(iter(steps), seen.append) is steps[2]
    assert seen == steps
    with pytest.raises(InputError, match="nothing to sample"):
        last(iter([]))


# ---- its noise


def test_draw_d_of_image_k_is_its_own():
    """Keyed by (seed of k, d): the same in any batch and at any place, different for every d."""
    shape = (3, 4, 4)
    together, alone = SeededNoise([5, 6, 7], shape), SeededNoise([7], shape)
    drawn = [(together(), alone()) for _ in range(4)]
    for d, (three, one) in enumerate(drawn):
        assert three.shape == (3, *shape)
        assert torch.equal(three[2], one[0])
        assert torch.equal(one, normal([7], Stream.SAMPLE, d, [0], shape))
    assert together.count == 4
    assert len({float(one.sum()) for _, one in drawn}) == 4
    assert not torch.equal(drawn[0][0][0], drawn[0][0][1])


def test_a_whole_sample_does_not_depend_on_its_batch():
    """With elementwise arithmetic, to the bit: DDPM with noise at every step, seed 3 alone and in company."""
    linear = Linear(T=50, scale=True).build()

    def sample(seeds):
        noise = SeededNoise(seeds, (3, 5, 5))
        return last(walk(DDPM(), Point(linear, 0.25), DDPM().times(linear), noise)).x

    def halfway(seeds):
        steps = walk(DDPM(), Point(linear, 0.25), DDPM().times(linear), SeededNoise(seeds, (3, 5, 5)))
        return next(itertools.islice(steps, 25, None)).x

    assert torch.equal(halfway([3])[0], halfway([1, 2, 3, 4])[2])
    torch.testing.assert_close(sample([3]), torch.full((1, 3, 5, 5), 0.25))


# ---- a model ties them together


class Zero(torch.nn.Module):
    """Says nothing, but has a weight, and so a device."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3, 2))
        self.heard = []

    def forward(self, x, c, cond):
        self.heard.append(float(c[0]))
        return x * 0 + self.weight.sum()


def model(how):
    return Model(Zero(), Linear(T=20, scale=True).build(), V(), (1, 4, 3), {}, how)


def test_how_takes_the_samplers_own_levels_unless_a_spacing_is_named():
    linear = Linear().build()
    assert How(DDPM()).times(linear) == spaced(linear, 1000, "uniform")
    assert How(DDPM(), 8).times(linear) == spaced(linear, 8, "uniform")
    assert How(DDPM(), 8, "karras").times(linear) == spaced(linear, 8, "karras")
    assert How(DDPM(), None, "logsnr").times(linear) == spaced(linear, 1000, "logsnr")
    assert How(Direct(), 8).times(linear) == (1000, 0)


def test_a_model_gives_one_picture_a_seed_in_any_batch():
    """uint8 [N, H, W, C]; in batches of 2 as in one of 64; the caller's how goes before the recipe's."""
    m = model(How(DDPM(), 5))
    pictures = m.sample([4, 5, 6])
    assert pictures.shape == (3, 4, 3, 1)
    assert pictures.dtype == torch.uint8
    assert torch.equal(m.sample([4, 5, 6], batch=2), pictures)
    assert torch.equal(m.sample([6]), pictures[2:])
    assert m.sample([]).shape == (0, 4, 3, 1)
    m.net.heard.clear()
    m.sample([1], sampler=DDIM(), steps=3)
    assert m.net.heard == [19, pytest.approx(20 * 2 / 3 - 1), pytest.approx(20 / 3 - 1)]
    assert m.denoiser(clip=False).clip is False


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("sampler", [DDPM(), DDIM(), Direct()])
def test_the_network_never_hears_a_level_below_1(sampler, spacing):
    """c = t - 1 is at least 0 and at most T - 1, and is T - 1 first; also on a finer schedule than its own."""
    zero, linear, finer = Zero(), Linear(T=50, scale=True).build(), Linear(T=200, scale=True).build()
    denoiser = NetDenoiser(zero, linear, V())
    for n in (1, 2, 13, 50):
        zero.heard.clear()
        last(walk(sampler, denoiser, How(sampler, n, spacing).times(linear), counting_draw()))
        assert zero.heard[0] == 49
        assert min(zero.heard) >= 0
    zero.heard.clear()
    last(walk(sampler, on(denoiser, finer), spaced(finer, 200, spacing), counting_draw()))
    assert 0 <= min(zero.heard) <= max(zero.heard) <= 49


# ---- pictures


def test_bytes_go_round_exactly():
    """All 256 values survive, 0 is -1 and 255 is 1, and nothing else moves: [B, H, W, C] to [B, C, H, W] and back."""
    pixels = torch.arange(256, dtype=torch.uint8).reshape(2, 8, 8, 2)
    x = from_bytes(pixels)
    assert x.shape == (2, 2, 8, 8)
    assert x.dtype == torch.float32
    assert (x.min(), x.max()) == (-1, 1)
    assert x[1, 0, 2, 3] == pytest.approx(int(pixels[1, 2, 3, 0]) / 127.5 - 1)
    back = to_bytes(x)
    assert torch.equal(back, pixels)
    assert back.is_contiguous()


def test_floats_are_rounded_and_held_never_stretched():
    x = torch.tensor([-9, -1, -0.999, 0.0, 0.5, 0.9999, 1, 9.0]).reshape(1, 1, 1, 8)
    assert to_bytes(x).flatten().tolist() == [0, 0, 0, 128, 191, 255, 255, 255]
    assert to_bytes(x.bfloat16()).flatten().tolist()[-1] == 255


def test_sampler_protocol_is_all_the_walk_needs():
    """Any object with run() can be walked: here one jump by hand."""
    jump = SimpleNamespace(run=lambda denoiser, x, times, draw: iter([Step(1, 1, 0.0, denoiser(x, times[0]).x0, x)]))
    final = last(walk(jump, Point(Linear().build(), 0.5), (1000.0, 0.0), counting_draw()))
    assert final.x.unique().tolist() == [0.5]
