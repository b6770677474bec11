"""What lies in a folder. Nothing is decoded here, so the files hold a byte or none."""

import os
import time

import pytest

from difftool.data.listing import SUFFIXES, counted, hidden, list_folder, suffix_of
from difftool.errors import InputError


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(listing):
    return [entry.name for entry in listing.pictures]


def test_every_suffix_in_any_case_at_any_depth_under_any_name(tmp_path):
    suffixes = [".JPG", ".jpeg", ".PNG", ".webp", ".bmp", ".TIFF"]
    folders = ["", "a b/", "a b/ç 猫/", "a b/ç 猫/Третий (3)/"]
    wanted = [f"{folders[i % 4]}pic türe {i}{suffixes[i % 6]}" for i in range(150)]
    put(tmp_path, *wanted)
    listing = list_folder(tmp_path)
    assert len(listing.pictures) == 150
    assert names(listing) == sorted(wanted, key=str.encode)
    assert not listing.others
    assert not listing.refused


def test_every_suffix_that_pillow_is_asked_for_and_no_other(tmp_path):
    put(tmp_path, *(f"a{suffix}" for suffix in SUFFIXES))
    put(tmp_path, "a.txt", "b.TXT", "a.npz", "LICENSE", "a.svg", "png", "a.png.part", "trailing.", "two.tar.gz")
    listing = list_folder(tmp_path)
    assert names(listing) == ["a.bmp", "a.gif", "a.jpeg", "a.jpg", "a.png", "a.tif", "a.tiff", "a.webp"]
    kinds = dict(listing.others)
    assert kinds == {
        "a.txt": ".txt", "b.TXT": ".txt", "a.npz": ".npz", "LICENSE": "no suffix", "a.svg": ".svg",
        "png": "no suffix", "a.png.part": ".part", "trailing.": "no suffix", "two.tar.gz": ".gz",
    }  # fmt: skip
    assert counted(what for _, what in listing.others).startswith("no suffix 3, .txt 2, ")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.PNG", ".png"), ("x.y/a", ""), (".png", ""), ("f/.png", ""), ("a.", ""), ("a.b.Jpg", ".jpg"), ("a. p", ". p")],
)
def test_suffix(name, suffix):
    assert suffix_of(name) == suffix


def test_order_is_by_bytes(tmp_path):
    put(tmp_path, "b.png", "B.png", "é.png", "z.png", "a/x.png", "a.png", "a-.png", "\U0001f600.png", "ﬀ.png")
    in_bytes = sorted(os.fsencode(name) for name in names(list_folder(tmp_path)))
    assert [os.fsencode(name) for name in names(list_folder(tmp_path))] == in_bytes
    assert names(list_folder(tmp_path))[-2:] == ["ﬀ.png", "\U0001f600.png"]  # UTF-16 has it the other way round


def test_counts():
    assert counted([]) == ""
    assert counted([".txt", "broken", ".txt", ".txt", "broken"]) == ".txt 3, broken 2"
    assert counted("abcdefgh") == "a 1, b 1, c 1, d 1, e 1, f 1, ..."
    assert counted(["x"] * 12_000) == "x 12,000"


def test_hidden_files_are_not_pictures(tmp_path):
    put(tmp_path, "a.png", ".a.png", "._b.png", "s/.DS_Store", "__MACOSX/s/c.png", "s/__MACOSX/d.png", "my__MACOSX.png")
    put(tmp_path, ".git/x.png", ".cache/deep/y.png", "s/.hidden/z.png")
    (tmp_path / ".#lock.png").symlink_to("nobody@nowhere")
    listing = list_folder(tmp_path)
    assert names(listing) == ["a.png", "my__MACOSX.png"]
    assert not listing.refused
    assert {what for name, what in listing.others if name != ".#lock.png"} == {"hidden"}
    assert ".cache" in dict(listing.others)  # not looked into
    assert hidden("a/.b/c.png")
    assert not hidden("a.b/c.d.png")


def test_labels_tables(tmp_path):
    put(tmp_path, "a.png", "labels.csv", "s/labels.csv", "other.csv", ".labels.csv")
    listing = list_folder(tmp_path)
    assert sorted(entry.name for entry in listing.tables) == ["labels.csv", "s/labels.csv"]
    assert sorted(listing.others) == [(".labels.csv", "hidden"), ("other.csv", ".csv")]


