"""The loop and its parts, each against what it must be in closed form."""

import math
from itertools import islice

import numpy as np
import pytest
import torch

from difftool.core.randomness import Stream, uniform
from difftool.core.schedule import Schedule
from difftool.data.order import Order
from difftool.engine.build import network, rehearse, schedule_of, workshop
from difftool.engine.device import faster_precision
from difftool.engine.ema import EMA, decay_at
from difftool.engine.feed import Feed
from difftool.engine.loop import State, gradients, lr_at, optimizer_for, train
from difftool.engine.plan import plan
from difftool.errors import InputError, PluginError
from difftool.recipe.model import Optim
from difftool.run.spoken import size

CPU = torch.device("cpu")


@pytest.fixture
def parts(make, registry):
    """(recipe, schedule, net, feed) for some changes of the recipe."""

    def build(*sets):
        recipe = make(*sets)
        schedule, _ = schedule_of(recipe, registry)
        return (
            recipe,
            schedule,
            network(recipe, registry),
            Feed(recipe.data.open(), recipe, registry, CPU),
        )

    return build


# Order


def test_every_epoch_shows_every_picture_once_and_spans_batches():
    order = Order(seed=3, count=10, batch=4)
    shown = np.concatenate([order.indices(step) for step in range(1, 11)])
    for epoch in range(4):
        assert sorted(shown[epoch * 10 : epoch * 10 + 10]) == list(range(10))
    assert list(shown[:10]) != list(shown[10:20])


def test_order_depends_on_seed_and_step_alone():
    assert list(Order(3, 10, 4).indices(7)) == list(Order(3, 10, 4).indices(7))
    assert list(Order(3, 1000, 4).indices(7)) != list(Order(4, 1000, 4).indices(7))
    backwards = Order(3, 10, 4)
    late, early = backwards.indices(9), backwards.indices(1)
    assert (list(early), list(late)) == (list(Order(3, 10, 4).indices(1)), list(Order(3, 10, 4).indices(9)))


def test_fewer_pictures_than_a_batch_repeat_within_it():
    assert np.bincount(Order(0, 3, 12).indices(1)).tolist() == [4, 4, 4]


# EMA


def test_warm_up_is_the_formula():
    assert decay_at(1, 0.9999, True) == 2 / 11
    assert decay_at(90, 0.9999, True) == 0.91
    assert decay_at(10**6, 0.9999, True) == 0.9999
    assert decay_at(1, 0.9999, False) == 0.9999


@pytest.mark.parametrize("warmup", [True, False])
def test_average_follows_the_closed_form_and_leaves_buffers_alone(warmup):
    net = torch.nn.BatchNorm1d(2)
    ema = EMA(net, 0.9, warmup)
    expected = torch.ones(2)
    for n in range(1, 30):
        with torch.no_grad():
            net.weight.fill_(float(n))
            net.running_mean.fill_(float(n))
        ema.update(net, n)
        d = decay_at(n, 0.9, warmup)
        expected = d * expected + (1 - d) * n
        assert torch.allclose(ema.net.weight, expected, rtol=1e-6)
        assert torch.equal(ema.net.running_mean, net.running_mean)  # copied, never averaged
    assert ema.net.weight.dtype == torch.float32
    assert not ema.net.training


def test_one_update_an_optimizer_step_whatever_the_accumulation(parts):
    def averaged(*sets):
        recipe, schedule, net, feed = parts(*sets)
        state = State(net, EMA(net, 0.9, True), optimizer_for(net, recipe.optim))
        list(train(state, feed, recipe, schedule, CPU, "float32"))
        return torch.cat([p.flatten() for p in state.best.parameters()])

    assert torch.allclose(averaged("train.accumulate=4"), averaged(), atol=1e-6)


# Learning rate


