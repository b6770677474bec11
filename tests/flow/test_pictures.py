"""Runs on somebody's own pictures: odd files, files that go away, and what the run says of them."""

import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from difftool.core.sampling import to_bytes
from difftool.data import cache
from difftool.data.sheet import sheet
from difftool.engine.data import opened
from difftool.engine.feed import Feed
from difftool.engine.watch import Watcher
from difftool.errors import InputError

from .conftest import TINY, events


def put(folder, name, seed, size=(11, 9)):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "mine"
    for number in range(12):
        put(made, f"{number:02d}.png", number)
    return made


def data_of(folder):
    return f"data={{name='images', path='{folder}', size=8}}"


class Teller(Watcher):
    def __init__(self, at=0, do=None):
        self.at, self.do, self.said = at, do, []

    def say(self, text):
        self.said.append(text)

    def step(self, step):
        if step == self.at:
            self.do()


def test_broken_files_are_left_out_and_listed(train, folder):
    (folder / "03.png").write_bytes(b"")
    (folder / "deep").mkdir()
    (folder / "deep" / "page.jpg").write_text("<html>")
    (folder / "notes.txt").touch()
    teller = Teller()
    run = train(data_of(folder), watcher=teller)
    assert "found 11 images in 1 folder, ignored 3 files (broken 2, .txt 1)" in teller.said
    rows = [json.loads(line) for line in run.skipped.read_text().splitlines()]
    assert [row["file"] for row in rows] == ["03.png", "deep/page.jpg"]
    assert rows[0]["why"] == "empty file"
    assert all(row["loss"] is not None for row in events(run, "metrics"))


def test_no_list_where_nothing_was_left_out(train, folder):
    assert not train(data_of(folder)).skipped.exists()


def test_the_sheet_shows_the_first_pictures_exactly_as_they_are_trained_on(train, folder, registry, recipe):
    sets = (data_of(folder), "train.flip=true")
    run = train(*sets)
    made = recipe(*sets)
    feed = Feed(made.data.open(), made, registry, torch.device("cpu"))
    trained = torch.cat([to_bytes(part.x0) for step in range(1, 13) for part in feed(step)])[:64]
    assert len(trained) == 64
    assert np.array_equal(np.asarray(Image.open(run.sheet)), sheet(trained.numpy()))


def test_without_flips_no_picture_is_mirrored(train, folder, registry, recipe):
    made = recipe(data_of(folder), "train.flip=false")
    images = made.data.open()
    own = {picture.tobytes() for picture in images.take(range(12))}
    feed = Feed(images, made, registry, torch.device("cpu"))
    seen = {picture.numpy().tobytes() for step in range(1, 9) for part in feed(step) for picture in to_bytes(part.x0)}
    assert seen == own


@pytest.mark.parametrize("how", ["deleted", "damaged", "emptied"])
def test_a_file_that_goes_away_does_not_stop_a_run(train, folder, how):
    def hurt():
        if how == "deleted":
            for path in folder.glob("*.png"):
                path.unlink()
            folder.rmdir()
        for path in folder.glob("*.png"):
            path.write_bytes(b"" if how == "emptied" else path.read_bytes()[:40])

    calm = train(data_of(folder), name="calm")
    run = train(data_of(folder), name="hurt", watcher=Teller(3, hurt))
    assert [row["loss"] for row in events(run, "metrics")] == [row["loss"] for row in events(calm, "metrics")]


def test_one_more_broken_file_moves_no_other_picture(folder, recipe):
    before = recipe(data_of(folder)).data.open().take(range(12))
    (folder / "05.png").write_bytes(b"gone bad")
    after = recipe(data_of(folder)).data.open().take(range(12))
    same = [bool((a == b).all()) for a, b in zip(before, after, strict=True)]
    assert same == [index != 5 for index in range(12)]
    assert any((after[5] == before[other]).all() for other in range(12) if other != 5)


def test_a_run_goes_on_when_a_file_breaks_that_its_fingerprint_does_not_hold(train, go_on, folder):
    for number in range(12, 130):
        put(folder, f"{number:03d}x.png", number, size=(8, 8))
    run = train(data_of(folder), "train.steps=4")
    held = set(np.linspace(0, 129, 64).astype(int).tolist())
    names = sorted(path.name for path in folder.glob("*.png"))
    free = next(name for index, name in enumerate(names) if index not in held)
    (folder / free).write_bytes(b"gone bad")
    assert go_on(run, "train.steps=8")
    assert [json.loads(line)["file"] for line in run.skipped.read_text().splitlines()] == [free]
    put(folder, free, 1, size=(8, 8))  # mended, though not as it was
    assert go_on(run, "train.steps=9")
    assert not run.skipped.exists()


def test_other_pictures_are_refused_on_resume(train, go_on, folder):
    run = train(data_of(folder), "train.steps=4")
    put(folder, "00.png", 99)
    with pytest.raises(InputError, match="not the one this run was trained on"):
        go_on(run, "train.steps=8")
    assert go_on(run, "train.steps=8", allow=["data"])


def test_the_second_start_reads_no_picture(train, folder, monkeypatch):
    train(data_of(folder), name="first")
    monkeypatch.setattr("difftool.data.files.read_all", lambda *_: pytest.fail("read again"))
    train(data_of(folder), name="second")


def test_a_cleared_cache_does_not_stop_a_run(train, folder):
    run = train(data_of(folder), watcher=Teller(2, cache.clear))
    assert events(run, "end")[0]["state"] == "done"


