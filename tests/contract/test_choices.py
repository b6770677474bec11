"""What is offered can be had: every choice of every field, every key of a recipe, every package that is imported."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import torch

from difftool.builtin import unet_net
from difftool.builtin.ddpm import DDPM
from difftool.builtin.schedules import Cosine, Linear
from difftool.builtin.shapes import Shapes
from difftool.builtin.targets import Eps
from difftool.builtin.unet import UNet
from difftool.core.sampling import SeededNoise, last, walk
from difftool.core.target import add_noise
from difftool.core.types import Prediction, Spec
from difftool.engine.build import network
from difftool.plugin.component import Strict, leaves
from difftool.plugin.loader import installed
from difftool.recipe.load import load
from difftool.recipe.model import SECTIONS
from difftool.testing.oracles import Gaussian

ROOT = Path(__file__).parents[2]
REGISTRY = installed().registry
LINEAR = Linear().build()
SHIPPED = sorted((ROOT / "recipes").glob("*.toml"))
# Not what `plugins new` writes: those are other packages.
SOURCES = sorted(path for path in (ROOT / "difftool").rglob("*.py") if "sprout" not in path.parts)


def choices():
    """(class, field, option) of every field that offers words or numbers to choose from."""
    for offer in REGISTRY.offers:
        for name, info in offer.component.model_fields.items():
            for leaf in leaves(info.annotation):
                if get_origin(leaf) is Literal:
                    yield from (
                        pytest.param(offer.kind, offer.component, name, option, id=f"{offer.name}-{name}-{option}")
                        for option in get_args(leaf)
                    )


@pytest.mark.parametrize(("kind", "cls", "field", "option"), list(choices()))
def test_every_choice_can_be_had(kind, cls, field, option):
    """A list of names lacked a comma, and two of three could not be chosen."""
    required = {"path": Path(), "size": 16}
    value = (option,) if get_origin(cls.model_fields[field].annotation) is tuple else option
    part = cls(**{key: each for key, each in required.items() if key in cls.model_fields}, **{field: value})
    assert getattr(part, field) == value
    if cls is Shapes:
        assert part.open().take([0]).shape == (1, 16, 16, part.channels)
    if kind == "sampler":
        x = last(walk(part, Learned(LINEAR, 0.0, 0.5), part.times(LINEAR, 5), SeededNoise([1], (1, 2, 2)))).x
        assert bool(torch.isfinite(x).all())
    if kind == "backbone":
        net = part.build(Spec(3, 3, 16, 16, 10, {}))
        assert net(torch.randn(2, 3, 16, 16), torch.tensor([0.0, 9.0]), {}).shape == (2, 3, 16, 16)
    if kind == "loss":
        _, noised = add_noise(*torch.randn(2, 3, 1, 2, 2), torch.arange(1, 4).double(), Eps(), LINEAR, {})
        assert bool((part(torch.zeros(3, part.outputs, 2, 2), noised) > 0).all())


class Learned(Gaussian):
    """A perfect denoiser that also says a mix, all the way from one end to the other."""

    def __call__(self, x, t):
        guess = super().__call__(x, t)
        return Prediction(guess.x0, guess.eps, torch.linspace(0, 1, x.numel(), dtype=x.dtype).reshape(x.shape))


@pytest.mark.parametrize("variance", get_args(DDPM.model_fields["variance"].annotation))
@pytest.mark.parametrize("kind", [Linear, Cosine])
def test_every_variance_is_finite_at_every_level(kind, variance):
    """One of them was NaN; the first level, where the posterior is 0, is where it happens."""
    schedule = kind().build()
    steps = walk(DDPM(variance=variance), Learned(schedule, 0.0, 0.5), DDPM().times(schedule), lambda: torch.ones(8))
    assert [step.t for step in steps if bool(torch.isfinite(step.x).all())] == list(range(1000, -1, -1))


@pytest.mark.parametrize("profile", ["none", "cpu"])
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_networks_attend_where_their_recipes_say(file, profile):
    recipe, _ = load(str(file), REGISTRY).recipe(profile)
    net, unet = network(recipe, REGISTRY, "meta"), recipe.backbone
    if not isinstance(unet, UNet):
        return
    top = recipe.data.shape[1] // unet.patch
    levels = sum(top >> level in unet.attention for level in range(len(unet.mults)))
    assert levels == len(unet.attention)
    attending = sum(isinstance(module, unet_net.Attention) for module in net.modules())
    assert attending == levels * (2 * unet.blocks + 1) + unet.middle


def test_a_network_of_which_nothing_is_said_is_small():
    """It was one of 274 million numbers."""
    with torch.device("meta"):
        net = UNet().build(Spec(3, 3, 64, 64, 1000, {}))
    assert sum(p.numel() for p in net.parameters()) < 20e6


def test_every_key_of_a_recipe_is_read_by_something():
    """A whole section was parsed, written out, and never looked at."""
    text = "\n".join(path.read_text() for path in SOURCES)
    keys = [
        (section, key)
        for section, model in SECTIONS.items()
        if model.__bases__ == (Strict,) and section not in ("predict", "data")
        for key in model.model_fields
    ]
    assert ("train", "ema_warmup") in keys
    assert [f"{section}.{key}" for section, key in keys if not re.search(rf"\b{section}\.{key}\b", text)] == []
    parts = {offer.component for offer in REGISTRY.offers}
    read = {node.attr for path in SOURCES for node in ast.walk(ast.parse(path.read_text())) if _reads(node)}
    assert [f"{part.__name__}.{key}" for part in parts for key in part.model_fields if key not in read] == []


def _reads(node):
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)


def test_everything_that_is_imported_is_declared():
    """Opening data needed a package that no list of requirements had."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["serve"], *extras["images"]]
    declared = {re.split(r"[<>=\[]", each)[0] for each in wanted}
    known_as = {"PIL": "pillow", "tomli_w": "tomli-w", "pydantic_core": "pydantic"}  # which pins its core
    known_as["textual_serve"] = "textual-serve"
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                named = [node.module] if not node.level else []
            for package in {name.split(".")[0] for name in named} - sys.stdlib_module_names - {"difftool"}:
                assert known_as.get(package, package) in declared, f"{path}: {package}"
