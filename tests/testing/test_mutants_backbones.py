"""Networks with one error each."""

import random

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, dropout, interpolate, pad, silu

from difftool.testing import answers, backbones

from .mutants import broken, caught, mutants
from .right_networks import Net, Right, init, wrong

Untold = wrong("Untold", hear=lambda self, cond: 0 * sum(cond.values()).sum() if cond else 0)
Deaf = wrong("Deaf", emb=lambda self, c, cond: 0 * self.level(torch.zeros(len(c), 8)) + self.hear(cond))
HearsOnlyTheFirst = wrong(
    "HearsOnlyTheFirst", forward=lambda self, x, c, cond: Net.forward(self, x, c[:1].expand(len(c)), cond)
)
TellsAllTheSame = wrong(
    "TellsAllTheSame",
    hear=lambda self, cond: sum(self.told[k](cond[k][:1]) for k in self.told) if len(self.told) else 0,
)
Saturated = wrong("Saturated", emb=lambda self, c, cond: Net.emb(self, c.clamp(max=100), cond))
BatchNorm = wrong(
    "BatchNorm", __init__=init(lambda self, spec: setattr(self, "norm", nn.BatchNorm2d(16, track_running_stats=False)))
)
BatchNormWithMemory = wrong(
    "BatchNormWithMemory", __init__=init(lambda self, spec: setattr(self, "norm", nn.BatchNorm2d(16)))
)
CentresTheBatch = wrong("CentresTheBatch", body=lambda self, h: Net.body(self, h - h.mean(0, keepdim=True)))


def _attends(self, h):
    tokens = h.flatten(2).movedim(2, 1)  # [B, HW, C], and the module wants [HW, B, C]
    return h + self.attention(tokens, tokens, tokens, need_weights=False)[0].movedim(1, 2).reshape(h.shape)


AttendsAcrossPictures = wrong(
    "AttendsAcrossPictures",
    __init__=init(lambda self, spec: setattr(self, "attention", nn.MultiheadAttention(16, 2))),
    body=_attends,
)
PlainList = wrong(
    "PlainList",
    __init__=init(lambda self, spec: setattr(self, "more", [nn.Conv2d(16, 16, 1)])),
    body=lambda self, h: Net.body(self, h) + self.more[0](h),
)
UnsavedBuffer = wrong(
    "UnsavedBuffer",
    __init__=init(lambda self, spec: self.register_buffer("mask", torch.rand(16, 1, 1), persistent=False)),
    body=lambda self, h: Net.body(self, h) * self.mask,
)
UnregisteredTensor = wrong(
    "UnregisteredTensor",
    __init__=init(lambda self, spec: setattr(self, "mask", torch.ones(16, 1, 1))),
    body=lambda self, h: Net.body(self, h) * self.mask,
)
TensorOnTheCPU = wrong("TensorOnTheCPU", body=lambda self, h: Net.body(self, h) * torch.ones(16, 1, 1))
Detached = wrong("Detached", body=lambda self, h: h + self.middle(silu(self.norm(h))).detach())
Unused = wrong("Unused", __init__=init(lambda self, spec: setattr(self, "spare", nn.Linear(4, 4))))
TimesZero = wrong("TimesZero", body=lambda self, h: h + 0 * self.middle(silu(self.norm(h))))
AlwaysDrops = wrong("AlwaysDrops", body=lambda self, h: Net.body(self, dropout(h, 0.1)))
NoisyWeights = wrong(
    "NoisyWeights", body=lambda self, h: Net.body(self, h) * torch.from_numpy(1 + np.random.rand(16, 1, 1)).float()
)
EditsX = wrong("EditsX", forward=lambda self, x, c, cond: Net.forward(self, x.data.mul_(0.5), c, cond))
EditsC = wrong("EditsC", emb=lambda self, c, cond: Net.emb(self, c.div_(10), cond))
EditsCond = wrong("EditsCond", hear=lambda self, cond: Net.hear(self, {k: v.sub_(0.5) for k, v in cond.items()}))
ForgetsOutChannels = wrong(
    "ForgetsOutChannels",
    __init__=init(lambda self, spec: setattr(self, "leave", nn.Conv2d(16, spec.channels, 3, padding=1))),
)
SquaresOnly = wrong(
    "SquaresOnly",
    forward=lambda self, x, c, cond: Net.forward(self, x, c, cond).reshape(len(x), -1, x.shape[2], x.shape[2]),
)
Shrinks = wrong("Shrinks", body=lambda self, h: Net.body(self, h)[:, :, 1:, 1:])
OnePictureOnly = wrong("OnePictureOnly", forward=lambda self, x, c, cond: Net.forward(self, x, c, cond)[:1])
BlindToBlue = wrong(
    "BlindToBlue",
    forward=lambda self, x, c, cond: Net.forward(
        self, x * torch.tensor([1.0, 1, 0])[: x.shape[1], None, None], c, cond
    ),
)
ConstantVariance = wrong(
    "ConstantVariance",
    __init__=init(lambda self, spec: setattr(self, "more", nn.Parameter(torch.zeros(1)))),
    forward=lambda self, x, c, cond: torch.cat(
        [
            Net.forward(self, x, c, cond)[:, : x.shape[1]],
            self.more.expand(len(x), self.spec.out_channels - x.shape[1], *x.shape[2:]),
        ],
        1,
    ),
)
SkipsPixels = wrong(
    "SkipsPixels",
    forward=lambda self, x, c, cond: interpolate(Net.forward(self, x[:, :, ::4, ::4], c, cond), size=x.shape[2:]),
)
Counts = wrong(
    "Counts",
    __init__=init(lambda self, spec: self.register_buffer("calls", torch.zeros(()))),
    forward=lambda self, x, c, cond: Net.forward(self, x, c, cond) + 0 * self.calls.add_(1),
)


