"""Archives read in place, and what hostile ones can do: be refused, or have their bad members left out."""

import gzip
import io
import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

from difftool.data.files import listed
from difftool.data.source import AT_ONCE, MAX_MEMBERS, MAX_RATIO, SMALL, source_at
from difftool.errors import InputError


def contents(source):
    """Every picture's bytes by name."""
    found = {}
    for entry in source.listing.pictures:
        opened = source.open(entry)
        found[entry.name] = opened.read_bytes() if isinstance(opened, os.PathLike) else opened.read()
        assert len(found[entry.name]) == entry.size
    source.close()
    return found


def names(path):
    source = source_at(path)
    source.close()
    return [entry.name for entry in source.listing.pictures]


def refused(path):
    with pytest.raises(InputError) as caught:
        listed(path).close()
    error = caught.value
    assert error.exit_code == 2
    assert error.where == str(path)
    assert "\n" not in str(error)
    return error


def zip_of(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tar_of(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


FILES = {"b/ç 猫.PNG": b"one", "a.jpg": b"two" * 999, "b/c/d.webp": b"", "notes.txt": b"?", ".hidden.png": b"!"}
PICTURES = {name: content for name, content in FILES.items() if not name.startswith((".", "notes"))}


def test_a_second_name_of_a_file_in_a_tar_has_its_bytes(tmp_path):
    path = tar_of(tmp_path / "set.tar", {"a/1.png": b"one", "b.txt": b"two"})
    with tarfile.open(path, "a") as archive:
        for name, first in {"c.png": "a/1.png", "d.png": "./b.txt", "e.png": "nothing.png"}.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE, first
            archive.addfile(member)
    source = source_at(path)
    assert contents(source) == {"a/1.png": b"one", "c.png": b"one", "d.png": b"two"}
    assert source.listing.refused == [("e.png", "not a regular file")]


def test_a_zip_of_windows_with_its_own_sign_between_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, system in (("cats\\1.png", 0), ("cats\\.thumb.png", 0), ("dogs\\2.png", 3)):
            member = zipfile.ZipInfo(name)
            member.create_system = system
            archive.writestr(member, b"x")
    listing = source_at(tmp_path / "a.zip").listing
    assert [entry.name for entry in listing.pictures] == ["cats/1.png", "dogs\\2.png"]  # elsewhere it is a letter
    assert listing.others == [("cats/.thumb.png", "hidden")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_in_place(tmp_path, method):
    path = zip_of(tmp_path / "set.zip", FILES, method)
    source = source_at(path)
    assert [entry.name for entry in source.listing.pictures] == sorted(PICTURES)
    assert source.listing.others == [(".hidden.png", "hidden"), ("notes.txt", ".txt")]
    assert source.root == path
    assert contents(source) == PICTURES
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("dot", ["", "./"])
def test_tar_in_place(tmp_path, form, dot):
    long = "long " * 18 + ".png"
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in {**FILES, long: b"L"}.items():
            member = tarfile.TarInfo(dot + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    source = source_at(path)
    assert source.listing.others == [(".hidden.png", "hidden"), ("notes.txt", ".txt")]
    assert contents(source) == PICTURES | {long: b"L"}
    assert list(tmp_path.iterdir()) == [path]


def test_folder_in_place(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert contents(source_at(tmp_path)) == PICTURES


def test_a_suffix_is_not_needed_to_know_an_archive(tmp_path):
    assert names(zip_of(tmp_path / "download", {"a.png": b"1"})) == ["a.png"]
    assert names(tar_of(tmp_path / "other", {"a.png": b"1"})) == ["a.png"]


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_a_large_member_is_not_read_at_once(tmp_path, pack):
    block = random.Random(0).randbytes(1 << 16)
    count = AT_ONCE // len(block) + 1
    path = pack(tmp_path / "set", {"first.png": b"no", "large.png": block * count, "last.png": b"no"})
    source = source_at(path)
    opened = source.open(source.listing.pictures[1])
    assert not isinstance(opened, io.BytesIO)
    assert opened.read(100) == block[:100]
    opened.seek(-70_000, os.SEEK_END)
    assert opened.read(10) == block[-70_000 % len(block) :][:10]
    assert opened.seek(5 * len(block) + 3) == opened.tell()
    assert opened.read(9) == block[3:12]
    opened.seek(count * len(block) - 4)
    assert opened.read(9) == block[-4:]
    opened.seek(0)
    assert zlib.crc32(opened.read()) == zlib.crc32(block * count)
    source.close()


def test_names_that_lead_out(tmp_path):
    bad = ["../x.png", "/abs.png", "C:\\x.png", "c:x.png", "a/../../x.png", "..\\x.png", "\\x.png", "a\\..\\..\\x.png"]
    good = ["..x.png"[1:], "a..b/c.png", "C.png"]
    for pack in (zip_of, tar_of):
        source = source_at(pack(tmp_path / "set", dict.fromkeys([*bad, *good], b"1")))
        assert [entry.name for entry in source.listing.pictures] == ["C.png", "a..b/c.png"]
        assert dict(source.listing.refused) == dict.fromkeys(bad, "its name leads out of the archive")
        source.close()


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_a_leading_dot_is_no_part_of_a_name(tmp_path, pack):
    source = source_at(pack(tmp_path / "set", {"./cats/a.png": b"1", "./b.png": b"2", "./labels.csv": b"3"}))
    assert contents(source) == {"cats/a.png": b"1", "b.png": b"2"}
    assert not source.listing.others


def test_only_what_was_meant_as_a_picture_is_broken(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": b"1", "notes.txt": b"2" * 50, ".b.png": b"3"}, zipfile.ZIP_STORED)
    for name in ("notes.txt", ".b.png"):
        patched(path, name, 10, "<H", zipfile.ZIP_BZIP2)
    source = source_at(path)
    assert source.listing.refused == []
    assert source.listing.others == [(".b.png", "hidden"), ("notes.txt", "packed in another way than deflate")]
    source.close()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("README", "x.png", "._x.png"):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "docs"
            archive.addfile(member)
        archive.addfile(tarfile.TarInfo("a.png"))
    source = source_at(tmp_path / "a.tar")
    assert source.listing.refused == [("x.png", "not a regular file")]
    assert source.listing.others == [("._x.png", "hidden"), ("README", "not a regular file")]
    source.close()


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_duplicates(tmp_path, pack):
    path = pack(tmp_path / "set", {"a.png": b"first", "b.png": b"second"})
    raw = path.read_bytes().replace(b"b.png", b"a.png")
    if pack is tar_of:  # its headers have checksums
        with tarfile.open(path, "w") as archive:
            for content in (b"first", b"second"):
                member = tarfile.TarInfo("a.png")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    else:
        path.write_bytes(raw)
    source = source_at(path)
    assert source.listing.refused == [("a.png", "another file of the archive has the same name")]
    assert contents(source) == {"a.png": b"first"}


def entry_of(raw, name):
    """Where a member's record begins in a zip's directory."""
    place = raw.index(b"PK\x01\x02")
    while raw[place + 46 : place + 46 + len(name)] != name:
        place = raw.index(b"PK\x01\x02", place + 1)
    return place


def patched(path, name, offset, form, value):
    """The zip with a field of a member's record set to something else."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, entry_of(raw, name.encode()) + offset, value)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("offset", "form", "value", "why"),
    [
        (8, "<H", 1, "encrypted"),
        (38, "<L", 0o120777 << 16, "not a regular file"),
        (38, "<L", 0o010666 << 16, "not a regular file"),
        (10, "<H", zipfile.ZIP_LZMA, "packed in another way than deflate"),
        (10, "<H", zipfile.ZIP_BZIP2, "packed in another way than deflate"),
        (24, "<L", 10**9, f"unpacks to more than {MAX_RATIO} times its size"),
    ],
)
def test_members_of_a_zip_that_are_left_out(tmp_path, offset, form, value, why):
    path = zip_of(tmp_path / "a.zip", {"good.png": b"1", "bad.png": b"2" * 50})
    source = source_at(patched(path, "bad.png", offset, form, value))
    assert source.listing.refused == [("bad.png", why)]
    assert contents(source) == {"good.png": b"1"}


def test_unix_modes_of_ordinary_files_are_fine(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": b"1"})
    assert names(patched(path, "a.png", 38, "<L", 0o100644 << 16)) == ["a.png"]


def test_a_bomb_is_left_out(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": bytes(SMALL + 1)}, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        (member,) = archive.infolist()
    assert member.file_size > MAX_RATIO * member.compress_size
    source = source_at(path)
    assert source.listing.refused == [("a.png", f"unpacks to more than {MAX_RATIO} times its size")]
    source.close()
    assert "1" in refused(path).why


def test_a_blank_bitmap_may_be_packed_small(tmp_path):
    blank = io.BytesIO()
    Image.new("RGB", (600, 600)).save(blank, "BMP")
    source = source_at(zip_of(tmp_path / "a.zip", {"a.bmp": blank.getvalue()}, zipfile.ZIP_DEFLATED))
    assert [entry.name for entry in source.listing.pictures] == ["a.bmp"]
    source.close()


def test_a_tar_without_its_end_is_refused(tmp_path):
    path = tar_of(tmp_path / "a.tar", {f"{n}.png": bytes(700) for n in range(4)})
    whole = path.read_bytes()
    for kept in (1536 * 2, 1536 * 2 + 100, 1536 * 4):  # between two members, inside a header, before the end
        path.write_bytes(whole[:kept])
        assert "too early" in refused(path).why or "truncated" in refused(path).why, kept


def test_special_members_of_a_tar(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        kinds = {"link.png": tarfile.SYMTYPE, "hard.png": tarfile.LNKTYPE, "pipe.png": tarfile.FIFOTYPE}
        for name, kind in {**kinds, "device.png": tarfile.CHRTYPE, "folder.png": tarfile.DIRTYPE}.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        archive.addfile(tarfile.TarInfo("good.png"))
    source = source_at(path)
    left_out = ["device.png", "hard.png", "link.png", "pipe.png"]
    assert source.listing.refused == [(name, "not a regular file") for name in left_out]
    assert contents(source) == {"good.png": b""}


def test_a_member_without_a_name(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zip_with("", b"\x03\0", 0))
    assert refused(path).why == "found only: no suffix 1"


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_archives_inside_are_left_alone(tmp_path, pack):
    inner = zip_of(tmp_path / "inner", {"x.png": b"1"}).read_bytes()
    source = source_at(pack(tmp_path / "set", {"a.png": b"1", "in.zip": inner, "in.tar.gz": inner}))
    assert source.listing.others == [("in.tar.gz", ".gz"), ("in.zip", ".zip")]
    assert contents(source) == {"a.png": b"1"}


def end_record(count, size, offset, wide=False):
    """The last record of a zip; wide: the large numbers are in a record before it."""
    if not wide:
        return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), size, offset, 0)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return record + locator + last


@pytest.mark.parametrize("front", [b"", b"#!/bin/sh: a program in front, as of one that unpacks itself\n"])
def test_a_zip_that_promises_millions_is_not_read(tmp_path, monkeypatch, front):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was read"))
    path = tmp_path / "a.zip"
    path.write_bytes(front + b"x" * 100 + end_record(2_000_000, 0, 100, wide=True))
    error = refused(path)
    assert error.what == f"the archive has more than {MAX_MEMBERS:,} members"
    assert error.why == "it says 2,000,000"


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("after", [b"", b"PK\5\6"])
def test_a_zip_that_promises_few_and_has_many_is_not_read(tmp_path, monkeypatch, wide, after):
    monkeypatch.setattr("difftool.data.source.MAX_MEMBERS", 1000)
    header = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    directory = header * 1001
    path = tmp_path / "a.zip"
    last = bytearray(end_record(1, len(directory), 0, wide))
    if after:  # bytes in the middle that look as if the record began there
        last[-6:-2] = after
    path.write_bytes(directory + last)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was read"))
    assert "members" in refused(path).what


def test_long_names_are_not_taken_for_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr("difftool.data.source.MAX_MEMBERS", 10)
    path = zip_of(tmp_path / "a.zip", {f"{'long' * 40}{i}.png": b"1" for i in range(10)})
    assert len(names(path)) == 10
    zip_of(path, {f"{i}.png": b"1" for i in range(11)})
    assert "more than 10 members" in refused(path).what


def test_a_tar_of_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr("difftool.data.source.MAX_MEMBERS", 10)
    path = tar_of(tmp_path / "a.tar", {f"{i}.png": b"1" for i in range(10)})
    assert len(names(path)) == 10
    tar_of(path, {f"{i}.png": b"1" for i in range(11)})
    error = refused(path)
    assert "more than 10 members" in error.what
    assert "unpack it" in error.do


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_cut_short(tmp_path, pack):
    path = pack(tmp_path / "a", {f"{i}.png": bytes([i]) * 700 for i in range(9)})
    whole = path.read_bytes()
    for length in (*range(0, len(whole) - 10_240 * (pack is tar_of), 97), 1536):
        path.write_bytes(whole[:length])
        refused(path)


def test_a_tar_that_goes_on_with_garbage(tmp_path):
    path = tar_of(tmp_path / "a.tar", {"a.png": b"1", "b.png": b"2"})
    raw = bytearray(path.read_bytes())
    raw[1024 + 148] ^= 1  # the checksum of the second header
    path.write_bytes(raw)
    assert refused(path).what == "the archive is damaged"


@pytest.mark.parametrize("size", [-1, -512, -1024, -(10**6)])
def test_a_tar_that_runs_backwards(tmp_path, size):
    first, second = tarfile.TarInfo("a.png"), tarfile.TarInfo("b.png")
    second.size = size
    raw = first.tobuf() + second.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)
    (tmp_path / "a.tar").write_bytes(raw)
    assert refused(tmp_path / "a.tar").what == "the archive is damaged"


def test_a_tar_with_times_that_are_no_numbers(tmp_path):
    for when in ("inf", "nan", "-1e300"):
        member = tarfile.TarInfo("a.png")
        member.pax_headers = {"mtime": when}
        (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
        assert names(tmp_path / "a.tar") == ["a.png"]


def test_a_tar_made_anew_has_other_stamps(tmp_path):
    """Members written by a program have no time of their own."""
    path = tar_of(tmp_path / "a.tar", {"a.png": b"1"})
    before = source_at(path).listing.pictures[0].stamp
    tar_of(path, {"a.png": b"2"})
    os.utime(path, ns=(0, before + 10**9))
    assert source_at(path).listing.pictures[0].stamp != before


def test_a_tar_made_anew_under_its_old_time_has_other_stamps(tmp_path):
    path = tar_of(tmp_path / "a.tar", {"a.png": b"1"})
    os.utime(path, ns=(1, 1))
    before = source_at(path).listing.pictures[0].stamp
    time.sleep(0.02)  # the kernel's clock goes in steps
    tar_of(path, {"a.png": b"2"})
    os.utime(path, ns=(1, 1))
    assert source_at(path).listing.pictures[0].stamp != before


def test_a_zip_made_anew_has_other_stamps_where_the_bytes_are_others(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": b"1", "b.png": b"1"})
    before = [entry.stamp for entry in source_at(path).listing.pictures]
    zip_of(path, {"a.png": b"2", "b.png": b"1"})
    after = [entry.stamp for entry in source_at(path).listing.pictures]
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar(tmp_path, mode):
    error = refused(tar_of(tmp_path / "a.tar.x", {"a.png": b"1"}, mode))
    assert error.what == "the .tar is compressed, so its pictures cannot be read one by one"
    assert ".zip" in error.do


def test_paths_that_are_no_source(tmp_path):
    for content, name, what in (
        (b"\x89PNG\r\n", "a.PNG", "the data path is a file, one picture, not a folder of them"),
        (b"", "empty.png", "the data path is a file, one picture, not a folder of them"),
        (b"words", "a.txt", "the data path is a file, neither a .zip nor a .tar"),
        (gzip.compress(b"words"), "a.gz", "the data path is a file, neither a .zip nor a .tar"),
    ):
        (tmp_path / name).write_bytes(content)
        error = refused(tmp_path / name)
        assert error.what == what
        assert "--data" in error.do
    whole = zip_of(tmp_path / "whole.zip", FILES).read_bytes()
    for content, name, why in ((b"", "empty.zip", "it is empty"), (whole[:-30], "half", "it ends too early, ")):
        (tmp_path / name).write_bytes(content)
        error = refused(tmp_path / name)
        assert (error.what, error.why.startswith(why)) == ("the archive is damaged", True)
    os.mkfifo(tmp_path / "pipe.png")
    assert refused(tmp_path / "pipe.png").what == "the data path is neither a folder nor a file"
    assert refused(tmp_path / "nothing").what == "the data path does not exist"
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert "data" in refused(tmp_path / "round").what


def test_no_pictures_says_what_is_there(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    assert refused(folder).why == "it is empty"
    for name in ("a.txt", "b.txt", "c.npz"):
        (folder / name).touch()
    (folder / "gone.png").symlink_to("nowhere")
    error = refused(folder)
    assert error.what == "no pictures here"
    assert error.why == "found only: .txt 2, .npz 1, no such file or directory 1"
    assert ".webp" in error.do
    for pack in (zip_of, tar_of):
        assert refused(pack(tmp_path / "set", {"a.txt": b"1"})).why == "found only: .txt 1"
    assert refused(zip_of(tmp_path / "set", {})).why == "it is empty"


def test_home_and_relative_paths(tmp_path, monkeypatch):
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "a.png").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("pets", "~/pets", "./pets"):
        assert source_at(Path(text)).root == tmp_path / "pets"
    with pytest.raises(InputError, match="does not exist"):
        source_at(Path("~nobody-of-that-name/x"))


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_damaged_archives_are_refused_in_words(tmp_path, pack):
    """Nothing but an InputError comes out, whatever a few bytes are changed to."""
    members = {"e": b"", "a/b.png": b"x" * 90, "c.jpg": b"y" * 700, "labels.csv": b"file,label\na/b.png,1\n", "d/": b""}
    whole = pack(tmp_path / "set", members).read_bytes()
    dice = random.Random(1)
    read = 0
    for _ in range(600):
        raw = bytearray(whole[: 4608 + 1024] if pack is tar_of else whole)
        for _ in range(1 + int(dice.random() * 4)):
            raw[int(dice.random() * len(raw))] = int(dice.random() * 256)
        (tmp_path / "set").write_bytes(raw)
        try:
            source = source_at(tmp_path / "set")
        except InputError:
            continue
        read += 1
        json.dumps([entry.name for entry in source.listing.pictures])
        source.close()
    assert 0 < read < 600


HOSTILE = """
import resource, sys
from difftool.data.files import listed
from difftool.data.scan import Fit, read_all
from difftool.errors import InputError
import PIL.PngImagePlugin, PIL.JpegImagePlugin, PIL.Image
PIL.Image.init()
unit = 1 if sys.platform == "darwin" else 1024
from pathlib import Path
for text in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        source = listed(Path(text))
        reasons = [why for _, why in source.listing.refused]
        reasons += [read.reason for read in read_all(source, Fit(8, 8), lambda done, total: None)]
    except InputError as error:
        reasons = [error.what, error.why]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit / 2**20
    print(round(grown), reasons, sep="|")
"""


def test_hostile_archives_take_little_memory(tmp_path):
    """Each of these would take a gigabyte or more if it were believed."""
    many = tmp_path / "many.zip"
    many.write_bytes(end_record(2_000_000, 0, 0, wide=True))

    bomb = zip_of(tmp_path / "bomb.zip", {"a.png": b""})
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(1 << 24)
    packed = b"".join(packer.compress(zeros) for _ in range(40)) + packer.flush()  # 640 MiB in 0.6
    bomb.write_bytes(zip_with("a.png", packed, 40 << 24))
    liar = tmp_path / "liar.zip"
    liar.write_bytes(zip_with("a.png", packed, 1 << 20))

    sparse = tmp_path / "sparse.tar"
    member = tarfile.TarInfo("a.png")
    member.size = 1 << 30
    with sparse.open("wb") as file:
        file.write(member.tobuf())
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(512 + member.size + 1024)

    paths = [many, bomb, liar, sparse]
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, *map(str, paths)], capture_output=True, text=True, check=True, timeout=120
    )
    told = [line.split("|") for line in done.stdout.splitlines()]
    assert len(told) == len(paths)
    for (grown, reasons), path in zip(told, paths, strict=True):
        assert int(grown) < 100, (path, grown, reasons)
        assert reasons not in ("[]", "['']"), path
    assert "members" in told[0][1]
    assert "times its size" in told[1][1]
    assert "CRC" in told[2][1]


def zip_with(name, packed, size):
    """A zip of one deflated member that says any size."""
    fields = (20, 0, 8, 0, 33, 0, len(packed), size, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + name.encode() + packed
    central = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *fields, 0, 0, 0, 0, 0) + name.encode()
    return local + central + end_record(1, len(central), len(local))
