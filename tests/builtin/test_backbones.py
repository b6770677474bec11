"""The two built-in networks: what they compute."""

import subprocess
import sys

import pytest
import torch
from einops import rearrange

from difftool.api import Spec
from difftool.builtin.mlp import MLP
from difftool.builtin.unet import UNet
from difftool.builtin.unet_net import Attention, Downsample, Upsample, fold, sinusoid, unfold

SMALL = UNet(width=8, mults=(1, 2), blocks=1, attention=(8,), dropout=0.1)
BOTH = pytest.mark.parametrize("backbone", [SMALL, MLP(width=16, depth=2)], ids=["unet", "mlp"])


def spec(height=16, width=16, channels=3, out_channels=None):
    return Spec(channels, out_channels or channels, height, width, 1000, {})


def perturbed(net):
    """The network after a while of training, as far as its zeros are concerned."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)
    return net


@pytest.fixture(autouse=True)
def _alone():
    """The same numbers every time, and one thread: two test workers that share two cores must not fight for them."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("height", "width", "channels", "out"), [(16, 16, 3, 3), (8, 16, 1, 2), (12, 4, 4, 8)])
def test_the_answer_has_the_shape_and_type_of_the_picture(backbone, height, width, channels, out, dtype):
    net = backbone.build(spec(height, width, channels, out)).to(dtype)
    y = net(torch.randn(2, channels, height, width, dtype=dtype), torch.tensor([0.0, 999.0]), {})
    assert (y.shape, y.dtype, y.is_contiguous()) == ((2, out, height, width), dtype, True)


@BOTH
def test_autocast_works_in_both_directions(backbone):
    net = perturbed(backbone.build(spec()))
    x, c = torch.randn(2, 3, 16, 16), torch.tensor([3.0, 700.0])
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x, c, {})
    y.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())
    whole = net.eval()(x, c, {})
    with torch.autocast("cpu", torch.bfloat16):
        half = net(x, c, {})
    assert (half.float() - whole).norm() < 0.05 * whole.norm()


@BOTH
def test_an_untrained_network_answers_zero(backbone):
    assert backbone.build(spec())(torch.randn(4, 3, 16, 16), torch.arange(4.0), {}).abs().max() < 1e-3


@BOTH
def test_every_parameter_learns(backbone):
    net = perturbed(backbone.build(spec()))
    net(torch.randn(4, 3, 16, 16), torch.arange(4.0) * 300, {}).square().mean().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


@BOTH
def test_the_level_is_heard_at_every_place(backbone):
    net = perturbed(backbone.build(spec())).eval()
    x = torch.randn(1, 3, 16, 16).expand(3, -1, -1, -1)
    a, b, half = net(x, torch.tensor([10.0, 11.0, 10.5]), {})
    assert (a != b).float().mean() > 0.9
    assert (a != half).float().mean() > 0.9  # fractional levels are levels


@BOTH
def test_pictures_of_a_batch_do_not_meet(backbone):
    net = perturbed(backbone.build(spec()).double()).eval()
    x, c = torch.randn(3, 3, 16, 16, dtype=torch.float64), torch.tensor([1.0, 500.0, 999.0])
    together = net(x, c, {})
    alone = torch.cat([net(x[k : k + 1], c[k : k + 1], {}) for k in range(3)])
    assert torch.allclose(together, alone, rtol=1e-10, atol=1e-10)


def test_dropout_is_for_training_only():
    net = perturbed(SMALL.build(spec()))
    x, c = torch.randn(2, 3, 16, 16), torch.tensor([1.0, 500.0])
    assert not torch.equal(net(x, c, {}), net(x, c, {}))
    net.eval()
    assert torch.equal(net(x, c, {}), net(x, c, {}))


def test_the_embedding_is_the_papers():
    emb = sinusoid(torch.tensor([0.0, 7.0]), 8)
    frequencies = 10_000.0 ** -(torch.arange(4, dtype=torch.float64) / 3)
    assert torch.equal(emb[0], torch.tensor([0.0] * 4 + [1.0] * 4))
    expected = torch.cat(((7 * frequencies).sin(), (7 * frequencies).cos()))
    assert torch.allclose(emb[1].double(), expected, atol=1e-5)


