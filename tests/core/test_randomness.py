"""Randomness: known answers, nothing but (seed, stream, step, slot), and numbers that look random."""

import math

import pytest
import torch

from difftool.core.randomness import Stream, integers, normal, philox, uniform

PI_DIGITS = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (*PI_DIGITS, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_gives_the_published_answers(counter, key, answer):
    """The known-answer vectors of Random123 for philox4x32-10."""
    words = philox(tuple(torch.tensor(c) for c in counter), tuple(torch.tensor(k) for k in key))
    assert tuple(int(word) for word in words) == answer


def test_words_lie_where_the_contract_says():
    """Counter (block, slot, step, stream << 24), key (low seed, high seed): a run made today repeats tomorrow."""
    seed, step, slot = 0x0123456789ABCDEF, 77, 5
    words = integers(seed, Stream.NOISE, step, [slot], 8)
    for block in (0, 1):
        counter = (block, slot, step, 3 << 24)
        expected = philox(tuple(torch.tensor(c) for c in counter), (torch.tensor(0x89ABCDEF), torch.tensor(0x01234567)))
        assert words[0, 4 * block : 4 * block + 4].tolist() == [int(word) for word in expected]


def test_the_streams_keep_their_numbers():
    """Part of the contract: a renumbered stream would change every run that is resumed."""
    assert {stream.name: int(stream) for stream in Stream} == {
        "ORDER": 1,
        "LEVELS": 2,
        "NOISE": 3,
        "FLIP": 4,
        "DROPOUT": 5,
        "LABELS": 6,
        "AUGMENT": 7,
        "SAMPLE": 8,
        "INIT": 9,
    }


# ---- functions of (seed, stream, step, slot), and of nothing else


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 3, 3), (1,), (7,), (3, 33, 31)])
def test_the_noise_of_an_image_is_the_same_to_the_bit_whatever_the_batch(shape):
    """Alone, in company, in another place, twice in one batch, odd sizes included."""
    seeds = list(range(13))
    together = normal(seeds, Stream.SAMPLE, 4, [0] * 13, shape)
    assert together.shape == (13, *shape)
    for k in (0, 5, 12):
        assert torch.equal(normal([k], Stream.SAMPLE, 4, [0], shape)[0], together[k])
    mixed = normal([7, 2, 7], Stream.SAMPLE, 4, [0] * 3, shape)
    assert torch.equal(mixed, together[[7, 2, 7]])


def test_a_training_slot_has_its_words_whatever_the_micro_batch():
    """The integers to the bit, the normals to rounding: ranks and accumulation may split a batch anywhere."""
    whole = integers(1, Stream.NOISE, 9, torch.arange(16), 10)
    halves = [integers(1, Stream.NOISE, 9, torch.arange(k, k + 8), 10) for k in (0, 8)]
    assert torch.equal(whole, torch.cat(halves))
    noise = normal(1, Stream.NOISE, 9, torch.arange(16), (3, 5, 5))
    parts = [normal(1, Stream.NOISE, 9, torch.arange(k, k + 8), (3, 5, 5)) for k in (0, 8)]
    torch.testing.assert_close(noise, torch.cat(parts), rtol=0, atol=1e-6)
    assert torch.equal(
        uniform(1, Stream.LEVELS, 9, range(16))[3:5],
        torch.cat([uniform(1, Stream.LEVELS, 9, [k]) for k in (3, 4)]),
    )


def test_history_and_global_seeds_do_not_matter():
    torch.manual_seed(1)
    first = normal(3, Stream.NOISE, 1, [0, 1], (4,))
    torch.manual_seed(2)
    normal(3, Stream.NOISE, 1, [0], (999,))
    assert torch.equal(normal(3, Stream.NOISE, 1, [0, 1], (4,)), first)


def test_one_seed_for_all_is_the_same_as_a_list_of_it():
    words = integers(11, Stream.NOISE, 2, [4, 4], 6)
    assert torch.equal(words, integers([11, 11], Stream.NOISE, 2, [4, 4], 6))
    rows = normal([11, 12], Stream.NOISE, 2, [4, 5], (6,))
    torch.testing.assert_close(rows[1:], normal(12, Stream.NOISE, 2, [5], (6,)), rtol=0, atol=1e-6)


# ---- different things get different numbers


def test_seeds_steps_slots_and_streams_do_not_collide():
    """Every neighbour differs in all of its words, above 2^32 too (where torch.manual_seed on the CPU is deaf)."""
    big = 1 << 32
    asked = [
        (seed, stream, step, slot)
        for seed in (0, 1, big, big + 1, 7 * big, (1 << 63) + 5)
        for stream in (Stream.ORDER, Stream.NOISE, Stream.SAMPLE)
        for step in (0, 1, big, 5 * big)
        for slot in (0, 1, big, 200 * big)
    ]
    words = torch.cat([integers(seed, stream, step, [slot], 4) for seed, stream, step, slot in asked])
    pairs = {tuple(row) for half in (words[:, :2], words[:, 2:]) for row in half.tolist()}
    assert len(pairs) == 2 * len(asked)


