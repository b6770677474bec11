"""The U-Net against the paper: every layer, every initial value and every odd detail of its published code.

Figures named "peers" were counted on the published code of Ho et al. (github.com/hojonathanho/diffusion) and the same
topology in other sizes, not with the network under test. `pytest -s` shows what each test found.
"""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import silu

from difftool.api import Spec
from difftool.builtin.unet import UNet
from difftool.builtin.unet_net import Attention, Block, Downsample, Upsample, sinusoid

CIFAR = UNet(width=128, mults=(1, 2, 2, 2), attention=(16,), dropout=0.1)


def spec(side=32, channels=3, out_channels=3):
    return Spec(channels, out_channels, side, side, 1000, {})


@pytest.fixture(scope="module")
def cifar():
    """The paper's network for CIFAR with its initial values, in eval; nobody changes it."""
    torch.manual_seed(0)
    return CIFAR.build(spec()).eval()


@pytest.mark.parametrize(
    ("source", "side", "out", "fields", "parameters"),
    [
        ("CIFAR U-Net, unet2d16b2", 32, 3, {}, 35_746_307),
        ("CIFAR U-Net with learned variance", 32, 6, {}, 35_749_766),
        ("256 x 256 U-Net, unet2d16b2c112244", 256, 3, {"mults": (1, 1, 2, 2, 4, 4)}, 113_673_219),
        ("64 x 64, same family", 64, 3, {}, 35.75),
        ("64 x 64, one level more", 64, 3, {"mults": (1, 2, 2, 2, 2)}, 45.65),
        ("64 x 64, (1, 2, 2, 4)", 64, 3, {"mults": (1, 2, 2, 4)}, 68.79),
        ("64 x 64, (1, 2, 3, 4)", 64, 3, {"mults": (1, 2, 3, 4)}, 82.96),
        ("64 x 64, width 96", 64, 3, {"width": 96}, 20.12),
        ("64 x 64, width 64", 64, 3, {"width": 64}, 8.95),
    ],
)
def test_the_parameters_of_the_paper_and_its_family(source, side, out, fields, parameters):
    config = UNet(**{**CIFAR.model_dump(), **fields})
    assert list(config.check(spec(side, 3, out))) == []
    with torch.device("meta"):
        counted = sum(p.numel() for p in config.build(spec(side, 3, out)).parameters())
    print(f"peers: Ho et al. {source}: {parameters:,}{' million' * isinstance(parameters, float)}; here {counted:,}")
    assert (round(counted / 1e6, 2) if isinstance(parameters, float) else counted) == parameters


# The CIFAR network by hand from the paper's rules: channels in, channels out, and whether attention follows.
# Skips, as pushed: 128; 128 128, halved 128; 256 256, halved 256; 256 256, halved 256; 256 256. Popped from the end.
DOWN = """
128 128 | 128 128 | halve 128
128 256 attend | 256 256 attend | halve 256
256 256 | 256 256 | halve 256
256 256 | 256 256
"""
MIDDLE = "256 256 attend | 256 256"
UP = """
512 256 | 512 256 | 512 256 | double 256
512 256 | 512 256 | 512 256 | double 256
512 256 attend | 512 256 attend | 384 256 attend | double 256
384 128 | 256 128 | 256 128
"""


def layers(text):
    return [layer.split() for row in text.strip().splitlines() for layer in row.split(" | ")]


def written():
    """Name -> shape of every parameter of the CIFAR network."""
    table = {}

    def give(name, *shape):
        table.update({f"{name}.weight": shape, f"{name}.bias": shape[:1]})

    give("dense0", 512, 128)
    give("dense1", 512, 512)
    give("conv_in", 128, 3, 3, 3)
    for part, text in {"down": DOWN, "middle": MIDDLE, "up": UP}.items():
        for place, (first, second, *attend) in enumerate(layers(text)):
            name = f"{part}.{place}"
            given = int(second)
            if first in ("halve", "double"):
                give(f"{name}.conv", given, given, 3, 3)
                continue
            taken = int(first)
            give(f"{name}.norm1", taken)
            give(f"{name}.conv1", given, taken, 3, 3)
            give(f"{name}.dense", given, 512)
            give(f"{name}.norm2", given)
            give(f"{name}.conv2", given, given, 3, 3)
            if taken != given:
                give(f"{name}.shortcut", given, taken, 1, 1)
            if attend:
                give(f"{name}.attention.norm", given)
                give(f"{name}.attention.qkv", 3 * given, given)
                give(f"{name}.attention.proj", given, given)
    give("norm_out", 128)
    give("conv_out", 3, 128, 3, 3)
    return table


