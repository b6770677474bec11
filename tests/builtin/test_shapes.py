import numpy as np
import pytest
from pydantic import ValidationError

from difftool.api import InputError
from difftool.builtin.shapes import Shapes

KINDS = Shapes().kinds


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 32, (16, 40), (40, 16), 100])
def test_shapes_are_bytes_of_the_promised_shape(channels, size):
    data = Shapes(size=size, channels=channels, count=20)
    pictures = data.open().take(range(20))
    assert pictures.dtype == np.uint8
    assert pictures.shape[1:] == (*data.shape[1:], data.shape[0])
    assert len(data.open()) == 20
    assert data.open().take([]).shape == (0, *pictures.shape[1:])


def test_a_picture_depends_on_seed_and_index_alone():
    whole = Shapes(seed=5, count=50).open().take(range(50))
    other = Shapes(seed=5, count=1000).open()
    assert (other.take([49, 3, 3, 7]) == whole[[49, 3, 3, 7]]).all()
    assert (other.take(np.arange(50)[::-1]) == whole[::-1]).all()
    assert len(np.unique(whole.reshape(50, -1), axis=0)) == 50


def test_what_is_taken_may_be_written_to():
    data = Shapes(count=2).open()
    first = data.take([0])
    before = first.copy()
    first[:] = 0
    assert (data.take([0]) == before).all()


def test_other_seeds_are_other_pictures():
    seeds = [0, 1, 2**32, 2**62, 2**63 - 1]
    pictures = np.stack([Shapes(seed=seed, count=8).open().take(range(8)) for seed in seeds])
    assert len(np.unique(pictures.reshape(len(seeds) * 8, -1), axis=0)) == len(seeds) * 8


@pytest.mark.parametrize("index", [2**8, 2**16])
def test_late_pictures_of_one_seed_are_not_the_early_ones_of_the_next(index):
    late = Shapes(size=8, count=index + 1).open().take([index])
    assert (late != Shapes(size=8, seed=1).open().take([0])).any()


def test_grey_is_the_luma_of_colour():
    colour = Shapes(count=30).open().take(range(30)).astype(float)
    grey = Shapes(count=30, channels=1).open().take(range(30))[..., 0]
    assert np.abs(colour @ [0.299, 0.587, 0.114] - grey).max() <= 1.5


@pytest.mark.parametrize("channels", [1, 3])
def test_one_clear_shape_of_the_right_size_with_soft_edges(channels):
    pictures = Shapes(count=200, channels=channels).open().take(range(200)).astype(int)
    for picture in pictures:
        ground = picture[0, 0]
        away = np.abs(picture - ground).max(axis=2)
        assert (picture[[0, 0, -1, -1], [0, -1, 0, -1]] == ground).all()
        assert away.max() > 50  # seen at a glance, in grey too
        rows, columns = np.nonzero(away > away.max() / 2)
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert 0.4 * 32 <= extent <= 0.8 * 32
        between = (away > 0) & (away < away.max())
        assert between.any()
        assert len(np.unique(away[between])) > 2


def test_every_kind_and_both_grounds_occur_about_equally():
    data = Shapes(count=4000).open()
    labels = data.values(range(4000))["label"]
    counts = np.array([labels.count(kind) for kind in KINDS])
    assert counts.min() > 4000 / len(KINDS) * 0.8
    corner = data.take(range(400))[:, 0, 0].mean(axis=1)
    assert 0.35 < (corner > 128).mean() < 0.65


def test_the_label_decides_what_is_drawn():
    mixed = Shapes(count=60, seed=3)
    data = mixed.open()
    labels = data.values(range(60))["label"]
    assert data.values([7, 2])["label"] == [labels[7], labels[2]]
    for kind in KINDS:  # with one kind to choose from, every other throw stays the same
        alone = Shapes(count=60, seed=3, kinds=(kind,))
        assert set(alone.open().values(range(60))["label"]) == {kind}
        same = (alone.open().take(range(60)) == data.take(range(60))).all(axis=(1, 2, 3))
        assert [i for i in range(60) if same[i]] == [i for i in range(60) if labels[i] == kind]


def test_shapes_look_like_their_names():
    def covered(kind):
        pictures = Shapes(size=64, channels=1, count=20, kinds=(kind,)).open().take(range(20)).astype(int)[..., 0]
        for picture in pictures:
            away = np.abs(picture - picture[0, 0])
            inside = away > away.max() / 2
            rows, columns = np.nonzero(inside)
            box = inside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            yield box.mean(), inside[(rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2]

    shares = {kind: np.array(list(covered(kind)), dtype=float) for kind in KINDS}
    assert np.allclose(shares["circle"][:, 0], np.pi / 4, atol=0.04)
    assert np.allclose(shares["ring"][:, 0], np.pi / 4 * (1 - 0.56**2), atol=0.05)
    assert not shares["ring"][:, 1].any()  # a hole
    for kind in ("circle", "square", "triangle", "star", "heart", "cross"):
        assert shares[kind][:, 1].all(), kind
    assert shares["star"][:, 0].max() < shares["square"][:, 0].min()


@pytest.mark.parametrize("index", [-1, 5, 2**40])
def test_no_such_shape(index):
    data = Shapes(count=5).open()
    for ask in (data.take, data.values):
        with pytest.raises(IndexError, match="0 to 4"):
            ask([0, index])


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 7},
        {"size": 1025},
        {"size": [8]},
        {"size": (8, 2000)},
        {"channels": 4},
        {"count": 0},
        {"seed": -1},
        {"kinds": []},
        {"kinds": ["blob"]},
        {"colour": 1},
    ],
)
def test_shapes_refuse(bad):
    with pytest.raises(ValidationError):
        Shapes(**bad)


def test_more_than_memory_holds_is_said(monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(np, "zeros", full)
    with pytest.raises(InputError, match="need 3 GiB"):
        Shapes(count=1024, size=1024).open()
