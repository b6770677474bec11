import colorsys
import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from difftool.builtin import avatar_traits as words
from difftool.builtin.avatar_colours import LEVELS, Ink, palette
from difftool.builtin.avatar_eyes import SHAPES
from difftool.builtin.avatar_hair import FRINGES
from difftool.builtin.avatar_scene import scene
from difftool.builtin.avatars import Avatars
from difftool.data import cache
from difftool.testing import check_dataset

TABLES = {
    "hair": words.HAIR,
    "eyes": words.EYES,
    "expression": words.EXPRESSIONS,
    "accessory": words.ACCESSORIES,
    "style": words.STYLES,
    "fringe": words.FRINGES,
    "eye_shape": words.EYE_SHAPES,
    "pose": words.POSES,
    "clothes": words.CLOTHES,
    "ground": words.GROUNDS,
}


def drawn(index, seed=0):
    """(traits, outlines) of a picture."""
    dice = words.dice_of(seed, index)
    traits = words.throw(dice)
    palette(traits, dice)
    return traits, scene(traits, dice)


def outlines(art, ink):
    return [art.points[start:stop] for start, stop, found, _ in art.parts if found == ink]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 17, 31, 32, 47, 64, 120, 256, (16, 256), (256, 16), (40, 64)])
def test_avatars_are_bytes_of_the_promised_shape(channels, size):
    data = Avatars(size=size, channels=channels, count=4)
    pictures = data.open().take(range(4))
    assert pictures.dtype == np.uint8
    assert pictures.shape == (4, *data.shape[1:], channels)
    assert all(np.ptp(picture) > 100 for picture in pictures)
    assert data.open().take([]).shape == (0, *pictures.shape[1:])


def test_avatars_pass_the_kit():
    check_dataset(Avatars(count=40, size=32))


def test_a_picture_depends_on_seed_and_index_alone():
    whole = Avatars(seed=5, count=30, size=32).open().take(range(30))
    other = Avatars(seed=5, count=1000, size=32, label="all").open()
    assert (other.take([29, 3, 3, 7]) == whole[[29, 3, 3, 7]]).all()
    assert (other.take(np.arange(30)[::-1]) == whole[::-1]).all()
    seeds = [0, 1, 2**32, 2**62, 2**63 - 1]
    pictures = np.stack([Avatars(seed=seed, count=8, size=16).open().take(range(8)) for seed in seeds])
    assert len(np.unique(pictures.reshape(len(seeds) * 8, -1), axis=0)) == len(seeds) * 8


