"""A close look at pictures, against figures computed another way; and the sheet that shows them."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from difftool.data import survey as module
from difftool.data.scan import Fit
from difftool.data.sheet import GAP, png, sheet
from difftool.data.survey import SHOWN, survey
from difftool.errors import InputError

RANDOM = np.random.default_rng(3)


def quiet(what, done, total):
    pass


def noise(path, height=8, width=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_spread_are_those_of_all_pixels(tmp_path, channels):
    pixels = np.stack([noise(tmp_path / f"{index}.png") for index in range(7)])
    if channels == 1:
        luma = [np.asarray(Image.fromarray(each).convert("L"))[..., None] for each in pixels]
        pixels = np.stack(luma)
    found = survey(tmp_path, Fit(8, 8, channels), quiet)
    assert found.mean == pytest.approx((pixels / 255).mean(axis=(0, 1, 2)), abs=1e-12)
    assert found.spread == pytest.approx((pixels / 255).std(axis=(0, 1, 2)), abs=1e-9)
    assert (found.shown == pixels).all()


def test_one_colour_has_no_spread(tmp_path):
    Image.new("RGB", (8, 8), (51, 102, 255)).save(tmp_path / "a.png")
    found = survey(tmp_path, Fit(8, 8), quiet)
    assert found.mean == pytest.approx([0.2, 0.4, 1.0])
    assert found.spread == pytest.approx([0, 0, 0], abs=1e-7)


def test_sizes_are_those_of_the_files(tmp_path):
    for index, (height, width) in enumerate([(8, 8), (8, 8), (9, 30), (100, 7)]):
        noise(tmp_path / f"{index}.png", height, width)
    assert survey(tmp_path, Fit(4, 4), quiet).sizes == {(8, 8): 2, (30, 9): 1, (7, 100): 1}


def put_all(folder):
    """Two pairs of twins, one pair of broken ones, and one of the same length that differ."""
    noise(folder / "a" / "one.bmp")
    noise(folder / "a" / "other.bmp")  # the same length
    (folder / "b").mkdir()
    (folder / "b" / "again.BMP").write_bytes((folder / "a" / "one.bmp").read_bytes())
    noise(folder / "b" / "two.png")
    (folder / "b" / "two too.jpg").write_bytes((folder / "b" / "two.png").read_bytes())
    for name in ("x.png", "y.png"):
        (folder / name).write_bytes(b"the same, but no picture")


def test_twins(tmp_path):
    put_all(tmp_path)
    found = survey(tmp_path, Fit(4, 4), quiet)
    assert found.twins == [["a/one.bmp", "b/again.BMP"], ["b/two too.jpg", "b/two.png"]]
    assert [name for name, _ in found.report.skipped] == ["x.png", "y.png"]
    assert found.values == {"label": ["a", "a", "b", "b", "b"]}


def test_twins_in_an_archive(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    put_all(folder)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    assert survey(tmp_path / "a.zip", Fit(4, 4), quiet).twins == survey(folder, Fit(4, 4), quiet).twins


def test_two_bars_and_the_second_ends_when_twins_are_known(tmp_path, monkeypatch):
    put_all(tmp_path)
    seen = []
    digest = module._digest

    def noted(*arguments):
        seen.append("hashed")
        return digest(*arguments)

    monkeypatch.setattr(module, "_digest", noted)
    survey(tmp_path, Fit(4, 4), lambda what, done, total: seen.append((what, done, total)))
    first = seen.index("hashed")
    assert [seen[0], seen[first - 1]] == [("reading", 0, 7), ("reading", 7, 7)]
    # Of the same length and no broken ones: bitmaps, the copied PNG.
    steps = [("looking for duplicates", done, 5) for done in range(1, 6)]
    assert seen[first:] == [each for step in steps for each in ("hashed", step)]


def test_a_file_that_goes_away_is_nobodys_twin(tmp_path):
    noise(tmp_path / "a.bmp")
    noise(tmp_path / "b.bmp")

    def lose(what, done, total):
        if done == 2:
            (tmp_path / "b.bmp").unlink(missing_ok=True)

    assert survey(tmp_path, Fit(4, 4), lose).twins == []


def test_a_member_that_is_damaged_behind_its_picture_ends_nothing(tmp_path):
    """Large ones are read as far as the picture goes, and only the hash of all finds it."""
    packed = io.BytesIO()
    Image.new("RGB", (8, 8)).save(packed, "BMP")
    content = packed.getvalue() + bytes(17 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.bmp", content)
        archive.writestr("b.bmp", content)
    raw = bytearray((tmp_path / "a.zip").read_bytes())
    raw[16 << 20] ^= 1
    (tmp_path / "a.zip").write_bytes(raw)
    found = survey(tmp_path / "a.zip", Fit(4, 4), quiet)
    assert found.report.found == "found 2 images in 1 folder, ignored 0 files"
    assert found.twins == []


def test_the_shown_are_spread_over_all(tmp_path):
    for index in range(3 * SHOWN):
        Image.new("L", (1, 1), index).save(tmp_path / f"{index:03d}.png")
    shown = survey(tmp_path, Fit(1, 1, 1), quiet).shown.ravel().astype(int)
    assert len(shown) == SHOWN
    assert (shown[0], shown[-1]) == (0, 3 * SHOWN - 1)
    assert set(np.diff(shown)) <= {3, 4}


def test_where_one_is_broken_the_next_is_shown(tmp_path):
    for index in range(2 * SHOWN - 1):  # every other one has a place among the shown, and is broken
        path = tmp_path / f"{index:03d}.png"
        Image.new("L", (1, 1), index).save(path) if index % 2 else path.touch()
    shown = survey(tmp_path, Fit(1, 1, 1), quiet).shown.ravel().tolist()
    assert shown == list(range(1, 2 * SHOWN - 1, 2))


def test_all_broken_is_an_answer_too(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    found = survey(tmp_path, Fit(4, 4), quiet)
    assert found.report.found == "found 0 images in 0 folders, ignored 1 file (broken 1)"
    assert len(found.shown) == 0
    assert found.twins == []


def test_more_broken_than_training_would_take(tmp_path):
    noise(tmp_path / "a.png")
    for index in range(150):
        (tmp_path / f"{index}.png").touch()
    assert len(survey(tmp_path, Fit(4, 4), quiet).report.skipped) == 150


def test_nothing_to_look_at():
    with pytest.raises(InputError, match="does not exist"):
        survey(Path("/nowhere/at/all"), Fit(4, 4), quiet)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (3, 2, 2), (5, 2, 3), (64, 8, 8)])
def test_a_sheet_shows_each_picture_once(channels, count, rows, columns):
    pixels = RANDOM.integers(0, 255, (count, 70, 80, channels), dtype=np.uint8)  # large enough as they are
    whole = sheet(pixels)
    assert whole.shape == (rows * 72 + GAP, columns * 82 + GAP, channels)
    left = whole.copy()
    for index in range(count):
        top, side = GAP + index // columns * 72, GAP + index % columns * 82
        assert (whole[top : top + 70, side : side + 80] == pixels[index]).all()
        left[top : top + 70, side : side + 80] = 255
    assert (left == 255).all()


def test_small_pictures_are_enlarged_by_whole_steps():
    pixels = np.array([[[[0], [50]], [[100], [150]]]], np.uint8)
    whole = sheet(pixels)
    assert whole.shape == (64 + 2 * GAP, 64 + 2 * GAP, 1)
    assert (whole[GAP : GAP + 32, GAP : GAP + 32] == 0).all()
    assert (whole[GAP + 32 : -GAP, GAP + 32 : -GAP] == 150).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_png_bytes(channels):
    pixels = RANDOM.integers(0, 256, (5, 6, channels), dtype=np.uint8)
    with Image.open(io.BytesIO(png(pixels, {"step": 3, "name": "ü"}))) as image:
        assert image.text == {"difftool.step": "3", "difftool.name": "ü"}
        assert (np.asarray(image).reshape(5, 6, channels) == pixels).all()
