"""Bits per dimension against closed forms: where the truth is known, the sum of the parts is the truth."""

import math

import numpy as np
import pytest
import torch

import difftool.api
from difftool.builtin.bits import BitsPerDim
from difftool.builtin.schedules import Cosine, Linear
from difftool.core.bound import Hops
from difftool.core.sampling import from_bytes
from difftool.core.schedule import Schedule
from difftool.core.types import Prediction
from difftool.errors import InputError
from difftool.testing.oracles import Gaussian, Point

LN2 = math.log(2)
BYTES = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def flow(T):
    t = torch.arange(T + 1, dtype=torch.float64) / T
    return Schedule(1 - t, t)


LINEAR, SHORT = Linear().build(), Linear(T=20, scale=True, last=0.01).build()
SCHEDULES = {"cosine": Cosine(T=100).build(), "flow": flow(100)}


class Pictures:
    """A data set: these bytes."""

    def __init__(self, pixels):
        self.pixels = np.asarray(pixels, dtype=np.uint8)

    def __len__(self):
        return len(self.pixels)

    def take(self, indices):
        return self.pixels[list(indices)]

    def values(self, indices):
        return {}


class Asked:
    """A model whose network is an oracle."""

    conditions, device = {}, torch.device("cpu")

    def __init__(self, oracle):
        self.oracle, self.schedule = oracle, oracle.schedule

    def denoiser(self, *, told):
        assert told == {}
        return self.oracle


def measured(oracle, pixels, **fields):
    return BitsPerDim(**fields).measure(Asked(oracle), Pictures(pixels), lambda done, total: None)


# ---- one point: everything is known


@pytest.mark.parametrize("byte", [0, 100, 255])
@pytest.mark.parametrize("name", SCHEDULES)
def test_on_one_point_nothing_but_the_ends_costs(name, byte):
    schedule = SCHEDULES[name]
    value = float(from_bytes(torch.full((1, 1, 1, 1), byte, dtype=torch.uint8)))
    result = measured(Point(schedule, value), np.full((3, 2, 2, 1), byte), variance="full", batch=2)
    assert result["by-level"][1:] == (0.0,) * (schedule.T - 1)
    assert result["rate"] == 0
    assert result["x0-mse"] == (0.0,) * schedule.T
    reach = 1 / 255 / math.sqrt(schedule.hop(2, 1).posterior)
    mass = math.erf(reach / math.sqrt(2)) if byte == 100 else (1 + math.erf(reach / math.sqrt(2))) / 2
    assert result["L_0"] == pytest.approx(-math.log2(mass), rel=1e-4, abs=1e-7)
    a, s = float(schedule.alpha[-1]), float(schedule.sigma[-1])
    power = a * a + s * s
    end = (math.log(power / s**2) + (s * s + (a * value) ** 2) / power - 1) / 2 / LN2
    assert result["L_T"] == pytest.approx(end, rel=1e-4, abs=1e-9)
    assert result["bits-per-dim"] == result["L_0"] + result["L_T"]


def test_on_one_point_beta_costs_the_gap_between_the_variances():
    """(gap + e^-gap - 1) / 2 a level, and the last step is that of `full`: the paper's model of CIFAR-10."""
    beta, full = (
        measured(Point(SHORT, 0.0), np.full((1, 2, 2, 1), 127), variance=variance) for variance in ("beta", "full")
    )
    for t in range(2, 21):
        hop = SHORT.hop(t, t - 1)
        gap = math.log(hop.beta / hop.posterior)
        guessed = (0 - float(BYTES[127])) ** 2 * hop.mean_x0**2 / hop.beta
        assert beta["by-level"][t - 1] * LN2 * 2 == pytest.approx(gap + math.expm1(-gap) + guessed, rel=1e-5, abs=1e-9)
    assert beta["L_0"] == full["L_0"]
    assert beta["L_T"] == full["L_T"]


# ---- Gaussian pixels, as bytes, and a linear denoiser: exact sums


def mass(x0, mean, std):
    """The probability of a byte, straight from its definition; the bin is mirrored to where erfc has its digits."""
    high = torch.where(x0 > 0.999, torch.inf, (x0 + 1 / 255 - mean) / std)
    low = torch.where(x0 < -0.999, -torch.inf, (x0 - 1 / 255 - mean) / std)
    high, low = torch.where(low > 0, -low, high), torch.where(low > 0, -high, low)
    return (torch.special.erfc(-high / math.sqrt(2)) - torch.special.erfc(-low / math.sqrt(2))) / 2


