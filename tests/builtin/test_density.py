"""The metric density: its counting by hand, its floor against simulation, and a denoiser that knows the truth."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from difftool.builtin.ddim import Direct
from difftool.builtin.ddpm import DDPM
from difftool.builtin.density import Density, counted, distance, floor
from difftool.builtin.schedules import Cosine
from difftool.builtin.targets import X0
from difftool.builtin.two_pixel import TwoPixel
from difftool.builtin.two_pixel_law import BLUR, PARTS
from difftool.core.model import How, Model
from difftool.data.array import ArrayImages
from difftool.errors import InputError

SCHEDULE = Cosine().build()


class Says(nn.Module):
    """A network that answers this picture, whatever it sees."""

    def __init__(self, left, right):
        super().__init__()
        self.register_buffer("answer", torch.tensor([left, right]).reshape(1, 1, 1, 2))

    def forward(self, x, c, cond):
        return self.answer.expand_as(x)


class Knows(nn.Module):
    """The exact denoiser of `gaussians`: the posterior mean of a mixture of normals."""

    def __init__(self):
        super().__init__()
        parts = PARTS["gaussians"]
        self.register_buffer("means", torch.tensor([[part.x, part.y] for part in parts]))
        self.register_buffer("weights", torch.tensor([part.weight for part in parts]))

    def forward(self, x, c, cond):
        alpha, sigma = (float(value) for value in SCHEDULE.at(float(c[0]) + 1))
        away = x[:, 0] - alpha * self.means  # [N, parts, 2]
        power = alpha**2 * BLUR**2 + sigma**2
        share = (self.weights.log() - away.square().sum(2) / (2 * power)).softmax(1)
        return (share[:, :, None] * (self.means + alpha * BLUR**2 / power * away)).sum(1)[:, None, None]


def model(net, sampler=None, steps=1, spacing=None, shape=(1, 1, 2), fresh=None):
    return Model(net, SCHEDULE, X0(), shape, {}, How(sampler or Direct(), steps, spacing), fresh=fresh)


def measured(model, images, **fields):
    heard = []
    result = Density(**fields).measure(model, images, lambda done, total: heard.append((done, total)))
    return result, heard


def known(law):
    images = ArrayImages(np.zeros((1, 1, 2, 1), dtype=np.uint8))
    images.law = law
    return images


def pictures(*pairs):
    return np.array(pairs, dtype=np.uint8).reshape(-1, 1, 2, 1)


def test_pictures_are_counted_in_their_squares():
    pixels = pictures((0, 0), (7, 7), (8, 0), (0, 8), (0, 15), (255, 248), (255, 247))
    counts = counted(pixels, 32)
    assert counts.shape == (32, 32)
    assert {place: counts[place] for place in zip(*map(list, counts.nonzero()), strict=True)} == {
        (0, 0): 2,
        (1, 0): 1,
        (0, 1): 2,
        (31, 31): 1,
        (31, 30): 1,
    }
    assert counted(pixels, 256)[255, 247] == counted(pixels, 256)[8, 0] == 1
    assert counted(pixels, 2).tolist() == [[5, 0], [0, 2]]


def test_distance_by_hand():
    assert distance(np.array([0.5, 0.5, 0]), np.array([0.2, 0.5, 0.3])) == pytest.approx(0.3)
    assert distance(np.array([1.0, 0]), np.array([0, 1.0])) == 1


@pytest.mark.parametrize("n", [1, 7, 400])
def test_the_floor_of_a_coin_is_what_all_its_throws_say(n):
    for p in (0.5, 0.03, 1 - 1e-6, 2 / 7, 1 - 2**-53):
        mean = sum(
            math.comb(n, k) * p**k * (1 - p) ** (n - k) * abs(k / n - p) for k in range(n + 1)
        )  # the distance of two shares is that of either
        assert floor(np.array([p, 1 - p]), n) == pytest.approx(mean, rel=1e-9)


def test_the_floor_against_simulation():
    rng = np.random.default_rng(1)
    law = TwoPixel(density="rings", count=1).open().law.reshape(32, 8, 32, 8).sum((1, 3))
    for n in (50, 3000):
        far = [distance(rng.multinomial(n, law.ravel()) / n, law.ravel()) for _ in range(400)]
        assert abs(floor(law, n) - np.mean(far)) < 5 * np.std(far) / 20
    assert floor(np.array([[1.0, 0], [0, 0]]), 10) == 0


@pytest.mark.parametrize("name", ["gaussians", "rings", "lines"])
def test_the_truth_itself_lies_at_the_floor(name):
    images = TwoPixel(density=name, count=300_000).open()
    law = images.law.reshape(32, 8, 32, 8).sum((1, 3))
    far = [
        distance(counted(images.take(range(first, first + 50_000)), 32) / 50_000, law)
        for first in range(0, 300_000, 50_000)
    ]
    assert np.mean(far) == pytest.approx(floor(law, 50_000), rel=0.1)


def test_one_picture_for_ever():
    """The model says bytes (204, 64) always, so its distance is all that the law gives elsewhere."""
    law = np.zeros((256, 256))
    law[200, 70], law[204, 64], law[64, 204] = 0.3, 0.1, 0.6
    net = Says(204 / 127.5 - 1, 64 / 127.5 - 1)
    truth = Says(64 / 127.5 - 1, 204 / 127.5 - 1)
    result, heard = measured(model(net, fresh=lambda: truth), known(law), pictures=25, batch=10)
    assert result == pytest.approx({"tv": 0.6, "tv_floor": result["tv_floor"], "tv_untrained": 0.4}, abs=1e-12)
    squares = np.array([0.4, 0.6])  # 200, 204 and 64, 70 share a square of eight bytes
    assert result["tv_floor"] == pytest.approx(floor(squares, 25))
    assert heard == [(10, 27), (20, 27), (25, 27), (27, 27)]
    finest, _ = measured(model(net), known(law), pictures=5, bins=256)
    assert finest.keys() == {"tv", "tv_floor"}
    assert finest["tv"] == pytest.approx(0.9)


def test_a_denoiser_that_knows_the_truth_comes_close_to_the_floor():
    exact = model(Knows(), DDPM(variance="beta"), steps=100, spacing="quadratic")
    images = TwoPixel(count=1).open()
    result, _ = measured(exact, images, pictures=10_000)
    assert 0.8 * result["tv_floor"] < result["tv"] < 1.3 * result["tv_floor"]
    few, again, other = (
        measured(exact, images, pictures=1000, **more)[0] for more in ({}, {"batch": 300}, {"seed": 1})
    )
    assert again["tv"] == pytest.approx(few["tv"], abs=2e-3)  # but for rounding
    assert abs(other["tv"] - few["tv"]) > 1e-6


def test_what_it_cannot_judge_is_refused():
    plain = ArrayImages(np.zeros((3, 1, 2, 1), dtype=np.uint8))
    with pytest.raises(InputError, match="law is known"):
        measured(model(Says(0.0, 0.0)), plain)
    with pytest.raises(InputError, match=r"pictures of two grey pixels.*\(1, 2, 2\)"):
        measured(model(Says(0.0, 0.0), shape=(1, 2, 2)), known(np.ones((256, 256)) / 65536))
    with pytest.raises(InputError, match="two grey pixels"):
        measured(model(Says(0.0, 0.0)), known(np.ones((16, 16)) / 256))
    with pytest.raises(InputError, match="how this network began"):
        model(Says(0.0, 0.0)).untrained()
