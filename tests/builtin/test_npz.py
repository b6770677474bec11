import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from difftool.api import InputError
from difftool.builtin.npz import Npz, register_datasets
from difftool.testing import check_dataset
from tests.builtin.refusals import refused

RANDOM = np.random.default_rng(0)


def pictures(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pictures.npz"


def test_names_in_recipes():
    seen = {}
    register_datasets(seen.__setitem__)
    assert seen == {"npz": Npz}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed, "npy"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("layout", ["NHWC", "NHW1", "NHW", "NCHW", "N1HW"])
def test_every_layout(tmp_path, save, order, layout):
    channels = 1 if "1" in layout or layout == "NHW" else 3
    raw = pictures(7, 10, 12, channels)
    stored = {"NHW": raw[..., 0], "NCHW": raw.transpose(0, 3, 1, 2), "N1HW": raw.transpose(0, 3, 1, 2)}.get(layout, raw)
    stored = np.array(stored, order=order)
    path = tmp_path / ("a.npy" if save == "npy" else "a.npz")
    if save == "npy":
        np.save(path, stored)
    else:
        save(path, stored)
    assert Npz.reads(path)
    data = Npz(path=path, size=(10, 12), channels=channels)
    data.check()
    images = data.open()
    assert (images.take(range(7)) == raw).all()
    assert images.values([0]) == {}
    if channels == 1:
        assert (Npz(path=path, size=(10, 12), channels=3).open().take(range(7)) == raw.repeat(3, axis=3)).all()
    else:
        assert "data.channels = 3" in refused(Npz(path=path, size=(10, 12), channels=1)).do


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 1, 2, 2, 0]),
        np.array([3, 1, 2, 2, 0], dtype=">u2"),
        np.array([[3], [1], [2], [2], [0]], dtype=np.int8),
        np.array(["cat", "dog", "猫", "", "a b"]),
        np.array([b"cat", b"dog", b"x", b"y", b"\xc3\xa9"]),
    ],
)
@pytest.mark.parametrize("name", ["labels", "y", "label"])
def test_labels_are_plain_numbers_or_text(path, labels, name):
    np.savez(path, images=pictures(5, 8, 8), **{name: labels})
    got = Npz(path=path, size=8).open().values([4, 0, 1, 2, 3])["label"]
    wanted = [value.decode() if isinstance(value, bytes) else value for value in labels.reshape(-1).tolist()]
    assert got == [wanted[4], *wanted[:4]]
    assert {type(value) for value in got} <= {int, str}


def test_it_keeps_what_every_data_set_keeps(path):
    np.savez_compressed(path, images=pictures(20, 3, 9, 8), labels=np.arange(20) % 3)
    assert check_dataset(Npz(path=path, size=(9, 8)))


def test_which_array(path):
    four, five = pictures(4, 8, 8), pictures(5, 8, 8)
    for names in (("images", "z"), ("x", "a"), ("arr_0", "arr_1"), ("images", "x")):
        np.savez(path, **{names[1]: five, names[0]: four})
        assert len(Npz(path=path, size=8).open()) == 4
        assert len(Npz(path=path, size=8, key=names[1]).open()) == 5
    np.savez(path, a=four, b=five, c=np.zeros(3))
    problem = refused(Npz(path=path, size=8))
    assert "a (uint8, 4 x 8 x 8), b (uint8, 5 x 8 x 8), c (float64, 3)" in problem.why
    assert "data.key = 'a'" in problem.do
    assert "a, b" in refused(Npz(path=path, size=8, key="images")).do
    np.savez(path, odd=four, images=np.zeros((4, 8, 8)))
    assert len(Npz(path=path, size=8).open()) == 4  # the only one that can be pictures


def test_pictures_are_not_their_own_labels(path):
    np.savez(path, label=pictures(4, 8, 8))
    assert Npz(path=path, size=8).open().values([0]) == {}


