"""`difftool data scan`, `draw` and `cache`, and what `--data` refuses: none of it loads torch."""

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from difftool.builtin.images import ImageFolder
from difftool.builtin.shapes import Shapes
from difftool.data import cache
from difftool.errors import DiskError

RANDOM = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder one is in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def cli(cli, here, monkeypatch):
    """The command line, in that folder."""
    monkeypatch.chdir(here)
    return cli


@pytest.fixture
def pets(tmp_path):
    """Four pictures of 8x8 in two folders, two of them the same, and three other files."""
    root = tmp_path / "my pets"
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
    for name, shape in {"cats/a.png": (8, 8, 3), "cats/b.png": (8, 8, 3), "dogs/c.png": (8, 8, 3)}.items():
        Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8)).save(root / name)
    (root / "dogs" / "twin.png").write_bytes((root / "cats" / "a.png").read_bytes())
    (root / "bad.png").write_bytes(b"no picture")
    (root / "readme.TXT").touch()
    (root / ".hidden.png").touch()
    return root


def row(out, label):
    """What follows a label."""
    return [line.strip().removeprefix(label).strip() for line in out.splitlines() if line.strip().startswith(label)]


def opened(path):
    with Image.open(path) as image:
        return np.array(image)


# scan


def test_scan(cli, here, pets):
    code, out, err = cli("data", "scan", pets, "--size", 8)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "found 4 images in 2 folders, ignored 3 files (hidden 1, .txt 1, broken 1)"
    left_out = row(out, "left out")
    assert [text.split(": ")[0] for text in left_out] == ["bad.png", ".hidden.png", "readme.TXT"]
    assert "not a picture" in left_out[0]
    assert left_out[1:] == [".hidden.png: hidden", "readme.TXT: .txt"]
    assert re.fullmatch(r"4 +#{30}", row(out, "8x8")[0])
    assert row(out, "duplicates") == ["1"]
    assert row(out, "the same") == ["cats/a.png = dogs/twin.png"]
    assert row(out, "label") == ["cats 2, dogs 2"]
    names = ("cats/a.png", "cats/b.png", "dogs/c.png", "dogs/twin.png")
    pixels = np.stack([opened(pets / name) for name in names]) / 255
    for label, values in (("mean", pixels.mean((0, 1, 2))), ("spread", pixels.std((0, 1, 2)))):
        shown = re.findall(r"(\w+) (\d\.\d{3})", row(out, label)[0])
        assert [name for name, _ in shown] == ["red", "green", "blue"]
        assert [float(value) for _, value in shown] == pytest.approx(values, abs=6e-4)
    (sheet,) = row(out, "look at")
    assert sheet == str(here / "scan-my pets.png")
    assert [path.name for path in here.iterdir()] == ["scan-my pets.png"]
    assert opened(sheet).shape == (2 * 66 + 2, 2 * 66 + 2, 3)
    (command,) = row(err, "next")
    assert shlex.split(command) == ["difftool", "train", "quickstart", "--data", str(pets)]
    assert cache.holdings() == []


def test_sizes_are_counted_each_or_by_powers_of_two(cli, pets):
    for place in range(14):
        Image.new("L", (8 + place, 100)).save(pets / f"{place}.png")
    _, out, _ = cli("data", "scan", pets)
    bars = {name: (int(count), len(bar)) for name, count, bar in re.findall(r"^ *(\S.*\S) +(\d+)  (#+)$", out, re.M)}
    assert bars == {"8 to 15": (12, 30), "16 to 31": (6, 15)}


