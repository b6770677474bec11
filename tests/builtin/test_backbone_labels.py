"""The two built-in networks, told more than the noise level: vectors, such as labels."""

import pytest
import torch

from difftool.api import Spec
from difftool.builtin.mlp import MLP
from difftool.builtin.unet import UNet
from difftool.builtin.unet_net import Told

UNETS = [
    UNet(width=8, mults=(1, 2), blocks=1, attention=(8,)),
    UNet(width=8, mults=(1, 2), blocks=1, norm="instance", scale_shift=True, activation="gelu"),
]
BOTH = pytest.mark.parametrize("backbone", [*UNETS, MLP(width=16, depth=2)], ids=["unet", "unet with options", "mlp"])
X, C = torch.linspace(-1, 1, 3 * 3 * 16 * 16).sin().view(3, 3, 16, 16), torch.tensor([1.0, 500.0, 999.0])


def spec(**conditions):
    return Spec(3, 3, 16, 16, 1000, conditions)


def one_hot(*labels, of=5):
    return torch.eye(of)[list(labels)]


def perturbed(net):
    """The network after a while of training, as far as its zeros are concerned."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)
    return net.eval()


@BOTH
def test_vectors_are_taken_and_nothing_else(backbone):
    taken = [shape for shape in [(), (5,), (0,), (3, 4), (3, 16, 16)] if backbone.takes("any", shape)]
    assert taken == [(5,), (0,)]
    assert list(backbone.check(spec(label=(0,)))) == []  # the labels may not have been counted yet


@BOTH
def test_labels_bring_one_layer_and_leave_every_other_initial_number(backbone):
    torch.manual_seed(3)
    plain = backbone.build(spec()).state_dict()
    torch.manual_seed(3)
    told = backbone.build(spec(label=(5,))).state_dict()
    heard = 16 if isinstance(backbone, MLP) else 4 * 8
    assert told.pop("told.about_label.weight").shape == (heard, 5)
    assert told.keys() == plain.keys()
    assert all(torch.equal(told[name], plain[name]) for name in plain)


@BOTH
def test_whatever_a_condition_is_called_it_works_and_the_order_does_not_matter(backbone):
    """Modules have a `type` and a `forward` of their own."""
    torch.manual_seed(3)
    one = backbone.build(spec(type=(2,), forward=(3,))).state_dict()
    torch.manual_seed(3)
    other = backbone.build(spec(forward=(3,), type=(2,))).state_dict()
    assert [name for name in one if "told" in name] == ["told.about_forward.weight", "told.about_type.weight"]
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_label_arrives_as_its_column_with_variance_1():
    told = Told({"label": (10,)}, 512)
    columns = told(torch.zeros(10, 512), {"label": torch.eye(10)})
    assert torch.equal(columns, told.about_label.weight.T)
    print(f"class embeddings start with std 1: here {columns.std(dim=1).tolist()}")
    assert (columns.std(dim=1) - 1).abs().max() < 4 / (2 * 512) ** 0.5  # four standard errors
    assert columns.mean(dim=1).abs().max() < 4 / 512**0.5


@BOTH
@pytest.mark.parametrize("half", [False, True])
def test_not_told_is_bit_for_bit_the_network_without_labels(backbone, half):
    net = perturbed(backbone.build(spec(label=(5,))))
    plain = backbone.build(spec()).eval()
    plain.load_state_dict({name: value for name, value in net.state_dict().items() if "told" not in name})
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        expected = plain(X, C, {})
        assert torch.equal(net(X, C, {}), expected)
        assert torch.equal(net(X, C, {"label": torch.zeros(3, 5)}), expected)
        assert torch.equal(plain(X, C, {"label": one_hot(1, 2, 3)}), expected)  # nobody asked it to listen


@BOTH
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_each_picture_hears_its_own_label_and_both_conditions(backbone, dtype):
    net = perturbed(backbone.build(spec(label=(5,), style=(4,)))).to(dtype)
    x, styles = X.to(dtype), torch.randn(3, 4)
    base = net(x, C, {"label": one_hot(0, 1, 2), "style": styles})
    moved = net(x, C, {"label": one_hot(0, 4, 2), "style": styles})
    assert base.dtype == dtype
    same = torch.tensor([True, False, True])
    assert torch.allclose(base[same], moved[same])
    assert (base[1] != moved[1]).float().mean() > 0.9
    assert (base != net(x, C, {"label": one_hot(0, 1, 2)})).float().mean() > 0.9
    assert (base != net(x, C, {"style": styles})).float().mean() > 0.9


@BOTH
def test_the_labels_that_were_told_learn_and_the_others_stay(backbone):
    net = perturbed(backbone.build(spec(label=(5,))))
    net(X, C, {"label": one_hot(0, 3, 3)}).square().mean().backward()
    learned = net.told.about_label.weight.grad.abs().amax(dim=0) > 0
    assert learned.tolist() == [True, False, False, True, False]


@BOTH
def test_the_label_is_added_before_the_last_activation_of_the_embedding(backbone):
    """A label whose column takes away what the noise level says leaves an embedding of zeros."""
    net = perturbed(backbone.build(spec(label=(1,))))
    said, heard = [], []
    net.dense1.register_forward_hook(lambda _m, _args, out: said.append(out))
    block = net.blocks[0] if isinstance(backbone, MLP) else net.down[0]
    block.register_forward_pre_hook(lambda _m, args: heard.append(args[1]))
    with torch.no_grad():
        net(X[:1], C[:1], {})
        net.told.about_label.weight.copy_(-said[0].T)
        net(X[:1], C[:1], {"label": torch.ones(1, 1)})
    assert heard[0].any()
    assert not heard[1].any()
