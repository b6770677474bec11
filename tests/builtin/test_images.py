import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from difftool.api import InputError
from difftool.builtin.images import ImageFolder, register_datasets
from difftool.plugin.loader import installed
from difftool.testing import check_dataset

RANDOM = np.random.default_rng(5)


def save(path, size=(6, 4), colour=(1, 2, 3), **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **more)


def quiet(done, total):
    pass


def test_names_in_recipes():
    seen = {}
    register_datasets(seen.__setitem__)
    assert seen == {"images": ImageFolder}


def test_describing_costs_neither_torch_nor_numpy_nor_pillow(tmp_path):
    save(tmp_path / "a.png")
    code = (
        "import sys; from difftool.builtin.images import ImageFolder\n"
        f"data = ImageFolder(path={str(tmp_path)!r}, size=[8, 16])\n"
        "assert data.shape == (3, 8, 16)\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        "data.check(); data.prepare(lambda done, total: None); data.open().take([0])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_keeps_what_every_data_set_must(tmp_path):
    for place in range(30):
        pixels = RANDOM.integers(0, 256, (9, 13, 3), dtype=np.uint8)
        path = tmp_path / ("cats", "dogs", "")[place % 3] / f"{place:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "cats" / "04.jpg").write_bytes(b"no picture")
    (tmp_path / "zz.png").symlink_to("nowhere")
    for data in (
        ImageFolder(path=tmp_path, size=8),
        ImageFolder(path=tmp_path, size=(7, 12), channels=1, crop="random", seed=3),
        ImageFolder(path=tmp_path, size=(12, 7), crop="pad", background=(1, 2, 3)),
    ):
        assert check_dataset(data)


def test_folder_in_byte_order_whatever_the_depth_or_case(tmp_path):
    names = ["b.png", "B.PNG", "a/z.bmp", "a.png", "é.png", "sub/deep/x.TIFF"]
    for place, name in enumerate(names):
        save(tmp_path / name, colour=(place, 0, 0))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._a.png").write_bytes(b"left by a Mac")
    (tmp_path / "loop").symlink_to(tmp_path)
    data = ImageFolder(path=str(tmp_path), size=(4, 6))
    assert data.shape == (3, 4, 6)
    images = data.open()
    assert len(images) == len(names)
    order = [names[p] for p in images.take(range(6))[:, 0, 0, 0]]
    assert order == sorted(names, key=lambda name: name.encode())
    assert images.take([2, 0]).shape == (2, 4, 6, 3)
    assert images.values([0, 2, 4, 5]) == {"label": [None, "a", "sub", None]}
    for index in (-1, 6):
        with pytest.raises(IndexError):
            images.take([index])


def test_a_linked_picture_counts_and_grey_is_made(tmp_path):
    save(tmp_path / "real" / "a.png", size=(5, 5), colour=(9, 9, 9))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "real" / "a.png")
    images = ImageFolder(path=str(tmp_path / "set"), size=5, channels=1).open()
    assert images.take([0]).tolist() == np.full((1, 5, 5, 1), 9).tolist()
    assert images.values([0]) == {}


def test_the_path_may_be_relative_or_at_home(tmp_path, monkeypatch):
    save(tmp_path / "pets" / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("pets", "~/pets", "./pets/", Path("pets")):
        assert len(ImageFolder(path=path, size=(4, 6)).open()) == 1
    for ask in (lambda data: data.check(), lambda data: data.prepare(quiet), lambda data: data.open()):
        with pytest.raises(InputError) as caught:
            ask(ImageFolder(path="pet", size=4))
        assert caught.value.where == str(tmp_path / "pet")
        assert caught.value.exit_code == 2


def test_pictures_of_any_size_and_shape(tmp_path):
    for place, size in enumerate([(4, 4), (40, 4), (3, 90), (1, 1), (6, 4)]):
        save(tmp_path / f"{place}.png", size, (9, 9, 9))
    images = ImageFolder(path=tmp_path, size=(4, 6)).open()
    assert (images.take(range(5)) == 9).all()


def test_prepare_reports_and_open_gives_all_places(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        save(tmp_path / name)
    (tmp_path / "b" / "4.png").write_bytes(b"GIF89a")
    (tmp_path / "readme.txt").touch()
    data = ImageFolder(path=tmp_path, size=4)
    report = data.prepare(quiet)
    assert report.found == "found 3 images in 2 folders, ignored 2 files (.txt 1, broken 1)"
    assert [name for name, _ in report.skipped] == ["b/4.png"]
    assert len(data.open()) == 4
    with pytest.raises(InputError, match=r"1 so far, of 4; data\.max_bad allows 0"):
        ImageFolder(path=tmp_path, size=4, max_bad=0).open()


@pytest.mark.parametrize("key", ["crop", "background", "seed", "channels", "size"])
def test_every_key_reaches_the_pictures(tmp_path, key):
    wide = np.linspace(0, 255, 400).astype(np.uint8).reshape(1, 400, 1).repeat(8, 0).repeat(4, 2)
    wide[..., 3] = 200
    Image.fromarray(wide).save(tmp_path / "a.png")
    plain = {"crop": "random", "size": 8}
    other = {"crop": "pad", "background": (0, 99, 0), "seed": 1, "channels": 1, "size": (8, 9)}[key]
    before = ImageFolder(path=tmp_path, **plain).open().take([0])
    after = ImageFolder(path=tmp_path, **(plain | {key: other})).open().take([0])
    assert before.shape != after.shape or (before != after).any()


def test_what_is_no_recipe(tmp_path):
    for fields in (
        {"path": "x"},
        {"size": 4},
        {"path": "", "size": 4},
        {"path": "x", "size": 0},
        {"path": "x", "size": 8193},
        {"path": "x", "size": (4, 0)},
        {"path": "x", "size": (4, 4, 3)},
        {"path": "x", "size": 4, "channels": 2},
        {"path": "x", "size": 4, "crop": "stretch"},
        {"path": "x", "size": 4, "background": (0, 0)},
        {"path": "x", "size": 4, "background": (0, 0, 256)},
        {"path": "x", "size": 4, "seed": -1},
        {"path": "x", "size": 4, "max_bad": -1},
    ):
        with pytest.raises(ValidationError):
            ImageFolder(**fields)


def test_what_a_recipe_says_comes_back(tmp_path):
    data = ImageFolder(path="x", size=(4, 5), crop="pad", background=(1, 2, 3), max_bad=0)
    table = installed().registry.dump(data)
    assert json.loads(json.dumps(table)) == {
        "name": "images", "path": "x", "size": [4, 5], "channels": 3, "crop": "pad",
        "background": [1, 2, 3], "seed": 0, "max_bad": 0,
    }  # fmt: skip
    table.pop("name")
    assert ImageFolder(**table) == data
