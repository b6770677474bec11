"""Guidance: exact at 0 and 1, a straight line between and beyond, and on normal data a closed form."""

from dataclasses import replace

import pytest
import torch

from difftool.builtin.conditions import Labels
from difftool.builtin.ddim import DDIM
from difftool.builtin.schedules import Cosine, Linear
from difftool.builtin.targets import Eps
from difftool.core.conditions import unguided
from difftool.core.denoiser import NetDenoiser, on
from difftool.core.guidance import UNGUIDED, Guidance, Guided
from difftool.core.model import How, Model
from difftool.core.sampling import SeededNoise, last, walk
from difftool.errors import InputError
from difftool.testing.oracles import Gaussian, Point

LINEAR = Linear().build()


class Net(torch.nn.Module):
    """Says something that depends on everything, and counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def forward(self, x, c, cond):
        self.asked += 1
        told = cond["label"] @ torch.tensor([0.3, -0.2])
        return (0.9 + told[:, None, None, None]) * x + (c / 1000)[:, None, None, None]


@pytest.fixture
def model():
    labels = Labels(classes=("a", "b"))
    return Model(Net(), LINEAR, Eps(), (1, 4, 4), {}, How(DDIM()), conditions={"label": labels})


X = SeededNoise([1, 2, 3], (1, 4, 4))()
TOLD = {"label": ["a", "b", "a"]}


def test_zero_and_one_are_the_two_models_to_the_bit_and_run_one_branch(model):
    for t in (1.0, 250.0, 999.5):
        for scale, told in ((0, {}), (1, TOLD)):
            plain = model.denoiser(told=told)(X, t)
            asked = model.net.asked
            guided = model.denoiser(told=TOLD, guidance=Guidance(scale))(X, t)
            assert model.net.asked == asked + 1
            assert torch.equal(guided.x0, plain.x0)
            assert torch.equal(guided.eps, plain.eps)
    wrapped = Guided(model.denoiser(told=TOLD, clip=False), model.denoiser(clip=False), Guidance(1, rescale=0.5), True)
    assert torch.equal(wrapped(X, 300.0).x0, model.denoiser(told=TOLD)(X, 300.0).x0)


@pytest.mark.parametrize("scale", [0.3, 2.0, 7.5])
def test_between_and_beyond_it_is_a_straight_line_that_is_clipped_last(model, scale):
    t = 700.0
    told, null = (model.denoiser(told=each, clip=False)(X, t).x0 for each in (TOLD, {}))
    line = null + scale * (told - null)
    asked = model.net.asked
    guess = model.denoiser(told=TOLD, guidance=Guidance(scale))(X, t)
    assert model.net.asked == asked + 2
    assert line.abs().max() > 1  # or clipping first would not be seen
    torch.testing.assert_close(guess.x0, line.clamp(-1, 1))
    torch.testing.assert_close(LINEAR.diffuse(guess.x0, guess.eps, t), X)
    loose = model.denoiser(told=TOLD, guidance=Guidance(scale), clip=False)(X, t)
    torch.testing.assert_close(loose.x0, line)


def test_outside_its_levels_there_is_no_guidance(model):
    plain, strong = model.denoiser(told=TOLD), model.denoiser(told=TOLD, guidance=Guidance(4, levels=(200, 600)))
    for t, same in ((199.0, True), (200.0, False), (600.0, False), (601.0, True)):
        assert torch.equal(plain(X, t).x0, strong(X, t).x0) is same


def test_rescaling_gives_each_picture_its_spread_back(model):
    t = 500.0
    told = model.denoiser(told=TOLD, clip=False)(X, t).x0
    loud, half, quiet = (
        model.denoiser(told=TOLD, guidance=Guidance(5, rescale=share), clip=False)(X, t).x0 for share in (0, 0.5, 1)
    )
    spread = told.flatten(1).std(1)
    torch.testing.assert_close(quiet.flatten(1).std(1), spread)
    torch.testing.assert_close(half, (loud + quiet) / 2)
    assert not torch.allclose(loud.flatten(1).std(1), spread)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
def test_between_two_normals_of_one_spread_guidance_moves_the_mean_and_nothing_else(scale):
    """p(told)^w p(null)^(1-w) of N(m1, s^2) and N(m0, s^2) is N(m0 + w (m1 - m0), s^2), at every level."""
    schedule = Cosine(T=400).build()
    guided = Guided(Gaussian(schedule, 0.4, 0.1), Gaussian(schedule, -0.1, 0.1), Guidance(scale), clip=False)
    x = last(walk(DDIM(), guided, DDIM().times(schedule, 400), SeededNoise(range(64), (1, 16, 16)))).x
    assert float(x.mean()) == pytest.approx(-0.1 + scale * 0.5, abs=3e-3)
    assert float(x.std()) == pytest.approx(0.1, rel=0.03)


def test_a_guess_without_any_spread_is_not_divided_by_it(model):
    flat = Guided(Point(LINEAR, 0.5), Point(LINEAR, 0.1), Guidance(3, rescale=1), clip=False)
    assert torch.isfinite(flat(X, 500.0).x0).all()


def test_a_learned_variance_comes_through_guidance_and_on_another_schedule():
    mix = torch.rand(X.shape)

    class Learned(Point):
        def __call__(self, x, t):
            return replace(super().__call__(x, t), mix=mix)

    learned = Learned(LINEAR, 0.5)
    assert Guided(learned, learned, Guidance(3), clip=True)(X, 500.0).mix is mix
    assert on(learned, Cosine().build())(X, 500.0).mix is mix


def test_the_second_half_of_an_answer_is_where_the_log_variance_lies():
    raw = torch.tensor([-3.0, -1.0, 0.0, 0.5, 1.0, 3.0]).reshape(1, 1, 2, 3)
    x = torch.zeros_like(raw)
    denoiser = NetDenoiser(lambda x, c, cond: torch.cat([x, raw], dim=1), LINEAR, Eps())
    assert denoiser(x, 500.0).mix.flatten().tolist() == [0, 0, 0.5, 0.75, 1, 1]
    assert NetDenoiser(lambda x, c, cond: x, LINEAR, Eps())(x, 500.0).mix is None


def test_guidance_that_cannot_be_is_refused(model):
    bare = replace(model, conditions={})
    for wrong, ask in (
        ("nothing is told", lambda: bare.sample([0], guidance=3.0)),
        ("0 or more", lambda: model.sample([0], guidance=-2.0)),
        ("0 or more", lambda: model.sample([0], guidance=float("nan"))),
        ("no label is named", lambda: model.sample([0], told={"label": []})),
    ):
        with pytest.raises(InputError, match=wrong):
            ask()
    always = replace(model, conditions={"label": Labels(classes=("a", "b"), drop=0)})
    with pytest.raises(InputError, match="never sees a picture without its label"):
        always.sample([0], guidance=3.0)
    with pytest.raises(InputError, match="always told its label; say which"):
        always.denoiser()
    one = {"label": Labels(classes=("a",)), "style": Labels(classes=("b",), drop=0)}
    assert "without its style" in unguided(3, one)
    assert unguided(1, one) is None


def test_what_is_not_told_is_null_and_what_is_unknown_is_refused(model):
    assert torch.equal(model.denoiser(told={})(X, 9.0).x0, model.denoiser(guidance=UNGUIDED)(X, 9.0).x0)
    with pytest.raises(Exception, match="the model has no condition 'hair'; it has label"):
        model.denoiser(told={"hair": ["red"] * 3})


def test_seeds_are_told_in_turn_whatever_the_batch(model):
    assert model.told([0, 1, 5, 8], model.how) == {"label": ["a", "b", "b", "a"]}
    assert model.told([7, 8], replace(model.how, told={"label": ("b",)})) == {"label": ["b", "b"]}
    whole = model.sample(range(6), steps=5)
    assert torch.equal(model.sample([4, 5], steps=5), whole[4:])
    assert torch.equal(model.sample([4], steps=5, told={"label": "a"}), whole[4:5])
    assert not torch.equal(model.sample([4], steps=5, told={"label": "b"}), whole[4:5])
    assert not torch.equal(model.sample([4], steps=5, guidance=0.0), whole[4:5])
