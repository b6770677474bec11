import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from difftool.api import InputError
from difftool.builtin.datasets import ImageFolder, Shapes, register_datasets


def test_names_in_recipes():
    seen = {}
    register_datasets(seen.__setitem__)
    assert seen == {"shapes": Shapes, "images": ImageFolder}


def test_describing_costs_neither_torch_nor_numpy_nor_pillow(tmp_path):
    code = (
        "import sys; from difftool.builtin.datasets import ImageFolder, Shapes; from difftool.api import InputError\n"
        "assert Shapes(size=[8, 16]).shape == (3, 8, 16)\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        f"try: ImageFolder(path={str(tmp_path)!r}, size=8).open()\n"
        "except InputError: pass\n"
        "Shapes(count=2, size=8).open().take([0])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def save(path, size=(6, 4), colour=(1, 2, 3), **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **more)


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
    assert images.values([0, 1]) == {}
    for index in (-1, 6):
        with pytest.raises(IndexError):
            images.take([index])


def test_a_linked_picture_counts_and_grey_is_made(tmp_path):
    save(tmp_path / "real" / "a.png", size=(5, 5), colour=(9, 9, 9))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "real" / "a.png")
    images = ImageFolder(path=str(tmp_path / "set"), size=5, channels=1).open()
    assert images.take([0]).tolist() == np.full((1, 5, 5, 1), 9).tolist()


def test_the_path_may_be_relative_or_at_home(tmp_path, monkeypatch):
    save(tmp_path / "pets" / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("pets", "~/pets", "./pets/"):
        assert len(ImageFolder(path=path, size=(4, 6)).open()) == 1
    with pytest.raises(InputError) as caught:
        ImageFolder(path="pet", size=4).open()
    assert caught.value.where == str(tmp_path / "pet")
    assert caught.value.exit_code == 2


def test_no_pictures_says_what_is_there(tmp_path):
    with pytest.raises(InputError, match="no pictures") as caught:
        ImageFolder(path=str(tmp_path), size=4).open()
    assert caught.value.why == "the folder is empty"
    for name in ("a.txt", "b.TXT", "c.npz", "LICENSE"):
        (tmp_path / name).touch()
    (tmp_path / "up").symlink_to(tmp_path)
    with pytest.raises(InputError) as caught:
        ImageFolder(path=str(tmp_path), size=4).open()
    assert caught.value.where == str(tmp_path)
    for part in ("2 .txt", "1 .npz", "1 no suffix", "1 link to a folder"):
        assert part in caught.value.why
    with pytest.raises(InputError, match="a file, not a folder"):
        ImageFolder(path=str(tmp_path / "a.txt"), size=4).open()


def test_a_picture_of_another_size_is_named(tmp_path):
    for name in ("a", "c", "d"):
        save(tmp_path / f"{name}.png")
    save(tmp_path / "b.png", size=(7, 4))
    with pytest.raises(InputError, match=r"7x4, not 6x4") as caught:
        ImageFolder(path=str(tmp_path), size=(4, 6)).open()
    assert caught.value.where == str(tmp_path / "b.png")
    assert "[4, 7]" in caught.value.do


def test_a_broken_picture_is_named(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"GIF89a")
    with pytest.raises(InputError) as caught:
        ImageFolder(path=str(tmp_path), size=(4, 6)).open()
    assert caught.value.where == str(tmp_path / "b.png")


def test_size_and_path_are_required(tmp_path):
    for fields in ({"path": "x"}, {"size": 4}, {"path": "", "size": 4}, {"path": "x", "size": 0}):
        with pytest.raises(ValidationError):
            ImageFolder(**fields)
