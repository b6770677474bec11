import os
import socket
import struct
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from difftool.data import decode as module
from difftool.data.decode import Unreadable, decode, read_picture
from difftool.data.fit import fit
from difftool.errors import InputError
from tests.data import corpus


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return corpus.good(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    return corpus.broken(tmp_path_factory.mktemp("broken"))


def tolerance(path):
    return 3 if path.suffix.lower() in {".jpg", ".jpeg", ".webp"} or path.name.startswith("lab") else 0


def test_every_good_picture_has_its_colour_and_shape(good):
    for path, colour in good.items():
        image, size = decode(path, 3)
        pixels = np.asarray(image).astype(int)
        assert (size, image.mode, pixels.shape) == ((16, 8), "RGB", (8, 16, 3)), path
        assert np.abs(pixels - colour).max() <= tolerance(path), (path, pixels[0, 0])
        grey, size = decode(path, 1)
        assert (size, grey.mode, grey.size) == ((16, 8), "L", (16, 8)), path
        assert np.abs(np.asarray(grey).astype(int) - module.luma(colour)).max() <= tolerance(path), path
        assert fit(image, 5, 7, "center").shape == (5, 7, 3)


def test_another_page_shows_through_what_is_transparent(good):
    page = (0, 100, 255)
    seen = {path.name: np.asarray(decode(path, 3, page).image)[0, 0].tolist() for path in good}
    assert seen["rgba hole.png"] == seen["key.png"] == seen["hole.gif"] == seen["hole.webp"] == list(page)
    assert seen["palette hole.png"] == list(page)
    assert seen["rgba half.png"] == seen["grey alpha.png"] == seen["rgba16.png"] == [0, 80, 204]
    assert seen["grey16 key.png"] == [module.luma(page)] * 3
    assert seen["rgba opaque.png"] == seen["rgb.png"] == list(corpus.RED)
    for path in good:
        if path.name in ("rgba hole.png", "grey16 key.png"):
            assert set(np.asarray(decode(path, 1, page).image).ravel().tolist()) == {module.luma(page)}


def test_every_broken_file_says_why_in_one_short_line(broken):
    why = {}
    for path in broken:
        with pytest.raises(Unreadable) as caught:
            decode(path, 3)
        why[path.name] = str(caught.value)
        assert why[path.name].isprintable(), path
        assert 3 < len(why[path.name]) <= 120
        with pytest.raises(InputError) as refused:
            read_picture(path, 3)
        assert refused.value.where == str(path)
    assert why["empty.png"] == "empty file"
    for name in ("half.png", "half.jpeg", "half.gif", "half.bmp", "half.tiff", "short by 2.jpg", "long chunk.png"):
        assert why[name] == "truncated"
    for name in ("text.jpg", "page.png", "vector.png", "vector.svg.png", "document.jpg", "layers.png", "icon.png"):
        assert why[name] == "not a picture (PNG, JPEG, WEBP, BMP, GIF or TIFF)"
    for name in (name for name in why if "wide" in name):
        assert why[name].startswith("too large: "), name
    for name in ("header only.png", "bad pixels.png", "bad checksum.png"):
        assert why[name].startswith("damaged: ")
    assert why["float.tiff"] == why["int.tiff"] == "32-bit pixels have no agreed white"


def test_too_large_is_said_before_pixels_are_read(broken, monkeypatch):
    def load(self):
        raise AssertionError("pixels were asked for")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    for path in broken:
        if "wide" in path.name:
            with pytest.raises(Unreadable, match="too large"):
                decode(path, 3)


def test_a_large_jpeg_is_measured_as_it_is_decoded(tmp_path, monkeypatch):
    """Eight times smaller it takes a 64th of the memory; a progressive one keeps all until it ends."""
    monkeypatch.setattr(module, "MAX_PIXELS", 320 * 200 - 1)
    image = corpus.plain(size=(320, 200))
    for name, kind, options in (("a.jpg", "JPEG", {}), ("b.jpg", "JPEG", {"progressive": True}), ("c.png", "PNG", {})):
        (tmp_path / name).write_bytes(corpus.saved(image, kind, **options))
    decoded = decode(tmp_path / "a.jpg", 3, at_least=(20, 20))
    assert (decoded.image.size, decoded.size) == ((80, 50), (320, 200))
    for name, least in (("a.jpg", None), ("a.jpg", (150, 150)), ("b.jpg", (20, 20)), ("c.png", (20, 20))):
        with pytest.raises(Unreadable, match="too large: 320x200 pixels"):
            decode(tmp_path / name, 3, at_least=least)
    with pytest.raises(InputError, match="too large"):
        read_picture(tmp_path / "a.jpg", 3)
    monkeypatch.setattr(module, "MAX_DRAFTED", 320 * 200 - 1)
    with pytest.raises(Unreadable, match="too large: 320x200 pixels"):
        decode(tmp_path / "a.jpg", 3, at_least=(20, 20))


@pytest.mark.parametrize("least", [None, (16, 16)])
def test_a_jpeg_that_promises_more_than_its_bytes_hold_is_cut_short(tmp_path, least):
    """Otherwise it is a grey picture: its end is marked where it ends, so nothing that reads it complains."""
    blank = corpus.saved(Image.new("L", (3000, 2000)), "JPEG", optimize=True)  # two bits a block: there is no smaller
    (tmp_path / "blank.jpg").write_bytes(blank)
    assert decode(tmp_path / "blank.jpg", 3, at_least=least).size == (3000, 2000)
    at = blank.index(struct.pack(">HH", 2000, 3000))
    (tmp_path / "forged.jpg").write_bytes(blank[:at] + struct.pack(">HH", 3000, 4000) + blank[at + 4 :])
    with pytest.raises(Unreadable, match=r"^truncated: [\d,]+ bytes cannot hold 4000x3000 pixels$"):
        decode(tmp_path / "forged.jpg", 3, at_least=least)


def test_far_more_bytes_than_pixels_are_refused(tmp_path):
    path = tmp_path / "padded.png"
    path.write_bytes(corpus.png(corpus.RED_BYTES, 8, 2))
    os.truncate(path, 256 * 2**20)  # costs no disk: a hole
    with pytest.raises(Unreadable, match="too large: 256 MiB for 16x8 pixels"):
        decode(path, 3)
    os.truncate(path, 2**20)
    decode(path, 3)


MEMORY = """
import io, resource, sys
from pathlib import Path
from PIL import Image
from difftool.data.decode import Unreadable, decode

def peak():
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10

for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    decode(file, 3)
before = peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        decode(path, 3)
    except Unreadable:
        pass
    if peak() > before + 100:
        sys.exit(f"{path} took {peak() - before:.0f} MiB")
print(len(list(Path(sys.argv[1]).iterdir())))
"""


def test_no_small_file_takes_much_memory(broken, tmp_path):
    # A new process starts with the peak of the one that made it, here pytest with all it holds: hence the shell.
    folder = broken[0].parent
    zeros = corpus.chunk(b"IDAT", corpus.zeros(256 * 2**20))
    (folder / "pixel bomb.png").write_bytes(corpus.png_start(8, 8) + zeros + corpus.chunk(b"IEND", b""))
    script = tmp_path / "memory.py"
    script.write_text(MEMORY)
    shell = ["sh", "-c", '"$0" "$@"; exit $?', sys.executable, str(script), str(folder)]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(broken) + 1


def test_only_regular_files_are_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)  # a socket's path may have no more than a hundred bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        for name in ("pipe.png", "folder.png", "socket.png", "/dev/null"):
            with pytest.raises(Unreadable, match=r"^not a regular file$"):
                decode(name, 3)


