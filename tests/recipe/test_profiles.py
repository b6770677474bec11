"""Profiles: tables of overrides, one for a device or under a free name."""

import pytest

from difftool.errors import InputError
from difftool.recipe.load import load

from .conftest import END, RICH, line_of, swap


def test_a_profile_merges_or_replaces(read):
    cpu = read(RICH, profile="cpu")
    assert (cpu.backbone.width, cpu.backbone.blocks, cpu.backbone.dropout) == (8, 2, 0.1)
    assert (cpu.train.batch, cpu.train.steps) == (8, 100)
    big = read(RICH, profile="big")
    assert type(big.loss).__name__ == "L2"
    assert (type(big.preview.sampler).__name__, big.preview.sampler.noise, big.preview.every) == ("DDPM", 0.5, 50)


def test_none_and_a_device_without_a_profile_are_the_plain_recipe(read):
    assert read(RICH, profile="none") == read(RICH, profile="mps")
    assert read(RICH, profile="cuda").train.precision == "bf16"


def test_the_profile_in_use_is_told(registry, file):
    file.write_text(RICH)
    loaded = load(str(file), registry)
    assert sorted(loaded.profiles) == ["big", "cpu", "cuda"]
    assert loaded.recipe("cpu")[1] == ["profile cpu: backbone.width = 8, backbone.blocks = 2, train.batch = 8"]
    assert loaded.recipe("mps")[1] == []


def test_set_has_the_last_word(read):
    assert read(RICH, profile="cpu", sets=["backbone.width=24"]).backbone.width == 24


def test_an_unknown_profile(registry, file):
    file.write_text(RICH)
    with pytest.raises(InputError, match=r"has no profile 'bigg'; did you mean 'big'\?"):
        load(str(file), registry, profile="bigg")


def test_mistakes_in_profiles_nobody_chose_have_their_own_lines(refused):
    text = swap(
        RICH,
        ("{ width = 8, blocks = 2 }", "{ width = 8.5, blokcs = 2 }"),
        ("train.batch = 8", "train.batch = 7"),
        ('precision = "bf16"', "bacth = 3"),
        ("noise = 0.5 } }", "noise = 5 } }"),
    )
    where = {part: line_of(text, part) for part in ("blokcs", "batch = 7", "bacth", "noise = 5 }")}
    assert sorted(refused(text, profile="none")) == sorted(
        [
            f"mine.toml:{where['blokcs']}: backbone.width: expected a whole number, got 8.5 (profile cpu)",
            f"mine.toml:{where['blokcs']}: backbone.blokcs: unknown key; did you mean 'blocks'? (profile cpu)",
            f"mine.toml:{line_of(text, 'accumulate')}: train.accumulate: 2 parts do not divide a batch of 7; "
            "the nearest that do are 1 (profile cpu)",
            f"mine.toml:{where['bacth']}: train.bacth: unknown key; did you mean 'batch'? (profile cuda)",
            f"mine.toml:{where['noise = 5 }']}: preview.sampler.noise: must be at most 1.0, got 5 (profile big)",
        ]
    )


def test_a_mistake_of_the_recipe_is_told_once(refused):
    assert len(refused(swap(RICH, ("keep = 3", "keep = 0")))) == 1


@pytest.mark.parametrize("name", ["cup", "cp", "ccpu", "cudaa", "cud", "cuad", "msp", "mp", "gpu"])
def test_a_name_within_one_letter_of_a_devices(refused, name):
    (line,) = refused(RICH + f"\n[profile.{name}]\ntrain.batch = 4\n")
    assert line.startswith(
        f"mine.toml:{END + 1}: profile.{name}: is no device (cpu, cuda, mps), so it is never chosen; did you mean"
    )


@pytest.mark.parametrize("name", ["auto", "none"])
def test_names_with_a_meaning(refused, name):
    assert refused(RICH + f"\n[profile.{name}]\n") == [
        f"mine.toml:{END + 1}: profile.{name}: --profile {name} has another meaning; choose another name"
    ]


@pytest.mark.parametrize("name", ["laptop", "a100", "cuda-big", "big2"])
def test_free_names(read, name):
    assert read(RICH + f"\n[profile.{name}]\ntrain.batch = 4\n", profile=name).train.batch == 4


def test_what_a_profile_may_not_hold(refused):
    text = RICH + "\n[profile.x]\nseed = 3\nname = 'y'\n[profile.z]\nlosss = 'l1'\n"
    assert refused(text) == [
        f"mine.toml:{END + 2}: profile.x.seed: a profile cannot change this",
        f"mine.toml:{END + 3}: profile.x.name: a profile cannot change this",
        f"mine.toml:{END + 5}: losss: unknown key; did you mean 'loss'? (profile z)",
    ]
    assert refused(RICH + "\n[profile]\nx = 3\n")[0].startswith("mine.toml:")
    plain = RICH[: RICH.index("[profile.cpu]")]
    assert refused(plain + "[profile]\nx = 3\n")[0].endswith("profile.x: expected a table, got 3")
    assert refused("profile = 3\n" + plain) == ["mine.toml:1: profile: expected tables, as in [profile.cpu]"]


def test_a_bare_name_in_a_profile_has_its_line(refused):
    assert refused(RICH + "\n[profile.x]\nsampler = 'ddmp'\n") == [
        f"mine.toml:{END + 2}: sampler.name: no sampler is called 'ddmp'; did you mean 'ddpm'? (profile x)"
    ]
