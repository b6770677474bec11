"""docs/mathematics.md is true: its names exist, its numbers are right, its examples run, and its small claims hold."""

import doctest
import math
import re
from itertools import pairwise

import pytest
import torch

from difftool.builtin.ddim import DDIM
from difftool.core.bound import surprise
from difftool.core.schedule import Schedule
from difftool.testing.oracles import Gaussian, Mixture, Rings

from .extract import ROOT, page
from .named import missing
from .tables import FLOW, LINEAR, TABLES

TEXT = page("mathematics.md")
NAMED = sorted(set(re.findall(r"`((?:difftool|tests)/[\w/]+\.py::[\w.]+)`", TEXT)))
EXPLODING = Schedule(torch.ones(11).double(), 3 * torch.arange(11).double())
HOPS = [
    *(LINEAR.hop(t, s) for t, s in [(1000, 999), (500, 499), (2, 1), (1000, 1), (613.5, 20.25)]),
    *(FLOW.hop(t, s) for t, s in [(999, 998), (700, 30.5), (2, 1)]),
    *(EXPLODING.hop(t, s) for t, s in [(10, 3), (2, 1)]),
]


# ---- what the page names


@pytest.mark.parametrize("reference", NAMED)
def test_what_is_named_exists(reference):
    assert not missing(reference)


def test_every_name_is_written_so_that_it_is_checked():
    assert len(NAMED) > 150
    assert len(re.findall(r"\.py::", TEXT)) == len(re.findall(r"`(?:difftool|tests)/[\w/]+\.py::[\w.]+`", TEXT))
    for file in re.findall(r"`([\w/]+\.(?:py|md))`", TEXT):
        assert (ROOT / file).is_file(), file
    for file in re.findall(r"\b([\w-]+\.md)\b", TEXT):
        assert (ROOT / "docs" / file).is_file(), file


def test_every_formula_says_where_it_is_computed_and_what_holds_it():
    sections = re.split(r"^(?=##)", TEXT, flags=re.MULTILINE)
    formulas = [section for section in sections if "```text" in section]
    assert len(formulas) > 30
    for section in formulas:
        title = section.splitlines()[0]
        assert re.search(r"^- Code: `difftool/", section, re.MULTILINE), title
        assert re.search(r"^- Held by: `tests/", section, re.MULTILINE), title


def test_links_within_the_page_lead_somewhere():
    headings = re.findall(r"^##+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert len(links) >= len([heading for heading in headings if heading[0].isdigit()])
    for anchor in links:
        assert anchor in anchors, anchor


def test_the_readme_leads_here():
    assert "](docs/mathematics.md)" in (ROOT / "README.md").read_text()


def test_the_examples_print_what_they_say():
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "mathematics.md", None, 0)
    assert len(test.examples) > 12
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not said, "".join(said)


# ---- its tables of numbers


def right(cell: str, value) -> bool:
    """The number itself, or at least four digits of it of which the last is rounded rightly."""
    if isinstance(value, str):
        return cell == value
    mantissa, _, exponent = cell.partition("e")
    digits = len(mantissa.replace("-", "").replace(".", "").lstrip("0"))
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    off = abs(float(cell) - float(value))
    return off <= 1e-9 * abs(float(value)) + 1e-15 or (digits >= 4 and off <= 0.5001 * unit)