def test_scan_as_json(cli, here, pets):
    code, out, _ = cli("data", "scan", pets, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["path"] == str(pets)
    assert found["images"] == 4
    assert [each["file"] for each in found["left_out"]] == ["bad.png", ".hidden.png", "readme.TXT"]
    assert found["sizes"] == [{"width": 8, "height": 8, "count": 4}]
    assert found["duplicates"] == [["cats/a.png", "dogs/twin.png"]]
    assert found["values"] == {"label": 2}
    assert len(found["mean"]) == len(found["spread"]) == 3
    assert found["sheet"] == str(here / "scan-my pets.png")
    assert any("few" in note for note in found["notes"])


def test_a_sheet_is_never_overwritten(cli, here, pets):
    for name in ("scan-my pets.png", "scan-my pets-2.png", "scan-my pets-3.png"):
        _, out, _ = cli("data", "scan", pets)
        assert row(out, "look at") == [str(here / name)]
    (here / "scan-my pets-2.png").write_bytes(b"mine")
    cli("data", "scan", pets)
    assert (here / "scan-my pets-2.png").read_bytes() == b"mine"
    code, _, err = cli("data", "scan", pets, "-o", "scan-my pets-2.png")
    assert (code, (here / "scan-my pets-2.png").read_bytes()) == (2, b"mine")
    assert err == f"difftool: error: {here}/scan-my pets-2.png is already there\ndo: name another file with -o\n"
    assert cli("data", "scan", pets, "-o", "other.png")[0] == 0
    assert (here / "other.png").exists()
    code, out, err = cli("data", "scan", pets, "-o", "nowhere/other.png")
    assert (code, out) == (2, "")
    assert f"there is no folder {here}/nowhere" in err


def test_scan_of_an_archive_and_of_relative_paths(cli, here, pets):
    with zipfile.ZipFile(here / "pets.zip", "w") as archive:
        archive.write(pets / "cats" / "a.png", "top/cats/a.png")
        archive.write(pets / "dogs" / "c.png", "top/dogs/c.png")
    code, out, err = cli("data", "scan", "pets.zip")
    assert (code, out.splitlines()[0]) == (0, "found 2 images in 2 folders, ignored 0 files")
    assert row(out, "label") == ["cats 1, dogs 1"]
    assert "--data pets.zip" in err


def test_scan_tells_what_training_would_refuse(cli, pets):
    for path in pets.rglob("*.png"):
        path.write_bytes(b"")
    code, out, err = cli("data", "scan", pets)
    assert code == 2
    assert "none of the pictures can be read" in err
    assert out.startswith("found 0 images in ")
    assert len(row(out, "left out")) == 7
    assert not row(out, "look at")
    assert json.loads(cli("data", "scan", pets, "--json")[1])["sheet"] is None


def test_no_name_steers_the_terminal(cli, here, tmp_path):
    root = tmp_path / os.fsdecode(b"odd \x1b[31m\n\xff")
    names = [b"line\nbreak.png", b"\x1b]0;title\x07.png", b"\xff\xfe.png", b"[red]x[/red].png", b"x.\x1b[2J", b"y.\xff"]
    for place, name in enumerate([*names, b"\xe2\x80\xaertl.png", b"two \x1b[0m/z.png", b"gone\x1b.png"]):
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (place % 2, 0, 0)).save(path, "PNG")
    (root / os.fsdecode(b"bad\x1b\xff.png")).write_bytes(b"no")
    (root / "labels.csv").write_text("file,label\n[red]x[/red].png,\x1b[31mred\n")
    code, out, err = cli("data", "scan", root)
    assert code == 0, err
    assert all(char.isprintable() or char == "\n" for char in out + err)
    assert (out + err).encode()
    assert r"bad\x1b\xdcff.png: not a picture" in out
    code, out, err = cli("data", "scan", root, "--json")
    assert code == 0, err
    assert out.isascii()
    assert "bad\x1b\udcff.png" in [each["file"] for each in json.loads(out)["left_out"]]


# draw


def test_draw_and_read_back(cli, here):
    code, out, err = cli("data", "draw", "shapes", "some shapes", "-n", 5, "--size", 16, "--set", "data.seed=3")
    folder = here / "some shapes"
    assert (code, out) == (0, f"{folder}\n")
    assert sorted(path.name for path in folder.iterdir()) == [*(f"00000{i}.png" for i in range(5)), "labels.csv"]
    (command,) = row(err, "next")
    assert shlex.split(command) == ["difftool", "train", "quickstart", "--data", "some shapes"]
    drawn, read = Shapes(count=5, size=16, seed=3).open(), ImageFolder(path=folder, size=16).open()
    assert (read.take(range(5)) == drawn.take(range(5))).all()
    assert read.values(range(5)) == drawn.values(range(5))
    assert len(set(read.values(range(5))["label"])) > 1
    code, out, _ = cli("data", "scan", folder)
    assert out.startswith("found 5 images in 1 folder, ignored 0 files\n")


def test_labels_of_any_kind_come_back(cli, here, tmp_path):
    labels = ['with "quotes", commas', "two\nlines", "ünï", "plain", "=1+1"]
    np.savez(tmp_path / "a.npz", images=RANDOM.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8), labels=labels)
    code, _, err = cli("data", "draw", "npz", "out", "-n", 5, "--size", 8, "--set", f"data.path={tmp_path / 'a.npz'}")
    assert code == 0, err
    assert ImageFolder(path=here / "out", size=8).open().values(range(5)) == {"label": labels}


def test_drawing_from_pictures(cli, here, pets):
    code, _, err = cli("data", "draw", "images", "out", "-n", 4, "--size", 8, "--set", f"data.path={pets}")
    assert code == 0, err
    drawn, read = ImageFolder(path=pets, size=8).open(), ImageFolder(path=here / "out", size=8).open()
    assert (read.take(range(4)) == drawn.take(range(4))).all()
    assert read.values(range(4)) == drawn.values(range(4))