def test_folding_keeps_every_pixel_and_puts_neighbours_together():
    x = torch.randn(2, 3, 4, 6)
    folded = fold(x, 2)
    assert folded.shape == (2, 12, 2, 3)
    assert torch.equal(folded[0, :4, 1, 2], x[0, 0, 2:4, 4:6].flatten())
    assert torch.equal(unfold(folded, 2), x)
    assert torch.equal(unfold(fold(x, 1), 1), x)


def test_halving_pads_as_tensorflow_does_and_doubling_repeats():
    down, up = Downsample(1), Upsample(1)
    with torch.no_grad():
        down.conv.weight.zero_()[0, 0, 0, 0] = 1  # picks the top left pixel of each window
        up.conv.weight.zero_()[0, 0, 1, 1] = 1
    x = torch.randn(1, 1, 4, 6)
    assert torch.equal(down(x, None), x[:, :, ::2, ::2])
    assert torch.equal(up(x, None), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_attention_is_the_formula():
    net = perturbed(Attention(8).double())
    x = torch.randn(2, 8, 2, 3, dtype=torch.float64)
    q, k, v = net.qkv(rearrange(net.norm(x), "b c h w -> b (h w) c")).chunk(3, dim=-1)
    seen = torch.softmax(q @ k.mT / 8**0.5, dim=-1) @ v
    expected = x + rearrange(net.proj(seen), "b (h w) c -> b c h w", h=2)
    assert torch.allclose(net(x), expected)


def test_initial_values_are_glorot_for_each_of_the_three_projections():
    attention = Attention(64)
    bound = (6 / 128) ** 0.5
    assert 0.99 * bound < attention.qkv.weight.abs().max() <= bound
    assert attention.proj.weight.abs().max() <= 1e-5 * bound
    assert not attention.qkv.bias.any()


@pytest.mark.parametrize(
    ("side", "out", "mults", "parameters"),
    [(32, 3, (1, 2, 2, 2), 35_746_307), (32, 6, (1, 2, 2, 2), 35_749_766), (256, 3, (1, 1, 2, 2, 4, 4), 113_673_219)],
    ids=["cifar", "cifar, learned variance", "256"],
)
def test_the_parameters_of_the_paper(side, out, mults, parameters):
    with torch.device("meta"):
        net = UNet(width=128, mults=mults, attention=(16,)).build(spec(side, side, 3, out))
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_the_mlp_learns_the_exact_answer_for_normal_data():
    """For x0 ~ N(1, 1/4) and x = (x0 + eps) / sqrt(2), the best guess of eps is linear in x."""
    net = MLP(width=32, depth=1).build(spec(1, 1, 1))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    c = torch.full((256,), 100.0)
    for _ in range(400):
        x0, eps = 1 + 0.5 * torch.randn(256, 1, 1, 1), torch.randn(256, 1, 1, 1)
        optimizer.zero_grad()
        (net((x0 + eps) / 2**0.5, c, {}) - eps).square().mean().backward()
        optimizer.step()
    x = torch.linspace(-1, 2, 256)[:, None, None, None]
    assert (net(x, c, {}) - (x * 2**0.5 - 1) / 1.25).abs().mean() < 0.1


def test_describing_a_backbone_needs_no_torch():
    code = (
        "import sys; from difftool.api import Spec; from difftool.builtin.unet import UNet\n"
        "from difftool.builtin.mlp import MLP; spec = Spec(3, 3, 30, 30, 1000, {})\n"
        "assert [*UNet().check(spec)] and not [*MLP().check(spec)]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("module", "name", "component"), [("unet", "unet", UNet), ("mlp", "mlp", MLP)])
def test_the_hooks_offer_one_name_each(module, name, component):
    offered = []
    sys.modules[f"difftool.builtin.{module}"].register_backbones(lambda *entry: offered.append(entry))
    assert offered == [(name, component)]
    assert component.hears == "level"
    assert all(field.description for field in component.model_fields.values())
