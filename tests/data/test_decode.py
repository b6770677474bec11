import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from difftool.data.decode import _plain, decode, read_picture
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


# Rows of the upright picture for each number, from the stored rows "ab" and "cd"; by the table of the EXIF standard:
# it names the sides of the scene where the stored row 0 and column 0 are.
UPRIGHT = {
    1: ("ab", "cd"),  # row 0 at the top, column 0 at the left
    2: ("ba", "dc"),  # top, right
    3: ("dc", "ba"),  # bottom, right
    4: ("cd", "ab"),  # bottom, left
    5: ("ac", "bd"),  # left, top
    6: ("ca", "db"),  # right, top
    7: ("db", "ca"),  # right, bottom
    8: ("bd", "ac"),  # left, bottom
}


def letters(side: int, channels: int = 1) -> Image.Image:
    """Four squares of different grey: a b above c d."""
    grey = np.repeat(np.repeat(np.array([[20, 90], [160, 230]], dtype=np.uint8), side, axis=0), 2 * side, axis=1)
    return Image.fromarray(grey).convert("L" if channels == 1 else "RGB")


def read_letters(image: Image.Image) -> tuple[str, str]:
    """The letters in the four quarters."""
    names = {20: "a", 90: "b", 160: "c", 230: "d"}
    pixels, (width, height) = np.asarray(image.convert("L")).astype(int), image.size
    spots = [[pixels[y, x] for x in (width // 4, 3 * width // 4)] for y in (height // 4, 3 * height // 4)]
    return tuple("".join(names[min(names, key=lambda grey: abs(grey - spot))] for spot in row) for row in spots)


def held(image: Image.Image, kind: str, orientation: int, **options: object) -> BytesIO:
    exif, file = Image.Exif(), BytesIO()
    exif[0x0112] = orientation
    image.save(file, kind, exif=exif, **options)
    return file


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("JPEG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {})]
)
def test_each_of_the_eight_ways_to_hold_a_camera(kind, options, orientation):
    for image in (letters(16, 3), letters(16)):
        found = decode(held(image, kind, orientation, **options), 3)
        assert read_letters(found.image) == UPRIGHT[orientation]
        assert found.image.size == found.size == ((32, 64) if orientation >= 5 else (64, 32))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("at_least", "scale"),
    # The upright picture is 320 high and 640 wide, or the other way round: 1/s is taken if both sides stay twice.
    [((20, 20), 8), ((20, 40), 8), ((21, 20), 4), ((80, 80), 2), ((81, 80), 1), ((400, 800), 1), ((20, 41), 4)],
)
def test_a_large_jpeg_is_decoded_smaller_but_at_twice_the_size(orientation, at_least, scale):
    turned = orientation >= 5
    wanted = at_least[::-1] if turned else at_least
    found = decode(held(letters(160), "JPEG", orientation), 3, at_least=wanted)
    whole = (320, 640) if turned else (640, 320)
    assert found.size == whole
    assert found.image.size == (whole[0] // scale, whole[1] // scale)
    assert read_letters(found.image) == UPRIGHT[orientation]


def test_decoded_smaller_it_is_the_same_picture():
    y, x = np.mgrid[:480, :640]
    scene = np.stack([127 + 90 * np.sin(x / 40), 127 + 90 * np.cos(y / 33), (x + y) / 5], axis=2).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(scene).save(file, "JPEG", quality=90)
    small = decode(file, 3, at_least=(60, 60)).image
    assert small.size == (160, 120)
    means = scene.reshape(120, 4, 160, 4, 3).mean(axis=(1, 3))
    assert np.abs(np.asarray(small) - means).mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_other_formats_keep_their_size(kind):
    file = BytesIO()
    letters(64).save(file, kind)
    found = decode(file, 1, at_least=(8, 8))
    assert found.image.size == found.size == (256, 128)


@pytest.mark.parametrize(
    ("mode", "stored", "colour"),
    [
        ("HSV", (0, 255, 255), (255, 0, 0)),
        ("YCbCr", (255, 128, 128), (255, 255, 255)),
        ("RGBX", (*RED, 0), RED),
        ("RGBa", (100, 20, 5, 127), (228, 148, 133)),  # already multiplied: 100 + 255 * 128 / 255
        ("La", (100, 127), (228, 228, 228)),
        ("PA", (1, 0), (255, 255, 255)),
        ("LAB", (0, 128, 128), (0, 0, 0)),
        ("LAB", (138, 128 + 81, 128 + 70), (255, 0, 0)),  # L* 54.3, a* 80.8, b* 69.9 where white is D50
    ],
)
def test_modes_that_few_files_have(mode, stored, colour):
    image = Image.new(mode, (2, 2), stored)
    found = _plain(image, 3, (255, 255, 255))
    grey = _plain(image, 1, (255, 255, 255))
    assert (found.mode, grey.mode) == ("RGB", "L")
    assert np.abs(np.asarray(found).astype(int) - colour).max() <= (6 if mode == "LAB" else 1)
    luma = Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
    assert np.abs(np.asarray(grey).astype(int) - luma).max() <= (6 if mode == "LAB" else 1)


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_sixteen_bits_in_any_order_of_bytes(mode):
    raw = b"\x12\xff" if mode == "I;16B" else b"\xff\x12"
    for channels in (1, 3):
        assert (np.asarray(_plain(Image.frombytes(mode, (2, 2), raw * 4), channels, (0, 0, 0))) == 0x12).all()


def test_a_png_of_16_bits_in_32_as_some_versions_of_pillow_have_it():
    image = Image.new("I", (2, 2), 0x12FF)
    image.format = "PNG"
    assert (np.asarray(_plain(image, 1, (0, 0, 0))) == 0x12).all()
