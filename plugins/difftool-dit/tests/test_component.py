"""The component: difftool's own checks, what it refuses and in which words, and its recipe."""

import subprocess
import sys
from importlib import resources

import pytest
import torch

import difftool
import difftool_dit
from difftool.api import Spec
from difftool.testing import check_backbone
from difftool_dit import DiT

RECIPE = resources.files("difftool_dit") / "recipes" / "dit-faces.toml"


def spec(height=32, width=32):
    return Spec(3, 3, height, width, 1000, {})


@pytest.mark.parametrize(
    "part",
    [
        DiT(depth=2, width=48, heads=3),
        DiT(depth=1, width=16, heads=1, patch=1, dropout=0.2),
        DiT(depth=3, width=64, heads=4, patch=8, mlp_ratio=1.5),
    ],
    ids=repr,
)
def test_it_keeps_every_rule_of_a_network(part):
    check_backbone(part)


@pytest.mark.slow
def test_the_smallest_published_one_does_too():
    check_backbone(DiT())


@pytest.mark.parametrize(
    ("fields", "given", "expected"),
    [
        ({}, spec(), []),
        ({"patch": 4}, spec(32, 20), []),
        ({"size": "XL"}, spec(), []),
        ({"width": 192}, spec(), []),
        ({"width": 8, "heads": 1}, spec(), []),
        ({"patch": 3}, spec(), [("patch", "3 does not divide pictures of 32x32; the nearest that fit are 2 and 4")]),
        ({}, spec(27, 32), [("patch", "2 does not divide pictures of 27x32; the nearest that fits is 1")]),
        (
            {"width": 190},
            spec(),
            [
                (
                    "width",
                    "190 is not a multiple of 4: a sine and a cosine for row and column; "
                    "the nearest that fit are 188 and 192",
                )
            ],
        ),
        (
            {"heads": 5},
            spec(),
            [("heads", "5 does not divide width 384; the nearest that fit are 4 and 6")],
        ),
        (
            {"width": 256},
            spec(),
            [
                (
                    "width",
                    "256 does not split into the 6 heads of size S; set heads: the nearest that fit are 4 and 8",
                )
            ],
        ),
        (
            {"width": 2, "heads": 64, "patch": 64},
            spec(),
            [
                ("patch", "64 does not divide pictures of 32x32; the nearest that fits is 32"),
                (
                    "width",
                    "2 is not a multiple of 4: a sine and a cosine for row and column; the nearest that fits is 4",
                ),
            ],
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told_with_what_would(fields, given, expected):
    assert list(DiT(**fields).check(given)) == expected


@pytest.mark.parametrize(("size", "dimensions"), difftool_dit.SIZES.items())
def test_a_size_says_what_nobody_else_said(size, dimensions):
    depth, width, heads = dimensions
    assert DiT(size=size).dimensions == dimensions
    assert DiT(size=size, depth=3).dimensions == (3, width, heads)
    assert DiT(size=size, width=64).dimensions == (depth, 64, heads)
    assert DiT(size=size, heads=1).dimensions == (depth, width, 1)


def test_vectors_are_taken_and_nothing_else():
    taken = [shape for shape in [(), (5,), (0,), (3, 4), (3, 16, 16)] if DiT().takes("any", shape)]
    assert taken == [(5,), (0,)]


def test_describing_it_needs_no_torch():
    code = (
        "import sys; from difftool.api import Spec; from difftool_dit import DiT\n"
        "assert [*DiT(patch=3).check(Spec(3, 3, 32, 32, 1000, {}))]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_hook_offers_one_name_and_every_field_is_described():
    offered = []
    difftool_dit.register_backbones(lambda *entry: offered.append(entry))
    assert offered == [("dit", DiT)]
    assert all(field.description for field in DiT.model_fields.values())


def test_the_recipe_is_good_and_every_profile_too():
    command = [sys.executable, "-m", "difftool", "recipes", "check", str(RECIPE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_recipe_trains_and_its_model_is_told_what_to_draw(tmp_path, monkeypatch):
    """A few steps of it, with a smaller network and fewer pictures."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = "backbone.depth=1 backbone.width=32 backbone.heads=2 data.count=40 train.steps=8 train.batch=4 train.ema=0"
    small += " train.precision=float32 optim.warmup=0 optim.lr=0.01 preview.count=2 preview.steps=2 sample.steps=2"
    run = difftool.train(str(RECIPE), set=small.split(), profile="none", runs=tmp_path, name="tiny")
    model = difftool.load(run)
    pink, blue = (model.sample([0, 1], told={"hair": hair}) for hair in ("pink", "blue"))
    assert pink.shape == (2, 32, 32, 3)
    assert not torch.equal(pink, blue)