def _remembers(self, h):
    before, self.last = getattr(self, "last", None), h.detach().clone()
    return Net.body(self, h) + (0 if before is None or before.shape != h.shape else 0.1 * before)


Remembers = wrong("Remembers", body=_remembers)
Float64Weights = wrong(
    "Float64Weights",
    __init__=init(lambda self, spec: setattr(self, "level", nn.Linear(8, 16, dtype=torch.float64))),
    emb=lambda self, c, cond: (
        self.level(torch.cat([c[:, None].sin(), c[:, None]], 1).repeat(1, 4).double()).float() + self.hear(cond)
    ),
)
Float64Answer = wrong("Float64Answer", forward=lambda self, x, c, cond: Net.forward(self, x, c, cond).double())
Tuple = wrong("Tuple", forward=lambda self, x, c, cond: (Net.forward(self, x, c, cond), None))
Infinite = wrong("Infinite", emb=lambda self, c, cond: Net.emb(self, c.log(), cond))
CoarseUnderAutocast = wrong(
    "CoarseUnderAutocast",
    emb=lambda self, c, cond: Net.emb(self, c.to(self.level(torch.zeros(1, 8)).dtype).float(), cond),
)
ExtraState = wrong("ExtraState", get_extra_state=lambda self: {"version": 1}, set_extra_state=lambda self, state: None)
NumpyWeights = wrong(
    "NumpyWeights",
    __init__=init(
        lambda self, spec: self.leave.weight.data.copy_(
            torch.from_numpy(np.random.default_rng().random((spec.out_channels, 16, 3, 3)))
        )
    ),
)
_shared = nn.Conv2d(16, 16, 3, padding=1)
Shared = wrong("Shared", __init__=init(lambda self, spec: setattr(self, "middle", _shared)))


StochasticDepth = wrong(
    "StochasticDepth",
    body=lambda self, h: h if self.training and random.random() < 0.5 else Net.body(self, h),
)
HalvesInTraining = wrong("HalvesInTraining", body=lambda self, h: Net.body(self, h) * (0.5 if self.training else 1))
RoundsTheLevel = wrong("RoundsTheLevel", emb=lambda self, c, cond: Net.emb(self, (c / 100).round(), cond))
WhispersTheLevel = wrong("WhispersTheLevel", emb=lambda self, c, cond: Net.emb(self, c * 1e-6, cond))
HearsTheFirstNumberOnly = wrong(
    "HearsTheFirstNumberOnly",
    hear=lambda self, cond: sum(self.told[k](cond[k][:, :1].expand_as(cond[k])) for k in self.told) if cond else 0,
)
Clamps = wrong("Clamps", forward=lambda self, x, c, cond: Net.forward(self, x, c, cond).clamp(-1e-3, 1e-3))
NoGradient = wrong("NoGradient", forward=torch.no_grad()(Net.forward))
LargestOfTheBatch = wrong("LargestOfTheBatch", body=lambda self, h: Net.body(self, h / h.abs().amax()))


def after(change):
    """A network whose answer is made into another."""
    return lambda self, x, c, cond: change(Net.forward(self, x, c, cond))


def before(change):
    """A network that looks at another picture than it is given."""
    return lambda self, x, c, cond: Net.forward(self, change(x), c, cond)


def unit(pictures):
    return pictures / pictures.square().mean((1, 2, 3), keepdim=True).sqrt()


