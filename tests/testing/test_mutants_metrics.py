"""Metrics with one error each, and unusual ones that are right."""

import random

import numpy as np
import pytest
import torch

from difftool.api import ArrayImages, InputError, Metric
from difftool.builtin.bits import BitsPerDim
from difftool.builtin.density import Density
from difftool.testing import ConformanceError, check_metric, examine, metrics

from .mutants import broken, caught, mutants


class Right(Metric):
    """How bright its pictures are, beside those of the data."""

    def measure(self, model, images, watch):
        watch(0, 2)
        ours = float(model.sample(range(6)).double().mean())
        watch(1, 2)
        theirs = float(images.take(range(6)).mean())
        watch(2, 2)
        return {"ours": ours, "theirs": theirs}


def saying(name, change):
    """A metric whose answer is change(the right answer)."""

    def measure(self, model, images, watch):
        return change(Right.measure(self, model, images, watch))

    return type(name, (Right,), {"measure": measure})


def meddling(name, deed):
    """A metric that does something to (model, images) and then answers what is right."""

    def measure(self, model, images, watch):
        found = Right.measure(self, model, images, watch)
        deed(model, images)
        return found

    return type(name, (Right,), {"measure": measure})


def watching(name, *calls):
    """A metric that calls watch so."""

    def measure(self, model, images, watch):
        for call in calls:
            watch(*call)
        return Right.measure(self, model, images, lambda done, in_all: None)

    return type(name, (Right,), {"measure": measure})


def weighs(model, images):
    next(model.net.parameters()).mul_(0.5)


def grades(model, images):
    for p in model.net.parameters():
        p.grad = torch.zeros_like(p)


def rewrites(model, images):
    model.recipe["seed"] = 1


def bends_the_law(model, images):
    if hasattr(images, "law"):
        images.law[0, 0] += 0.25


def on_the_cpu(model, images):
    model.denoiser()(torch.zeros(2, *model.shape), 3.0)


CALLS = []
WRONG = [
    (saying("Pairs", lambda found: list(found.items())), metrics.gives_named_numbers, "a list, not a mapping"),
    (saying("Nothing", lambda found: {}), metrics.gives_named_numbers, "nothing at all"),
    (saying("Tensors", lambda found: {"a": torch.tensor(found["ours"])}), metrics.gives_named_numbers, "a Tensor"),
    (saying("Single", lambda found: {"a": np.float32(found["ours"])}), metrics.gives_named_numbers, "a float32"),
    (saying("Truths", lambda found: {**found, "good": found["ours"] > 0}), metrics.gives_named_numbers, "a bool"),
    (saying("Nans", lambda found: {**found, "ratio": float("nan")}), metrics.gives_named_numbers, "'ratio' is nan"),
    (saying("Numbered", lambda found: {1: found["ours"]}), metrics.gives_named_numbers, "it names a number 1"),
    (saying("Few", lambda found: {"by": (found["ours"],) * 3}), metrics.gives_named_numbers, "the model has 10 levels"),
    (watching("Back", (0, 4), (3, 4), (2, 4)), metrics.tells_how_far_it_is, "progress goes back"),
    (watching("Beyond", (5, 4)), metrics.tells_how_far_it_is, "0 <= done <= in_all was expected"),
    (watching("Turned", (4, 2)), metrics.tells_how_far_it_is, "watch(4, 2)"),
    (watching("OfTensors", (torch.tensor(1), 2)), metrics.tells_how_far_it_is, "plain numbers"),
    (saying("Same", lambda found: {"a": 1.0}), metrics.judges_the_model, "both get {'a': 1.0}"),
    (saying("DataAlone", lambda found: {"a": found["theirs"]}), metrics.judges_the_model, "both get"),
    (meddling("Global", lambda model, images: torch.rand(1)), metrics.says_the_same_again, "generator of torch"),
    (meddling("Seeds", lambda model, images: random.seed(3)), metrics.says_the_same_again, "generator of Python"),
    (
        saying("Own", lambda found: {"a": found["ours"] + np.random.default_rng().random()}),
        metrics.says_the_same_again,
        "it remembers, or is random",
    ),
    (
        saying("Counts", lambda found: CALLS.append(1) or {"a": found["ours"] + len(CALLS)}),
        metrics.says_the_same_again,
        "it remembers, or is random",
    ),
    (meddling("Bends", bends_the_law), metrics.leaves_the_pictures, "it edits the law"),
    (meddling("Trains", lambda model, images: model.net.train()), metrics.leaves_the_model, "train() or eval()"),
    (meddling("Frees", lambda model, images: model.net.requires_grad_()), metrics.leaves_the_model, "requires_grad"),
    (meddling("Grades", grades), metrics.leaves_the_model, "a gradient is left"),
    (
        meddling("Hooks", lambda model, images: model.net.register_forward_hook(lambda *_: None)),
        metrics.leaves_the_model,
        "a hook stays",
    ),
    (meddling("Weighs", weighs), metrics.leaves_the_model, "measuring changes the model: "),
    (meddling("Rewrites", rewrites), metrics.leaves_the_model, "its recipe"),
    (meddling("OnTheCpu", on_the_cpu), metrics.works_on_another_device, "stays on the CPU"),
]  # fmt: skip


