"""The data set whose truth is known: its law against the closed forms of its densities, and against its pictures."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from difftool.builtin.two_pixel import TwoPixel
from difftool.builtin.two_pixel_law import BLUR, PARTS, Circle, Point, Stroke
from difftool.testing import check_dataset

DENSITIES = ("gaussians", "rings", "lines")


def special(function, values):
    return function(torch.from_numpy(values)).numpy()


def density(name, x, y):
    """The density in closed form: a normal, a circle's by the Bessel function I0, a stroke's by erf along it."""
    total = np.zeros(np.broadcast(x, y).shape)

    def normal(squares):
        return np.exp(-squares / (2 * BLUR**2)) / (2 * math.pi * BLUR**2)

    for part in PARTS[name]:
        if isinstance(part, Point):
            here = normal((x - part.x) ** 2 + (y - part.y) ** 2)
        elif isinstance(part, Circle):
            r = np.hypot(x, y)
            scaled = special(torch.special.i0e, r * part.radius / BLUR**2)  # I0(z) exp(-z)
            here = normal((r - part.radius) ** 2) * scaled
        else:
            (ax, ay), (bx, by) = part.start, part.stop
            length = math.hypot(bx - ax, by - ay)
            ux, uy = (bx - ax) / length, (by - ay) / length
            along, across = (x - ax) * ux + (y - ay) * uy, (x - ax) * uy - (y - ay) * ux
            reach = [special(torch.erf, each / (BLUR * math.sqrt(2))) for each in (along, along - length)]
            here = (reach[0] - reach[1]) / 2 / length * normal(across**2) * BLUR * math.sqrt(math.tau)
        total += part.weight * here
    return total


@pytest.mark.parametrize("name", DENSITIES)
def test_the_law_is_the_density_integrated_over_each_cell(name):
    """Three by three points a cell, by the rule of Gauss and Legendre."""
    places, shares = np.polynomial.legendre.leggauss(3)
    x = ((np.arange(256)[:, None] + places / 2) / 127.5 - 1).ravel()
    values = density(name, x[:, None], x[None]).reshape(256, 3, 256, 3)
    expected = np.einsum("iajb,a,b->ij", values, shares / 2, shares / 2) / 127.5**2
    law = TwoPixel(density=name, count=1).open().law
    assert law.shape == (256, 256)
    assert law.min() >= 0
    assert law.sum() == pytest.approx(1, abs=1e-12)
    assert abs(law - expected).sum() < 1e-6


def test_the_law_of_one_spot_by_hand():
    """The left pixel's bytes around the one spot that has 0.2 of all, far from the others: two normal probabilities."""
    law = TwoPixel(count=1).open().law
    spot = PARTS["gaussians"][0]
    assert (spot.weight, spot.x, spot.y) == (0.20, -0.60, -0.55)

    def below(edge, mean):
        return (1 + math.erf((edge / 127.5 - 1 - mean) / BLUR / math.sqrt(2))) / 2

    left, right = (below(51.5, -0.6) - below(50.5, -0.6)), (below(57.5, -0.55) - below(56.5, -0.55))
    assert law[51, 57] == pytest.approx(0.2 * left * right, rel=1e-9)
    assert law[57, 51] < law[51, 57] / 10
    assert law[:80, :80].sum() == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("name", DENSITIES)
def test_the_pictures_follow_the_law(name):
    """Pearson's chi-square over cells that expect at least twenty: within five deviations of what it should be."""
    images = TwoPixel(density=name, count=400_000, seed=3).open()
    pixels = images.take(range(400_000))[:, 0, :, 0].astype(int)
    counts = np.bincount(pixels[:, 0] * 256 + pixels[:, 1], minlength=65536)
    expected = images.law.ravel() * 400_000
    often = expected >= 20
    rare = (counts[~often].sum() - expected[~often].sum()) ** 2 / expected[~often].sum()
    freedom = often.sum()
    chi = ((counts - expected)[often] ** 2 / expected[often]).sum() + rare
    assert freedom > 1000
    assert abs(chi - freedom) < 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("name", DENSITIES)
def test_features_are_narrow_and_well_inside(name):
    law = TwoPixel(density=name, count=1).open().law
    assert law[6:-6, 6:-6].sum() > 1 - 1e-6
    assert 2 * math.sqrt(2 * math.log(2)) * BLUR < 0.08
    assert sum(part.weight for part in PARTS[name]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", DENSITIES)
def test_a_larger_count_keeps_the_pictures(name):
    few, many = (TwoPixel(density=name, count=count, seed=5).open() for count in (100, 70_000))
    assert (len(few), len(many)) == (100, 70_000)
    assert (few.take(range(100)) == many.take(range(100))).all()
    other = TwoPixel(density=name, count=100, seed=6).open()
    assert (few.take(range(100)) != other.take(range(100))).any()


def test_blocks_of_rows_are_not_the_same():
    """They are drawn in blocks; the second block goes on where the first ended."""
    images = TwoPixel(count=2 * 65_536 + 1).open()
    first, second = (images.take(range(start, start + 50)) for start in (0, 65_536))
    assert (first != second).any()
    generator = np.random.Generator(np.random.PCG64(0))
    generator.random((65_536, 4))
    u = generator.random(4)
    spot = PARTS["gaussians"][int(np.searchsorted(np.cumsum([part.weight for part in PARTS["gaussians"]]), u[0]))]
    radius = BLUR * math.sqrt(-2 * math.log(1 - u[2]))
    point = (spot.x + radius * math.cos(2 * math.pi * u[3]), spot.y + radius * math.sin(2 * math.pi * u[3]))
    assert second[0, 0, :, 0].tolist() == [round((value + 1) * 127.5) for value in point]


@pytest.mark.parametrize("name", DENSITIES)
def test_it_keeps_the_rules_of_data_sets(name):
    check_dataset(TwoPixel(density=name, count=1000))


def test_describing_costs_neither_torch_nor_numpy_and_opening_no_torch():
    code = (
        "import sys; from difftool.builtin.two_pixel import TwoPixel\n"
        "assert TwoPixel().shape == (1, 1, 2)\n"
        "assert TwoPixel.judged_by == ('density',)\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "TwoPixel(count=10).open().law\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_strokes_and_circles_are_run_through_evenly():
    u = np.array([0.0, 0.25, 0.5])
    assert Stroke(1, (0, 0), (0.4, -0.2)).at(u) == pytest.approx(np.array([[0, 0], [0.1, -0.05], [0.2, -0.1]]))
    assert Circle(1, 0.5).at(u) == pytest.approx(np.array([[0.5, 0], [0, 0.5], [-0.5, 0]]), abs=1e-15)
