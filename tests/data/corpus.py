"""Files of every kind that data folders hold: pictures of one plain colour, 16 wide and 8 high, and broken ones."""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

RED = (200, 40, 10)
WHITE = (255, 255, 255)
WIDTH, HEIGHT = 16, 8
ORIENTATION = 0x0112

Colour = tuple[int, int, int]


def good(folder: Path) -> dict[Path, Colour]:
    """Writes every kind of picture that is read; each path with the colour it has on a white page."""
    written: dict[Path, Colour] = {}
    for name, content, colour in _good_files():
        path = folder / os.fsdecode(name)
        try:
            path.write_bytes(content)
        except OSError:  # a file system that forbids such names
            continue
        written[path] = colour
    return written


def broken(folder: Path) -> list[Path]:
    """Writes files that give no picture."""
    paths = []
    for name, content in _broken_files().items():
        (folder / name).write_bytes(content)
        paths.append(folder / name)
    return paths


def chunk(kind: bytes, body: bytes) -> bytes:
    """One piece of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(pixel: bytes, depth: int, kind: int, *, size: tuple[int, int] = (WIDTH, HEIGHT), extra: bytes = b"") -> bytes:
    """A PNG whose pixels are all the same bytes; `kind` 0: grey, 2: RGB, 4: grey and alpha, 6: RGBA."""
    width, height = size
    rows = zlib.compress((b"\0" + pixel * width) * height)
    return png_start(*size, depth, kind) + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_start(width: int, height: int, depth: int = 8, kind: int = 2) -> bytes:
    """All of a PNG before its pixels."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))


