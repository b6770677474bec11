"""The two built-in networks: what they compute, with every option; test_unet_paper has what is the paper's."""

import subprocess
import sys

import pytest
import torch
from einops import rearrange

from difftool.api import Spec
from difftool.builtin.mlp import MLP
from difftool.builtin.unet import UNet
from difftool.builtin.unet_net import ACTIVATIONS, Attention, Block, fold, unfold

SMALL = UNet(width=8, mults=(1, 2), blocks=1, attention=(8,), dropout=0.1)
OTHER = SMALL.model_copy(update={"norm": "none", "activation": "mish", "scale_shift": True, "heads": 2})
PLAIN = MLP(width=16, depth=2)
BOTH = pytest.mark.parametrize("backbone", [SMALL, OTHER, PLAIN], ids=["unet", "unet with options", "mlp"])


def spec(height=16, width=16, channels=3, out_channels=None):
    return Spec(channels, out_channels or channels, height, width, 1000, {})


def perturbed(net):
    """The network after a while of training, as far as its zeros are concerned."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)
    return net


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
    embedded = []
    hook = net.dense0.register_forward_hook(lambda _m, args, _out: embedded.append(args[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x, c, {})
    hook.remove()
    assert embedded == [torch.float32]  # 16 bits would not tell neighbouring levels apart
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


def test_folding_keeps_every_pixel_and_puts_neighbours_together():
    x = torch.randn(2, 3, 4, 6)
    folded = fold(x, 2)
    assert folded.shape == (2, 12, 2, 3)
    assert torch.equal(folded[0, :4, 1, 2], x[0, 0, 2:4, 4:6].flatten())
    assert torch.equal(unfold(folded, 2), x)
    assert torch.equal(unfold(fold(x, 1), 1), x)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_the_formula_for_each_head(heads):
    net = perturbed(Attention(UNet(heads=heads), 8).double())
    x = torch.randn(2, 8, 2, 3, dtype=torch.float64)
    q, k, v = net.qkv(rearrange(net.norm(x), "b c h w -> b (h w) c")).chunk(3, dim=-1)
    size, seen = 8 // heads, []
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        weights = torch.softmax(q[..., own] @ k[..., own].mT / size**0.5, dim=-1)
        seen.append(weights @ v[..., own])
    expected = x + rearrange(net.proj(torch.cat(seen, dim=-1)), "b (h w) c -> b c h w", h=2)
    assert torch.allclose(net(x), expected)


def bent(name, x):
    """The activations by their definitions."""
    softplus = torch.log1p(x.exp())
    return {
        "silu": x / (1 + (-x).exp()),
        "relu": x.clamp(min=0),
        "gelu": x / 2 * (1 + torch.erf(x / 2**0.5)),
        "mish": x * torch.tanh(softplus),
    }[name]


def normed(name, layer, x):
    """The normalisations by their definitions; eight channels are two groups."""
    if name == "none":
        return x
    parts = rearrange(x, "b (g c) h w -> b g (c h w)", g=8 if name == "instance" else 2)
    mean, var = parts.mean(-1, keepdim=True), parts.var(-1, correction=0, keepdim=True)
    flat = ((parts - mean) / (var + 1e-6).sqrt()).reshape(x.shape)
    return flat * layer.weight[:, None, None] + layer.bias[:, None, None]


@pytest.mark.parametrize("scale_shift", [False, True])
@pytest.mark.parametrize("norm", ["group", "instance", "none"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_block_is_the_formula_with_every_option(activation, norm, scale_shift):
    config = UNet(width=8, norm=norm, activation=activation, scale_shift=scale_shift)
    block = perturbed(Block(config, 8, 8, attends=False).double())
    x, emb = torch.randn(2, 8, 4, 4, dtype=torch.float64), torch.randn(2, 32, dtype=torch.float64)
    h = block.conv1(bent(activation, normed(norm, block.norm1, x)))
    news = (emb @ block.dense.weight.T + block.dense.bias)[:, :, None, None]
    if scale_shift:
        h = normed(norm, block.norm2, h) * (1 + news[:, :8]) + news[:, 8:]
    else:
        h = normed(norm, block.norm2, h + news)
    assert torch.allclose(block(x, emb), x + block.conv2(bent(activation, h)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_activation_is_the_one_asked_for_outside_the_blocks_too(activation):
    net = perturbed(UNet(width=8, mults=(1,), activation=activation).build(spec()).double())
    seen = {}
    for layer in (net.dense0, net.dense1, net.up[0].dense, net.norm_out, net.conv_out):
        layer.register_forward_hook(lambda m, args, out: seen.update({m: (args[0], out)}))
    net(torch.randn(1, 3, 16, 16, dtype=torch.float64), torch.tensor([500.0]), {})
    for before, after in [(net.dense0, net.dense1), (net.dense1, net.up[0].dense), (net.norm_out, net.conv_out)]:
        assert torch.allclose(bent(activation, seen[before][1]), seen[after][0])


@pytest.mark.parametrize(
    "fields",
    [{"norm": "instance"}, {"norm": "none"}, {"activation": "gelu"}, {"scale_shift": True}, {"heads": 2}],
    ids=str,
)
def test_options_are_off_and_change_the_answer_and_only_the_shapes_they_must(fields):
    (option,) = fields
    assert UNet() == UNet(norm="group", activation="silu", scale_shift=False, heads=1)
    plain, other = (config.build(spec()).eval() for config in (SMALL, SMALL.model_copy(update=fields)))
    torch.manual_seed(1)
    perturbed(plain)
    before, after = plain.state_dict(), other.state_dict()
    shapes = {name: tuple(value.shape) for name, value in before.items()}
    if fields == {"norm": "none"}:
        shapes = {name: shape for name, shape in shapes.items() if "norm" not in name}
    if option == "scale_shift":
        news = {name for name in shapes if ".dense." in name}
        shapes |= {name: (2 * shapes[name][0], *shapes[name][1:]) for name in news}
    assert {name: tuple(value.shape) for name, value in after.items()} == shapes
    other.load_state_dict({name: before[name] for name in after if before[name].shape == shapes[name]}, strict=False)
    x, c = torch.randn(1, 3, 16, 16), torch.tensor([500.0])
    assert not torch.allclose(plain(x, c, {}), other(x, c, {}), rtol=1e-3)


def test_scale_and_shift_start_as_layers_of_their_own():
    dense = Block(UNet(width=64, scale_shift=True), 64, 64, attends=False).dense
    bound = (6 / (256 + 64)) ** 0.5
    assert all(0.99 * bound < part.abs().max() <= bound for part in dense.weight.chunk(2))


def test_pictures_of_a_batch_do_not_meet_in_a_norm_of_single_channels():
    config = SMALL.model_copy(update={"norm": "instance", "scale_shift": True})
    net = perturbed(config.build(spec()).double()).eval()
    x, c = torch.randn(3, 3, 16, 16, dtype=torch.float64), torch.tensor([1.0, 500.0, 999.0])
    alone = torch.cat([net(x[k : k + 1], c[k : k + 1], {}) for k in range(3)])
    assert torch.allclose(net(x, c, {}), alone, rtol=1e-10, atol=1e-10)


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
