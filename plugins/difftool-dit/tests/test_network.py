"""The network against the paper: how large it is, how it starts, and what each part computes."""

import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn.functional import conv2d, gelu, layer_norm, silu

from difftool.api import Spec
from difftool_dit import SIZES, DiT
from difftool_dit.net import Block, Network, positions, waves

SMALL = DiT(depth=2, width=48, heads=3)
X, C = torch.linspace(-3, 3, 3 * 3 * 8 * 12).sin().view(3, 3, 8, 12), torch.tensor([1.0, 500.5, 999.0])


def spec(height=8, width=12, channels=3, out_channels=3, **conditions):
    return Spec(channels, out_channels, height, width, 1000, conditions)


def woken(part=SMALL, given=None, seed=0):
    """A network after a while of training, as far as its zeros are concerned."""
    torch.manual_seed(seed)
    net = part.build(given or spec()).eval().requires_grad_(False)
    for p in net.parameters():
        p.add_(torch.randn_like(p), alpha=0.1)
    return net


def counted(net):
    return sum(p.numel() for p in net.parameters())


def authors(depth, width):
    """The published network for latents, counted by hand."""

    def layer(taken, given):
        return (taken + 1) * given

    told = layer(256, width) + layer(width, width) + (1000 + 1) * width  # the level; labels, and "not told"
    block = layer(width, 6 * width)  # how loud each branch is
    block += layer(width, 3 * width) + layer(width, width) + layer(width, 4 * width) + layer(4 * width, width)
    squares = layer(4 * 4, width) + 256 * width  # what is in them, and where they are
    return told + depth * block + squares + layer(width, 2 * width) + layer(width, 4 * 8)


@pytest.mark.parametrize(
    ("size", "millions", "published"),
    [("S", 33, 32_963_360), ("B", 130, 130_512_416), ("L", 458, 458_102_816), ("XL", 675, 675_129_632)],
)
def test_the_parameters_of_the_paper(size, millions, published):
    """Here its 256 fixed positions are no parameters, and the label table has no row for "not told"."""
    part, latents = DiT(size=size, patch=2), spec(32, 32, 4, 8, label=(1000,))
    assert list(part.check(latents)) == []
    with torch.device("meta"):
        net = part.build(latents)
    depth, width, _ = SIZES[size]
    assert counted(net) + (256 + 1) * width == authors(depth, width) == published
    assert math.floor(counted(net) / 1e6 + 0.5) == millions


def test_untrained_it_answers_zero_and_every_block_is_the_identity():
    net = SMALL.build(spec(label=(5,)))
    assert not net(X, C, {"label": torch.eye(5)[:3]}).any()
    h, emb = torch.randn(3, 24, 48), torch.randn(3, 48)
    assert all(torch.equal(block(h, emb), h) for block in net.blocks)


def test_initial_weights_are_the_papers():
    torch.manual_seed(0)
    net = DiT(depth=1, width=256, heads=4).build(spec(label=(100,))).requires_grad_(False)
    block = net.blocks[0]
    for layer in (net.level0, net.level1, net.told[0]):
        assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.05)
    for layer in (net.enter, block.qkv, block.proj, block.layer0, block.layer1):
        bound = (6 / sum(layer.weight.shape)) ** 0.5
        assert 0.98 * bound < float(layer.weight.abs().max()) <= bound
    for layer in (net.news, block.news):
        assert not layer.weight.any()
    assert [name for name, p in net.named_parameters() if "bias" in name and p.any()] == []


def test_what_both_halves_of_a_block_add_is_dropped_in_training():
    torch.manual_seed(0)
    block = Block(width=16, heads=2, hidden=32, dropout=0.5).requires_grad_(False)
    h, emb = torch.randn(2, 5, 16), torch.randn(2, 16)
    for half in (0, 1):
        block.news.bias.zero_()
        block.news.bias[(2 + 3 * half) * 16 :][:16] = 1  # the gate of that half alone
        dropped = block.train()(h, emb) == h
        assert 0.3 < float(dropped.float().mean()) < 0.7
        assert not (block.eval()(h, emb) == h).any()


def test_conditions_leave_every_other_initial_number():
    torch.manual_seed(3)
    plain = SMALL.build(spec()).state_dict()
    torch.manual_seed(3)
    told = SMALL.build(spec(label=(5,))).state_dict()
    assert told.pop("told.0.weight").shape == (48, 5)
    assert told.keys() == plain.keys()
    assert all(torch.equal(told[name], plain[name]) for name in plain)


