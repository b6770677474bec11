"""Picture files as a data set: broken ones, labels, crops, and a cache that is made once."""

import json
import os
import tarfile
import time
import zipfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from difftool.data import cache, decode
from difftool.data import files as files_module
from difftool.data.array import ArrayImages
from difftool.data.files import PictureFiles
from difftool.data.scan import Fit, read_all
from difftool.data.source import source_at
from difftool.errors import DiskError, InputError
from difftool.run.records import encode
from tests.data import corpus

PLAIN = Fit(4, 4)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "set"


def quiet(done, total):
    pass


def save(path, colour, size=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour, 0, 0)).save(path)


def spoil(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no picture")


def reds(images):
    """The colour of each picture."""
    return images.take(range(len(images)))[:, 1, 1, 0].tolist()


def many(root, count=12):
    """Pictures of the colours 10, 11, ... in three folders, in the order of their names."""
    for place in range(count):
        save(root / "abc"[place * 3 // count] / f"{place:03d}.png", 10 + place)
    return list(range(10, 10 + count))


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded from now on."""
    seen = []
    right = decode.decode

    def noted(source, *arguments):
        seen.append(Path(source).name)
        return right(source, *arguments)

    monkeypatch.setattr(decode, "decode", noted)
    return seen


# Reading


def test_pictures_and_labels_in_order(root):
    colours = many(root)
    files = PictureFiles(root, PLAIN)
    files.check()
    seen = []
    report = files.prepare(lambda done, total: seen.append((done, total)))
    assert report.found == "found 12 images in 3 folders, ignored 0 files"
    assert report.skipped == ()
    assert report.notes == ("12 images are few: a model learns them by heart",)
    assert seen[0] == (0, 12)
    assert seen[-1] == (12, 12)
    images = files.open()
    assert reds(images) == colours
    assert images.values(range(12)) == {"label": list("aaaabbbbcccc")}
    assert images.values([5, 0]) == {"label": ["b", "a"]}


def test_every_suffix_in_any_case_at_any_depth(tmp_path):
    root = tmp_path / "set"
    suffixes = [".JPG", ".jpeg", ".PNG", ".webp", ".bmp", ".TIFF"]
    for place in range(150):
        save(root / f"a {place % 3}" / "ß 猫" / f"x{place % 5}" / f"{place:03d}{suffixes[place % 6]}", 100, (9, 7))
    files = PictureFiles(root, PLAIN)
    assert files.prepare(quiet).found == "found 150 images in 15 folders, ignored 0 files"
    assert np.abs(np.array(reds(files.open())) - 100).max() <= 3  # JPEG is not exact


def test_good_and_broken_files_of_every_kind(root):
    root.mkdir()
    good, broken = corpus.good(root), corpus.broken(root)
    listed = [path for path in (*good, *broken) if not path.name.startswith(".")]
    report = PictureFiles(root, PLAIN).prepare(quiet)
    skipped = {name for name, _ in report.skipped}
    assert skipped <= {path.name for path in broken}  # how strict a decoder is, its own tests say
    assert len(skipped) > 30
    assert report.found.startswith(f"found {len(listed) - len(skipped)} images in 1 folder, ignored ")
    assert f"broken {len(skipped)}" in report.found
    assert all(why and why.isprintable() and len(why) < 200 for _, why in report.skipped)
    json.loads(encode({"skipped": [list(each) for each in report.skipped]}))
    assert len(PictureFiles(root, PLAIN).open()) == len(listed)


def test_large_pictures_come_in_small_blocks(root, monkeypatch):
    colours = many(root)
    monkeypatch.setattr("difftool.data.scan.BLOCK_BYTES", 2 * 4 * 4 * 3)
    seen = []
    files = PictureFiles(root, PLAIN)
    files.prepare(lambda done, total: seen.append(done))
    assert seen == [0, 2, 4, 6, 8, 10, 12]
    assert reds(files.open()) == colours


# Broken files


def test_the_report_counts_and_names(root):
    many(root)
    for name in ("readme.txt", "a/b.TXT", "a/c.txt", "z.md", ".hidden.png"):
        spoil(root / name)
    spoil(root / "b" / "bad.png")
    (root / "c" / "empty.jpg").touch()
    (root / "c" / "gone.png").symlink_to("nowhere")
    report = PictureFiles(root, PLAIN).prepare(quiet)
    assert report.found == "found 12 images in 3 folders, ignored 8 files (.txt 3, broken 3, hidden 1, .md 1)"
    reasons = dict(report.skipped)
    assert list(reasons) == ["b/bad.png", "c/empty.jpg", "c/gone.png"]
    assert "not a picture" in reasons["b/bad.png"]
    assert reasons["c/empty.jpg"] == "empty file"
    assert reasons["c/gone.png"] == "no such file or directory"
    assert report.notes[0] == "broken files are listed in skipped.jsonl; other pictures stand in their places"
    assert PictureFiles(root, PLAIN).prepare(quiet) == report  # from the cache


def test_one_of_each_in_words(root):
    save(root / "a.png", 1)
    spoil(root / "b.txt")
    assert PictureFiles(root, PLAIN).prepare(quiet).found == "found 1 image in 1 folder, ignored 1 file (.txt 1)"
    assert "1 image is few" in PictureFiles(root, PLAIN).prepare(quiet).notes[0]


def test_a_folder_of_broken_files_alone_is_not_counted(root):
    many(root, 6)
    spoil(root / "d" / "bad.png")
    assert PictureFiles(root, PLAIN).prepare(quiet).found.startswith("found 6 images in 3 folders, ")


def test_a_hundred_are_not_few(root):
    many(root, 100)
    assert PictureFiles(root, PLAIN).prepare(quiet).notes == ()


def test_what_is_never_opened_is_told_too(root):
    many(root)
    (root / "gone.png").symlink_to("nowhere")
    assert PictureFiles(root, PLAIN).prepare(quiet).notes[0] == "broken files are listed in skipped.jsonl"


def test_a_broken_file_moves_no_other(root):
    """Its place holds another picture, with that one's label."""
    colours = many(root)
    whole = PictureFiles(root, PLAIN).open()
    label_of = dict(zip(colours, whole.values(range(12))["label"], strict=True))
    places = {}
    for broken in ("a/001.png", "b/006.png", "c/011.png"):
        spoil(root / broken)
        index = int(broken[2:5])
        images = PictureFiles(root, PLAIN).open()
        assert len(images) == 12
        found = reds(images)
        places[index] = found[index]
        assert all(red == colours[at] for at, red in enumerate(found) if at not in places)
        assert {at: found[at] for at in places} == places  # those that stood in earlier stay
        assert all(red in colours and colours.index(red) not in places for red in places.values())
        assert images.values(range(12))["label"] == [label_of[red] for red in found]
    assert reds(PictureFiles(root, PLAIN).open()) == found


def test_broken_ones_have_different_stand_ins(root):
    many(root, 60)
    for place in range(10):
        spoil(root / "a" / f"{place:03d}.png")
    assert len(set(reds(PictureFiles(root, PLAIN).open())[:10])) >= 3


def test_when_a_stand_in_breaks_only_its_places_change(root):
    colours = many(root)
    spoil(root / "a" / "001.png")
    first = reds(PictureFiles(root, PLAIN).open())
    stood_in = colours.index(first[1])
    spoil(root / "abc"[stood_in // 4] / f"{stood_in:03d}.png")
    second = reds(PictureFiles(root, PLAIN).open())
    assert [at for at in range(12) if first[at] != second[at]] == sorted({1, stood_in})
    assert colours[stood_in] not in second


def test_all_but_one_broken(root):
    many(root, 6)
    for path in sorted(root.rglob("*.png"))[1:]:
        spoil(path)
    images = PictureFiles(root, PLAIN).open()
    assert reds(images) == [10] * 6
    assert images.values(range(6)) == {"label": ["a"] * 6}


@pytest.mark.parametrize(("broken", "refused"), [(100, False), (101, True)])
def test_a_hundred_may_be_broken(root, broken, refused):
    many(root, 10)
    for place in range(broken):
        spoil(root / f"{place}.png")
    check_tolerance(PictureFiles(root, PLAIN), refused, f"{broken} so far, of {broken + 10}; data.max_bad allows 100")


@pytest.mark.parametrize(("broken", "refused"), [(120, False), (121, True)])
def test_or_one_in_a_hundred_if_that_is_more(root, broken, refused):
    """12,099 at most: a hundredth is 120."""
    root.mkdir()
    save(root / "good.png", 1)
    for place in range(12_099 - 1 - broken):
        (root / f"g{place}.png").touch()
    for place in range(broken):
        (root / f"x{place}.png").symlink_to("nowhere")
    files = PictureFiles(root, Fit(1, 1))
    if refused:
        check_tolerance(files, True, f"{broken} so far, of 12099; data.max_bad allows 120")
    else:
        with pytest.raises(ReadingBegins):
            files.prepare(begin)


class ReadingBegins(Exception):
    pass


def begin(done, total):
    raise ReadingBegins


@pytest.mark.parametrize(("most", "broken", "refused"), [(0, 0, False), (0, 1, True), (2, 2, False), (2, 3, True)])
def test_max_bad(root, most, broken, refused):
    many(root)
    for place in range(broken):
        spoil(root / f"{place}.png")
    check_tolerance(PictureFiles(root, PLAIN, most), refused, f"{broken} so far, of {12 + broken}")


def test_files_that_are_never_opened_count_as_broken(root):
    many(root)
    os.mkfifo(root / "pipe.png")
    check_tolerance(PictureFiles(root, PLAIN, 0), True, "1 so far, of 13; data.max_bad allows 0")
    with pytest.raises(InputError):  # before anything is read
        PictureFiles(root, PLAIN, 0).prepare(begin)


def check_tolerance(files, refused, what):
    for ask in (files.open, lambda: files.prepare(quiet), files.open):
        if not refused:
            ask()
            continue
        with pytest.raises(InputError) as caught:
            ask()
        assert what in caught.value.what
        assert caught.value.where == str(files.path)
        assert ".png: " in caught.value.why
        assert caught.value.exit_code == 2


def test_the_limit_holds_for_what_is_in_the_cache_too(root):
    many(root)
    spoil(root / "bad.png")
    PictureFiles(root, PLAIN).prepare(quiet)
    with pytest.raises(InputError, match="too many pictures"):
        PictureFiles(root, PLAIN, 0).open()
    assert len(PictureFiles(root, PLAIN, 1).open()) == 13


def test_all_broken(root):
    for name in "abcd":
        spoil(root / f"{name}.png")
    with pytest.raises(InputError, match="none of the 4 pictures can be read") as caught:
        PictureFiles(root, PLAIN).prepare(quiet)
    assert caught.value.why.count("not a picture") == 3
    assert cache.holdings() == []


def test_a_file_that_goes_away_while_it_is_read(root, monkeypatch):
    colours = many(root)
    right = decode.decode

    def lose(source, *arguments):
        Path(root / "b" / "006.png").unlink(missing_ok=True)
        return right(source, *arguments)

    monkeypatch.setattr(decode, "decode", lose)
    report = PictureFiles(root, PLAIN).prepare(quiet)
    assert report.skipped == (("b/006.png", "gone"),)
    assert len(colours) == 12


def test_decoders_that_fail_in_their_own_ways(root, monkeypatch):
    many(root)
    right = decode.decode
    ways = {
        "001.png": KeyError("tag"),
        "002.png": RuntimeError(),
        "003.png": OSError("odd"),
        "004.png": OSError(22, "x"),
    }

    def fail(source, *arguments):
        if error := ways.get(Path(source).name):
            raise error
        return right(source, *arguments)

    monkeypatch.setattr(decode, "decode", fail)
    told = dict(PictureFiles(root, PLAIN).prepare(quiet).skipped)
    assert told == {"a/001.png": "'tag'", "a/002.png": "RuntimeError", "a/003.png": "odd", "b/004.png": "[Errno 22] x"}


PASSING = [MemoryError(), OSError(24, "Too many open files"), OSError(5, "Input/output error"), OSError(116, "Stale")]


def failing(monkeypatch, name, error, times, place="_decode"):
    """Has the reading of one file fail so often."""
    left = [times]
    right = getattr(decode, place)

    def fail(file, *arguments):
        if Path(getattr(file, "name", "")).name == name and left[0] > 0:
            left[0] -= 1
            raise error
        return right(file, *arguments)

    monkeypatch.setattr(decode, place, fail)
    return left


@pytest.mark.parametrize("error", PASSING)
def test_passing_trouble_is_no_broken_file(root, monkeypatch, error):
    colours = many(root)
    left = failing(monkeypatch, "005.png", error, 1)
    assert PictureFiles(root, PLAIN).prepare(quiet).skipped == ()
    assert left == [0]
    assert reds(PictureFiles(root, PLAIN).open()) == colours


@pytest.mark.parametrize("error", PASSING)
def test_trouble_that_stays_is_told_and_not_kept(root, monkeypatch, error):
    colours = many(root)
    failing(monkeypatch, "005.png", error, 2)
    with pytest.raises(DiskError, match="could not be read this time") as caught:
        PictureFiles(root, PLAIN).prepare(quiet)
    assert caught.value.where == str(root / "b" / "005.png")
    assert "try again" in caught.value.do
    assert list(cache.folder().iterdir()) == []
    assert reds(PictureFiles(root, PLAIN).open()) == colours


def test_no_thread_goes_on_once_it_is_stopped(root, monkeypatch):
    """A block of them may take minutes."""
    many(root, 60)
    seen = []
    right = decode.decode

    def slow(source, *arguments):
        seen.append(source)
        time.sleep(0.02)
        return right(source, *arguments)

    monkeypatch.setattr(decode, "decode", slow)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)

    with closing(source_at(root)) as source:
        reads = read_all(source, PLAIN, quiet)
        assert next(reads).pixels is not None
        before = len(seen)
        reads.close()
        assert before <= len(seen) <= before + 1


def test_the_source_is_closed_after_the_threads_end(root, tmp_path, monkeypatch):
    many(root)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in root.rglob("*.png"):
            archive.write(path, path.relative_to(root))
    order = []
    opened = files_module.listed

    def noted(path):
        found = opened(path)
        close = found.close
        found.close = lambda: (order.append("source"), close())
        return found

    reading = files_module.read_all

    def told(*arguments):
        try:
            yield from reading(*arguments)
        finally:
            order.append("threads")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files_module, "listed", noted)
    monkeypatch.setattr(files_module, "read_all", told)
    monkeypatch.setattr(cache, "_check", interrupt)  # in the consumer, while the threads read
    held = None
    try:
        PictureFiles(tmp_path / "a.zip", PLAIN).prepare(quiet)
    except KeyboardInterrupt as error:
        held = error  # with its frames, as long as anybody looks at it
    assert held is not None
    assert order == ["threads", "source"]


# The cache


def test_the_second_time_nothing_is_decoded(root, decoded):
    colours = many(root)
    report = PictureFiles(root, PLAIN).prepare(quiet)
    assert len(decoded) == 12
    assert PictureFiles(root, PLAIN).prepare(lambda *_: pytest.fail("it is read again")) == report
    assert reds(PictureFiles(root, PLAIN, 5).open()) == colours
    assert len(decoded) == 12
    assert len(cache.holdings()) == 1
    assert cache.holdings()[0].about == str(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: os.utime(root / "a" / "000.png", (1, 1)),
        lambda root: save(root / "a" / "new.png", 9),
        lambda root: (root / "a" / "000.png").unlink(),
        lambda root: (root / "a" / "000.png").rename(root / "a" / "0000.png"),
        lambda root: (root / "a" / "000.png").write_bytes((root / "a" / "000.png").read_bytes() + b"\0"),
    ],
)
def test_whatever_changes_the_files_makes_it_anew(root, decoded, change):
    many(root)
    PictureFiles(root, PLAIN).prepare(quiet)
    decoded.clear()
    change(root)
    PictureFiles(root, PLAIN).prepare(quiet)
    assert len(decoded) == sum(1 for _ in root.rglob("*.png"))


def test_other_contents_of_one_size_under_an_old_time_are_seen(root):
    for colour in (50, 60):
        save(root / "a.bmp", colour)
        os.utime(root / "a.bmp", (1, 1))
        assert reds(PictureFiles(root, PLAIN).open()) == [colour]
        time.sleep(0.02)  # the kernel's clock goes in steps


@pytest.mark.parametrize(
    "other",
    [
        Fit(5, 4),
        Fit(4, 5),
        Fit(4, 4, 1),
        Fit(4, 4, crop="random"),
        Fit(4, 4, crop="pad"),
        Fit(4, 4, background=(1, 2, 3)),
    ],
)
def test_other_settings_make_it_anew(root, decoded, other):
    many(root)
    PictureFiles(root, PLAIN).prepare(quiet)
    decoded.clear()
    PictureFiles(root, other).prepare(quiet)
    assert len(decoded) == 12
    assert len(cache.holdings()) == 2


def test_a_seed_that_chooses_nothing_changes_nothing(root, decoded):
    many(root)
    PictureFiles(root, PLAIN).prepare(quiet)
    PictureFiles(root, Fit(4, 4, seed=1)).prepare(quiet)
    assert len(decoded) == 12


@pytest.mark.parametrize("version", ["PIL.__version__", "difftool.data.files.VERSION"])
def test_another_pillow_or_another_way_makes_it_anew(root, decoded, monkeypatch, version):
    many(root)
    PictureFiles(root, PLAIN).prepare(quiet)
    monkeypatch.setattr(version, "another")
    PictureFiles(root, PLAIN).prepare(quiet)
    assert len(decoded) == 24


def test_tars_whose_members_lie_elsewhere_are_others(root, tmp_path, monkeypatch):
    """Even if everything else is the same."""
    monkeypatch.setattr(os, "stat", same_times(os.stat))
    for order in ([50, 60], [60, 50]):
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            for colour in order:
                save(root / "x.bmp", colour)
                archive.add(root / "x.bmp", f"{colour}.bmp")
        files = PictureFiles(tmp_path / "a.tar", PLAIN)
        assert reds(files.open()) == [50, 60]
    assert len(cache.holdings()) == 2


def same_times(stat):
    def old(path, **options):
        found = stat(path, **options)
        if not str(path).endswith("a.tar"):
            return found
        return SimpleNamespace(st_mode=found.st_mode, st_size=found.st_size, st_mtime_ns=1, st_ctime_ns=1)

    return old


def test_a_file_that_is_no_picture_changes_nothing(root, decoded):
    many(root)
    PictureFiles(root, PLAIN).prepare(quiet)
    decoded.clear()
    spoil(root / "notes.txt")
    (root / "labels.csv").write_text("file,label\na/000.png,other\n")
    images = PictureFiles(root, PLAIN).open()
    assert not decoded
    assert images.values([0, 1]) == {"label": ["other", None]}


def test_a_damaged_entry_is_made_anew(root, decoded):
    colours = many(root)
    PictureFiles(root, PLAIN).prepare(quiet)
    for damaged, damage in (
        ("*.json", lambda path: path.write_bytes(b"{}")),
        ("*.u8", lambda path: os.truncate(path, 9)),
    ):
        damage(next(cache.folder().glob(damaged)))
        decoded.clear()
        assert reds(PictureFiles(root, PLAIN).open()) == colours
        assert len(decoded) == 12


def test_a_table_that_is_wrong_is_told_before_hours_of_reading(root, decoded):
    many(root)
    (root / "labels.csv").write_text("nonsense\n")
    with pytest.raises(InputError, match="the first line"):
        PictureFiles(root, PLAIN).prepare(quiet)
    assert not decoded


# Shapes


def ramp(path, width=64, height=16):
    """Red grows from left to right, green from top to bottom: a picture that tells where it was cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    across = np.linspace(0, 255, width)[None, :, None].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None, None].repeat(width, 1)
    Image.fromarray(np.concatenate([across, down, 0 * down], 2).round().astype(np.uint8)).save(path)


def test_a_random_crop_of_a_picture_is_always_the_same(root, tmp_path):
    names = [f"{place}.png" for place in range(8)]
    for name in names:
        ramp(root / name)
    fit = Fit(16, 16, crop="random")
    crops = dict(zip(names, PictureFiles(root, fit).open().take(range(8)), strict=True))
    lefts = {name: int(crop[0, 0, 0]) for name, crop in crops.items()}
    assert len(set(lefts.values())) == 8
    assert max(lefts.values()) - min(lefts.values()) > 60
    for name in names[::2]:
        (root / name).unlink()
    ramp(root / "00.png")
    spoil(root / "1.jpg")
    again = PictureFiles(root, fit).open()
    assert (again.take([2])[0] == crops["1.png"]).all()
    assert (again.take([5])[0] == crops["7.png"]).all()
    elsewhere = tmp_path / "elsewhere"
    ramp(elsewhere / "3.png")
    assert (PictureFiles(elsewhere, fit).open().take([0])[0] == crops["3.png"]).all()


def test_another_seed_crops_elsewhere(root):
    for place in range(8):
        ramp(root / f"{place}.png")
    lefts = [
        PictureFiles(root, Fit(16, 16, crop="random", seed=seed)).open().take(range(8))[:, 0, 0, 0].tolist()
        for seed in (0, 1, 0)
    ]
    assert lefts[0] == lefts[2]
    assert sum(a == b for a, b in zip(lefts[0], lefts[1], strict=True)) <= 1


def test_places_fill_the_whole_room():
    places = np.array([Fit(1, 1).place(f"{index}.png") for index in range(4000)])
    assert places.min() >= 0
    assert places.max() < 1
    counts = np.histogram2d(*places.T, bins=4, range=[[0, 1], [0, 1]])[0]
    assert ((counts - 250) ** 2 / 250).sum() < 37.7  # chi squared, 15 degrees of freedom: one in a thousand


def test_a_crop_of_the_middle(root):
    ramp(root / "a.png")
    crop = PictureFiles(root, Fit(16, 16)).open().take([0])[0]
    wanted = np.linspace(0, 255, 64).round()[24:40]
    assert (crop[:, :, 0] == wanted).all()
    assert crop[0, 0, 1] == 0
    assert crop[-1, 0, 1] == 255


@pytest.mark.parametrize(("channels", "margin"), [(3, [10, 200, 30]), (1, [124])])
def test_margins_have_the_colour_of_the_background(root, channels, margin):
    save(root / "a.png", 90, (8, 4))
    fit = Fit(8, 8, channels, "pad", (10, 200, 30))
    picture = PictureFiles(root, fit).open().take([0])[0]
    assert (picture[:2] == margin).all()
    assert (picture[6:] == margin).all()
    assert (picture[2:6] == ([90, 0, 0] if channels == 3 else [27])).all()  # 0.299 * 90; 0.299 r + 0.587 g + 0.114 b


def test_what_is_clear_shows_the_background(root):
    root.mkdir()
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(root / "a.png")
    assert (PictureFiles(root, Fit(4, 4, background=(1, 2, 3))).open().take([0]) == [1, 2, 3]).all()
    assert (PictureFiles(root, PLAIN).open().take([0]) == 255).all()


@pytest.mark.parametrize("shape", [(6, 3, 3), (3, 6, 1)])
@pytest.mark.parametrize("crop", ["center", "random", "pad"])
def test_pictures_that_are_not_square(root, shape, crop):
    for place, size in enumerate([(4, 4), (9, 2), (2, 9), (1, 1), (50, 30)]):
        save(root / f"{place}.png", 80, size)
    height, width, channels = shape
    taken = PictureFiles(root, Fit(height, width, channels, crop)).open().take(range(5))
    assert taken.shape == (5, *shape)
    assert taken.dtype == np.uint8


def test_an_archive_gives_the_same_as_its_folder(root, tmp_path):
    many(root)
    spoil(root / "b" / "bad.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, tarfile.open(tmp_path / "a.tar", "w") as rolled:
        for path in root.rglob("*.png"):
            packed.write(path, f"top/{path.relative_to(root)}")
            rolled.add(path, f"top/{path.relative_to(root)}")
    plain = PictureFiles(root, PLAIN)
    for name in ("a.zip", "a.tar"):
        files = PictureFiles(tmp_path / name, PLAIN)
        assert files.prepare(quiet).found == plain.prepare(quiet).found
        ours, theirs = files.open(), plain.open()
        good = [at for at in range(13) if at != 8]  # who stands in depends on the whole name
        assert (ours.take(good) == theirs.take(good)).all()
        assert ours.values(good) == theirs.values(good)


# Arrays


def test_arrays_refuse_indices_that_numpy_would_take():
    images = ArrayImages(np.arange(24, dtype=np.uint8).reshape(4, 2, 3, 1), {"label": list("abcd")})
    for wrong in ([-1], [0, 4], [99]):
        with pytest.raises(IndexError, match="they are 0 to 3"):
            images.take(wrong)
        with pytest.raises(IndexError, match="they are 0 to 3"):
            images.values(wrong)
    taken = images.take([1, 1])
    taken[:] = 0
    assert images.take([1]).any()
    assert images.take([]).shape == (0, 2, 3, 1)


def test_arrays_with_rows():
    pixels = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)
    images = ArrayImages(pixels, {"label": list("wxyz")}, np.array([2, 0, 0, 1]))
    assert len(images) == 4
    assert images.take([0, 3, 1]).ravel().tolist() == [2, 1, 0]
    assert images.values([3]) == {"label": ["z"]}
    with pytest.raises(ValueError, match="3 values of 'label' for 4 pictures"):
        ArrayImages(pixels, {"label": list("abc")}, np.array([0, 1, 2, 2]))