def test_channels_last_wins_where_both_could_be(path):
    raw = pictures(4, 3, 8, 3)
    np.savez(path, raw)
    assert (Npz(path=path, size=(3, 8)).open().take(range(4)) == raw).all()


def test_labels_that_fit_the_key(path):
    more = {"y_train": [1, 2, 3, 4], "y_test": [5, 6, 7], "val_labels": [8, 9]}
    np.savez(path, x_train=pictures(4, 8, 8), x_test=pictures(3, 8, 8), val_images=pictures(2, 8, 8), **more)
    for key, labels in (("x_train", [1, 2, 3, 4]), ("x_test", [5, 6, 7]), ("val_images", [8, 9])):
        images = Npz(path=path, size=8, key=key).open()
        assert images.values(range(len(images))) == {"label": labels}
    assert Npz(path=path, size=8, key="x_test", labels="y_test").open().values([0]) == {"label": [5]}
    assert "3 x 8" not in refused(Npz(path=path, size=8, key="x_test", labels="y_train")).what
    assert "y_test" in refused(Npz(path=path, size=8, key="x_test", labels="y_tset")).do


@pytest.mark.parametrize(
    "labels",
    [np.zeros(4), np.arange(3), np.arange(5), np.zeros((4, 2), int), np.array(1), np.zeros(4, bool)],
)
def test_labels_that_are_none(path, labels):
    np.savez(path, images=pictures(4, 8, 8), labels=labels)
    problem = refused(Npz(path=path, size=8))
    assert "each of 4 pictures" in problem.what
    assert "data.labels" in problem.do


def test_labels_without_room_for_text(path):
    archive(path, images=npy((4, 8, 8), data=bytes(256)), labels=npy((4,), "|S0"))
    assert "each of 4 pictures" in refused(Npz(path=path, size=8)).what


@pytest.mark.parametrize(
    "labels", [np.array([b"a", b"\xff"]), *np.array([[2**31, 1], [0xD800, 65]], "<u4").view("<U1")]
)
def test_labels_that_are_not_text(path, labels):
    np.savez(path, images=pictures(2, 8, 8), labels=labels)
    with pytest.raises(InputError, match="not text"):
        Npz(path=path, size=8).open()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8, np.uint16, bool])
def test_other_numbers_than_bytes_are_refused(path, dtype):
    np.savez(path, images=np.zeros((4, 8, 8), dtype))
    problem = refused(Npz(path=path, size=8))
    assert np.dtype(dtype).name in problem.what
    assert problem.where == str(path)
    assert "uint8" in problem.do


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ((4, 9, 8), "8x9, not 8x8"),
        ((4, 3, 9, 8), "8x9, not 8x8"),
        ((4, 8, 8, 4), "neither 1 channel nor 3"),
        ((4, 8, 8, 2), "neither 1 channel nor 3"),
        ((0, 8, 8), "no pictures"),
        ((4, 0, 8, 3), "no pictures"),
        ((4, 192), "no array of pictures"),
        ((2, 2, 8, 8, 3), "no array of pictures"),
        ((), "no array of pictures"),
    ],
)
def test_other_shapes_are_refused(path, shape, what):
    np.savez(path, images=np.zeros(shape, np.uint8))
    problem = refused(Npz(path=path, size=8))
    assert what in problem.what
    if "not 8x8" in what:
        assert "data.size = [9, 8]" in problem.do


class Bomb:
    """Whoever unpickles it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@pytest.mark.parametrize("shape", [(1,), (1, 1, 1)])
def test_pickled_arrays_are_refused_and_never_run(tmp_path, name, shape):
    path, mark = tmp_path / name, tmp_path / "it ran"
    bombs = np.empty(shape, dtype=object)
    bombs.flat[0] = Bomb(mark)
    (np.save if name.endswith("y") else np.savez)(path, bombs)
    problem = refused(Npz(path=path, size=8))
    assert "Python objects" in problem.what
    assert "pickle" in problem.why
    assert not mark.exists()
    if name.endswith("z"):
        np.savez(path, images=pictures(1, 8, 8), labels=bombs.reshape(1))
        assert "labels.astype(str)" in refused(Npz(path=path, size=8)).do
        np.savez(path, images=pictures(1, 8, 8), other=bombs)
        assert len(Npz(path=path, size=8).open()) == 1  # what is not used does no harm
        assert not mark.exists()
    if name.endswith("y"):
        np.load(path, allow_pickle=True).flat[0].close()
    else:
        with np.load(path, allow_pickle=True) as loaded:
            loaded["other"].flat[0].close()
    assert mark.exists()  # so it would have been seen


def npy(shape, dtype="|u1", data=b""):
    """The format, written down from its description."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(f"{name}.npy", data)


