import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from difftool.api import InputError
from difftool.builtin.idx import Idx, register_datasets
from difftool.testing import check_dataset
from tests.builtin.refusals import refused

RAW = np.random.default_rng(0)


def idx(array, type_=8):
    """The format, written down from its description."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, type_, array.ndim, *array.shape) + array.tobytes()


def pictures(count, *each):
    return RAW.integers(0, 256, (count, *(each or (28, 28))), dtype=np.uint8)


def save(path, array, packed=None):
    data = idx(array)
    path.write_bytes(gzip.compress(data) if (path.suffix == ".gz" if packed is None else packed) else data)
    return array


@pytest.fixture
def mnist(tmp_path):
    """A folder as it is downloaded, with fewer pictures: (folder, train, test)."""
    train, test = pictures(12), pictures(5)
    save(tmp_path / "train-images-idx3-ubyte.gz", train)
    save(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(12, dtype=np.uint8))
    save(tmp_path / "t10k-images-idx3-ubyte", test)
    save(tmp_path / "t10k-labels-idx1-ubyte", np.arange(100, 105, dtype=np.uint8))
    return tmp_path, train, test


def test_names_in_recipes():
    seen = {}
    register_datasets(seen.__setitem__)
    assert seen == {"idx": Idx}


def test_the_splits_and_their_labels(mnist):
    folder, train, test = mnist
    both = np.concatenate([train, test])
    for split, wanted, labels in (
        ("all", both, [*range(12), *range(100, 105)]),
        ("train", train, list(range(12))),
        ("test", test, list(range(100, 105))),
    ):
        data = Idx(path=folder, split=split)
        data.check()
        images = data.open()
        assert data.shape == (1, 28, 28)
        assert (images.take(range(len(images)))[..., 0] == wanted).all()
        assert images.values(range(len(images)))["label"] == labels
        assert type(images.values([0])["label"][0]) is int
    assert len(Idx(path=folder).open()) == 12  # a model is never trained on the pictures it is tested with unasked


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["t10k"], 1),
        (["here"], 1),
        (["", "t10k"], 1),
        (["t10k", "test"], 3),
        (["", "t10k", "train"], 4),
    ],
)
def test_without_files_called_train_there_is_what_there_is(tmp_path, names, count):
    for place, name in enumerate(names):
        save(tmp_path / f"{name}-images-idx3-ubyte".removeprefix("-"), pictures(2**place))
    data = Idx(path=tmp_path)
    data.check()
    assert len(data.open()) == count


def test_it_keeps_what_every_data_set_keeps(mnist):
    assert check_dataset(Idx(path=mnist[0]))
    assert check_dataset(Idx(path=mnist[0], size=(30, 33), channels=3))


def test_describing_and_refusing_need_neither_torch_nor_numpy(mnist, tmp_path):
    code = (
        "import sys; from difftool.builtin.idx import Idx; from difftool.api import InputError\n"
        "from pathlib import Path\n"
        f"Idx(path={str(mnist[0])!r}).check(); assert Idx.reads(Path({str(mnist[0])!r}))\n"
        "try: Idx(path='nowhere').check(); assert False\n"
        "except InputError: pass\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        f"Idx(path={str(mnist[0])!r}).open().take([0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_file_and_its_labels(mnist):
    folder, train, test = mnist
    images = Idx(path=folder / "t10k-images-idx3-ubyte").open()
    assert (images.take(range(5))[..., 0] == test).all()
    assert images.values([4])["label"] == [104]
    assert len(Idx(path=folder / "train-images-idx3-ubyte.gz", split="train").open()) == len(train)
    problem = refused(Idx(path=folder / "train-images-idx3-ubyte.gz", split="test"))
    assert "no test pictures" in problem.what
    assert "data.split" in problem.do


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte", "train-labels.idx1-ubyte"),
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz"),
        ("images-idx3-ubyte", "labels-idx1-ubyte"),
    ],
)
def test_names_of_the_family(tmp_path, images, labels):
    save(tmp_path / images, pictures(3))
    save(tmp_path / labels, np.array([5, 6, 7], np.uint8))
    assert Idx.reads(tmp_path)
    assert Idx.reads(tmp_path / images)
    assert Idx(path=tmp_path).open().values([0, 2])["label"] == [5, 7]


def test_without_labels_there_are_no_values(tmp_path):
    save(tmp_path / "anything.bin", pictures(3))
    save(tmp_path / "labels-idx1-ubyte", np.zeros(9, np.uint8))
    assert Idx.reads(tmp_path / "anything.bin")
    assert Idx(path=tmp_path / "anything.bin").open().values([0]) == {}
    check_dataset(Idx(path=tmp_path / "anything.bin"))


def test_some_with_labels_and_some_without_are_refused(mnist):
    (mnist[0] / "t10k-labels-idx1-ubyte").unlink()
    problem = refused(Idx(path=mnist[0], split="all"))
    assert problem.where == str(mnist[0] / "t10k-images-idx3-ubyte")
    assert len(Idx(path=mnist[0], split="test").open()) == 5


def test_packed_and_unpacked_side_by_side_count_once(mnist):
    folder, train, _ = mnist
    save(folder / "train-images.idx3-ubyte", train[:7])  # differs, so that it is seen which was read
    save(folder / "train-labels-idx1-ubyte", np.arange(7, dtype=np.uint8))
    for name in ("t10k-images.idx3-ubyte", "train-labels.idx1-ubyte"):
        (folder / name).mkdir()  # as some archives unpack
    assert len(Idx(path=folder, split="all").open()) == 7 + 5


def test_gzip_is_known_by_its_bytes_not_its_name(tmp_path):
    save(tmp_path / "train-images-idx3-ubyte.gz", pictures(2), packed=False)
    save(tmp_path / "t10k-images-idx3-ubyte", pictures(3), packed=True)
    assert len(Idx(path=tmp_path, split="all").open()) == 5


def test_several_data_sets_in_a_folder_are_not_mixed(tmp_path):
    for name in ("emnist-digits-train", "emnist-digits-test", "emnist-letters-train"):
        save(tmp_path / f"{name}-images-idx3-ubyte", pictures(2))
    problem = refused(Idx(path=tmp_path))
    assert "emnist-digits, emnist-letters" in problem.why
    assert len(Idx(path=tmp_path, split="test").open()) == 2
    assert len(Idx(path=tmp_path / "emnist-letters-train-images-idx3-ubyte").open()) == 2


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["fashion-images", "kmnist-images"], "fashion, kmnist"),
        (["images", "kmnist-images"], "one without a name, kmnist"),
        (["train-a-images", "train-b-images"], "a, b"),
        (["train-images", "train-kmnist-images"], "one without a name, kmnist"),
        (["A-images", "train-a-images", "a-test-images"], None),
        (["images", "train-images", "t10k-images"], None),
    ],
)
def test_data_sets_are_told_apart_by_what_else_their_names_say(tmp_path, names, why):
    for name in names:
        save(tmp_path / f"{name}-idx3-ubyte", pictures(2))
    if why:
        assert why in refused(Idx(path=tmp_path, split="all")).why
    else:
        assert len(Idx(path=tmp_path, split="all").open()) == 2 * len(names)


@pytest.mark.parametrize("size", [(10, 7), (13, 10)])
def test_transposed_pictures(tmp_path, size):
    raw = save(tmp_path / "train-images-idx4-ubyte", pictures(3, 7, 10, 3))
    with pytest.raises(InputError, match="not"):
        Idx(path=tmp_path, size=(7, 10), channels=3, transpose=True).check()
    got = Idx(path=tmp_path, size=size, channels=3, transpose=True).open().take(range(3))
    top, left = (size[0] - 10) // 2, (size[1] - 7) // 2
    assert got.shape == (3, *size, 3)
    for row in range(10):
        assert (got[:, top + row, left : left + 7] == raw[:, :, row]).all()
    assert int(got.sum()) == int(raw.sum())  # and all else is black
    assert "[10, 7]" in refused(Idx(path=tmp_path, size=(9, 7), channels=3, transpose=True)).do


@pytest.mark.parametrize("size", [28, 29, 32, (28, 31), 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_larger_size_is_a_black_frame(tmp_path, size, channels):
    raw = save(tmp_path / "train-images-idx3-ubyte", pictures(4))
    data = Idx(path=tmp_path, size=size, channels=channels)
    height, width = size if isinstance(size, tuple) else (size, size)
    extra = [(side - 28) // 2 for side in (height, width)]
    frame = ((0, 0), *((n, side - 28 - n) for n, side in zip(extra, (height, width), strict=True)))
    got = data.open().take(range(4))
    assert got.shape == (4, height, width, channels)
    for channel in range(channels):
        assert (got[..., channel] == np.pad(raw, frame)).all()


def test_colour_files(tmp_path):
    raw = save(tmp_path / "train-images-idx4-ubyte", pictures(3, 10, 8, 3))
    data = Idx(path=tmp_path, size=(10, 8), channels=3)
    assert (data.open().take(range(3)) == raw).all()
    assert "data.channels = 3" in refused(Idx(path=tmp_path, size=(10, 8))).do
    raw = save(tmp_path / "train-images-idx4-ubyte", pictures(3, 10, 8, 1))
    assert (Idx(path=tmp_path, size=(10, 8)).open().take(range(3)) == raw).all()


def test_more_than_one_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("difftool.builtin.foreign_file.PIECE", 28 * 28 * 3 + 5)
    raw = save(tmp_path / "train-images-idx3-ubyte.gz", pictures(11))
    assert (Idx(path=tmp_path).open().take(range(11))[..., 0] == raw).all()


def test_smaller_is_refused_with_the_remedy(tmp_path):
    save(tmp_path / "train-images-idx3-ubyte", pictures(2, 28, 30))
    problem = refused(Idx(path=tmp_path, size=32 - 4))
    assert problem.where == str(tmp_path / "train-images-idx3-ubyte")
    assert "30x28, not 28x28" in problem.what
    assert "[28, 30]" in problem.do


GOOD = idx(pictures(3))
PACKED = gzip.compress(GOOD)
BROKEN = {
    "empty": b"",
    "cut in the magic": GOOD[:3],
    "cut in the header": GOOD[:9],
    "cut": GOOD[:-1],
    "too long": GOOD + b"x",
    "web page": b"<html>not found</html>",
    "floats": idx(np.zeros((2, 28, 28), np.float32), 13),
    "labels": idx(np.zeros(7, np.uint8)),
    "two dimensions": idx(np.zeros((7, 3), np.uint8)),
    "four channels": idx(np.zeros((2, 5, 5, 4), np.uint8)),
    "no pictures": idx(np.zeros((0, 28, 28), np.uint8)),
    "no width": idx(np.zeros((3, 28, 0), np.uint8)),
    "promises all of memory": struct.pack(">IIII", 0x803, 2**31, 28, 28) + bytes(100),
    "promises more than numbers hold": struct.pack(">IIII", 0x803, *[2**32 - 1] * 3),
    "promises what would fit": struct.pack(">IIII", 0x803, 2**20, 28, 28) + bytes(100),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", BROKEN)
def test_broken_files_are_named(tmp_path, what, packed):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(BROKEN[what]) if packed else BROKEN[what])
    if not packed:
        refused(Idx(path=tmp_path))  # by check(), too
    with pytest.raises(InputError) as caught:
        Idx(path=tmp_path).open()
    assert caught.value.where == str(path)
    assert caught.value.do


@pytest.mark.parametrize(
    "data",
    [PACKED[:-4], PACKED[:50], PACKED[:3], PACKED[:-8] + b"12345678", PACKED[:10] + b"\xff" * 99],
    ids=["no checksum", "cut", "cut in gzip's header", "wrong checksum", "damaged"],
)
def test_broken_gzip_is_named(tmp_path, data):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        Idx(path=tmp_path).open()
    assert caught.value.where == str(path)
    assert "again" in caught.value.do


def test_a_promise_is_refused_before_memory_is_reserved(tmp_path, monkeypatch):
    def reserved(*_, **__):
        raise AssertionError("memory was reserved")

    monkeypatch.setattr(np, "zeros", reserved)
    monkeypatch.setattr(np, "empty", reserved)
    for data in (BROKEN["promises all of memory"], BROKEN["promises what would fit"]):
        for content in (data, gzip.compress(data)):
            (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
            refused(Idx(path=tmp_path))


def test_a_frame_that_would_not_fit_into_memory_is_refused(tmp_path):
    save(tmp_path / "train-images-idx3-ubyte", pictures(200, 1, 1))
    problem = refused(Idx(path=tmp_path, size=8192))
    assert "12 GiB" in problem.why  # 200 * 8192 * 8192 bytes


@pytest.mark.parametrize("count", [2, 4])
def test_labels_of_another_number_are_refused(tmp_path, count):
    save(tmp_path / "train-images-idx3-ubyte", pictures(3))
    save(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(count, np.uint8))
    problem = refused(Idx(path=tmp_path))
    assert problem.where == str(tmp_path / "train-labels-idx1-ubyte.gz")
    assert f"{count} labels for 3 pictures" in problem.what


def test_labels_that_are_cut_or_not_labels_are_refused(tmp_path):
    save(tmp_path / "train-images-idx3-ubyte", pictures(3))
    labels = tmp_path / "train-labels-idx1-ubyte"
    good = idx(np.zeros(3, np.uint8))
    for data in (good[:-1], good + b"\0", b"", gzip.compress(good[:-1]), gzip.compress(good + b"\0"), GOOD):
        labels.write_bytes(data)
        with pytest.raises(InputError) as caught:
            Idx(path=tmp_path).open()
        assert caught.value.where == str(labels)


def test_nothing_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = refused(Idx(path="nowhere"))
    assert problem.where == str(tmp_path / "nowhere")
    assert "no such file or folder" in problem.what
    assert "data.path" in problem.do
    (tmp_path / "a.png").touch()
    assert "no idx files" in refused(Idx(path=".")).what
    assert "not an idx file" in refused(Idx(path="a.png")).what


def test_odd_paths_are_refused_and_never_waited_for(tmp_path):
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for path in (pipe, loop, tmp_path / "gone", Path("/dev/zero"), tmp_path / "a" / "b", Path("~nobody-at-all/x")):
        assert not Idx.reads(path)
        refused(Idx(path=path))
    assert not Idx.reads(Path("zero\0byte"))
    refused(Idx(path="zero\0byte"))
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        save(tmp_path / "train-images-idx3-ubyte", pictures(1))
        (tmp_path / name).unlink(missing_ok=True)
        os.mkfifo(tmp_path / name)
        assert "not a plain file" in refused(Idx(path=tmp_path)).what
        (tmp_path / name).unlink()


def test_what_becomes_a_pipe_meanwhile_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    monkeypatch.setattr("difftool.builtin.foreign_file.stat.S_ISREG", lambda mode: True)
    assert refused(Idx(path=tmp_path)).where == str(tmp_path / "train-images-idx3-ubyte")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(mnist):
    folder = mnist[0]
    (folder / "t10k-images-idx3-ubyte").chmod(0)
    assert refused(Idx(path=folder, split="test")).where == str(folder / "t10k-images-idx3-ubyte")
    folder.chmod(0)
    try:
        assert not Idx.reads(folder)
        refused(Idx(path=folder))
    finally:
        folder.chmod(0o700)


def test_it_reads_its_own_format_and_no_other(mnist, tmp_path):
    folder = mnist[0]
    assert all(Idx.reads(path) for path in (folder, *folder.iterdir()))
    other = tmp_path / "other"
    other.mkdir()
    for name, data in {
        "a.png": b"\x89PNG\r\n\x1a\n",
        "b.gz": gzip.compress(b"text"),
        "c.ico": b"\0\0\1\0\1\0",
        "d.tga": b"\0\0\n\0",
        "e.npz": b"PK\3\4",
        "f": b"",
        "g": b"\x1f\x8b\xff\xff",
    }.items():
        (other / name).write_bytes(data)
        assert not Idx.reads(other / name), name
    assert not Idx.reads(other)


@pytest.mark.parametrize("bad", [{}, {"size": 0}, {"size": 9000}, {"channels": 2}, {"split": "val"}, {"count": 1}])
def test_fields_that_cannot_be(bad):
    with pytest.raises(ValidationError):
        Idx(**({"path": "x"} | bad if bad else {}))
