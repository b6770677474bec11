"""Pictures in cells: the right colours in the right places, from any mode, and no file can do harm."""

import io
import os
import random
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from difftool.tui.halfblock import BACKGROUND, cells, decoded, fit, shades

MODES = "1 L LA La P PA RGB RGBA RGBa RGBX CMYK YCbCr LAB HSV I F I;16 I;16L I;16B"
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def noise(wide, high, mode="RGB", seed=0):
    size = wide * high * len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (wide, high), random.Random(seed).randbytes(size))


def pixels(rows):
    """The cells as rows of pixels."""
    return [[pair[half] for pair in row] for row in rows for half in (0, 1)]


def test_a_picture_fits_and_keeps_its_aspect():
    rng = random.Random(0)
    for _ in range(3000):
        size = (rng.randrange(1, 500), rng.randrange(1, 500))
        width, height = rng.randrange(1, 120), rng.randrange(1, 60)
        wide, high = fit(size, width, height)
        assert 1 <= wide <= width
        assert 1 <= high <= height
        scale = min(width / size[0], 2 * height / size[1])
        scale = int(scale) if scale >= 2 else scale
        assert abs(wide - size[0] * scale) <= 0.5 or wide == 1
        assert abs(2 * high - size[1] * scale) <= 1.5 or high == 1


@pytest.mark.parametrize("size", [(0, 0), (-3, 4), (1, 10**9), (10**9, 1)])
@pytest.mark.parametrize("room", [(0, 0), (-1, 5), (80, 24)])
def test_no_size_is_an_error(size, room):
    assert min(fit(size, *room)) >= 1


def test_pixels_are_what_the_picture_has():
    image = Image.new("RGB", (2, 2))
    for place, colour in zip([(0, 0), (1, 0), (0, 1), (1, 1)], [RED, GREEN, BLUE, WHITE], strict=True):
        image.putpixel(place, colour)
    assert cells(image, 2, 1) == [[(RED, BLUE), (GREEN, WHITE)]]
    assert pixels(cells(image, 6, 3)) == [[RED] * 3 + [GREEN] * 3] * 3 + [[BLUE] * 3 + [WHITE] * 3] * 3


def test_an_odd_number_of_rows_leaves_the_last_half_free():
    image = noise(3, 5)
    wide, high = fit(image.size, 3, 20)
    found = pixels(cells(image, wide, high))
    assert found[:5] == [[image.getpixel((x, y)) for x in range(3)] for y in range(5)]
    assert found[5] == [BACKGROUND] * 3


def test_shrinking_takes_the_mean_of_what_becomes_one_pixel():
    image = noise(32, 32)
    found = pixels(cells(image, 8, 4))
    for y in range(8):
        for x in range(8):
            block = [image.getpixel((4 * x + i, 4 * y + j)) for i in range(4) for j in range(4)]
            for channel in range(3):
                assert abs(found[y][x][channel] - sum(one[channel] for one in block) / 16) <= 1


@pytest.mark.parametrize("shape", [(5, 3), (1, 1), (7, 9), (64, 32)])
@pytest.mark.parametrize("mode", MODES.split())
def test_every_mode_at_every_size(mode, shape):
    image = Image.new(mode, (9, 6))
    found = cells(image, *shape)
    assert [len(row) for row in found] == [shape[0]] * shape[1]
    assert [len(line) for line in shades(image, *shape)] == [shape[0]] * shape[1]


@pytest.mark.parametrize("mode", ["LA", "RGBA", "RGBa", "P"])
def test_transparent_is_dark_grey(mode):
    image = Image.new("RGBA", (2, 2), (255, 255, 255, 0))
    image.putpixel((0, 0), (255, 255, 255, 255))
    if mode == "P":
        image = Image.new("P", (2, 2), 1)
        image.putpalette([255, 255, 255, 255, 255, 255])
        image.putpixel((0, 0), 0)
        image.info["transparency"] = 1
    else:
        image = image.convert(mode)
    assert cells(image, 2, 1) == [[(WHITE, BACKGROUND), (BACKGROUND, BACKGROUND)]]


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_of_16_bits_the_high_ones_show(mode):
    image = Image.new(mode, (1, 2))
    image.putpixel((0, 0), 65535)
    image.putpixel((0, 1), 128 * 257)
    ((pair,),) = cells(image, 1, 1)
    assert pair == (WHITE, (128, 128, 128))


