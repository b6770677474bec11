"""Every part that ships keeps every rule, and so do the parts that docs/plugins.md shows: no false alarm."""

import importlib
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from difftool import testing
from difftool.api import Dataset, Field, Metric
from difftool.builtin.schedules import Constant, Cosine, Linear
from difftool.plugin.loader import installed
from difftool.testing import check_backbone, check_sampler, check_schedule, conformance
from difftool.testing.rules import findings, line_of
from difftool.testing.schedules import is_computed_in_float64
from difftool.testing.variants import variants as choices

from ..docs.extract import files, page, write

REGISTRY = installed().registry
OFFERS = [offer for offer in REGISTRY.offers if offer.kind in conformance.RULES]
VARIANTS = [
    ("schedule", "linear", {"T": 100, "scale": True}),
    ("schedule", "cosine", {"T": 50}),
    ("loss", "l2", {"weight": "min-snr"}),
    ("loss", "l1", {"weight": "p2"}),
    ("loss", "huber", {"delta": 0.1, "weight": "min-snr"}),
    ("sampler", "ddpm", {"variance": "learned"}),
    ("backbone", "unet", {"width": 16, "attention": (4,), "dropout": 0.3, "scale_shift": True}),
    ("backbone", "unet", {"width": 8, "mults": (1, 1), "norm": "instance", "scale_shift": True, "patch": 2}),
    ("backbone", "mlp", {"width": 16, "depth": 1}),
    ("dataset", "shapes", {"size": (8, 12), "channels": 1, "count": 3}),
    ("condition", "labels", {"classes": ("cat", "dog")}),
]
MORE = [
    ("loss", "hybrid", {"vlb": 1.0}),
    ("sampler", "ddpm", {"variance": "beta"}),
    ("sampler", "ddim", {"eta": 0.5}),
    ("sampler", "ddim", {"eta": 1.0}),
]


@pytest.fixture(scope="module")
def needed(tmp_path_factory):
    """Fields that a part cannot do without."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for index in range(9):
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    pixels = rng.integers(0, 256, (9, 8, 8), dtype=np.uint8)
    (folder / "digits-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 9, 8, 8) + pixels.tobytes())
    record = rng.integers(0, 10, (9, 1 + 3 * 32 * 32), dtype=np.uint8)
    (folder / "data_batch_1.bin").write_bytes(record.tobytes())
    np.savez(folder / "some.npz", images=pixels)
    return {
        "images": {"path": folder, "size": (6, 8)},
        "idx": {"path": folder, "size": 8},
        "cifar": {"path": folder},
        "npz": {"path": folder / "some.npz", "size": 8},
        "avatars": {"size": 32, "count": 40},
        "two-pixel": {"count": 1000},
        "density": {"pictures": 500},
    }


def broken(kind, part, seed):
    rules = conformance.RULES[kind]
    return [(finding.rule, finding.reason) for finding in findings(rules, part, seed) if not finding.kept]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("offer", OFFERS, ids=[f"{offer.kind}.{offer.name}" for offer in OFFERS])
def test_what_ships_keeps_every_rule(offer, seed, needed):
    if (offer.kind, offer.name) == ("backbone", "unet") and seed:
        pytest.skip("its default size takes seconds; the slow test has all seeds")
    assert broken(offer.kind, offer.component(**needed.get(offer.name, {})), seed) == []


def variants(chosen):
    return pytest.mark.parametrize(
        ("kind", "name", "fields"), [pytest.param(*row, id=f"{row[0]}.{row[1]}-{'-'.join(row[2])}") for row in chosen]
    )


@variants(VARIANTS)
def test_so_it_does_with_other_fields(kind, name, fields):
    assert broken(kind, REGISTRY.get(kind, name)(**fields), 1) == []


@pytest.mark.slow
@pytest.mark.parametrize("offer", OFFERS, ids=[f"{offer.kind}.{offer.name}" for offer in OFFERS])
def test_twenty_seeds_raise_no_false_alarm(offer, needed):
    part = offer.component(**needed.get(offer.name, {}))
    assert {seed: told for seed in range(20) if (told := broken(offer.kind, part, seed))} == {}


@pytest.mark.slow
@variants([*VARIANTS, *MORE])
def test_nor_do_they_with_other_fields(kind, name, fields):
    part = REGISTRY.get(kind, name)(**fields)
    assert {seed: told for seed in range(20) if (told := broken(kind, part, seed))} == {}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Imports a module of docs/plugins.md, where another process can find it too."""
    folder = tmp_path_factory.mktemp("shown")
    text = page("plugins.md") + page("write-a-sampler.md")
    found = {path.split("/", 1)[1].removeprefix("src/"): code for path, code in files(text).items() if "/" in path}
    write({path: code for path, code in found.items() if not path.startswith("tests/")}, folder)
    sys.path.insert(0, str(folder))
    yield importlib.import_module
    sys.path.remove(str(folder))


