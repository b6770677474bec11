"""The checks of the two built-in networks tell what works from what does not, and say what would."""

import random
from ast import literal_eval

import pytest
import torch
from pydantic import ValidationError

from difftool.api import Spec
from difftool.builtin.mlp import MLP
from difftool.builtin.unet import UNet
from difftool.builtin.unet_net import Attention


def spec(height, width, channels=3):
    return Spec(channels, channels, height, width, 1000, {})


def attended(net, wanted):
    """The sides at which the network really attends, found by training it for a step; the middle not counted."""
    seen = set()
    for layer in [*net.down, *net.up]:
        if isinstance(getattr(layer, "attention", None), Attention):
            layer.attention.register_forward_hook(lambda _m, args, _out: seen.add(max(args[0].shape[2:])))
    x = torch.randn(1, wanted.channels, wanted.height, wanted.width)
    net(x, torch.tensor([500.0]), {}).square().mean().backward()
    return seen


def hears(net, wanted):
    """Whether the level makes a difference, beyond rounding, once the network has left its zeros."""
    net = net.double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)
        x = torch.randn(1, wanted.channels, wanted.height, wanted.width, dtype=torch.float64)
        few, many = net(x, torch.tensor([3.0]), {}), net(x, torch.tensor([700.0]), {})
    return not torch.allclose(few, many, rtol=1e-6, atol=1e-9)


def arbitrary(rng):
    """A configuration and a picture, each as likely to fit as not."""
    config = UNet(
        width=rng.choice([8, 8, 16, 24, 12]),
        mults=tuple(rng.choice([1, 2, 3]) for _ in range(rng.randint(1, 4))),
        blocks=rng.randint(1, 2),
        attention=tuple(rng.choice([1, 2, 4, 6, 8, 16]) for _ in range(rng.choice([0, 0, 1, 2]))),
        middle=rng.random() < 0.5,
        dropout=rng.choice([0.0, 0.3]),
        patch=rng.choice([1, 1, 2, 3, 4]),
        heads=rng.choice([1, 1, 2, 3]),
        norm=rng.choice(["group", "instance", "none"]),
        activation=rng.choice(["silu", "relu", "gelu", "mish"]),
        scale_shift=rng.random() < 0.5,
    )
    height = rng.choice([1, 2, 3, 4, 6, 8, 12, 16, 18, 24])
    return config, spec(height, height if rng.random() < 0.5 else rng.choice([4, 8, 12, 16]), rng.choice([1, 3]))


FAILURES = r"einops|Shape mismatch|Sizes of tensors|Kernel size|more than 1 value"


@pytest.mark.parametrize("seed", range(5))
def test_check_accepts_what_works_and_refuses_what_does_not(seed):
    rng = random.Random(seed)
    outcomes = set()
    for _ in range(80):
        config, wanted = arbitrary(rng)
        found = list(config.check(wanted))
        faults = dict(found)
        outcomes.update(faults or {"fine"})
        assert ("width" in faults) == (config.width % 8 != 0)
        net = config.build(wanted)
        if faults.keys() & {"patch", "mults", "heads"} or "several places" in str(found):
            with pytest.raises(Exception, match=FAILURES):
                attended(net, wanted)
        elif "norm" in faults:
            assert not hears(net, wanted)
        else:
            assert ("attention" in faults) == (attended(net, wanted) != set(config.attention))
            assert all(p.grad.isfinite().all() for p in net.parameters())
            assert hears(net, wanted)
    assert outcomes == {"fine", "width", "patch", "mults", "attention", "heads", "norm"}


REFUSALS = """
{"width": 60} | 32, 32 | width | 60 is not a multiple of 8; the nearest are 56 and 64
{"width": 3} | 32, 32 | width | 3 is not a multiple of 8; the nearest is 8
{} | 30, 30 | mults | size 30 cannot be halved 2 times after patch 1; the nearest that can are 28 and 32
{"patch": 2, "mults": (1, 2)} | 2, 8 | mults | height 2 cannot be halved once after patch 2; the nearest that can is 4
{"patch": 4} | 30, 30 | patch | 4 does not divide size 30; the nearest that do are 3 and 5
{"patch": 4} | 32, 30 | patch | 4 does not divide height 32 and width 30; the nearest that does is 2
{"attention": (32, 12, 5)} | 32, 32 | attention | the network never works at side 12 and 5, only at 32, 16 and 8
{"heads": 3} | 32, 32 | heads | 3 does not divide the 128 channels that attend; the nearest that do are 2 and 4
{"heads": 256} | 32, 32 | heads | 256 does not divide the 128 channels that attend; the nearest that does is 128
{"width": 24, "mults": (1, 2, 3), "attention": (32, 16), "heads": 5} | 32, 32 | heads | \
5 does not divide the 24, 48 and 72 channels that attend; the nearest that do are 4 and 6
{"attention": (32,), "middle": False, "heads": 12} | 32, 32 | heads | \
12 does not divide the 64 channels that attend; the nearest that do are 8 and 16
{"norm": "instance"} | 32, 32 | norm | \
instance undoes what the noise level adds to a channel; set scale_shift = true or norm = group
{"norm": "instance", "scale_shift": True} | 4, 4 | norm | \
instance needs several places, and the last level has one; use norm = group or fewer mults
"""


@pytest.mark.parametrize("line", REFUSALS.strip().splitlines())
def test_refusals_say_what_would_work(line):
    fields, size, field, message = line.split(" | ")
    assert list(UNet(**literal_eval(fields)).check(spec(*literal_eval(size)))) == [(field, message)]


def test_the_longer_side_counts_and_many_channels_survive_one_pixel():
    assert list(UNet(attention=(32,)).check(spec(16, 32))) == []
    assert list(UNet().check(spec(4, 4))) == []
    assert list(UNet(norm="instance", scale_shift=True).check(spec(4, 8))) == []


def test_heads_count_only_where_something_attends():
    assert list(UNet(heads=3, middle=False).check(spec(32, 32))) == []
    assert list(UNet(width=24, mults=(1, 2), attention=(32,), heads=3).check(spec(32, 32))) == []


@pytest.mark.parametrize(
    "fields",
    [{"mults": ()}, {"mults": (1, 0)}, {"blocks": 0}, {"dropout": 1.0}, {"patch": 0}, {"heads": 0}, {"norm": "batch"}],
)
def test_the_unet_refuses_what_no_picture_could_mend(fields):
    with pytest.raises(ValidationError):
        UNet(**fields)


def test_the_mlp_leaves_large_pictures_to_the_unet():
    assert list(MLP().check(spec(64, 64, 1))) == []
    ((field, message),) = MLP().check(spec(32, 64, 3))
    assert field == "name"
    assert message == "mlp takes pictures of at most 4096 numbers, and these have 6144; unet is made for them"
    with pytest.raises(ValidationError):
        MLP(width=7)