def test_labels_come_from_folders_and_from_a_table(difftool, tmp_path):
    for number in range(6):
        put(tmp_path / "mine", f"{'cat' if number % 2 else 'dog'}/{number}.png", number)
    (tmp_path / "tiny.toml").write_text(TINY)
    sets = ("--set", "train.steps=2", "--set", "conditions.label=labels")
    difftool("train", "tiny.toml", "--data", "mine", *sets, "--name", "a", check=0)
    assert 'classes = [\n    "cat",\n    "dog",\n]' in (tmp_path / "runs" / "a" / "recipe.toml").read_text()
    table = "file,label,who\n" + "".join(f"{'cat' if n % 2 else 'dog'}/{n}.png,p{n % 3},x\n" for n in range(6))
    (tmp_path / "mine" / "labels.csv").write_text(table)
    difftool("train", "tiny.toml", "--data", "mine", *sets, "--name", "b", check=0)
    assert '"p0",\n    "p1",\n    "p2",\n' in (tmp_path / "runs" / "b" / "recipe.toml").read_text()


def test_a_picture_without_a_label_is_trained_as_one_whose_label_is_withheld(registry, recipe, tmp_path):
    for number, name in enumerate(("cat/0.png", "dog/1.png", "2.png")):
        put(tmp_path / "some", name, number)
    made = recipe(data_of(tmp_path / "some"), "conditions.label=labels", "conditions.label.drop=0", "train.batch=6")
    data = opened(made, registry, Watcher())
    feed = Feed(data.images, data.recipe, registry, torch.device("cpu"))
    told = torch.cat([part.cond["label"] for part in feed(1)])
    assert sorted(map(tuple, told.tolist())) == sorted([(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)] * 2)
    assert data.recipe.conditions["label"].classes == ("cat", "dog")


def test_the_sheet_is_drawn_anew_for_other_data(train, go_on, folder):
    run = train(data_of(folder), "train.steps=4")
    before = run.sheet.read_bytes()
    go_on(run, "train.steps=5")
    assert run.sheet.read_bytes() == before
    put(folder, "00.png", 99)
    go_on(run, "train.steps=6", allow=["data"])
    assert run.sheet.read_bytes() != before


def test_a_table_that_names_no_picture_is_refused(difftool, tmp_path, folder):
    (folder / "labels.csv").write_text("file,label\nsub\\00.png,cat\n")
    (tmp_path / "tiny.toml").write_text(TINY)
    done = difftool("train", "tiny.toml", "--data", "mine", "--set", "conditions.label=labels", check=2)
    assert "of no picture is known what its label is (conditions.label)" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_profile_may_have_other_data_than_the_plain_recipe(difftool, tmp_path):
    other = '[profile.cpu.data]\nname = "shapes"\nsize = 8\ncount = 10\n'
    missing = TINY.replace('name = "shapes"\nsize = 8\ncount = 10', 'name = "images"\nsize = 8\npath = "nowhere"')
    (tmp_path / "tiny.toml").write_text(missing + other)
    difftool("train", "tiny.toml", "--set", "train.steps=1", check=0)
    done = difftool("train", "tiny.toml", "--profile", "none", check=2)
    assert str(tmp_path / "nowhere") in done.stderr


def test_who_reads_the_data_is_said(difftool, tmp_path):
    np.save(tmp_path / "mine.npy", np.zeros((9, 8, 8, 3), np.uint8))
    (tmp_path / "tiny.toml").write_text(TINY)
    done = difftool("train", "tiny.toml", "--data", "mine.npy", "--set", "train.steps=1", check=0)
    assert "--data is read by npz, as pictures of 8x8" in done.stderr


def test_pictures_that_moved_are_told_as_of_a_run_that_has_begun(difftool, tmp_path, folder):
    (tmp_path / "tiny.toml").write_text(TINY)
    difftool("train", "tiny.toml", "--data", "mine", "--set", "train.steps=1", "--name", "a", check=0)
    folder.rename(tmp_path / "yours")
    done = difftool("resume", "a", "--set", "train.steps=2", check=2)
    assert "the run's pictures: the data path does not exist" in done.stderr
    path = f"data.path={tmp_path / 'yours'}"
    difftool("resume", "a", "--set", "train.steps=2", "--set", path, "--allow-change", "data.path", check=0)


def test_an_archive_is_read_where_it_lies(difftool, tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"faces/{path.name}")
    (tmp_path / "tiny.toml").write_text(TINY)
    before = sorted(tmp_path.rglob("*"))
    done = difftool("train", "tiny.toml", "--data", "mine.zip", "--set", "train.steps=2", "--name", "a", check=0)
    assert "found 12 images in 1 folder, ignored 0 files" in done.stderr
    new = [path for path in tmp_path.rglob("*") if path not in before and "runs" not in path.parts]
    assert new == []


@pytest.mark.parametrize("resident", [True, False])
def test_pictures_on_the_device_are_the_same(folder, registry, recipe, resident):
    made = recipe(data_of(folder), "train.flip=true")
    images = made.data.open()
    feed = Feed(images, made, registry, torch.device("cpu"), resident=resident)
    assert (feed.resident is not None) == resident
    plain = Feed(images, made, registry, torch.device("cpu"))
    for step in (1, 5):
        for ours, theirs in zip(feed(step), plain(step), strict=True):
            assert torch.equal(ours.x0, theirs.x0)