def law(mean, std, count):
    """`count` bytes that stand for equal shares of N(mean, std^2)."""
    z = torch.special.ndtri((torch.arange(count, dtype=torch.float64) + 0.5) / count)
    return ((mean + std * z).clamp(-1, 1) * 127.5 + 127.5).round().long()


def line_of(oracle, t):
    """(a, b) of the denoiser x0 = a x_t + b, by asking it."""
    at = oracle(torch.tensor([0.0, 1.0], dtype=torch.float64), t).x0
    return float(at[1] - at[0]), float(at[0])


def hermite(count):
    """Nodes and weights: exact for every polynomial of a normal variable up to degree 2 count - 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())


def exact(oracle, bytes_, variance):
    """Every part of the bound in bits, by summing over the bytes and the moments of x_t given x0."""
    schedule, x0 = oracle.schedule, BYTES[bytes_]
    parts = []
    for t in range(1, schedule.T + 1):
        hop = schedule.hop(t, t - 1)
        a, b = line_of(oracle, t)
        square = (((a * hop.alpha_t - 1) * x0 + b) ** 2).mean() + (a * hop.sigma_t) ** 2  # E (guess - x0)^2
        best = hop.posterior + hop.mean_x0**2 * float(square)
        if t == 1:
            std = math.sqrt(best if variance == "best" else schedule.hop(2, 1).posterior)
            z, weight = hermite(120)
            guess = a * (hop.alpha_t * x0[:, None] + hop.sigma_t * z) + b
            parts.append(float(-(mass(x0[:, None], guess, std).log2() * weight).sum(1).mean()))
            continue
        var = {"full": hop.posterior, "beta": hop.beta, "best": best}[variance]
        parts.append((math.log(var / hop.posterior) + best / var - 1) / 2 / LN2)
    alpha, sigma = float(schedule.alpha[-1]), float(schedule.sigma[-1])
    power = alpha**2 + sigma**2
    end = math.log(power / sigma**2) + (sigma**2 + alpha**2 * float((x0**2).mean())) / power - 1
    return parts, end / 2 / LN2


@pytest.mark.parametrize("variance", ["full", "beta"])
def test_the_terms_of_gaussian_bytes_are_their_exact_sums(variance):
    """Every level, from the almost clean to the almost noise; the noise is a quadrature that is exact here."""
    schedule = Linear(T=300, scale=True).build()
    oracle, bytes_ = Gaussian(schedule, 0.1, 0.2), law(0.1, 0.2, 64)
    expected, _ = exact(oracle, bytes_, variance)
    x0 = BYTES[bytes_].repeat_interleave(120)
    z, weight = (each.repeat(64) for each in hermite(120))
    ours = []
    for t in range(1, 301):
        guess = oracle(schedule.diffuse(x0, z, t), t).x0
        hops = Hops.of(schedule, torch.full((len(x0),), t, dtype=torch.float64))
        mix = float(variance == "beta" and t > 1)
        terms = hops.term(x0[:, None, None, None], guess[:, None, None, None], mix)
        ours.append(float((terms * weight).sum()) / 64 / LN2)
    assert ours == pytest.approx(expected, rel=1e-8)
    assert sum(ours) == pytest.approx(sum(expected), abs=1e-9)


@pytest.mark.parametrize("variance", ["full", "beta"])
def test_the_measured_total_of_gaussian_bytes_is_the_exact_one(variance, monkeypatch):
    """To 1e-3 bits: every picture is one byte, and its pixels get the quantiles of the noise, one each."""
    schedule = Cosine(T=60).build()
    quantiles = torch.special.ndtri((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096)
    quantiles = (quantiles / quantiles.square().mean().sqrt()).float()
    monkeypatch.setattr(
        difftool.api,
        "normal",
        lambda seed, stream, step, slots, shape: quantiles.reshape(shape).expand(len(slots), *shape),
    )
    bytes_ = law(-0.2, 0.15, 64)
    oracle = Gaussian(schedule, -0.2, 0.15)
    result = measured(oracle, bytes_[:, None, None, None].expand(-1, 64, 64, 1), variance=variance, batch=24)
    parts, end = exact(oracle, bytes_, variance)
    assert result["bits-per-dim"] == pytest.approx(sum(parts) + end, abs=1e-3)
    assert result["by-level"] == pytest.approx(parts, rel=2e-3, abs=1e-5)
    assert result["L_T"] == pytest.approx(end, rel=1e-4, abs=1e-8)
    for t in (1, 30, 60):
        a, b = line_of(oracle, t)
        alpha, sigma = (float(v) for v in schedule.at(t))
        square = (((a * alpha - 1) * BYTES[bytes_] + b) ** 2).mean() + (a * sigma) ** 2
        assert result["x0-mse"][t - 1] == pytest.approx(float(square), rel=1e-3)


def test_no_model_beats_the_entropy_of_the_data():
    """A bound is a bound: with the right denoiser and the best variances it is nearly tight, else it stays behind."""
    bytes_ = law(0.0, 0.1, 4096)
    shares = bytes_.bincount() / len(bytes_)
    entropy = float(-(shares[shares > 0] * shares[shares > 0].log2()).sum())

    def total(std, variance):
        parts, end = exact(Gaussian(LINEAR, 0.0, std), bytes_, variance)
        return sum(parts) + end

    tight = total(0.1, "best")
    assert entropy < tight < entropy + 0.02
    assert min(total(0.1, "full"), total(0.1, "beta"), total(0.2, "best"), total(0.05, "best")) > tight + 0.02


# ---- the metric itself


class Mixed(Gaussian):
    """A Gaussian oracle that also says a mix."""

    def __call__(self, x, t):
        guess = super().__call__(x, t)
        return Prediction(guess.x0, guess.eps, torch.full_like(x, 0.3))


def test_the_total_is_the_sum_of_what_is_reported():
    result = measured(Gaussian(SHORT, 0.0, 0.5), np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)))
    assert result["bits-per-dim"] == result["L_0"] + result["rate"] + result["L_T"]
    assert result["rate"] == sum(result["by-level"][1:])
    assert result["by-level"][0] == result["L_0"]
    assert len(result["by-level"]) == len(result["x0-mse"]) == 20


def test_the_noise_of_a_picture_is_its_own():
    """Whatever the batch, and however many others are measured; another seed is other noise."""
    oracle = Gaussian(SHORT, 0.0, 0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3))
    whole = measured(oracle, pixels)
    parted = measured(oracle, pixels, batch=4)
    assert parted["by-level"] == pytest.approx(whole["by-level"], rel=1e-6)
    halves = [measured(oracle, pixels, pictures=k)["bits-per-dim"] for k in (3, 6, 600)]
    assert halves[1] == halves[2] == whole["bits-per-dim"]
    assert halves[0] != halves[1]
    even = measured(oracle, pixels[[0, 0, 2, 0, 4, 0]], pictures=3)  # pictures 0, 2 and 4 are measured
    assert even["bits-per-dim"] == pytest.approx(halves[0], rel=1e-6)
    assert measured(oracle, pixels, seed=1)["bits-per-dim"] != whole["bits-per-dim"]
    state = torch.random.get_rng_state()
    measured(oracle, pixels)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_learned_variance_is_used_unless_another_is_asked_for():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 1))
    learned, mine = (measured(Mixed(SHORT, 0.0, 0.5), pixels, variance=each) for each in ("learned", None))
    assert learned == mine
    for variance in ("full", "beta"):
        plain = measured(Gaussian(SHORT, 0.0, 0.5), pixels, variance=variance)
        assert plain == measured(Mixed(SHORT, 0.0, 0.5), pixels, variance=variance)
        assert plain["bits-per-dim"] != learned["bits-per-dim"]
    assert measured(Gaussian(SHORT, 0.0, 0.5), pixels) == measured(Gaussian(SHORT, 0.0, 0.5), pixels, variance="beta")
    with pytest.raises(InputError, match="did not learn its variance"):
        measured(Gaussian(SHORT, 0.0, 0.5), pixels, variance="learned")


def test_whoever_waits_hears_of_every_level():
    heard = []
    BitsPerDim(batch=2).measure(
        Asked(Gaussian(SHORT, 0.0, 0.5)),
        Pictures(np.zeros((3, 2, 2, 1))),
        lambda done, total: heard.append((done, total)),
    )
    assert heard == [(k, 40) for k in range(1, 41)]


def test_pictures_of_a_model_with_conditions_are_told_what_they_are():
    """Each its own value, as far as the data has one."""
    seen = []

    class Told(Asked):
        conditions = dict.fromkeys(["label", "caption"])

        def denoiser(self, *, told):
            seen.append(dict(told))
            return self.oracle

    class Labelled(Pictures):
        def values(self, indices):
            return {"label": [f"name {k}" for k in indices], "size": [0 for _ in indices]}

    BitsPerDim(batch=2).measure(
        Told(Gaussian(SHORT, 0.0, 0.5)), Labelled(np.zeros((3, 2, 2, 1))), lambda done, total: None
    )
    assert seen == [{"label": ["name 0", "name 1"]}, {"label": ["name 2"]}]