def test_files_that_are_not_there_or_not_ours(tmp_path):
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    for name, why in (
        ("absent.png", "^gone$"),
        ("dangling.png", "^gone$"),
        ("circle.png", "symbolic links"),
        ("nul\0.png", "null byte"),
        ("n" * 300, "name too long"),
    ):
        with pytest.raises(Unreadable, match=f"(?i){why}"):
            decode(tmp_path / name, 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_said_for_a_file_of_others(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(corpus.png(corpus.RED_BYTES, 8, 2))
    path.chmod(0)
    with pytest.raises(Unreadable, match=r"^no permission$"):
        decode(path, 3)


def test_permission_refused_by_the_system(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(module, "open", refuse, raising=False)
    with pytest.raises(Unreadable, match=r"^no permission$"):
        decode(tmp_path / "a.png", 3)


def test_too_little_memory_does_not_make_a_picture_bad(tmp_path, monkeypatch):
    def fail(self):
        raise MemoryError

    (tmp_path / "a.png").write_bytes(corpus.png(corpus.RED_BYTES, 8, 2))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(MemoryError):
        decode(tmp_path / "a.png", 3)


def test_pillow_s_warnings_are_neither_printed_nor_fatal(good, recwarn):
    odd = next(path for path in good if path.name == "odd exif.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):  # or this test would test nothing
            Image.open(BytesIO(odd.read_bytes())).getexif()
    for action in ("error", "always"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            assert decode(odd, 3).size == (16, 8)
            with pytest.warns(UserWarning, match="of others"):
                warnings.warn("of others", UserWarning, stacklevel=1)
    assert not recwarn.list


@pytest.mark.parametrize(
    "fault", [struct.error("short"), OSError("odd"), SyntaxError("not a TIFF"), UserWarning("odd")]
)
def test_whatever_the_metadata_do_the_picture_is_read(good, monkeypatch, fault):
    def getexif(self):
        raise fault

    monkeypatch.setattr("PIL.Image.Image.getexif", getexif)
    assert decode(next(path for path in good if path.name == "rgb.png"), 3).size == (16, 8)


def test_what_a_decoder_says_is_shown_safely_and_shortly():
    class Bad(BytesIO):
        def read(self, *args):
            raise ValueError("line\nbreak \x1b[31m" * 100)

    with pytest.raises(Unreadable) as caught:
        decode(Bad(b"x"), 3)
    assert str(caught.value).startswith("damaged: line\\nbreak \\x1b[31m")
    assert len(str(caught.value)) == 120


def test_threads_read_the_same_as_one(good, broken):
    def read(path):
        try:
            return decode(path, 3).image.tobytes()
        except Unreadable as error:
            return str(error)

    paths = [*good, *broken] * 2
    alone = [read(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, paths)) == alone


def test_an_open_file_is_read_from_its_start_and_left_open():
    file = BytesIO(corpus.png(corpus.RED_BYTES, 8, 2))
    file.seek(40)
    assert decode(file, 3).image.getpixel((0, 0)) == corpus.RED
    assert not file.closed
    with pytest.raises(Unreadable, match=r"^empty file$"):
        decode(BytesIO(), 3)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_png_with_a_flipped_bit_is_left_out_also_when_it_is_made_small(tmp_path, place):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.png"
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    raw = bytearray(path.read_bytes())
    raw[int(len(raw) * place)] ^= 1
    path.write_bytes(raw)
    for least in (None, (16, 16)):
        with pytest.raises(Unreadable):
            decode(path, 3, at_least=least)