def test_every_parameter_of_the_cifar_network_is_where_the_topology_says(cifar):
    expected = written()
    found = {name: tuple(p.shape) for name, p in cifar.named_parameters()}
    print(f"peers: Ho et al. CIFAR topology: {len(expected)} tensors by hand; here {len(found)}")
    assert sum(map(math.prod, expected.values())) == 35_746_307  # the list itself is the paper's
    assert found == expected
    assert dict(cifar.named_buffers()) == {}  # all there is, is trained


def test_attention_sits_at_16_and_in_the_middle_alone(cifar):
    sides = []
    hooks = [
        module.register_forward_hook(lambda _m, args, _out: sides.append(args[0].shape[2]))
        for module in cifar.modules()
        if isinstance(module, Attention)
    ]
    with torch.no_grad():
        answer = cifar(torch.randn(1, 3, 32, 32), torch.tensor([500.0]), {})
    for hook in hooks:
        hook.remove()
    print(f"peers: Ho et al. CIFAR, attention after each block at 16, and always in the middle: here at {sides}")
    assert sides == [16, 16, 4, 16, 16, 16]
    print(f"untrained, the largest number of its answer is {answer.abs().max():.1e}")
    assert answer.abs().max() < 1e-4


def test_every_block_and_every_halving_is_kept_and_met_again_in_reverse():
    net = UNet(width=8, mults=(1, 2, 2, 2)).build(spec()).eval()
    with torch.no_grad():
        for p in net.parameters():  # no two feature maps are alike
            p.add_(torch.randn_like(p), alpha=0.1)
    kept, flow, met = [], [], []
    for layer in [net.conv_in, *net.down]:
        layer.register_forward_hook(lambda _m, _args, out: kept.append(out))
    for layer in [net.middle[1], *net.up]:
        layer.register_forward_hook(lambda _m, _args, out: flow.append(out))
    for layer in net.up:
        layer.register_forward_hook(lambda m, args, _out: met.append(None if isinstance(m, Upsample) else args[0]))
    with torch.no_grad():
        net(torch.randn(1, 3, 32, 32), torch.tensor([500.0]), {})
    print(f"peers: Ho et al. CIFAR has 12 skips; here {len(kept)}")
    assert len(kept) == 12
    for before, seen in zip(flow, met, strict=False):
        if seen is not None:
            assert torch.equal(seen, torch.cat((before, kept.pop()), dim=1))
    assert kept == []


def test_normalisation_is_in_32_groups_with_tensorflows_eps(cifar):
    norms = [m for m in cifar.modules() if "Norm" in type(m).__name__]
    print(f"peers: Ho et al. GroupNorm 32, eps 1e-6, {2 * 22 + 6 + 1} of them; here {len(norms)}")
    assert len(norms) == 2 * 22 + 6 + 1
    with torch.device("meta"):
        large = UNet(width=128, mults=(1, 1, 2, 2, 4, 4), attention=(16,)).build(spec(256))
    everywhere = norms + [m for m in large.modules() if "Norm" in type(m).__name__]
    assert {(type(m), m.num_groups, m.eps, m.affine) for m in everywhere} == {(nn.GroupNorm, 32, 1e-6, True)}
    assert all((m.weight == 1).all() and not m.bias.any() for m in norms)


def test_the_embedding_is_the_papers():
    emb = sinusoid(torch.tensor([0.0, 7.0]), 8)
    frequencies = 10_000.0 ** -(torch.arange(4, dtype=torch.float64) / 3)
    assert torch.equal(emb[0], torch.tensor([0.0] * 4 + [1.0] * 4))
    expected = torch.cat(((7 * frequencies).sin(), (7 * frequencies).cos()))
    assert torch.allclose(emb[1].double(), expected, atol=1e-5)


def test_the_embedding_by_hand():
    """Four numbers: half is 2, so the frequencies are 1 and exp(-ln 10000 / (2 - 1)) = 0.0001."""
    by_hand = [0.9092974268, 0.0001999999987, -0.4161468365, 0.99999998]  # sin 2, sin 2e-4, cos 2, cos 2e-4
    print(f"peers: Ho et al. sin then cos, half - 1: {by_hand}; here {sinusoid(torch.tensor([2.0]), 4)[0].tolist()}")
    assert torch.allclose(sinusoid(torch.tensor([2.0]), 4), torch.tensor([by_hand]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.float16])
def test_the_embedding_is_computed_in_float32_whatever_is_around(dtype):
    """bfloat16 would not tell level 999 from 1000."""
    c = torch.tensor([999, 998]).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        emb = sinusoid(c, 128)
    assert emb.dtype == torch.float32
    angles = torch.tensor([[999.0], [998.0]]) * 10_000.0 ** -(torch.arange(64, dtype=torch.float64) / 63)
    assert torch.allclose(emb.double(), torch.cat((angles.sin(), angles.cos()), dim=1), atol=1e-3)