def test_what_the_page_shows_keeps_every_rule(shown, tmp_path):
    check_sampler(shown("difftool_dpm2m").DPM2M())
    for shift in (0.3, 1.0, 3.0, 7.0):
        check_schedule(shown("difftool_flow").Flow(shift=shift))
    check_backbone(shown("difftool_convs").Convs())
    parts = (
        *(("difftool_middle", "Middle"), ("difftool_unit", "Unit"), ("difftool_stripes", "Stripes")),
        *(("difftool_soon", "Amount"), ("difftool_soon", "Brightness"), ("difftool_album", "Album")),
    )
    for module, name in parts:
        part = getattr(shown(module), name)(**({"folder": tmp_path} if name == "Album" else {}))
        for each in (part, *(other for _, other in choices(part))):
            # seed 0 would start a process for the condition
            assert [finding for finding in conformance.examine(each, 1) if not finding.kept] == []


def test_the_page_lists_every_rule_and_nothing_else():
    section = page("plugins.md").split("## Is it right?")[1].split("\n## ")[0]
    listed = {}
    for part in section.split("**`check_")[1:]:
        kind, _, rest = part.partition("`**")
        bullets = rest.partition("\n\n- ")[2].partition("\n\n")[0].split("\n- ")
        listed[kind] = [" ".join(bullet.split()) for bullet in bullets]
    assert listed == {kind: [line_of(rule) for rule in rules] for kind, rules in conformance.RULES.items()}


def test_the_page_names_what_there_is():
    section = page("plugins.md").split("## Is it right?")[1].split("\n## ")[0]
    assert [name for name in testing.__all__ if f"`{name}" not in section] == []


def test_one_that_declares_too_little_is_told(shown):
    """The flow of the page, had it not said what it keeps."""
    flow = shown("difftool_flow").Flow
    mute = type("Mute", (flow,), {"keeps": "power", "__doc__": "Says nothing."})
    assert [reason for _, reason in broken("schedule", mute(), 0)] == [
        "alpha^2 + sigma^2 is 0.5 at level 500, not 1; it keeps alpha + sigma, so say keeps = 'sum'"
    ]


@pytest.mark.parametrize(
    "part", [Cosine(T=50_000), Linear(T=100_000, scale=True), Constant(beta=0.25), Constant(beta=0.5)], ids=repr
)
def test_numbers_that_are_short_or_small_are_not_taken_for_float32(part):
    assert is_computed_in_float64(part, 0) is None


class Sized(Dataset):
    """As many as are wished."""

    count: int = Field(10**9, ge=1)
    """pictures"""
    pictures: int = 10**9
    """something else"""


class Whole(Metric):
    """Wants many."""

    count: int = Field(1000, ge=800)
    """how many"""
    pictures: bool = True
    """whether it looks at them"""


@pytest.mark.parametrize(
    ("part", "asked"),
    [
        (Sized(), Sized(count=conformance.FEW)),
        (Sized(count=7), Sized(count=7)),
        (Whole(), Whole()),  # fewer are refused
        (REGISTRY.get("metric", "density")(), REGISTRY.get("metric", "density")(pictures=conformance.FEW)),
    ],
    ids=repr,
)
def test_few_are_looked_at_where_few_may_be_asked_for(part, asked):
    assert conformance._few(part) == asked