def test_learning_rate_rises_holds_and_falls():
    optim = Optim(lr=1.0, warmup=4)
    assert [lr_at(step, optim, 10) for step in (1, 2, 4, 5, 10)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    linear = Optim(lr=1.0, warmup=4, lr_decay="linear")
    assert [lr_at(step, linear, 14) for step in (4, 9, 14)] == [1.0, 0.5, 0.0]
    cosine = Optim(lr=1.0, lr_decay="cosine")
    assert lr_at(5, cosine, 10) == pytest.approx(0.5)
    assert lr_at(10, cosine, 10) == pytest.approx(0.0)


# The batch


def test_pictures_arrive_in_order_scaled_and_half_of_them_mirrored(parts):
    recipe, _, _, feed = parts("train.flip=true", "train.batch=400", "data.count=400")
    (part,) = list(feed(1))
    x0, slots = part.x0, part.slots
    plain = torch.from_numpy(recipe.data.open().take(Order(0, 400, 400).indices(1).tolist()))
    plain = plain.movedim(-1, 1).float() / 127.5 - 1
    same = (x0 == plain).flatten(1).all(1)
    mirrored = (x0 == plain.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 150 < int((same & ~mirrored).sum()) < 250
    assert slots.tolist() == list(range(400))
    assert x0.min() >= -1
    assert x0.max() <= 1


def test_parts_of_a_batch_are_the_batch(parts):
    whole = next(iter(parts()[3](2))).x0
    split = torch.cat([part.x0 for part in parts("train.accumulate=4")[3](2)])
    assert torch.equal(whole, split)


def test_a_data_set_that_breaks_its_promise_is_said_so(parts):
    _, _, _, feed = parts()
    feed.images.take = lambda indices: np.zeros((len(indices), 4, 4, 3), np.uint8)
    with pytest.raises(InputError, match=r"gave uint8 \(8, 4, 4, 3\)"):
        next(iter(feed(1)))


# The gradient


def test_gradient_is_the_mean_over_the_batch_however_it_is_split(parts):
    def gradient(*sets):
        recipe, schedule, net, feed = parts(*sets)
        loss, *_ = gradients(net, feed, recipe, schedule, CPU, "float32", 1)
        return loss, torch.cat([p.grad.flatten() for p in net.parameters()])

    (loss, whole), (loss4, split) = gradient(), gradient("train.accumulate=4")
    assert torch.allclose(whole, split, atol=1e-7)
    assert torch.allclose(loss, loss4)


def test_reported_loss_is_what_the_formula_says(parts):
    """Recomputed by hand: levels from u, noise from Philox, eps target, mean squared error."""
    from difftool.core.randomness import normal

    recipe, schedule, net, feed = parts()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.01 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    loss, loss_sum, loss_count = gradients(net, feed, recipe, schedule, CPU, "float32", 3)
    (part,) = list(feed(3))
    x0, slots = part.x0, part.slots
    t = 1 + (uniform(recipe.seed, Stream.LEVELS, 3, slots) * 20).floor()
    eps = normal(recipe.seed, Stream.NOISE, 3, slots, x0.shape[1:])
    a, s = (schedule.alpha[t.long()].float(), schedule.sigma[t.long()].float())
    x_t = a[:, None, None, None] * x0 + s[:, None, None, None] * eps
    each = (net(x_t, t.float() - 1, {}) - eps).square().flatten(1).mean(1)
    assert torch.allclose(loss, each.mean(), rtol=1e-5)
    for q in range(4):
        here = (t > 5 * q) & (t <= 5 * q + 5)
        assert int(loss_count[q]) == int(here.sum())
        assert torch.allclose(loss_sum[q], each[here].sum(), rtol=1e-5)


def test_training_lowers_the_loss(parts):
    recipe, schedule, net, feed = parts(
        "train.steps=150", "optim.lr=0.003", "train.batch=32", "train.ema=0", "predict=x0"
    )
    state = State(net, None, optimizer_for(net, recipe.optim))
    losses = [float(tick.loss) for tick in train(state, feed, recipe, schedule, CPU, "float32")]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])
    assert state.step == 150