def test_drawing_says_what_was_found_and_draws_all_there_is(cli, here, pets):
    code, _, err = cli("data", "draw", "images", "out", "--size", 8, "--set", f"data.path={pets}")
    assert code == 0, err
    assert "found 4 images in 2 folders" in err
    assert "other pictures stand in their places" in err
    assert len(list((here / "out").glob("*.png"))) == 5


def test_a_scan_whose_sheet_cannot_be_written_tells_what_it_found(cli, pets, monkeypatch):
    def full(path, content):
        raise DiskError(f"cannot write {path.name}", why="No space left on device")

    monkeypatch.setattr("difftool.run.writer.replace_file", full)
    code, out, err = cli("data", "scan", pets)
    assert (code, out.splitlines()[0][:20], "look at" in out) == (DiskError.exit_code, "found 4 images in 2 ", False)
    assert "No space left" in err
    assert json.loads(cli("data", "scan", pets, "--json")[1])["sheet"] is None


def test_what_an_interrupted_drawing_leaves_can_be_used(cli, here, monkeypatch):
    from difftool.data.sheet import png

    left = iter([png, png])

    def interrupted(pixels):
        return next(left, stop)(pixels)

    def stop(pixels):
        raise KeyboardInterrupt

    monkeypatch.setattr("difftool.data.sheet.png", interrupted)
    code, _, err = cli("data", "draw", "shapes", "out", "-n", 5)
    assert code == 130
    assert f"saved: 2 of 5 in {here / 'out'}" in err
    assert sorted(path.name for path in (here / "out").iterdir()) == ["000000.png", "000001.png", "labels.csv"]
    assert len((here / "out" / "labels.csv").read_text().splitlines()) == 3


def test_draw_refuses(cli, here, pets):
    before = sorted(pets.rglob("*"))
    code, _, err = cli("data", "draw", "shapes", pets, "-n", 2)
    assert (code, err.splitlines()[0]) == (2, f"difftool: error: {pets} is already there, and not empty")
    assert sorted(pets.rglob("*")) == before
    (here / "file").touch()
    assert cli("data", "draw", "shapes", "file", "-n", 2)[0] == 2
    (here / "empty").mkdir()
    assert cli("data", "draw", "shapes", "empty", "-n", 2)[0] == 0
    for argv, part in (
        (["shpes", "out"], "no dataset is called 'shpes'"),
        (["shapes", "out", "--set", "data.sede=1"], "seed"),
        (["shapes", "out", "--set", "train.steps=1"], "only keys of the data set"),
        (["shapes", "out", "--set", "seed=1"], "only keys of the data set"),
        (["shapes", "out", "--size", "1"], "size"),
        (["images", "out"], "difftool data draw images: data.path: is missing"),
        (["images", "out", "-n", "99", "--size", "8", "--set", f"data.path={pets}"], "-n 99: images has 5 pictures"),
    ):
        code, out, err = cli("data", "draw", *argv)
        assert (code, out) == (2, ""), err
        assert part in err
        assert len(err.splitlines()) <= 4
        assert not (here / "out").exists()


def test_a_sheet_never_lies_among_the_pictures(cli, pets, monkeypatch):
    before = sorted(pets.rglob("*"))
    monkeypatch.chdir(pets)
    for _ in "ab":
        assert cli("data", "scan", ".")[0] == 0
    assert sorted(pets.rglob("*")) == before
    assert len(list(pets.parent.glob("scan-my pets*.png"))) == 2
    code, _, err = cli("data", "scan", ".", "-o", "here.png")
    assert (code, "would lie among the pictures" in err) == (2, True)
    (pets.parent / "link").symlink_to(pets)
    assert cli("data", "scan", pets.parent / "link")[0] == 0
    assert cli("data", "scan", pets, "-o", pets.parent / "link" / "here.png")[0] == 2
    assert sorted(pets.rglob("*")) == before
    for arguments in (("data", "scan", ""), ("train", "quickstart", "--data", "")):
        code, _, err = cli(*arguments)
        assert (code, "is empty" in err) == (2, True)


# cache


def test_cache(cli, pets):
    folder = cache.folder()
    code, out, err = cli("data", "cache")
    assert (code, out.split()) == (0, ["PICTURES", "MIB", "USED", "FROM"])
    assert err == f"0.0 MiB of at most 20 GiB (DIFFTOOL_CACHE_GIB) in {folder}\n"
    ImageFolder(path=pets, size=256).open()
    code, out, err = cli("data", "cache")
    assert re.fullmatch(rf"4 of 256x256 +0\.8 +\d+ s ago +{re.escape(str(pets))}", out.splitlines()[1])
    assert err.startswith("0.8 MiB of ")
    (held,) = json.loads(cli("data", "cache", "--json")[1])
    assert (held["from"], held["bytes"]) == (str(pets), 4 * 256 * 256 * 3)
    code, out, err = cli("data", "cache", "--clear")
    assert (code, out, err) == (0, "", f"freed 0.8 MiB in {folder}\n")
    assert json.loads(cli("data", "cache", "--json")[1]) == []
    assert list(folder.iterdir()) == []