@pytest.mark.parametrize("heads", [1, 3, 4])
def test_attention_is_torchs_multihead_attention(heads):
    torch.manual_seed(0)
    block, torchs = Block(48, heads, 96, 0.0).double(), nn.MultiheadAttention(48, heads, batch_first=True).double()
    with torch.no_grad():
        torchs.in_proj_weight.copy_(block.qkv.weight)
        torchs.in_proj_bias.copy_(block.qkv.bias.normal_())
        torchs.out_proj.weight.copy_(block.proj.weight)
        torchs.out_proj.bias.copy_(block.proj.bias.normal_())
    h = torch.randn(2, 10, 48, dtype=torch.float64)
    assert torch.allclose(block.attention(h), torchs(h, h, h)[0])


def test_a_block_is_the_formula():
    """h + gate * branch(norm(h) (1 + scale) + shift), for attention and then for two layers."""
    block = woken().double().blocks[0]
    h, emb = torch.randn(2, 10, 48, dtype=torch.float64), torch.randn(2, 48, dtype=torch.float64)
    news = (emb @ block.news.weight.T + block.news.bias).view(2, 6, 1, 48)

    def branch(h, first, layer):
        told = layer_norm(h, (48,), eps=1e-6) * (1 + news[:, first + 1]) + news[:, first]
        return h + news[:, first + 2] * layer(told)

    expected = branch(h, 0, block.attention)
    expected = branch(expected, 3, lambda h: block.layer1(gelu(block.layer0(h), approximate="tanh")))
    assert torch.allclose(block(h, emb), expected)


def test_the_level_is_told_as_256_waves():
    net, emb = woken().double(), []
    net.blocks[0].register_forward_pre_hook(lambda _m, args: emb.append(args[1]))
    net(X.double(), C.double(), {})
    angles = C[:, None].double() * 10_000.0 ** -(torch.arange(128) / 128).double()
    told = torch.cat((angles.cos(), angles.sin()), dim=1)
    assert torch.allclose(emb[0], silu(net.level1(silu(net.level0(told)))), atol=1e-4)


def test_positions_by_hand():
    """Width 8 has two frequencies, 1 and 1/100. Row 1, column 2 of two rows and three columns is token 5."""
    by_hand = [math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)]  # the column
    by_hand += [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)]  # the row
    places = positions(2, 3, 8, torch.device("cpu"))
    assert places.shape == (6, 8)
    assert torch.allclose(places[5], torch.tensor(by_hand))


def test_two_places_look_alike_by_their_distance_alone():
    places = positions(6, 9, 64, torch.device("cpu")).view(6, 9, 64)
    assert torch.allclose((places[0, 0] * places[2, 3]).sum(), (places[3, 5] * places[5, 8]).sum(), rtol=1e-5)
    assert places.flatten(0, 1).unique(dim=0).shape == (54, 64)


def test_squares_are_cut_as_a_convolution_does_and_put_back_pixel_by_pixel():
    net, seen = woken(), []
    net.blocks[0].register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    net.leave.weight.zero_()
    net.leave.bias.copy_(torch.arange(12.0))  # rows, columns, channels of a square
    answer = net(X, C, {})
    cut = conv2d(X, net.enter.weight.view(48, 3, 2, 2), net.enter.bias, stride=2).flatten(2).mT
    assert torch.allclose(seen[0], cut + positions(4, 6, 48, X.device), atol=1e-5)
    assert torch.equal(answer[0, :, 2:4, 6:8], torch.arange(12.0).view(2, 2, 3).permute(2, 0, 1))


def test_as_long_as_the_blocks_sleep_a_square_answers_for_itself_alone():
    net = SMALL.build(spec()).eval().requires_grad_(False)
    net.leave.weight.normal_()
    changed = X.clone()
    changed[:, 1, 4:6, 8:10] += 1  # a square in channel 1
    moved = (net(changed, C, {}) != net(X, C, {})).any(dim=(0, 1))
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[4:6, 8:10] = True
    assert torch.equal(moved, expected)


