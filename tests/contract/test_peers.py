"""Defects that were found in programs of this kind, each as a test that this one does not have it.

What another test holds already is listed in HELD. What cannot happen here:

- A sampler that repaints parts overwrites its level with the length of its jump: there is no repainting.
- Evaluation takes the number of a picture from the wrong file name: metrics get opened data, never names of files.
- Sampling without conditions still wants files of conditions: sampling never opens data at all (see HELD).
- A loss-aware choice of levels breaks with a new numpy: no loss remembers anything.
- Every thousand steps a full evaluation on 50,000 pictures: nothing is measured while training; `difftool eval` is a
  command of its own, and a preview has at most 256 pictures.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from typer.testing import CliRunner

import difftool
from difftool.builtin import unet_net
from difftool.builtin.ddpm import DDPM
from difftool.builtin.schedules import Linear
from difftool.builtin.targets import Eps
from difftool.cli.app import app
from difftool.core.denoiser import NetDenoiser
from difftool.core.model import How, Model
from difftool.core.sampling import SeededNoise
from difftool.core.target import add_noise
from difftool.engine import loop, session
from difftool.engine.pictures import sheet
from difftool.engine.start import start
from difftool.engine.watch import Watcher
from difftool.plugin.loader import installed
from difftool.recipe.load import load, prepare
from difftool.recipe.model import Preview
from difftool.recipe.source import parse

from ..docs.named import missing

ROOT = Path(__file__).parents[2]
REGISTRY = installed().registry
LINEAR = Linear().build()
SHIPPED = sorted((ROOT / "recipes").glob("*.toml"))
TINY = b"""
recipe = 1
name = "tiny"
[data]
name = "shapes"
size = 8
count = 10
[schedule]
name = "linear"
T = 20
scale = true
last = 0.3
[backbone]
name = "unet"
width = 8
mults = [1, 2]
blocks = 1
attention = [8]
dropout = 0.5
[sample]
count = 2
[train]
steps = 2
batch = 4
accumulate = 2
flip = true
precision = "float32"
device = "cpu"
[preview]
count = 2
"""

HELD = {
    "guidance of scale 1 is refused, or is not the unguided picture": [
        "tests/core/test_guidance.py::test_zero_and_one_are_the_two_models_to_the_bit_and_run_one_branch",
        "tests/flow/test_labels.py::test_guidance_on_the_command_line",
    ],
    "initialising a block anew gives the layer at the end of its attention full gain": [
        "tests/builtin/test_unet_paper.py::test_initial_values_are_the_papers_variance_scaling"
    ],
    "the folder of the last run is in the way of the next, and nothing can be resumed": [
        "tests/flow/test_commands.py::test_a_second_run_gets_a_folder_of_its_own",
        "tests/flow/test_resume.py::test_stopped_and_resumed_weights_are_bit_identical",
    ],
    "the average's step is not saved, so a resumed run overwrites it with the raw weights": [
        "tests/flow/test_resume.py::test_stopped_and_resumed_weights_are_bit_identical"
    ],
    "sampling gives the last picture of a batch alone": [
        "tests/core/test_sampling.py::test_a_model_gives_one_picture_a_seed_in_any_batch"
    ],
    "a recipe asks for averaged weights and nothing is averaged": [
        "tests/flow/test_commands.py::test_previews_are_drawn_with_the_averaged_weights",
        "tests/flow/test_sampling.py::test_raw_weights_differ_from_averaged_ones",
    ],
    "keys that do not exist are passed over in silence": [
        "tests/recipe/test_typos.py::test_every_slip_in_every_key_is_refused"
    ],
    "sampling needs the data": ["tests/flow/test_sampling.py::test_the_file_alone_gives_the_bytes_of_the_run"],
    "attention is asked for at a resolution that never occurs": [
        "tests/builtin/test_backbone_checks.py::test_check_accepts_what_works_and_refuses_what_does_not"
    ],
    "runs are written to a temporary folder": [
        "tests/flow/test_commands.py::test_a_run_says_what_it_does_and_leaves_what_the_docs_say"
    ],
    "a list of names lacks a comma, and two of three targets cannot be had": [
        "tests/contract/test_choices.py::test_every_choice_can_be_had"
    ],
    "one of the variances gives NaN": ["tests/contract/test_choices.py::test_every_variance_is_finite_at_every_level"],
    "the recipe for 64 by 64 never attends at 16": [
        "tests/contract/test_choices.py::test_shipped_networks_attend_where_their_recipes_say"
    ],
    "the default network has 274 million numbers": [
        "tests/contract/test_choices.py::test_a_network_of_which_nothing_is_said_is_small"
    ],
    "a section of the recipe is read, written out and never looked at": [
        "tests/contract/test_choices.py::test_every_key_of_a_recipe_is_read_by_something"
    ],
    "opening data needs a package that no list of requirements has": [
        "tests/contract/test_choices.py::test_everything_that_is_imported_is_declared"
    ],
    "checkpoints fill the disk": ["tests/flow/test_resume.py::test_old_checkpoints_go_only_as_far_as_keep_says"],
}


@pytest.mark.parametrize("defect", HELD)
def test_what_is_held_elsewhere_still_is(defect):
    assert [wrong for test in HELD[defect] if (wrong := missing(test))] == []


@pytest.fixture
def train(tmp_path):
    """Trains the tiny recipe with changes; the run."""

    def go(*sets, name="run"):
        recipe, _ = prepare(parse(TINY, label="tiny.toml", folder=tmp_path), REGISTRY, sets=list(sets)).recipe("none")
        return start(recipe, REGISTRY, tmp_path / "runs", Watcher(), name=name)

    return go


def named(file):
    with safe_open(file, "pt") as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118


# ---- the noise


def test_the_noise_in_the_picture_is_the_noise_that_is_to_be_found(train, monkeypatch):
    """The pictures were given permuted noise, and the loss compared with what it was before."""
    seen = []

    def spy(*arguments):
        scaled, noised = add_noise(*arguments)
        seen.append(noised)
        assert torch.equal(scaled, noised.x_t)
        return scaled, noised

    monkeypatch.setattr(loop, "add_noise", spy)
    train()
    assert len(seen) == 4  # two steps in two parts
    for noised in seen:
        alpha, sigma = (v.float()[:, None, None, None] for v in noised.schedule.at(noised.times))
        torch.testing.assert_close(noised.x_t, alpha * noised.x0 + sigma * noised.target)
        assert torch.equal(noised.target, noised.eps)


# ---- what was trained can be sampled


class TwoHalves(torch.nn.Module):
    """Answers with twice the channels."""

    def forward(self, x, c, cond):
        return torch.cat([0.3 * x, (c / 10 - 1)[:, None, None, None].expand_as(x)], dim=1)


@pytest.mark.parametrize("name", REGISTRY.names("sampler"))
def test_every_sampler_works_with_a_learned_variance(name):
    model = Model(TwoHalves(), Linear(T=20, scale=True, last=0.01).build(), Eps(), (3, 4, 4), {}, How(DDPM()))
    pictures = model.sample([0, 1], sampler=REGISTRY.get("sampler", name)())
    assert pictures.shape == (2, 4, 4, 3)
    assert not torch.equal(pictures[0], pictures[1])


LOSSES = [
    f"{{name={name!r}, weight={weight!r}}}" if weight else f"{{name={name!r}}}"
    for name in REGISTRY.names("loss")
    for weight in ("min-snr", "p2") * ("weight" in REGISTRY.get("loss", name).model_fields) or (None,)
]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_model_of_every_loss_can_be_sampled(train, loss):
    assert difftool.load(train(f"loss={loss}").weights, "cpu").sample([0], steps=3).shape == (1, 8, 8, 3)


def test_sampling_works_without_any_option(train, tmp_path, monkeypatch):
    run = train()
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["sample", str(run.root)])
    assert done.exit_code == 0, done.output
    assert len(list(tmp_path.glob("samples-*/seed-*.png"))) == 2


# ---- what sampling does


def test_the_clipped_guess_is_what_the_mean_uses():
    """It was clipped, and then the mean was made of the other one."""
    x = 3 * SeededNoise([1], (1, 8, 8))()
    denoiser = NetDenoiser(lambda x, c, cond: torch.zeros_like(x), LINEAR, Eps())
    for t, s in ((1000.0, 999.0), (500.0, 300.0), (1.0, 0.0)):
        hop = LINEAR.hop(t, s)
        loose = x / hop.alpha_t
        assert float(loose.abs().max()) > 1
        stepped = next(DDPM(noise=0).run(denoiser, x, (t, s), lambda: x)).x
        torch.testing.assert_close(stepped, hop.mean_x0 * loose.clamp(-1, 1) + hop.mean_xt * x)


def test_nothing_is_dropped_while_sampling_not_even_in_attention(train, monkeypatch):
    attend, shares = unet_net.scaled_dot_product_attention, []

    def spy(*arguments, dropout_p=0.0, **options):
        shares.append(dropout_p if len(arguments) < 5 else arguments[4])
        return attend(*arguments, dropout_p=dropout_p, **options)

    run = train("train.ema=0")
    model = difftool.load(run.weights, "cpu")
    monkeypatch.setattr(unet_net, "scaled_dot_product_attention", spy)
    assert torch.equal(model.sample([0, 1]), model.sample([0, 1]))
    assert set(shares) == {0.0}
    assert not any(module.training for module in model.net.modules())


def test_a_preview_drops_nothing_and_training_goes_on_dropping(train):
    """Without an average it is drawn with the very network that is being trained."""
    shown, quiet = (train("train.ema=0", f"preview.every={k}", "train.steps=4", name=f"n{k}") for k in (1, 0))
    tensors, same = named(shown.weights), named(quiet.weights)
    assert all(torch.equal(tensors[name], same[name]) for name in same)
    pictures = difftool.load(shown.weights, "cpu").sample([0, 1])
    assert np.array_equal(np.asarray(Image.open(shown.preview(4))), sheet(pictures.numpy()))
    assert all(shown.preview(step).exists() for step in (1, 2, 3))


# ---- training


def test_the_optimizer_holds_the_network_and_nothing_else(train, monkeypatch):
    """It was given the averaged weights as well."""
    states = []
    monkeypatch.setattr(session, "train", lambda state, *rest: (states.append(state), loop.train(state, *rest))[1])
    folder = train().checkpoint(2)
    held = {id(p) for group in states[0].optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in states[0].net.parameters()}
    net, moments = (named(folder / f"{name}.safetensors") for name in ("model", "optimizer"))
    assert moments.keys() == {f"{key}.{name}" for name in net for key in ("step", "exp_avg", "exp_avg_sq")}


def test_there_are_previews_unless_somebody_switches_them_off():
    assert Preview().every > 0
    for file in SHIPPED:
        recipe, _ = load(str(file), REGISTRY).recipe("none")
        assert 0 < recipe.preview.every < recipe.train.steps