def test_words_of_one_image_do_not_repeat():
    words = integers(0, Stream.NOISE, 1, [0, 1], 40_000)
    pairs = {tuple(pair) for pair in words.reshape(-1, 2).tolist()}
    assert len(pairs) == 40_000
    assert torch.equal(words[:, :100], integers(0, Stream.NOISE, 1, [0, 1], 100))  # fewer words are the first ones


def test_seeds_count_modulo_2_to_the_64():
    """Negative ones as two's complement: none is refused here, and each is as good as any."""
    for seed, same in ((-1, (1 << 64) - 1), (-(1 << 63), 1 << 63), ((1 << 64) + 3, 3)):
        assert torch.equal(integers(seed, Stream.NOISE, 0, [0], 4), integers(same, Stream.NOISE, 0, [0], 4))
    assert not torch.equal(integers(-1, Stream.NOISE, 0, [0], 4), integers(1, Stream.NOISE, 0, [0], 4))


# ---- they look random


def test_uniform_is_flat_in_0_to_1_with_53_bits():
    u = uniform(0, Stream.LEVELS, 1, range(200_000))
    assert u.dtype == torch.float64
    assert bool(((u >= 0) & (u < 1)).all())
    counts = torch.histc(u.float(), 50, 0, 1)
    chi2 = float(((counts - 4000) ** 2 / 4000).sum())
    assert 49 - 5 * math.sqrt(98) < chi2 < 49 + 5 * math.sqrt(98)
    assert float(u.mean()) == pytest.approx(0.5, abs=5 * math.sqrt(1 / 12 / 200_000))
    fine = (u * 2**53).long()
    assert torch.equal(fine.double() / 2**53, u)
    assert float((fine & 1).double().mean()) == pytest.approx(0.5, abs=0.01)  # the lowest bit is alive


def test_normal_has_the_moments_and_tails_of_a_normal():
    """Mean, variance, skew, kurtosis and the shares beyond 1, 2 and 3 sigma, each within 5 standard errors."""
    z = normal(0, Stream.NOISE, 1, range(1000), (1000,)).double().flatten()
    n = len(z)
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert float((z**power).mean()) == pytest.approx(moment, abs=5 * math.sqrt(spread / n)), power
    for beyond in (1, 2, 3):
        for side in (z > beyond, z < -beyond):
            share = math.erfc(beyond / math.sqrt(2)) / 2
            assert float(side.double().mean()) == pytest.approx(share, abs=5 * math.sqrt(share / n))
    assert bool(torch.isfinite(z).all())
    assert 4.5 < float(z.abs().max()) < 6


def test_neighbours_are_not_correlated():
    """In pixels, cosine and sine halves, slots, steps, seeds and streams; and not in their squares either."""
    size = 20_000
    base = normal([0], Stream.NOISE, 1, [0], (size,))[0].double()
    others = {
        "next pixel": base.roll(1),
        "other half of Box and Muller": base.roll(size // 2),
        "next slot": normal([0], Stream.NOISE, 1, [1], (size,))[0].double(),
        "next step": normal([0], Stream.NOISE, 2, [0], (size,))[0].double(),
        "next seed": normal([1], Stream.NOISE, 1, [0], (size,))[0].double(),
        "high seed": normal([1 << 32], Stream.NOISE, 1, [0], (size,))[0].double(),
        "other stream": normal([0], Stream.SAMPLE, 1, [0], (size,))[0].double(),
    }
    for what, other in others.items():
        assert abs(float((base * other).mean())) < 5 / math.sqrt(size), what
        squares = ((base**2 - 1) * (other**2 - 1)).mean()
        assert abs(float(squares)) < 5 * 2 / math.sqrt(size), what


def test_extreme_words_stay_finite(monkeypatch):
    """The first and the last of all words: no infinity, no NaN, about 5.9 sigma at most."""
    for word in (0, ONES):
        monkeypatch.setattr("difftool.core.randomness.integers", lambda *a, w=word: torch.full((1, a[-1]), w))
        z = normal(0, Stream.NOISE, 0, [0], (4,))
        assert bool(torch.isfinite(z).all())
        assert float(z.abs().max()) < 5.9


def test_shape_and_type():
    z = normal(0, Stream.NOISE, 1, [3, 4], (3, 5, 7))
    assert z.shape == (2, 3, 5, 7)
    assert z.dtype == torch.float32
    assert integers(0, Stream.NOISE, 1, [0], 5).dtype == torch.int64
    assert integers(0, Stream.NOISE, 1, [0, 1, 2], 5).shape == (3, 5)