OneColour = wrong("OneColour", forward=after(lambda y: y.mean((2, 3), keepdim=True).expand_as(y)))
SameInAllChannels = wrong("SameInAllChannels", forward=after(lambda y: y.mean(1, keepdim=True).expand_as(y)))
InSquaresOfFour = wrong("InSquaresOfFour", forward=after(lambda y: interpolate(avg_pool2d(y, 2), size=y.shape[2:])))
BlackBorder = wrong("BlackBorder", forward=after(lambda y: pad(y[..., 1:-1, 1:-1], (1, 1, 1, 1))))
NeverLighter = wrong("NeverLighter", forward=after(lambda y: y - y.mean((2, 3), keepdim=True)))
AtMostFour = wrong("AtMostFour", forward=after(lambda y: y.clamp(-4, 4)))
SeesGrey = wrong("SeesGrey", forward=before(lambda x: x.mean(1, keepdim=True).expand_as(x)))
SeesSquaresOfFour = wrong(
    "SeesSquaresOfFour", forward=before(lambda x: interpolate(avg_pool2d(x, 2), size=x.shape[2:]))
)
LastLevelTwice = wrong("LastLevelTwice", emb=lambda self, c, cond: Net.emb(self, (c + 1).clamp(max=999), cond))
ClampsThePicture = wrong("ClampsThePicture", forward=before(lambda x: x.clamp(-1, 1)))


class HearsTheSizeOfLogsnr(wrong("HearsTheSize", emb=lambda self, c, cond: Net.emb(self, c.abs(), cond))):
    hears = "logsnr"


class ClampsLogsnr(wrong("Clamped", emb=lambda self, c, cond: Net.emb(self, c.clamp(-3.5, 3.5), cond))):
    hears = "logsnr"


class TakesTheWordsToo(Right):
    """Says that it takes words, and reads labels only."""

    def takes(self, key, shape):
        return key in ("label", "words")

    def build(self, spec):
        heard = {key: shape for key, shape in spec.conditions.items() if key == "label"}
        return Net(type(spec)(spec.channels, spec.out_channels, spec.height, spec.width, spec.T, heard))


class HearsNonsense(Right):
    hears = "time"


class NotAModule(Right):
    def build(self, spec):
        return lambda x, c, cond: x


class NothingToLearn(Right):
    def build(self, spec):
        return nn.Identity()


class ChecksTooLittle(Right):
    """Halves its pictures four times, which 8 pixels do not allow."""

    def build(self, spec):
        class Deep(Net):
            def body(self, h):
                small = h
                for _ in range(4):
                    small = nn.functional.avg_pool2d(small, 2)
                return Net.body(self, h) + interpolate(small, size=h.shape[2:])

        return Deep(spec)


class ChecksTooMuch(Right):
    def check(self, spec):
        yield "net", "no size is right"


class Heeds(Right):
    """Wants a level that is whole."""

    def build(self, spec):
        class Table(Net):
            def __init__(self, spec):
                super().__init__(spec)
                self.table = nn.Embedding(spec.T, 16)

            def emb(self, c, cond):
                return self.table(c) + self.hear(cond)

        return Table(spec)


def counts_its_calls(self, x, c, cond):
    self.asked = getattr(self, "asked", 0) + 1
    return Net.forward(self, x, c, cond) * (1 + 1e-3 * (self.asked > 50))


def seeds_torch(self, spec):
    torch.manual_seed(0)
    Net.__init__(self, spec)