@mutants(*WRONG)
def test_each_is_caught_by_its_rule_and_by_no_other(part, rule, word):
    caught(part, rule, word)
    rules = tuple(other for other in metrics.RULES if other is not rule)
    if part.__name__ != "Weighs":  # what moves while it is measured cannot be the same twice
        assert broken([part()], rules, [0]) == []


class Parameters(Right):
    """Counts what is trained: no picture is made or looked at."""

    def measure(self, model, images, watch):
        return {"parameters": sum(p.numel() for p in model.net.parameters())}


class Mended(Right):
    """Hooks, trains and takes gradients on the way, and leaves none of that."""

    def measure(self, model, images, watch):
        from difftool.api import from_bytes

        seen = []
        hook = model.net.register_forward_hook(lambda net, told, answer: seen.append(float(answer.abs().sum())))
        x = from_bytes(torch.from_numpy(images.take([0, 1])).to(model.device)).requires_grad_()
        slope = torch.autograd.grad(model.denoiser()(x, 2.5).x0.sum(), x)[0]
        hook.remove()
        return {"slope": float(slope.abs().mean()), "seen": seen[0], "levels": tuple(seen * model.schedule.T)}


class Compares(Right):
    """With the same network before it learned anything, by what the data says of each."""

    count: int = 5000

    def measure(self, model, images, watch):
        kinds = images.values(range(len(images)))
        count = min(self.count, len(images))
        pictures = images.take(range(count))
        pictures[:] = 0  # its own
        made = [each.sample(range(8)).double().mean() for each in (model, model.untrained())]
        return {"apart": abs(float(made[0] - made[1])), "kinds": len(kinds)}


class ColoursAlone(Right):
    """Refuses what has no colours."""

    def measure(self, model, images, watch):
        if model.shape[0] != 3:
            raise InputError("pictures of three channels are needed")
        return super().measure(model, images, watch)


@pytest.mark.parametrize("seed", [0, 1, 4])
@pytest.mark.parametrize(
    "part",
    [Right(), Parameters(), Mended(), Compares(), ColoursAlone(), Density(pictures=500), BitsPerDim(variance="full")],
    ids=lambda part: type(part).__name__,
)
def test_what_is_right_is_let_alone(part, seed):
    assert broken([part], metrics.RULES, [seed]) == []


class Large(Right):
    def measure(self, model, images, watch):
        if model.shape[1] < 16:
            raise InputError("pictures of 16x16 are needed")
        return super().measure(model, images, watch)


class LargeAndConstant(Large):
    def measure(self, model, images, watch):
        return dict.fromkeys(super().measure(model, images, watch), 1.0)


def test_whoever_refuses_all_is_not_asked_unless_pictures_are_given():
    with pytest.raises(InputError, match="it refuses all that it could be asked with: pictures of 16x16 are needed"):
        examine(Large())
    rng = np.random.default_rng(0)
    images = ArrayImages(rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8))
    assert all(finding.kept for finding in check_metric(Large(), images=images))
    with pytest.raises(ConformanceError, match="LargeAndConstant breaks 1 of 8 rules"):
        check_metric(LargeAndConstant(), images=images)


def test_many_pictures_are_not_drawn():
    class Told(Right):
        pictures: int = 10**9
        count: int = 10

        def measure(self, model, images, watch):
            assert (self.pictures, self.count) == (640, 10)
            return super().measure(model, images, watch)

    assert all(finding.kept for finding in check_metric(Told()))
