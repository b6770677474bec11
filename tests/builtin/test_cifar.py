import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from difftool.api import InputError
from difftool.builtin.cifar import Cifar, register_datasets
from difftool.testing import check_dataset
from tests.builtin.refusals import refused

TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RANDOM = np.random.default_rng(0)


def save(path, *labels):
    """Records, byte by byte as the format is described: labels, 1024 of red, 1024 of green, 1024 of blue, by rows."""
    pictures, out = [], b""
    for each in labels:
        picture = RANDOM.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        planes = b"".join(picture[:, :, channel].tobytes() for channel in range(3))
        out += bytes(each if isinstance(each, tuple) else (each,)) + planes
        pictures.append(picture)
    path.write_bytes(out)
    return pictures


@pytest.fixture
def ten(tmp_path):
    """A small CIFAR-10: (folder, train, test)."""
    train = save(tmp_path / "data_batch_1.bin", 6, 9, 9) + save(tmp_path / "data_batch_2.bin", 4)
    train += save(tmp_path / "data_batch_10.bin", 0, 1)
    test = save(tmp_path / "test_batch.bin", 3, 8)
    (tmp_path / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n")
    (tmp_path / "readme.html").write_text("<html>")
    return tmp_path, train, test


@pytest.fixture
def hundred(tmp_path):
    """A small CIFAR-100."""
    train = save(tmp_path / "train.bin", (11, 19), (15, 29), (4, 0))
    test = save(tmp_path / "test.bin", (19, 99))
    for kind, count in (("coarse", 20), ("fine", 100)):
        names = "".join(f"{kind}-{n}\n" for n in range(count))
        (tmp_path / f"{kind}_label_names.txt").write_text(names)
    return tmp_path, train, test


def test_names_in_recipes():
    seen = {}
    register_datasets(seen.__setitem__)
    assert seen == {"cifar": Cifar}


def test_ten_in_order_with_names(ten):
    folder, train, test = ten
    for split, wanted, labels in (
        ("train", train, ["frog", "truck", "truck", "deer", "airplane", "automobile"]),
        ("test", test, ["cat", "ship"]),
        ("all", train + test, ["frog", "truck", "truck", "deer", "airplane", "automobile", "cat", "ship"]),
    ):
        data = Cifar(path=folder, split=split)
        data.check()
        images = data.open()
        assert data.shape == (3, 32, 32)
        assert (images.take(range(len(images))) == np.stack(wanted)).all()
        assert images.values(range(len(images))) == {"label": labels}
    assert len(Cifar(path=folder).open()) == 6


def test_hundred_has_fine_labels_and_coarse_ones(hundred):
    folder, train, test = hundred
    images = Cifar(path=folder, split="all").open()
    assert (images.take(range(4)) == np.stack(train + test)).all()
    assert images.values([0, 1, 3]) == {
        "label": ["fine-19", "fine-29", "fine-99"],
        "coarse": ["coarse-11", "coarse-15", "coarse-19"],
    }


def test_numbers_where_there_are_no_names(ten):
    (ten[0] / "batches.meta.txt").unlink()
    labels = Cifar(path=ten[0]).open().values(range(6))["label"]
    assert labels == [6, 9, 9, 4, 0, 1]
    assert type(labels[0]) is int


def test_numbers_and_names_together(hundred):
    (hundred[0] / "fine_label_names.txt").unlink()
    assert Cifar(path=hundred[0]).open().values([0]) == {"label": [19], "coarse": ["coarse-11"]}


def test_they_keep_what_every_data_set_keeps(ten):
    assert check_dataset(Cifar(path=ten[0], split="all"))


def test_hundred_keeps_it_too(hundred):
    assert check_dataset(Cifar(path=hundred[0]))


def test_more_than_one_piece(ten, monkeypatch):
    monkeypatch.setattr("difftool.builtin.foreign_file.PIECE", 2 * 3073 + 5)
    folder, train, _ = ten
    images = Cifar(path=folder).open()
    assert (images.take(range(6)) == np.stack(train)).all()
    assert images.values([1, 2])["label"] == ["truck", "truck"]


def test_describing_and_refusing_need_neither_torch_nor_numpy(ten):
    code = (
        "import sys; from difftool.builtin.cifar import Cifar; from difftool.api import InputError\n"
        f"from pathlib import Path; path = Path({str(ten[0])!r}); Cifar(path=path).check(); assert Cifar.reads(path)\n"
        "try: Cifar(path='nowhere').check(); assert False\n"
        "except InputError: pass\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        "Cifar(path=path).open().take([0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("change", [-1, 1, -3073])
def test_a_file_that_is_not_made_of_whole_records_is_named(ten, change):
    path = ten[0] / "data_batch_2.bin"
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"x")
    problem = refused(Cifar(path=ten[0]))
    assert problem.where == str(path)
    assert ("3,073" in problem.why) == (change != -3073)


def test_labels_that_cannot_be_are_named(ten):
    path = ten[0] / "data_batch_2.bin"
    save(path, 4, 9, 10)
    with pytest.raises(InputError) as caught:
        Cifar(path=ten[0]).open()
    assert caught.value.where == str(path)
    assert "not a file of CIFAR-10" in caught.value.what


@pytest.mark.parametrize(
    "text", ["", "a\nb\n", "\n".join([*TEN[:9], "bird"]), "\n".join([*TEN, "more"]), "\n".join([*TEN, "bird"])]
)
def test_names_that_do_not_fit(ten, text):
    (ten[0] / "batches.meta.txt").write_text(text)
    problem = refused(Cifar(path=ten[0]))
    assert problem.where == str(ten[0] / "batches.meta.txt")


def test_a_split_that_is_not_there(ten):
    (ten[0] / "test_batch.bin").unlink()
    problem = refused(Cifar(path=ten[0], split="test"))
    assert "no test pictures" in problem.what
    assert "data_batch_1.bin" in problem.why


def test_both_versions_in_a_folder(ten):
    save(ten[0] / "train.bin", (0, 0))
    assert "CIFAR-10 and of CIFAR-100" in refused(Cifar(path=ten[0])).what


class Bomb:
    """Whoever unpickles it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("names", [("data_batch_1", "batches.meta"), ("train", "test", "meta")])
def test_the_python_version_is_refused_and_never_unpickled(tmp_path, names):
    mark = tmp_path / "it ran"
    for name in names:
        (tmp_path / name).write_bytes(pickle.dumps(Bomb(mark), protocol=2))
    assert Cifar.reads(tmp_path)  # to say what it is; a folder of pictures it is not
    problem = refused(Cifar(path=tmp_path))
    assert "Python version" in problem.what
    assert "pickle" in problem.why
    assert "cifar-10-binary.tar.gz" in problem.do
    assert not mark.exists()
    pickle.loads((tmp_path / names[0]).read_bytes()).close()
    assert mark.exists()  # so it would have been seen


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("cifar-10-binary.tar.gz", "an archive, not a folder"),
        ("cifar-10-python.tar.gz", "Python version"),
        ("cifar-100-python.tar.gz", "Python version"),
        ("data_batch_1.bin", "no files of CIFAR's binary version"),
    ],
)
def test_a_file_instead_of_the_folder(tmp_path, name, what):
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    assert Cifar.reads(tmp_path / name) == name.endswith(".tar.gz")
    problem = refused(Cifar(path=tmp_path / name))
    assert what in problem.what
    assert "unpack cifar-10-binary.tar.gz or cifar-100-binary.tar.gz" in problem.do


def test_nothing_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = refused(Cifar(path="nowhere"))
    assert problem.where == str(tmp_path / "nowhere")
    assert "no such file or folder" in problem.what
    assert "no files of CIFAR" in refused(Cifar(path=".")).what


def test_odd_paths_are_refused_and_never_waited_for(tmp_path):
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path in (pipe, loop, Path("/dev/zero"), tmp_path / "a", Path("~nobody-at-all/x"), "zero\0byte"):
        assert not Cifar.reads(Path(path))
        refused(Cifar(path=path))
    pipe.rename(tmp_path / "data_batch_1.bin")
    assert refused(Cifar(path=tmp_path)).where == str(tmp_path / "data_batch_1.bin")
    (tmp_path / "data_batch_1.bin").unlink()
    save(tmp_path / "data_batch_1.bin", 1)
    os.mkfifo(tmp_path / "batches.meta.txt")
    assert refused(Cifar(path=tmp_path)).where == str(tmp_path / "batches.meta.txt")


def test_more_than_memory_is_refused_before_it_is_reserved(tmp_path):
    with (tmp_path / "data_batch_1.bin").open("wb") as file:
        file.truncate(3073 * 3_000_000)  # a hole: it takes no room on the disk
    assert "9 GiB" in refused(Cifar(path=tmp_path)).why


def test_it_reads_its_own_format_and_no_other(ten):
    folder = ten[0]
    assert Cifar.reads(folder)
    other = folder / "other"
    other.mkdir()
    assert not Cifar.reads(other)
    (other / "train.bin").write_bytes(bytes(3074))  # as others call theirs too
    assert not Cifar.reads(other)
    (other / "fine_label_names.txt").touch()
    assert Cifar.reads(other)


@pytest.mark.parametrize("bad", [{"path": ""}, {"split": "val"}, {"size": 32}, {"channels": 3}])
def test_fields_that_cannot_be(bad):
    with pytest.raises(ValidationError):
        Cifar(**({"path": "x"} | bad))