def test_gradient_is_clipped_to_the_norm(parts):
    recipe, schedule, net, feed = parts("optim.grad_clip=1e-3", "train.ema=0", "optim.lr=1.0")
    state = State(net, None, torch.optim.SGD(net.parameters(), lr=1.0, fused=True))
    before = [p.detach().clone() for p in net.parameters()]
    tick = next(train(state, feed, recipe, schedule, CPU, "float32"))
    moved = math.sqrt(
        sum(float((p.detach() - b).square().sum()) for p, b in zip(net.parameters(), before, strict=True))
    )
    assert float(tick.grad_norm) > 1e-3
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_a_step_that_is_not_finite_leaves_weights_and_moments_alone(parts, monkeypatch):
    recipe, schedule, net, feed = parts()
    state = State(net, EMA(net, 0.9, True), optimizer_for(net, recipe.optim))
    ticks = train(state, feed, recipe, schedule, CPU, "float32")
    next(ticks)
    before = [p.detach().clone() for p in net.parameters()]
    moments = [v.clone() for values in state.optimizer.state.values() for v in values.values()]
    handle = next(iter(net.parameters())).register_hook(lambda grad: grad * float("inf"))
    tick = next(ticks)
    assert float(tick.skipped) == 1
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    after = [v for values in state.optimizer.state.values() for v in values.values()]
    assert all(torch.equal(a, b) for a, b in zip(moments, after, strict=True))
    handle.remove()
    assert float(next(ticks).skipped) == 0
    assert all(torch.isfinite(p).all() for p in state.best.parameters())


def test_first_weights_depend_on_the_seed_alone(make, registry):
    def first(*sets):
        torch.rand(7)
        recipe = make(*sets)
        return torch.cat([p.flatten() for p in network(recipe, registry).parameters()])

    assert torch.equal(first(), first())
    assert not torch.equal(first(), first("seed=1"))


def test_building_leaves_the_global_generator_alone(make, registry):
    recipe = make()
    before = torch.random.get_rng_state()
    network(recipe, registry)
    assert torch.equal(before, torch.random.get_rng_state())


# Refusals before the first step


def test_a_schedule_that_never_gets_near_noise_is_refused(make, registry):
    with pytest.raises(InputError, match=r"never gets near noise: abar_T = 0\.8"):
        schedule_of(make("schedule.last=0.02", "schedule.scale=false"), registry)
    assert "brightness" in schedule_of(make("schedule.last=0.4", "schedule.scale=false", "schedule.T=18"), registry)[1]


def test_eps_is_refused_where_no_signal_is_left(make, registry, monkeypatch):
    recipe = make()
    alpha = torch.linspace(1, 0, 21, dtype=torch.float64)
    monkeypatch.setattr(type(recipe.schedule), "build", lambda self: Schedule(alpha, (1 - alpha**2).sqrt()))
    with pytest.raises(InputError, match="says nothing about x0 at level 20"):
        schedule_of(recipe, registry)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: x[:, :1], "answers"),
        (lambda x: x.flatten(1), "answers"),
        (lambda x: None, "answers NoneType"),
        (lambda x: x * float("nan"), "not finite"),
    ],
)
def test_a_network_that_answers_wrongly_is_caught_before_step_one(parts, registry, answer, says):
    recipe, schedule, _, feed = parts()

    class Wrong(torch.nn.Module):
        def forward(self, x, c, cond):
            return answer(x)

    with pytest.raises(PluginError, match=says) as caught:
        rehearse(Wrong(), feed, recipe, registry, schedule, CPU)
    assert caught.value.exit_code == 7


# What a run needs


def test_plan_counts_parameters_and_memory(make, registry):
    recipe = make()
    net = network(recipe, registry)
    ahead = plan(recipe, registry)
    assert ahead.parameters == sum(p.numel() for p in net.parameters())
    assert ahead.weights == 4 * ahead.parameters
    # What is kept grows by the same amount with every picture.
    kept = [plan(make(f"train.batch={batch}"), registry).activations for batch in (8, 16, 24)]
    assert 0 < kept[1] - kept[0] == kept[2] - kept[1]
    assert plan(make("train.batch=16", "train.accumulate=2"), registry).activations == kept[0]