ROWS = [
    (OneColour, answers.answers_any_number, "the same at every pixel"),
    (wrong("NeverNegative", forward=after(torch.relu)), answers.answers_any_number, "both signs"),
    (wrong("Bounded", forward=after(torch.tanh)), answers.answers_any_number, "however large its weights are"),
    (wrong("AnswersOfOneSize", forward=after(unit)), answers.answers_any_number, "is what goes out normalised?"),
    (wrong("PicturesOfOneSize", forward=before(unit)), answers.sees_all_of_the_picture, "three times as strong"),
    (SameInAllChannels, answers.answers_any_number, "100% of the numbers that it answers are always equal"),
    (InSquaresOfFour, answers.answers_any_number, "100% of the numbers that it answers are always equal"),
    (BlackBorder, answers.answers_any_number, "of its answer is always the same"),
    (NeverLighter, answers.answers_any_number, "cannot make a picture lighter"),
    (AtMostFour, answers.answers_any_number, "its answers lie in -4 to 4"),
    (SeesGrey, answers.sees_all_of_the_picture, "only count together with others"),
    (SeesSquaresOfFour, answers.sees_all_of_the_picture, "only count together with others"),
    (ClampsLogsnr, backbones.hears_the_level, "the same at the levels 1 and 20"),
    (LastLevelTwice, backbones.hears_the_level, "the same at the levels 999 and 1000"),
    (ClampsThePicture, answers.sees_all_of_the_picture, "of the pixels"),
    (HearsTheSizeOfLogsnr, backbones.hears_the_level, "the logsnr 3 and -3"),
    (wrong("CountsItsCalls", forward=counts_its_calls), backbones.changes_nothing_by_answering, "changes asked"),
    (wrong("SeedsTorch", __init__=seeds_torch), backbones.begins_from_the_seed, "seeds torch itself"),
    (StochasticDepth, backbones.draws_from_torch_alone, "generator of numpy or Python"),
    (HalvesInTraining, backbones.draws_from_torch_alone, "otherwise in training than in eval()"),
    (RoundsTheLevel, backbones.hears_the_level, "the same at the levels 1 and 20"),
    (WhispersTheLevel, backbones.hears_the_level, "the same at the levels"),
    (HearsTheFirstNumberOnly, backbones.hears_what_it_is_told, "it answers the same"),
    (Clamps, answers.sees_all_of_the_picture, "does not depend on the picture"),
    (NoGradient, backbones.every_weight_learns, "does not require grad"),
    (LargestOfTheBatch, backbones.each_picture_alone, "when the others change"),
    (Untold, backbones.hears_what_it_is_told, "it answers the same"),
    (TakesTheWordsToo, backbones.hears_what_it_is_told, "'words'"),
    (TellsAllTheSame, backbones.each_picture_alone, "when the others change"),
    (Deaf, backbones.hears_the_level, "the same at the levels 1 and 20"),
    (Saturated, backbones.hears_the_level, "the same at the levels 500 and 520"),
    (HearsOnlyTheFirst, backbones.each_picture_alone, "when the others change"),
    (BatchNorm, backbones.each_picture_alone, "when the others change"),
    (BatchNormWithMemory, backbones.each_picture_alone, "in training, "),
    (BatchNormWithMemory, backbones.changes_nothing_by_answering, "changes norm.running_mean"),
    (CentresTheBatch, backbones.each_picture_alone, "when the others change"),
    (AttendsAcrossPictures, backbones.each_picture_alone, "when the others change"),
    (PlainList, backbones.all_of_it_is_saved, "answers otherwise"),
    (UnsavedBuffer, backbones.all_of_it_is_saved, "answers otherwise"),
    (UnregisteredTensor, backbones.works_on_another_device, "stays on the CPU"),
    (TensorOnTheCPU, backbones.works_on_another_device, "stays on the CPU"),
    (Detached, backbones.every_weight_learns, "no gradient reaches norm.weight and 3 more"),
    (Unused, backbones.every_weight_learns, "no gradient reaches spare.weight"),
    (TimesZero, backbones.every_weight_learns, "no gradient reaches middle.weight"),
    (AlwaysDrops, backbones.answers_the_same_again, "random"),
    (NoisyWeights, backbones.answers_the_same_again, "random"),
    (EditsX, backbones.changes_nothing_by_answering, "edits x"),
    (EditsC, backbones.changes_nothing_by_answering, "edits c"),
    (EditsCond, backbones.changes_nothing_by_answering, "edits cond['label']"),
    (ForgetsOutChannels, backbones.answers_in_shape, "[1, 6, 8, 8] was expected"),
    (SquaresOnly, backbones.answers_in_shape, "was expected"),
    (Shrinks, backbones.answers_in_shape, "was expected"),
    (OnePictureOnly, backbones.answers_in_shape, "[5, 3, 8, 8] was expected"),
    (BlindToBlue, answers.sees_all_of_the_picture, "channel 2"),
    (ConstantVariance, answers.sees_all_of_the_picture, "channel 3 of its 6"),
    (SkipsPixels, answers.sees_all_of_the_picture, "of the pixels"),
    (Counts, backbones.changes_nothing_by_answering, "changes calls"),
    (Remembers, backbones.answers_the_same_again, "after a different one"),
    (Float64Weights, backbones.answers_in_shape, "float64"),
    (Float64Answer, backbones.answers_in_shape, "float64"),
    (Tuple, backbones.answers_in_shape, "a tuple, not a tensor"),
    (Infinite, backbones.answers_in_shape, "not finite"),
    (CoarseUnderAutocast, backbones.copes_with_half_precision, "off by"),
    (ExtraState, backbones.all_of_it_is_saved, "holds a dict"),
    (NumpyWeights, backbones.begins_from_the_seed, "begins differently"),
    (Shared, backbones.begins_from_the_seed, "share parameters"),
    (HearsNonsense, backbones.answers_in_shape, "hears is 'time'"),
    (NotAModule, backbones.answers_in_shape, "not a torch.nn.Module"),
    (NothingToLearn, backbones.answers_in_shape, "raises"),
    (ChecksTooLittle, backbones.answers_in_shape, "raises RuntimeError"),
    (ChecksTooMuch, backbones.answers_in_shape, "permits no square picture"),
    (Heeds, backbones.answers_in_shape, "raises"),
]  # fmt: skip


@mutants(*ROWS)
def test_it_is_caught(part, rule, word):
    caught(part, rule, word)


def test_the_one_without_an_error_is_not():
    assert broken([Right()], backbones.RULES, range(5)) == []