def test_shades_are_denser_where_it_is_brighter():
    image = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90)
    assert shades(image, 10, 1) == [" .:-=+*#%@"]


def png(image, **more):
    found = io.BytesIO()
    image.save(found, "PNG", **more)
    return found.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(wide, high):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))


def test_a_whole_file_is_read(tmp_path):
    image = noise(9, 7)
    (tmp_path / "a.png").write_bytes(png(image))
    found, why = decoded(tmp_path / "a.png")
    assert why == ""
    assert found.tobytes() == image.tobytes()


def test_a_file_cut_anywhere_is_whole_or_not_there(tmp_path):
    image = noise(40, 40)
    data = png(image)
    path = tmp_path / "a.png"
    for length in [*range(60), *range(60, len(data), 37), *range(len(data) - 30, len(data))]:
        path.write_bytes(data[:length])
        found, why = decoded(path)
        if found is None:
            assert why == "not whole yet"
        else:
            assert found.tobytes() == image.tobytes()
            assert length > len(data) - 30


def test_a_damaged_file_never_raises(tmp_path):
    rng, path = random.Random(0), tmp_path / "a.png"
    data = png(noise(12, 12, "RGBA"), pnginfo=info())
    seen = set()
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path.write_bytes(broken)
        found, why = decoded(path)
        assert (found is None) == bool(why)
        seen.add(why)
    assert "damaged" in seen


def info():
    found = PngImagePlugin.PngInfo()
    found.add_text("what", "a picture")
    return found


SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not whole yet"),
        (b"GIF89a" + b"\0" * 40, "not a PNG"),
        (SIGNATURE + chunk(b"IDAT", b"0123456789"), "not a PNG"),
        (SIGNATURE + header(50_000, 50_000) + chunk(b"IEND", b""), "too large: 50000x50000 pixels"),
        (SIGNATURE + header(2**31, 1) + chunk(b"IEND", b""), "too large: 2147483648x1 pixels"),
        (SIGNATURE + header(0, 5) + chunk(b"IEND", b""), "damaged"),
        (SIGNATURE + header(4, 4) + header(60_000, 60_000) + chunk(b"IDAT", b"") + chunk(b"IEND", b""), None),
        (SIGNATURE + header(4, 4) + header(9_600, 9_600) + chunk(b"IDAT", b"") + chunk(b"IEND", b""), None),
        (SIGNATURE + header(4, 4) + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"0" * 9**8)) + chunk(b"IEND", b""), None),
        (SIGNATURE + header(4, 4) + chunk(b"acTL", b"\xff" * 8) + chunk(b"IDAT", b"") + chunk(b"IEND", b""), None),
    ],
)
def test_hostile_files_are_refused(tmp_path, data, why, recwarn):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    found, said = decoded(path)
    assert found is None
    assert said == why or (why is None and said)
    assert not recwarn.list


def test_there_may_be_no_file_at_all(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "big.png").write_bytes(png(Image.new("L", (100, 100))))
    with (tmp_path / "vast.png").open("wb") as file:
        file.truncate(1 << 30)
    assert decoded(tmp_path / "none") == (None, "not there")
    assert decoded(tmp_path / "pipe") == (None, "not a regular file")
    assert decoded(tmp_path) == (None, "not a regular file")
    assert decoded(tmp_path / "a\0b") == (None, "cannot be read")
    assert decoded(tmp_path / "vast.png") == (None, "too large: 1,024 MiB")
    assert decoded(tmp_path / "big.png", most=9_999) == (None, "too large: 100x100 pixels")
    assert decoded(tmp_path / "big.png", most=10_000)[1] == ""