def test_sizes_in_words():
    assert [size(n) for n in (10, 2048, 3 * 2**20, 5 * 2**30)] == ["10 bytes", "2.0 KiB", "3.0 MiB", "5.0 GiB"]


def test_precision_is_chosen_by_measurement(monkeypatch):
    """On a clock of our own: what takes less of it wins, and only if it is clearly less."""
    from difftool.engine import device

    now = [0.0]
    monkeypatch.setattr(device.time, "perf_counter", lambda: now[0])

    def work(cost):
        def run(precision):
            now[0] += cost[precision]

        return run

    assert faster_precision(work({"float32": 2.0, "bf16": 1.0}), CPU) == "bf16"
    assert faster_precision(work({"float32": 1.0, "bf16": 2.0}), CPU) == "float32"
    assert faster_precision(work({"float32": 1.0, "bf16": 0.95}), CPU) == "float32"


def test_trying_the_network_out_leaves_it_as_it_was(make, registry, monkeypatch):
    """Running averages inside a network must not know that it was rehearsed and measured."""
    from difftool.builtin.mlp import MLP

    plain = MLP.build

    def with_norm(self, spec):
        net = plain(self, spec)
        net.register_module("norm", torch.nn.BatchNorm2d(3))
        net.register_forward_pre_hook(lambda module, args: (module.norm(args[0]), *args[1:]))
        return net

    monkeypatch.setattr(MLP, "build", with_norm)
    recipe = make("train.precision=auto")
    shop = workshop(recipe, registry, recipe.data.open())
    assert int(shop.net.norm.num_batches_tracked) == 0
    assert shop.precision in ("float32", "bf16")
    assert all(p.grad is None for p in shop.net.parameters())


def test_a_network_that_computes_while_it_is_built_has_a_plan(make, registry, monkeypatch):
    from difftool.builtin.mlp import MLP

    plain = MLP.build

    def computing(self, spec):
        [rate.item() for rate in torch.linspace(0, 1, 3)]
        return plain(self, spec)

    before = plan(make(), registry).parameters
    monkeypatch.setattr(MLP, "build", computing)
    assert plan(make(), registry).parameters == before


def test_out_of_memory_and_interruptions_have_their_codes():
    from difftool.errors import exit_code_of

    assert exit_code_of(torch.OutOfMemoryError("CUDA")) == 5
    assert exit_code_of(MemoryError()) == 5
    assert exit_code_of(KeyboardInterrupt()) == 130
    assert exit_code_of(ValueError()) == 1
    assert exit_code_of(InputError("x")) == 2


def test_ticks_can_be_taken_one_by_one(parts):
    recipe, schedule, net, feed = parts()
    state = State(net, None, optimizer_for(net, recipe.optim))
    assert [tick.step for tick in islice(train(state, feed, recipe, schedule, CPU, "float32"), 3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda output: 1 / 0, "the loss toy:fickle failed while comparing: ZeroDivisionError: division by zero"),
        (lambda output: output.detach().flatten(1).mean(1), "the loss toy:fickle teaches nothing"),
    ],
)
def test_a_plugin_that_fails_in_the_middle_of_training_is_named(make, registry, answer, says):
    """Not a bug of ours: exit code 7, whose part it was, and doing what."""
    from difftool.plugin.component import Loss
    from difftool.plugin.registry import Offer, Registry

    class Fickle(Loss):
        """Works until it does not."""

        def __call__(self, output, noised):
            return answer(output)

    recipe = make().__class__(**{**vars(make()), "loss": Fickle()})
    mixed = Registry([*registry.offers, Offer("loss", "fickle", Fickle, "toy")])
    schedule, _ = schedule_of(recipe, mixed)
    net = network(recipe, mixed)
    with pytest.raises(PluginError, match=says) as e:
        gradients(net, Feed(recipe.data.open(), recipe, mixed, CPU), recipe, schedule, CPU, "float32", 1)
    assert e.value.exit_code == 7