def tiff(rows: bytes, bits: int, *, zero: int = 1) -> bytes:
    """A grey TIFF; `zero` 1: nought is black, 0: nought is white."""
    numbers = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: zero, 273: 8, 277: 1, 278: HEIGHT, 279: len(rows)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in numbers.items())
    return b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + struct.pack("<H", len(numbers)) + entries + bytes(4)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of the file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    """Metadata that say how the camera was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def plain(mode: str = "RGB", colour: object = RED, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    return Image.new(mode, size, colour)


def palette(hole: object = None) -> Image.Image:
    image = plain("P", 1)
    image.putpalette([0, 0, 0, *RED])
    if hole is not None:
        image.info["transparency"] = hole
    return image


def deep(value: int, kind: str = "<u2") -> Image.Image:
    return Image.fromarray(np.full((HEIGHT, WIDTH), value, dtype=kind))


def _good_files() -> Iterator[tuple[str | bytes, bytes, Colour]]:
    blue = plain(colour=(0, 0, 255))
    frames = {"save_all": True, "append_images": [blue, blue], "duration": 50}
    half = plain("RGBA", (0, 0, 0, 51))
    hole = plain("RGBA", (255, 0, 0, 0))

    yield "rgb.png", saved(plain(), "PNG"), RED
    yield "grey.png", saved(plain("L", 77), "PNG"), (77, 77, 77)
    yield "black.png", saved(plain("1", 0), "PNG"), (0, 0, 0)
    yield "white.png", saved(plain("1", 1), "PNG"), WHITE
    yield "palette.png", saved(palette(), "PNG"), RED
    yield "palette hole.png", saved(palette(1), "PNG"), WHITE
    yield "palette 20 %.png", saved(palette(bytes([255, 51])), "PNG"), (244, 212, 206)
    yield "rgba opaque.png", saved(plain("RGBA", (*RED, 255)), "PNG"), RED
    yield "rgba half.png", saved(half, "PNG"), (204, 204, 204)
    yield "rgba hole.png", saved(hole, "PNG"), WHITE
    yield "grey alpha.png", saved(plain("LA", (0, 51)), "PNG"), (204, 204, 204)
    yield "key.png", saved(plain(), "PNG", transparency=RED), WHITE
    yield "grey16.png", saved(deep(0x12FF), "PNG"), (0x12, 0x12, 0x12)
    yield "grey16 key.png", png(b"\x12\xff", 16, 0, extra=chunk(b"tRNS", b"\x12\xff")), WHITE
    yield "rgb16.png", png(b"\xc8\xff\x28\xff\x0a\xff", 16, 2), RED
    yield "grey16 alpha.png", png(b"\x00\x00\x33\x33", 16, 4), (204, 204, 204)
    yield "rgba16.png", png(b"\x00\x00\x00\x00\x00\x00\x33\x33", 16, 6), (204, 204, 204)
    yield "animated.png", saved(plain(), "PNG", **frames), RED
    yield "turned.png", saved(plain(size=(HEIGHT, WIDTH)), "PNG", exif=turned(6)), RED
    yield "tail.png", saved(plain(), "PNG") + b"garbage", RED

    yield "rgb.jpg", saved(plain(), "JPEG", quality=95), RED
    yield "grey.jpeg", saved(plain("L", 77), "JPEG", quality=95), (77, 77, 77)
    yield "progressive.JPG", saved(plain(), "JPEG", quality=95, progressive=True), RED
    yield "print.jpg", saved(plain("CMYK", (0, 255, 255, 0)), "JPEG", quality=95), (255, 0, 0)
    yield "paper.jpg", saved(plain("CMYK", (0, 0, 0, 0)), "JPEG", quality=95), WHITE
    yield "tail.jpg", saved(plain(), "JPEG", quality=95) + b"garbage", RED
    for turn in (1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 99):
        size = (HEIGHT, WIDTH) if 5 <= turn <= 8 else (WIDTH, HEIGHT)
        yield f"turned {turn}.jpg", saved(plain(size=size), "JPEG", quality=95, exif=turned(turn)), RED
    words = b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHI4sI", ORIENTATION, 2, 3, b"up\0\0", 0)
    yield "turned by words.jpg", saved(plain(), "JPEG", quality=95, exif=words), RED
    yield "odd exif.jpg", saved(plain(), "JPEG", quality=95, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"), RED
    yield "no exif.jpg", saved(plain(), "JPEG", quality=95, exif=b"Exif\0\0garbage"), RED

    yield "rgb.webp", saved(plain(), "WEBP", quality=95), RED
    yield "lossless.webp", saved(plain(), "WEBP", lossless=True), RED
    yield "hole.webp", saved(hole, "WEBP", lossless=True), WHITE
    yield "animated.webp", saved(plain(), "WEBP", lossless=True, **frames), RED
    yield "turned.webp", saved(plain(size=(HEIGHT, WIDTH)), "WEBP", lossless=True, exif=turned(8)), RED

    yield "rgb.bmp", saved(plain(), "BMP"), RED
    yield "palette.BMP", saved(palette(), "BMP"), RED
    yield "bit.bmp", saved(plain("1", 1), "BMP"), WHITE
    yield "palette.gif", saved(palette(), "GIF"), RED
    yield "hole.gif", saved(palette(1), "GIF", transparency=1), WHITE
    yield "animated.gif", saved(plain(), "GIF", **frames), RED

    for packing in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield f"{packing}.tiff", saved(plain(), "TIFF", compression=packing), RED
        yield (
            f"turned {packing}.tif",
            saved(plain(size=(HEIGHT, WIDTH)), "TIFF", compression=packing, exif=turned(6)),
            RED,
        )
    yield "fax.tiff", saved(plain("1", 1), "TIFF", compression="group4"), WHITE
    yield "rgba.tiff", saved(half, "TIFF"), (204, 204, 204)
    yield "grey alpha.tiff", saved(plain("LA", (0, 51)), "TIFF"), (204, 204, 204)
    yield "print.TIF", saved(plain("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0)
    yield "lab.tiff", saved(plain("LAB", (255, 128, 128)), "TIFF"), WHITE
    yield "grey16.tiff", saved(deep(0x12FF), "TIFF"), (0x12, 0x12, 0x12)
    big = Image.frombytes("I;16B", (WIDTH, HEIGHT), b"\x12\xff" * WIDTH * HEIGHT)
    yield "grey16 big.tiff", saved(big, "TIFF"), (0x12, 0x12, 0x12)
    yield "grey12.tiff", tiff(b"\x12\xf1\x2f" * (WIDTH // 2) * HEIGHT, 12), (0x12, 0x12, 0x12)
    yield "grey16 white is zero.tiff", tiff(b"\xff\x12" * WIDTH * HEIGHT, 16, zero=0), (0xED, 0xED, 0xED)
    yield "grey8 white is zero.tiff", tiff(b"\x12" * WIDTH * HEIGHT, 8, zero=0), (0xED, 0xED, 0xED)

    content = saved(plain(), "PNG")
    for name in (
        "with  spaces .png", "bär 蜘蛛.png", "line\nbreak.png", "\x1b[31mescape\x07.png", "[red]markup[/red].png",
        "\u202eright to left.png", "<script>.png", "..dots.png", "-dash.png", "100%s {0}.png", "wrong suffix.jpg",
        "n" * 251 + ".png",
    ):  # fmt: skip
        yield name, content, RED
    yield b"not utf-8 \xff.png", content, RED


def _broken_files() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8))
    whole = {kind: saved(noise, kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")}
    pixels = whole["PNG"].index(b"IDAT") + 40
    flipped = whole["PNG"][:pixels] + bytes([whole["PNG"][pixels] ^ 0xFF]) + whole["PNG"][pixels + 1 :]
    start = png_start(WIDTH, HEIGHT)
    return {
        "empty.png": b"",
        "one byte.jpg": b"\xff",
        "text.jpg": b"not a picture at all\n",
        "page.png": b"<!DOCTYPE html><html><body>404</body></html>",
        "vector.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "vector.svg.png": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "document.jpg": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
        "layers.png": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(4000),
        "icon.png": saved(noise, "ICO"),
        "portable.png": saved(noise, "PPM"),
        "header only.png": start,
        "no pixels.png": start + chunk(b"IEND", b""),
        "bad checksum.png": start[:-1] + bytes([start[-1] ^ 1]) + chunk(b"IDAT", b""),
        "bad pixels.png": flipped,
        "few pixels.png": start + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b""),
        "no size.png": png(RED_BYTES, 8, 2, size=(0, 0)),
        "float.tiff": saved(plain("F", 0.5), "TIFF"),
        "int.tiff": saved(plain("I", 70_000), "TIFF"),
        **{f"half.{kind.lower()}": content[: len(content) // 2] for kind, content in whole.items()},
        **{f"start.{kind.lower()}": content[:20] for kind, content in whole.items()},
        "short by 2.jpg": whole["JPEG"][:-2],
        "short by 2.bmp": whole["BMP"][:-2],
        "short by 2.webp": whole["WEBP"][:-2],
        **_too_large(),
    }


RED_BYTES = bytes(RED)


def zeros(length: int) -> bytes:
    """So many bytes of nought in a thousandth of the room."""
    packer = zlib.compressobj()
    return b"".join(packer.compress(bytes(2**20)) for _ in range(length >> 20)) + packer.flush()


def _too_large() -> dict[str, bytes]:
    """A few bytes that promise more pixels, or more text, than anybody wants to unpack."""
    zipped = zeros(64 * 2**20)
    start, after = png_start(WIDTH, HEIGHT), png(RED_BYTES, 8, 2)[33:]
    bmp = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54, 0, 0, 54, 40, 30_000, 30_000, 1, 24, 0, 0, 1, 1, 0, 0)
    gif = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0" + struct.pack("<HH", 65_535, 65_535) + b"\0\2\2L\1\0;"
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 9))
    jpeg, webp = saved(plain(), "JPEG"), saved(plain(), "WEBP")
    at, where = jpeg.index(b"\xff\xc0") + 5, webp.index(b"\x9d\x01\x2a") + 3
    return {
        "20000 wide.png": png_start(20_000, 20_000) + pixels,
        "8001 wide.png": png_start(8_001, 8_000) + pixels,
        "10000 wide.png": png_start(10_000, 10_000) + pixels,
        "all wide.png": png_start(2**31 - 1, 2**31 - 1) + pixels,
        "wide.bmp": bmp,
        "wide.gif": gif,
        "wide.jpg": jpeg[:at] + struct.pack(">HH", 9_000, 9_000) + jpeg[at + 4 :],
        "wide.webp": webp[:where] + struct.pack("<HH", 9_000, 9_000) + webp[where + 4 :],
        "text bomb.png": start + chunk(b"zTXt", b"a\0\0" + zipped) + after,
        "late text bomb.png": start + after[:-12] + chunk(b"zTXt", b"a\0\0" + zipped) + after[-12:],
        "profile bomb.png": start + chunk(b"iCCP", b"a\0\0" + zipped) + after,
        "long chunk.png": start + after[:-12] + struct.pack(">I", 2**31 - 1) + b"tEXt" + b"x" * 9,
    }