def test_a_link_to_a_folder_above_is_not_followed(tmp_path):
    """What lies around the pictures is not meant."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "outside.png").touch()
    (tmp_path / "mine" / "a.png").touch()
    (tmp_path / "mine" / "up").symlink_to(tmp_path)
    (tmp_path / "mine" / "top").symlink_to("/")
    found = list_folder(tmp_path / "mine")
    assert [entry.name for entry in found.pictures] == ["a.png"]
    assert found.others == [("top", "link to a folder above"), ("up", "link to a folder above")]


def test_loops_of_links_end(tmp_path):
    root = tmp_path / "root"
    put(tmp_path, "root/a/x.png", "outside/y.png", "outside/sub/z.png", "root/w.png")
    for place, to in (
        ("a/up", root),
        ("a/here", root / "a"),
        ("self", root / "self"),
        ("one", tmp_path / "outside"),
        ("two", tmp_path / "outside"),
        ("three", root / "one"),
        ("0 first", root / "a"),
    ):
        (root / place).symlink_to(to)
    (tmp_path / "outside" / "back").symlink_to(root)
    listing = list_folder(root)
    assert names(listing) == ["a/x.png", "one/sub/z.png", "one/y.png", "w.png"]


def test_a_folder_in_the_tree_keeps_its_real_name_whatever_links_to_it(tmp_path):
    put(tmp_path, "zz/deep/x.png")
    (tmp_path / "aa").symlink_to(tmp_path / "zz")
    (tmp_path / "bb").symlink_to(tmp_path / "zz" / "deep")
    assert names(list_folder(tmp_path)) == ["zz/deep/x.png"]


def test_links_are_read_in_the_order_of_their_names(tmp_path):
    put(tmp_path, "out/in/x.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").symlink_to(tmp_path / "out")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "out" / "in")
    assert names(list_folder(tmp_path / "set")) == ["a/in/x.png"]
    (tmp_path / "set" / "0").symlink_to(tmp_path / "out" / "in")
    assert names(list_folder(tmp_path / "set")) == ["0/x.png"]


def test_linked_and_dangling_files(tmp_path):
    put(tmp_path, "real.png", "notes")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "renamed.jpg").symlink_to(tmp_path / "notes")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    listing = list_folder(tmp_path)
    assert names(listing) == ["link.png", "real.png", "renamed.jpg"]
    assert [name for name, _ in listing.refused] == ["gone.png", "round.png"]
    assert "no such file" in listing.refused[0][1]
    assert ("gone", "broken link") in listing.others


def test_pipes_and_devices_are_reported_and_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "labels.csv")
    (tmp_path / "null.jpg").symlink_to("/dev/null")
    listing = list_folder(tmp_path)
    assert listing.refused == [("null.jpg", "not a regular file"), ("pipe.png", "not a regular file")]
    assert listing.others == [("labels.csv", "not a regular file"), ("pipe", "not a regular file")]
    assert not listing.tables


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path):
    put(tmp_path, "open/a.png", "shut/b.png")
    (tmp_path / "shut").chmod(0)
    try:
        listing = list_folder(tmp_path)
        assert names(listing) == ["open/a.png"]
        assert listing.refused == [("shut", "the folder cannot be read: Permission denied")]
        with pytest.raises(InputError) as caught:
            list_folder(tmp_path / "shut")
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert (caught.value.where, caught.value.why) == (str(tmp_path / "shut"), "Permission denied")


def test_a_folder_that_fails_to_be_read_is_reported(tmp_path, monkeypatch):
    put(tmp_path, "open/a.png", "shut/b.png")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = list_folder(tmp_path)
    assert names(listing) == ["open/a.png"]
    assert listing.refused == [("shut", "the folder cannot be read: Permission denied")]
    with pytest.raises(InputError) as caught:
        list_folder(tmp_path / "shut")
    assert (caught.value.where, caught.value.why) == (str(tmp_path / "shut"), "Permission denied")


def test_names_that_are_no_text(tmp_path):
    odd = [b"line\nbreak.png", b"esc\x1b[31m.png", b"not utf8 \xff\xfe.png", b"n" * 251 + b".png", b"bad \xff/in.png"]
    for name in [*odd, b"x.\x1b[31mred", b"x.\xff", b"x.a\nb"]:
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    listing = list_folder(tmp_path)
    assert [os.fsencode(name) for name in names(listing)] == sorted(odd)
    shown = counted(what for _, what in listing.others)
    assert all(what in shown for what in (r".\x1b[31mred 1", r".\xdcff 1", r".a\nb 1"))
    assert shown.isascii()
    assert shown.isprintable()


def test_a_stamp_changes_with_the_file(tmp_path):
    put(tmp_path, "a.png", "b.png")
    before = list_folder(tmp_path).pictures
    os.utime(tmp_path / "a.png", ns=(1, before[0].stamp + 1))
    after = list_folder(tmp_path).pictures
    assert after[1] == before[1]
    assert after[0].stamp != before[0].stamp


def test_a_stamp_changes_when_a_file_is_replaced_under_its_old_time(tmp_path):
    put(tmp_path, "a.png")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    before = list_folder(tmp_path).pictures[0].stamp
    time.sleep(0.02)  # the kernel's clock goes in steps
    put(tmp_path, "a.png")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert list_folder(tmp_path).pictures[0].stamp != before