def test_without_positions_moved_squares_move_the_answer_with_them():
    net = woken().double()
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))

    def moved(x):
        squares = x.view(3, 3, 4, 2, 6, 2).permute(0, 2, 4, 1, 3, 5).reshape(3, 24, 3, 2, 2)[:, order]
        return squares.view(3, 4, 6, 3, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(3, 3, 8, 12)

    x, c = X.double(), C.double()
    assert not torch.allclose(net(moved(x), c, {}), moved(net(x, c, {})), rtol=1e-2)
    places = positions(4, 6, 48, x.device).double()
    net.enter.register_forward_hook(lambda _m, _args, out: out - places)  # takes away what is added next
    assert torch.allclose(net(moved(x), c, {}), moved(net(x, c, {})))


def test_each_picture_hears_its_own_label_and_nothing_is_the_network_without_labels():
    net = woken(given=spec(type=(5,), forward=(3,)))  # names that modules have for themselves
    plain = SMALL.build(spec()).eval()
    plain.load_state_dict({name: value for name, value in net.state_dict().items() if "told" not in name})
    assert torch.equal(net(X, C, {}), plain(X, C, {}))
    nothing = {"type": torch.zeros(3, 5), "forward": torch.zeros(3, 3)}
    assert torch.equal(net(X, C, nothing), plain(X, C, {}))
    base = net(X, C, {"type": torch.eye(5)[[0, 1, 2]], "forward": torch.eye(3)})
    other = net(X, C, {"type": torch.eye(5)[[0, 4, 2]], "forward": torch.eye(3)})
    assert [torch.equal(a, b) for a, b in zip(base, other, strict=True)] == [True, False, True]
    assert not torch.equal(base, net(X, C, {"type": torch.eye(5)[[0, 1, 2]], "forward": torch.zeros(3, 3)}))


def test_a_published_table_with_a_row_for_not_told_is_the_same_function():
    """Its row for "not told" goes into a bias, and is taken away from the others."""
    net, table = woken(given=spec(label=(4,))), torch.randn(5, 48)
    heard = []
    net.blocks[0].register_forward_pre_hook(lambda _m, args: heard.append(args[1]))
    level = net.level1(silu(net.level0(torch.cat(waves(C, 256)[::-1], dim=1))))
    net.level1.bias += table[4]
    net.told[0].weight.copy_((table[:4] - table[4]).T)
    net(X, C, {"label": torch.tensor([[0.0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]])})
    assert torch.allclose(heard[0], silu(level + table[[1, 3, 4]]), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("height", "width", "channels", "out"), [(8, 8, 3, 6), (4, 16, 1, 1), (12, 2, 4, 8)])
def test_the_answer_has_the_shape_and_type_of_the_picture(height, width, channels, out, dtype):
    net = woken(given=spec(height, width, channels, out)).to(dtype)
    y = net(torch.randn(2, channels, height, width, dtype=dtype), torch.tensor([0.0, 999.0]), {})
    assert (y.shape, y.dtype) == ((2, out, height, width), dtype)


def test_under_bfloat16_it_is_near_and_the_tokens_stay_float32():
    net, between = woken(given=spec(label=(5,))), []
    net.blocks[1].register_forward_pre_hook(lambda _m, args: between.append(args[0].dtype))
    cond = {"label": torch.eye(5)[:3]}
    with torch.autocast("cpu", torch.bfloat16):
        half = net(X, C, cond)
    whole = net(X, C, cond)
    assert between == [torch.float32] * 2
    assert half.isfinite().all()
    assert (half.float() - whole).norm() < 0.05 * whole.norm()


def test_it_is_saved_whole_and_can_be_built_without_memory():
    net = woken(given=spec(label=(5,)))
    saved, cond = save(net.state_dict()), {"label": torch.eye(5)[:3]}
    with torch.device("meta"):
        other = SMALL.build(spec(label=(5,)))
    other = other.to_empty(device="cpu").eval()
    assert not [*other.buffers()]
    other.load_state_dict(load(saved))
    assert torch.equal(other(X, C, cond), net(X, C, cond))


def test_it_learns():
    """From noise alone it must say the picture that its label stands for: without one, the error stays 1."""
    torch.manual_seed(0)
    net: Network = SMALL.build(spec(label=(2,)))
    optimizer, rows = torch.optim.Adam(net.parameters(), 2e-3), torch.eye(2)[torch.arange(16) % 2]
    picture, c = X[0].sign(), torch.full((16,), 999.0)
    x0 = torch.where(rows[:, :1, None, None].bool(), picture, -picture)

    def error(cond):
        return (net(torch.randn_like(x0), c, cond) - x0).square().mean()

    assert error({"label": rows}) == 1
    for _ in range(120):
        optimizer.zero_grad()
        error({"label": rows}).backward()
        optimizer.step()
    with torch.no_grad():
        assert error({"label": rows}) < 0.05
        assert error({"label": 1 - rows}) > 3  # it says the other picture
