import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from difftool.data.decode import read_picture
from difftool.errors import InputError

RED = (200, 40, 10)
RED_GREY = Image.new("RGB", (1, 1), RED).convert("L").getpixel((0, 0))


def palette() -> Image.Image:
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, *RED])
    return image


def palette_with_hole() -> Image.Image:
    image = palette()
    image.info["transparency"] = 1
    return image


def deep_grey(value: int) -> Image.Image:
    return Image.fromarray(np.full((2, 3), value, dtype=np.uint16))


@pytest.mark.parametrize(
    ("make", "suffix", "colour", "grey"),
    [
        (lambda: Image.new("RGB", (3, 2), RED), "png", RED, RED_GREY),
        (lambda: Image.new("RGB", (3, 2), RED), "bmp", RED, RED_GREY),
        (lambda: Image.new("RGB", (3, 2), RED), "tiff", RED, RED_GREY),
        (lambda: Image.new("L", (3, 2), 77), "png", (77, 77, 77), 77),
        (lambda: Image.new("1", (3, 2), 1), "png", (255, 255, 255), 255),
        (lambda: Image.new("1", (3, 2), 0), "png", (0, 0, 0), 0),
        (palette, "png", RED, RED_GREY),
        (palette, "gif", RED, RED_GREY),
        (palette_with_hole, "png", (255, 255, 255), 255),
        (lambda: Image.new("RGBA", (3, 2), (*RED, 255)), "png", RED, RED_GREY),
        (lambda: Image.new("RGBA", (3, 2), (0, 0, 0, 0)), "png", (255, 255, 255), 255),
        (lambda: Image.new("RGBA", (3, 2), (0, 0, 0, 51)), "png", (204, 204, 204), 204),
        (lambda: Image.new("LA", (3, 2), (0, 51)), "png", (204, 204, 204), 204),
        (lambda: Image.new("CMYK", (3, 2), (0, 255, 255, 0)), "tiff", (255, 0, 0), 76),
        (lambda: deep_grey(65535), "png", (255, 255, 255), 255),
        (lambda: deep_grey(0x12FF), "png", (0x12, 0x12, 0x12), 0x12),
        (lambda: deep_grey(300), "tiff", (1, 1, 1), 1),
    ],
)
def test_every_mode_becomes_8_bit_grey_or_colour(tmp_path, make, suffix, colour, grey):
    path = tmp_path / f"picture.{suffix}"
    make().save(path)
    for channels, pixel in ((3, colour), (1, (grey,))):
        picture = read_picture(path, channels)
        assert picture.dtype == np.uint8
        assert picture.shape == (2, 3, channels)
        assert (picture == np.array(pixel, dtype=np.uint8)).all(), picture[0, 0]


def test_transparent_entry_of_a_colour_or_grey_png_becomes_white(tmp_path):
    Image.new("RGB", (2, 2), RED).save(tmp_path / "c.png", transparency=RED)
    Image.new("L", (2, 2), 9).save(tmp_path / "g.png", transparency=9)
    assert (read_picture(tmp_path / "c.png", 3) == 255).all()
    assert (read_picture(tmp_path / "g.png", 1) == 255).all()


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_formats_are_close(tmp_path, suffix):
    Image.new("RGB", (16, 8), RED).save(tmp_path / f"a.{suffix}", quality=95)
    picture = read_picture(tmp_path / f"a.{suffix}", 3)
    assert picture.shape == (8, 16, 3)
    assert np.abs(picture.astype(int) - RED).max() < 8


def test_a_jpeg_in_print_colours_is_not_inverted(tmp_path):
    Image.new("CMYK", (16, 16), (0, 0, 0, 0)).save(tmp_path / "paper.jpg", quality=95)
    assert read_picture(tmp_path / "paper.jpg", 3).min() > 245


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_turned_the_way_it_was_held(tmp_path, mode):
    image = Image.new("L", (4, 2), 0) if mode == "L" else deep_grey(0).resize((4, 2))
    image.putpixel((0, 0), 255 if mode == "L" else 65535)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: to be turned a quarter clockwise
    image.save(tmp_path / "a.png", exif=exif)
    picture = read_picture(tmp_path / "a.png", 1)
    assert picture.shape == (4, 2, 1)
    assert picture[0, 1, 0] == 255
    assert picture.sum() == 255


def test_the_suffix_is_not_believed(tmp_path):
    Image.new("RGB", (3, 2), RED).save(tmp_path / "a.jpg", format="PNG")
    assert (read_picture(tmp_path / "a.jpg", 3) == RED).all()


def header_only(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("size", [(8001, 8000), (9700, 9700), (40_000, 40_000)])
def test_a_header_that_promises_too_much_is_refused(tmp_path, size):
    # a chunk of pixels must follow, or Pillow does not take the header for a PNG
    (tmp_path / "bomb.png").write_bytes(header_only(*size) + struct.pack(">I", 0) + b"IDAT")
    with pytest.raises(InputError, match="too large") as caught:
        read_picture(tmp_path / "bomb.png", 3)
    assert caught.value.where == str(tmp_path / "bomb.png")


def test_whatever_a_decoder_does_the_file_is_named(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    float_tiff = tmp_path / "float.tiff"
    Image.new("F", (2, 2), 0.5).save(float_tiff)
    cases = {
        "short.png": whole[: len(whole) // 2],
        "empty.png": b"",
        "text.png": b"not a picture at all",
        "vector.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "float.tiff": float_tiff.read_bytes(),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_picture(tmp_path / name, 3)
        assert caught.value.where == str(tmp_path / name)
        assert caught.value.do
    with pytest.raises(InputError, match=r"cannot be read") as caught:
        read_picture(tmp_path / "absent.png", 3)
    assert caught.value.why == "No such file or directory"
    with pytest.raises(InputError):
        read_picture(tmp_path, 3)


def test_channels_are_one_or_three(tmp_path):
    with pytest.raises(ValueError, match="1 or 3"):
        read_picture(tmp_path / "a.png", 4)