HEADERS = {
    "all of memory": npy((2**31, 8, 8)),
    "more than numbers hold": npy((2**70, 8, 8)),
    "what would fit": npy((2**20, 8, 8), data=bytes(100)),
    "less than is there": npy((1, 8, 8), data=bytes(65)),
    "a negative number": npy((-1, 8, 8)),
    "two of them": npy((-1, -8, 8), data=bytes(64)),
    "an odd type": npy((1, 8, 8), "|S99999999999999"),
    "no shape": npy("x"),
    "no literal": npy((1, 8, 8)).replace(b"False", b"exit("),
    "a deep one": b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"(" * 9000,
    "signs without end": b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"-" * 9000,
    "four gigabytes of header": b"\x93NUMPY\2\0\xff\xff\xff\xff" + b" " * 100,
    "a version to come": b"\x93NUMPY\7\0" + npy((1, 8, 8))[8:],
    "half": npy((1, 8, 8))[:30],
}


@pytest.mark.parametrize("what", HEADERS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_is_not_trusted(path, what, packed, monkeypatch):
    def reserved(*_, **__):
        raise AssertionError("memory was reserved")

    if packed:
        archive(path, images=HEADERS[what])
    else:
        path.write_bytes(HEADERS[what])
    monkeypatch.setattr(np, "empty", reserved)
    problem = refused(Npz(path=path, size=8))
    assert problem.where == str(path)
    assert problem.do


def test_the_format_as_it_is_written_down_is_read(path):
    path.write_bytes(npy((1, 8, 8), data=bytes(range(64))))
    assert Npz(path=path, size=8).open().take([0]).reshape(-1).tolist()[:64:3] == list(range(22))


def test_a_member_that_unpacks_to_more_than_it_can_is_refused(path):
    archive(path, images=npy((1000, 8, 8), data=bytes(64000)))
    data = path.read_bytes()
    size = len(npy((1000, 8, 8))) + 64000
    path.write_bytes(data.replace(struct.pack("<I", size), struct.pack("<I", 2**31)))
    assert "cannot hold 2,147,483,648" in refused(Npz(path=path, size=8)).why


def test_every_cut_is_refused(path):
    np.savez_compressed(path, images=pictures(3, 8, 8), labels=np.arange(3))
    whole = path.read_bytes()
    for end in [*range(0, len(whole) - 1, 7), len(whole) - 1]:
        path.write_bytes(whole[:end])
        assert refused(Npz(path=path, size=8)).where == str(path)
    np.save(path.with_suffix(".npy"), pictures(3, 8, 8))
    whole = path.with_suffix(".npy").read_bytes()
    for end in [*range(0, len(whole) - 1, 7), len(whole) - 1]:
        path.write_bytes(whole[:end])
        assert refused(Npz(path=path, size=8)).where == str(path)


def test_damage_is_seen_or_harmless(path):
    """Whatever byte is flipped: a refusal that names the file, or the very same pictures."""
    raw = pictures(3, 8, 8)
    np.savez_compressed(path, images=raw)
    whole = path.read_bytes()
    refusals = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            images = Npz(path=path, size=8).open()
        except InputError as error:
            refusals += error.where == str(path)
        else:
            assert (images.take(range(3))[..., 0] == raw).all()
    assert refusals > len(whole) * 0.6


def test_names_that_cannot_be_decoded(path):
    np.savez(path, é=pictures(1, 8, 8))
    assert len(Npz(path=path, size=8, key="é").open()) == 1
    whole, name, broken = path.read_bytes(), "é".encode(), b"\xff\xff"
    for data in (whole.replace(name, broken, 1), broken.join(whole.rsplit(name, 1))):  # where it lies, in the list
        path.write_bytes(data)
        assert refused(Npz(path=path, size=8)).where == str(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(path, method):
    with zipfile.ZipFile(path, "w", method) as out:
        out.writestr("images.npy", npy((1, 8, 8), data=bytes(64)))
    assert "savez_compressed" in refused(Npz(path=path, size=8)).do


def test_archives_of_other_things(path):
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("notes.txt", "text")
        out.writestr(".npy", npy((1, 8, 8), data=bytes(64)))
    assert "no arrays at all" in refused(Npz(path=path, size=8)).why
    path.write_bytes(b"<html>")
    assert "<html>" in refused(Npz(path=path, size=8)).why
    path.write_bytes(b"")
    assert "empty" in refused(Npz(path=path, size=8)).why
    archive(path, **{f"a{n}": b"" for n in range(1001)})
    assert "more than 1000 arrays" in refused(Npz(path=path, size=8)).what


def test_a_npy_file_has_no_keys(tmp_path):
    np.save(tmp_path / "a.npy", pictures(2, 8, 8))
    assert "leave data.key out" in refused(Npz(path=tmp_path / "a.npy", size=8, key="images")).do
    assert "leave data.labels out" in refused(Npz(path=tmp_path / "a.npy", size=8, labels="y")).do


def test_more_than_memory_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    head = npy((2**27, 8, 8))
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 2**33)  # a hole: it takes no room on the disk
    assert "24 GiB" in refused(Npz(path=path, size=8)).why


def test_nothing_there_and_odd_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = refused(Npz(path="nowhere.npz", size=8))
    assert problem.where == str(tmp_path / "nowhere.npz")
    assert "no such file or folder" in problem.what
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    for path in ("folder.npz", "pipe.npz", "loop.npz", "/dev/zero", "~nobody-at-all/x.npz", "zero\0byte.npz", "no.npz"):
        assert not Npz.reads(Path(path)), path
        assert "data.path" in refused(Npz(path=path, size=8)).do


def test_it_reads_its_own_format_and_no_other(tmp_path):
    for name in ("a.npz", "b.NPZ", "c.npy"):
        (tmp_path / name).touch()
        assert Npz.reads(tmp_path / name)
    with (tmp_path / "array").open("wb") as file:
        np.save(file, pictures(1, 8, 8))
    assert Npz.reads(tmp_path / "array")
    for name, data in {"a.zip": b"PK\3\4", "a.png": b"\x89PNG", "npz": b"", "b": b"\x93NUMP"}.items():
        (tmp_path / name).write_bytes(data)
        assert not Npz.reads(tmp_path / name)
    assert not Npz.reads(tmp_path)


def test_describing_needs_neither_torch_nor_numpy(path):
    np.savez(path, images=pictures(1, 8, 8))
    code = (
        "import sys; from difftool.builtin.npz import Npz; from difftool.api import InputError\n"
        "from pathlib import Path\n"
        f"path = Path({str(path)!r}); assert Npz.reads(path); assert Npz(path=path, size=8).shape == (3, 8, 8)\n"
        "try: Npz(path='nowhere', size=8).check(); assert False\n"
        "except InputError: pass\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        "data = Npz(path=path, size=8); data.check(); data.open().take([0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("bad", [{"size": 0}, {"key": ""}, {"labels": ""}, {"channels": 2}, {"path": ""}, {"x": 1}])
def test_fields_that_cannot_be(bad):
    with pytest.raises(ValidationError):
        Npz(**({"path": "x", "size": 8} | bad))
    with pytest.raises(ValidationError):
        Npz(path="x")