def test_a_damaged_entry_is_shown_and_cleared(cli, pets):
    ImageFolder(path=pets, size=64).open()
    (table,) = cache.folder().glob("*.json")
    table.write_text("[]")
    code, out, _ = cli("data", "cache")
    assert code == 0
    assert out.splitlines()[1].endswith("(damaged)")
    assert cli("data", "cache", "--clear")[0] == 0
    assert list(cache.folder().iterdir()) == []


# Without torch

WITHOUT_TORCH = {
    "data scan pets": (0, "found 1 image in 1 folder"),
    "data scan pets --json": (0, '"images": 1'),
    "data draw shapes drawn -n 3": (0, "drawn"),
    "data cache": (0, "MIB"),
    "data cache --clear": (0, "freed"),
    "data scan": (2, "PATH"),
    "data scan pets --size 0": (2, "--size"),
    "data scan pets --crop stretch": (2, "stretch"),
    "data draw shapes drawn2 -n 0": (2, "-n"),
    "data nothing": (2, "nothing"),
}
for _start in ("data scan ", "train quickstart --data ", "train quickstart --profile cpu --data "):
    WITHOUT_TORCH |= {
        _start + "missing": (2, "HERE/missing"),
        _start + "empty": (2, "no pictures here (HERE/empty)\nwhy: it is empty"),
        _start + "texts": (2, "no pictures here (HERE/texts)\nwhy: found only: .txt 2"),
        _start + "texts/a.txt": (2, "the data path is a file, neither a .zip nor a .tar (HERE/texts/a.txt)"),
        _start + "pets/a.png": (2, "the data path is a file, one picture, not a folder of them (HERE/pets/a.png)"),
        _start + "cut.zip": (2, "(HERE/cut.zip)"),
        _start + "pipe": (2, "the data path is neither a folder nor a file (HERE/pipe)"),
        _start + ".\\pets": (2, "write the path with / instead of \\"),
    }

DRIVER = """
import builtins, contextlib, io, json, sys
from difftool.cli import app
rows = []
for argv in json.load(sys.stdin):
    sys.argv = ["difftool", *argv]
    builtins.torch_was_asked_for = ""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
    rows.append([code, out.getvalue(), err.getvalue(), builtins.torch_was_asked_for])
print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Every command above in one process, in which importing torch is noted and fails."""
    folder = tmp_path_factory.mktemp("without-torch")
    for name in ("trap", "empty", "texts", "pets"):
        (folder / name).mkdir()
    (folder / "trap" / "torch.py").write_text(
        "import builtins, traceback\n"
        "builtins.torch_was_asked_for = ''.join(traceback.format_stack())\n"
        "raise ImportError('torch is not for this')\n"
    )
    for name in ("a.txt", "b.TXT"):
        (folder / "texts" / name).write_text("words")
    Image.new("RGB", (4, 4)).save(folder / "pets" / "a.png")
    with zipfile.ZipFile(folder / "cut.zip", "w") as archive:
        archive.write(folder / "pets" / "a.png")
    (folder / "cut.zip").write_bytes((folder / "cut.zip").read_bytes()[:-30])
    os.mkfifo(folder / "pipe")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps([text.split() for text in WITHOUT_TORCH]),
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(folder / "trap"), *sys.path]), "XDG_CACHE_HOME": str(folder / "cache")},
        check=True,
    )
    answers = dict(zip(WITHOUT_TORCH, json.loads(done.stdout), strict=True))
    return folder, answers


@pytest.mark.parametrize("text", WITHOUT_TORCH)
def test_no_torch(answers, text):
    folder, told = answers
    code, out, err, asked = told[text]
    assert asked == ""
    wanted, part = WITHOUT_TORCH[text]
    assert code == wanted, out + err
    assert part.replace("HERE", str(folder)) in out + err
    assert "Traceback" not in err
    if code and "--data" in text:
        assert err.startswith("difftool: error: ")
        assert len(err.splitlines()) <= 3
        assert not (folder / "runs").exists()


def test_the_trap_works(answers):
    folder, _ = answers
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder / "trap"), *sys.path])}
    argv = [sys.executable, "-m", "difftool", "train", "quickstart", "--data", "pets"]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert "torch is not for this" in done.stderr