@pytest.mark.parametrize("name", TABLES)
def test_the_numbers_of_a_table(name):
    (table,) = re.findall(rf"^<!-- numbers: {name} -->\n\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    computed = list(TABLES[name]())
    assert len(shown) == len(computed)
    for cells, values in zip(shown, computed, strict=True):
        for cell, value in zip(cells, values, strict=True):
            assert right(cell, value), (cells, cell, value)


def test_every_table_of_numbers_is_computed():
    assert sorted(re.findall(r"<!-- numbers: (\w+) -->", TEXT)) == sorted(TABLES)


@pytest.mark.parametrize(
    ("cell", "value", "good"),
    [
        ("0.5000", 0.50004, True),
        ("0.5000", 0.50006, False),
        ("1.234e-5", 1.2344e-5, True),
        ("1.234e-5", 1.2346e-5, False),
        ("0.02", 0.0204, False),
        ("500", 500, True),
        ("500", 501, False),
        ("x", "y", False),
    ],
)
def test_a_number_counts_as_right_to_its_last_digit(cell, value, good):
    assert right(cell, value) is good


# ---- claims that no other test holds


@pytest.mark.parametrize("hop", HOPS)
def test_completing_the_square(hop):
    """1/A and B/A, with A and B as they stand before anything is simplified."""
    r, x0, x_t = hop.alpha_t / hop.alpha_s, 0.3, -1.2
    A = r**2 / hop.beta + 1 / hop.sigma_s**2
    B = r * x_t / hop.beta + hop.alpha_s * x0 / hop.sigma_s**2
    assert hop.posterior == pytest.approx(1 / A, rel=1e-12)
    assert hop.mean_x0 * x0 + hop.mean_xt * x_t == pytest.approx(B / A, rel=1e-9)


@pytest.mark.parametrize("hop", HOPS)
def test_the_short_form_of_the_mean_is_a_consequence(hop):
    x_t, eps = 0.9, 0.7
    x0 = (x_t - hop.sigma_t * eps) / hop.alpha_t
    short = (x_t - hop.beta / hop.sigma_t * eps) * hop.alpha_s / hop.alpha_t
    assert hop.mean_x0 * x0 + hop.mean_xt * x_t == pytest.approx(short, rel=1e-9)


@pytest.mark.parametrize("hop", HOPS)
def test_the_noise_of_one_step_leads_to_the_same_mean(hop):
    """As vectors over (the noise of x_s, the noise of the step): eps has length 1, and z lies along it by so much."""
    r = hop.alpha_t / hop.alpha_s
    eps = (r * hop.sigma_s / hop.sigma_t, math.sqrt(hop.beta) / hop.sigma_t)
    assert math.hypot(*eps) == pytest.approx(1, rel=1e-12)
    x0, noise = 0.3, 0.7
    x_t = hop.alpha_t * x0 + hop.sigma_t * noise
    step = (x_t - math.sqrt(hop.beta) * eps[1] * noise) / r
    assert step == pytest.approx(hop.mean_x0 * x0 + hop.mean_xt * x_t, rel=1e-9)


@pytest.mark.parametrize("schedule", [LINEAR, FLOW], ids=["linear", "flow"])
def test_the_best_guess_of_the_noise_is_the_score(schedule):
    """-sigma times the slope of ln q, which is a sum of two bells here."""
    means, stds, shares = torch.tensor([[-1.0, 0.5], [0.1, 0.4], [0.2, 0.8]], dtype=torch.float64)
    for t in (30.0, 400.5, 990.0):
        alpha, sigma = (float(v) for v in schedule.at(t))
        x = torch.linspace(-2, 2, 41, dtype=torch.float64).requires_grad_()
        variance = (alpha * stds) ** 2 + sigma**2
        bells = shares * torch.exp(-((x[:, None] - alpha * means) ** 2) / (2 * variance)) / variance.sqrt()
        (slope,) = torch.autograd.grad(bells.sum(1).log().sum(), x)
        guess = Mixture(schedule, means.tolist(), stds.tolist(), shares.tolist())(x.detach(), t)
        torch.testing.assert_close(guess.eps, -sigma * slope, rtol=1e-9, atol=1e-9)


def test_on_the_way_down_the_guess_weighs_more_and_more():
    down = [LINEAR.hop(t, t - 1) for t in range(1000, 0, -1)]
    assert all(before.mean_x0 < after.mean_x0 for before, after in pairwise(down))
    assert all((before.mean_xt < after.mean_xt) is (after.t >= 462) for before, after in pairwise(down))


def test_ddim_is_eulers_method_along_the_noise():
    data, x = Gaussian(LINEAR, 0.3, 0.5), torch.tensor([0.4, -1.0], dtype=torch.float64)
    hop, guess = LINEAR.hop(600, 400), data(x, 600.0)
    stepped = next(DDIM().run(data, x, (600.0, 400.0, 0.0), lambda: x)).x
    far = hop.sigma_s / hop.alpha_s - hop.sigma_t / hop.alpha_t
    torch.testing.assert_close(stepped / hop.alpha_s, x / hop.alpha_t + far * guess.eps)


@pytest.mark.parametrize("t", [5.0, 300.0, 900.0])
def test_rings_are_bayes_rule(t):
    """Each ring as 20,000 bells along it: Bessel functions are nowhere in sight."""
    rings = Rings(LINEAR, (0.3, 0.8), (0.05, 0.2), (1.0, 3.0))
    alpha, sigma = (float(v) for v in LINEAR.at(t))
    angle = torch.arange(20_000, dtype=torch.float64) * math.tau / 20_000
    around = torch.stack([angle.cos(), angle.sin()], dim=1)
    for x in torch.tensor([[0.2, -0.1], [0.5, 0.6], [-1.5, 0.3]], dtype=torch.float64):
        total, mean = 0.0, torch.zeros(2, dtype=torch.float64)
        for radius, thick, weight in zip(rings.radii, rings.thickness, rings.weights, strict=True):
            v = (alpha * thick) ** 2 + sigma**2
            miss = x - alpha * radius * around
            share = weight / v * torch.exp(-miss.square().sum(1) / (2 * v))
            total = total + share.sum()
            mean = mean + (share[:, None] * (radius * around + alpha * thick**2 / v * miss)).sum(0)
        said = rings(x.reshape(1, 1, 1, 2), t).x0.flatten()
        torch.testing.assert_close(said, mean / total, rtol=1e-8, atol=1e-10)


def test_the_tanh_of_the_published_code_is_close_where_it_is_not_cut_off():
    def rough(z):
        return (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2

    def ours(offset, std):
        return float(surprise(*torch.tensor([0.2 + offset, 0.2, std], dtype=torch.float64)))

    for std, offset in ((0.01, 0.0), (0.01, 0.02), (0.1, 0.1), (0.5, -0.7)):
        theirs = -math.log(rough((offset + 1 / 255) / std) - rough((offset - 1 / 255) / std))
        assert ours(offset, std) == pytest.approx(theirs, abs=0.02)
    assert ours(0.5, 0.01) > 1000 > -math.log(1e-12)