def test_another_process_draws_the_same_and_describing_loads_nothing_heavy():
    code = (
        "import sys, hashlib; from difftool.builtin.avatars import Avatars; a = Avatars(count=12, size=48, seed=9)\n"
        "assert not {'numpy', 'PIL', 'torch'} & set(sys.modules)\n"
        "print(hashlib.sha256(a.open().take(range(11, -1, -1))[::-1].tobytes()).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    here = Avatars(count=12, size=48, seed=9).open().take(range(12))
    assert told == hashlib.sha256(here.tobytes()).hexdigest()


def test_what_is_taken_may_be_written_to():
    data = Avatars(count=2).open()
    first = data.take([0])
    before = first.copy()
    first[:] = 0
    assert (data.take([0]) == before).all()


def test_grey_is_the_luma_of_colour():
    colour = Avatars(count=20).open().take(range(20)).astype(float)
    grey = Avatars(count=20, channels=1).open().take(range(20))[..., 0]
    assert np.abs(colour @ [0.299, 0.587, 0.114] - grey).max() <= 1.5


@pytest.mark.parametrize("size", [24, 32, 48, 64, 100])
def test_it_is_the_same_face_at_every_size(size):
    large = Avatars(count=12, size=256).open().take(range(12))
    small = Avatars(count=12, size=size).open().take(range(12)).astype(float)
    shrunk = [np.asarray(Image.fromarray(each).resize((size, size), Image.Resampling.BOX)) for each in large]
    away = np.abs(small - np.array(shrunk)).mean(axis=(1, 2, 3))
    assert away.max() < 6
    assert np.abs(small - np.roll(shrunk, 1, axis=0)).mean(axis=(1, 2, 3)).min() > 18  # others are far away


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (32, 200)])
def test_an_oblong_is_the_square_with_more_around_it(size):
    side = min(size)
    square = Avatars(count=10, size=side).open().take(range(10))
    top, left = ((length - side) // 2 for length in size)
    oblong = Avatars(count=10, size=size).open().take(range(10))
    same = oblong[:, top : top + side, left : left + side] == square
    assert same[:, :, 1:].all()  # at the left edge of a canvas, Pillow cuts polygons off a hair differently
    edges = oblong[:, :, 0] if size[1] > size[0] else oblong[:, 0]
    assert (edges.max(axis=-1) > 25).mean() > 0.9  # a ground, not nothing


def test_there_is_enough_to_choose_from_and_all_of_it_occurs():
    for field, least in {"style": 12, "hair": 10, "eye_shape": 8, "eyes": 6, "expression": 4, "pose": 3}.items():
        assert len(TABLES[field]) >= least
    thrown = [words.traits(0, index) for index in range(2000)]
    for field, table in TABLES.items():
        counts = Counter(getattr(each, field) for each in thrown)
        assert set(counts) == set(table)
        assert min(counts.values()) > 80, field
    assert set(FRINGES) == set(words.FRINGES)
    assert set(SHAPES) == set(words.EYE_SHAPES)


def test_odds_are_as_written():
    for names, odds, field in (
        (words.EXPRESSIONS, words.EXPRESSION_ODDS, "expression"),
        (words.ACCESSORIES, words.ACCESSORY_ODDS, "accessory"),
    ):
        assert len(names) == len(odds)
        assert sum(odds) == pytest.approx(1)
        counts = Counter(getattr(words.traits(3, index), field) for index in range(4000))
        for name, share in zip(names, odds, strict=True):  # five standard deviations
            assert counts[name] / 4000 == pytest.approx(share, abs=5 * (share * (1 - share) / 4000) ** 0.5)


def hsv(picture):
    return np.array([colorsys.rgb_to_hsv(*(pixel / 255)) for pixel in picture.reshape(-1, 3).astype(float)])


def apart(hue, other):
    return np.abs((hue - other + 180) % 360 - 180)


# Written down anew, as a person would say them: hue, or a test of saturation and value.
HUES = {"blonde": 44, "orange": 22, "red": 356, "pink": 337, "purple": 270, "blue": 220, "aqua": 182, "green": 128}


def test_hair_is_of_the_colour_that_the_label_says():
    data = Avatars(count=400, size=32)
    opened = data.open()
    labels = opened.values(range(400))
    seen = Counter()
    for index in range(400):
        if labels["accessory"][index] not in ("none", "glasses"):
            continue
        name = labels["hair"][index]
        zone = hsv(opened.take([index])[0, 3:9, 10:22])
        hue, saturation, value = zone[:, 0] * 360, zone[:, 1], zone[:, 2]
        if name in HUES:
            strong = saturation > 0.25
            tops = np.histogram(hue[strong], bins=36, range=(0, 360))[0]
            assert apart(10 * tops.argmax() + 5, HUES[name]) < 21, (index, name)
        elif name == "black":
            assert np.median(value) < 0.45
        elif name == "silver":
            assert np.median(saturation) < 0.25
            assert np.median(value) > 0.5
        else:
            assert name == "brown"
            assert apart(np.median(hue), 18) < 15
            assert np.median(value) < 0.68
        seen[name] += 1
    assert set(seen) == set(words.HAIR)


def test_eyes_are_of_the_colour_that_the_label_says():
    opened = Avatars(count=500, size=64).open()
    labels = opened.values(range(500))
    hues = {"blue": 214, "aqua": 182, "green": 132, "purple": 272}
    seen = Counter()
    for index in range(500):
        name = labels["eyes"][index]
        plain = labels["hair"][index] in ("brown", "blonde", "orange", "red")  # far from these hues
        if name not in hues or not plain or labels["accessory"][index] != "none":
            continue
        zone = hsv(opened.take([index])[0, 24:44, 14:50])
        strong = (zone[:, 1] > 0.4) & (zone[:, 2] > 0.5) & (apart(zone[:, 0] * 360, 15) > 70)
        assert strong.sum() > 6
        assert apart(np.median(zone[strong, 0] * 360), hues[name]) < 20, (index, name)
        seen[name] += 1
    assert min(seen[name] for name in hues) >= 3


def test_a_turned_head_is_not_a_shifted_one():
    gone = {"frontal": [], "left": [], "right": []}
    for index in range(200):
        traits, art = drawn(index)
        if traits.expression == "wink" or traits.accessory == "glasses":  # one eye, or glints in the same ink
            continue
        whites = outlines(art, Ink.WHITE)
        left, right = (np.ptp(white[:, 0]) for white in whites)
        far_to_near = {"frontal": 1.0, "left": left / right, "right": right / left}[traits.pose]
        assert (far_to_near < 0.96) == (traits.pose != "frontal"), index  # the eye that turns away gets narrower
        middle = np.mean([white.mean(axis=0)[0] for white in whites])
        gone[traits.pose].append(middle - outlines(art, Ink.SKIN)[0].mean(axis=0)[0])  # sideways of the neck
    assert abs(np.mean(gone["frontal"])) < 0.03
    assert np.mean(gone["left"]) < -0.05
    assert np.mean(gone["right"]) > 0.05


def test_an_accessory_is_worn_when_the_label_says_so_and_is_in_the_picture():
    worn = {"glasses", "ribbon", "hat", "flower", "headband"}
    for index in range(200):
        traits, art = drawn(index)
        found = outlines(art, Ink.WORN) + outlines(art, Ink.WORN_LIGHT)
        assert bool(found) == (traits.accessory in worn)
        if found:
            inside = np.abs(np.concatenate(found)).max(axis=1) < 1
            assert inside.mean() > 0.4, (index, traits.accessory)


def test_a_winking_eye_is_closed_and_no_other():
    for index in range(150):
        traits, art = drawn(index)
        assert len(outlines(art, Ink.PUPIL)) == (1 if traits.expression == "wink" else 2)


def test_a_palette_is_256_colours():
    dice = words.dice_of(0, 0)
    assert len(palette(words.throw(dice), dice)) == 3 * 256 == 3 * len(Ink) * LEVELS
    assert sorted(Ink) == list(range(32))


def test_no_two_look_alike():
    pictures = Avatars(count=300, size=32).open().take(range(300)).astype(np.int16)
    for index in range(299):
        other = np.abs(pictures[index + 1 :] - pictures[index]).max(axis=3) > 16
        assert other.mean(axis=(1, 2)).min() > 0.25


def test_values_say_what_the_label_is_to_tell():
    values = Avatars(count=50, label="all").open().values([7, 2, 7])
    for name in ("hair", "eyes", "expression", "accessory"):
        assert Avatars(count=50, label=name).open().values([7, 2, 7])["label"] == values[name]
        assert values[name][0] == values[name][2]
    for row in range(3):
        hair, eyes, expression, worn = (values[name][row] for name in ("hair", "eyes", "expression", "accessory"))
        parts = [f"{hair} hair", f"{eyes} eyes", expression, *([] if worn == "none" else [worn])]
        assert values["label"][row] == ", ".join(parts)
        assert hair in values["caption"][row]
        assert f"{eyes} eyes" in values["caption"][row]
        assert (worn in values["caption"][row]) == (worn != "none")


def test_captions_read_well():
    for index in range(3000):
        caption = words.traits(1, index).caption
        assert caption.startswith("a face with ")
        assert not any(bad in caption for bad in ("  ", "{", "none", "a orange", "a aqua", "a cat"))


@pytest.mark.parametrize("index", [-1, 5, 2**40])
def test_no_such_avatar(index):
    data = Avatars(count=5).open()
    for ask in (data.take, data.values):
        with pytest.raises(IndexError, match="0 to 4"):
            ask([0, index])


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 15},
        {"size": 257},
        {"size": [64]},
        {"size": (64, 300)},
        {"channels": 4},
        {"count": 0},
        {"seed": -1},
        {"label": "nose"},
        {"colour": 1},
    ],
)
def test_avatars_refuse(bad):
    with pytest.raises(ValidationError):
        Avatars(**bad)


@pytest.mark.parametrize("version", ["PIL.__version__", "difftool.builtin.avatar_paint.VERSION"])
def test_faces_are_drawn_anew_by_another_pillow_or_another_hand(tmp_path, monkeypatch, version):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    faces = Avatars(size=16, count=2)
    faces.open()
    faces.open()
    assert len(cache.holdings()) == 1
    monkeypatch.setattr(version, "another")
    faces.open()
    assert len(cache.holdings()) == 2