def by_definition(x, kernel, bias):
    """TensorFlow's SAME at stride 2 for even sides: out[i, j] = sum kernel[a, b] x[2i + a, 2j + b], zeros outside."""
    height, width = x.shape
    out = torch.full((height // 2, width // 2), bias, dtype=x.dtype)
    for i in range(height // 2):
        for j in range(width // 2):
            for a in range(min(3, height - 2 * i)):
                for b in range(min(3, width - 2 * j)):
                    out[i, j] += kernel[a, b] * x[2 * i + a, 2 * j + b]
    return out


def test_halving_pads_below_and_on_the_right_alone():
    down = Downsample(1).double()
    kernel = torch.arange(1.0, 10.0).double().view(3, 3)
    with torch.no_grad():
        down.conv.weight.copy_(kernel)
        down.conv.bias.fill_(0.5)
    x = torch.randn(4, 6, dtype=torch.float64)
    assert torch.allclose(down(x[None, None], None)[0, 0], by_definition(x, kernel, 0.5))
    corner = torch.zeros(4, 4, dtype=torch.float64)
    corner[0, 0] = 1  # the first window starts here: padding on both sides would show the kernel's middle, 5
    met = (down(corner[None, None], None) - 0.5).flatten().tolist()
    print(f"peers: Ho et al. SAME, pad (0, 1, 0, 1): a corner meets 1 of the kernel 1..9; here {met}")
    assert met == [1, 0, 0, 0]


def test_doubling_repeats_every_pixel():
    up = Upsample(1)
    with torch.no_grad():
        up.conv.weight.zero_()[0, 0, 1, 1] = 1  # the convolution changes nothing
    assert up(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), None)[0, 0].tolist() == [
        [1, 1, 2, 2],
        [1, 1, 2, 2],
        [3, 3, 4, 4],
        [3, 3, 4, 4],
    ]


def test_initial_values_are_the_papers_variance_scaling(cifar):
    """Uniform in +- sqrt(3 gain^2 / fan_avg): Glorot's; each of q, k and v is a layer; what ends a branch is faint."""
    weights = {name: p for name, p in cifar.named_parameters() if p.ndim > 1}
    faint = 0
    for name, whole in weights.items():
        for weight in whole.chunk(3) if "qkv" in name else [whole]:
            given, taken, *window = weight.shape
            fans = (given + taken) * math.prod(window)
            ends = name.endswith(("conv2.weight", "proj.weight", "conv_out.weight"))
            variance = (1e-10 if ends else 1.0) * 2 / fans
            faint += ends
            assert 0.99 * math.sqrt(3 * variance) < weight.abs().max() <= math.sqrt(3 * variance) * (1 + 1e-6), name
            assert float(weight.detach().std()) == pytest.approx(math.sqrt(variance), rel=0.03), name
            assert abs(float(weight.detach().mean())) < 5 * math.sqrt(variance / weight.numel()), name
    print(f"peers: Ho et al. 22 conv2, 6 proj and conv_out of scale 1e-10: {22 + 6 + 1}; here {faint}")
    assert faint == 22 + 6 + 1
    assert not any(p.any() for name, p in cifar.named_parameters() if name.endswith("bias"))


def test_dropout_is_in_every_block_before_its_second_convolution_and_nowhere_else(cifar):
    drops = {name: m.p for name, m in cifar.named_modules() if isinstance(m, nn.Dropout)}
    assert drops == {f"{name}.dropout": 0.1 for name, m in cifar.named_modules() if isinstance(m, Block)}
    print(f"peers: Ho et al. dropout .1 in each of 22 blocks; here {len(drops)}")
    assert len(drops) == 22
    block = Block(CIFAR, 128, 128, attends=True)
    second, normed = [], []
    block.norm2.register_forward_hook(lambda _m, _args, out: normed.append(out))
    block.conv2.register_forward_hook(lambda _m, args, _out: second.append(args[0]))
    x, emb = torch.randn(2, 128, 16, 16), torch.randn(2, 512)
    block(x, emb)
    dropped = second[0] == 0
    assert torch.allclose(second[0][~dropped], silu(normed[0][~dropped]) / 0.9)
    assert float(dropped.float().mean()) == pytest.approx(0.1, abs=0.005)
    block.eval()(x, emb)
    assert torch.equal(second[1], silu(normed[1]))
    attention = block.attention.train()
    assert torch.equal(attention(x), attention(x))  # it drops nothing, in training either


def test_a_block_starts_as_its_shortcut(cifar):
    """Plain sums, without a factor 1 / sqrt(2); the shortcut is a 1 x 1 convolution where the channels change."""
    x, emb = torch.randn(2, 384, 8, 8), torch.randn(2, 512)
    with torch.no_grad():
        assert torch.allclose(cifar.up[10](x, emb), cifar.up[10].shortcut(x), atol=1e-4)
        assert torch.allclose(cifar.down[4](x[:, :256], emb), x[:, :256], atol=1e-4)
