"""Pictures in full resolution: only for a terminal that says it can, and then the right ones."""

import base64
import io
import random
import re

import pytest
from PIL import Image

from difftool.tui.pixels import (
    CELL,
    Lens,
    Means,
    Plate,
    ask_terminal,
    forgotten,
    is_marks,
    marks,
    means_of,
    plate_of,
    room_of,
    sent,
)

OK = "\x1b_Gi=31;OK\x1b\\"


@pytest.mark.parametrize(
    ("answer", "cell", "kind", "size"),
    [
        ("", None, "", CELL),
        ("\x1b[?62;22c", None, "", CELL),
        ("\x1b[?1;2c", None, "", CELL),
        ("\x1b[?64c", None, "", CELL),
        ("\x1b[?44;14c", None, "", CELL),
        ("\x1b[?62;4c", None, "sixel", CELL),
        ("\x1b[6;18;9t\x1b[?62;4;22c", None, "sixel", (9, 18)),
        ("\x1b[6;18;9t\x1b[?62;4;22c", (8, 17), "sixel", (8, 17)),
        (OK + "\x1b[6;18;9t\x1b[?62c", None, "kitty", (9, 18)),
        (OK + "\x1b[6;0;0t\x1b[?62c", None, "kitty", CELL),
        (OK, None, "kitty", CELL),
        (OK + "\x1b[?62;4c", None, "sixel", CELL),
        ("\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?62c", None, "", CELL),
        ("keys typed meanwhile 4c;4" + "\x1b[?62c", None, "", CELL),
    ],
)
def test_what_a_terminal_answers(answer, cell, kind, size):
    means = means_of(answer, cell)
    assert means.kind == kind
    assert bool(means.why) != bool(kind)
    if kind:
        assert means.cell == size


@pytest.mark.parametrize(
    ("colours", "kind", "shown", "why"),
    [
        ("truecolor", "kitty", "kitty", ""),
        ("256", "kitty", "", "COLORTERM"),
        ("256", "sixel", "sixel", ""),
        (None, "sixel", "", "colours"),
        ("truecolor", "", "", "pip install 'difftool[images]'"),
    ],
)
def test_the_key_says_why_not(colours, kind, shown, why):
    lens = Lens(Means(kind, why="" if kind else "pip install 'difftool[images]'"), colours)
    assert lens.kind == shown
    said = lens.turn()
    assert lens.kind == ""
    assert said == (f"pictures stay in half blocks: {lens.means.why}" if why else "pictures in half blocks")
    assert why in said
    lens.turn()
    assert lens.kind == shown


def test_a_browser_is_not_asked():
    assert ask_terminal({"TEXTUAL_DRIVER": "x", "TERM": "xterm-kitty"}).kind == ""


def test_a_picture_fits_keeps_its_aspect_and_is_not_too_much_to_send():
    rng = random.Random(0)
    for _ in range(2000):
        size = (rng.randrange(1, 3000), rng.randrange(1, 3000))
        width, height, cell = rng.randrange(1, 300), rng.randrange(1, 120), (rng.randrange(4, 20), rng.randrange(8, 40))
        wide, high = room_of(size, width, height, cell)
        assert 1 <= wide <= width
        assert 1 <= high <= height
        assert wide * cell[0] * high * cell[1] <= 1_200_000 + max(wide, high) * cell[0] * cell[1]
        if wide > 4 and high > 4:
            assert wide * cell[0] / (high * cell[1]) == pytest.approx(size[0] / size[1], rel=0.26)


def test_small_pictures_grow_by_whole_factors():
    assert room_of((28, 28), 100, 50, (10, 20)) == (98, 49)  # 35 times
    image = Image.new("RGB", (2, 2))
    image.putpixel((1, 0), (255, 0, 0))
    plate = plate_of(image, "kitty", (2, 1), (10, 20))
    with Image.open(io.BytesIO(base64.b64decode(plate.data))) as found:
        assert found.size == (20, 20)
        assert sorted(found.convert("RGB").getcolors()) == [(100, (255, 0, 0)), (300, (0, 0, 0))]


@pytest.mark.parametrize("length", [1, 4095, 4096, 4097, 20000])
def test_a_picture_is_sent_in_pieces_that_make_up_the_whole(length):
    data = "".join(random.Random(length).choices("abcDEF0123+/", k=length))
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent(Plate("kitty", data, 30, 20), 70000))
    assert "".join(piece for _, piece in pieces) == data
    assert "".join(f"\x1b_G{head};{piece}\x1b\\" for head, piece in pieces) == sent(
        Plate("kitty", data, 30, 20), 70000
    )  # and nothing between them
    assert [re.search(r"m=(\d)", head)[1] for head, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    assert all(len(piece) <= 4096 and "q=2" in head for head, piece in pieces)
    assert {"a=T", "U=1", "i=70000", "f=100", "c=30", "r=20"} <= set(pieces[0][0].split(","))
    assert forgotten(70000) == "\x1b_Ga=d,d=I,i=70000,q=2\x1b\\"


def test_cells_name_the_picture_and_their_place():
    pytest.importorskip("textual_image", reason="pip install 'difftool[images]'")
    found = marks(0x123456, 40, 30)
    assert len(found) == 30
    places = set()
    for strip in found:
        assert strip.cell_length == sum(segment.cell_length for segment in strip) == 40
        assert tuple(next(iter(strip)).style.color.triplet) == (0x12, 0x34, 0x56)
        assert is_marks(strip.text)
        # Cut anywhere, each cell still knows its own place.
        assert all(len(part.text) == 3 for part in strip.divide(range(1, 41)))
        places |= {part.text for part in strip.divide(range(1, 41))}
    assert len(places) == 1200
    assert found[0].text[:3] == "\U0010eeee\u0305\u0305"
    assert found[1].text[3:6] == "\U0010eeee\u030d\u030d"


@pytest.mark.parametrize(
    "text", ["", "a", "\U0010eeee\x1b[2J", "\U0010eeeea", "\u0305", "\U0010eeee\u202e", "\U0010eeef"]
)
def test_no_other_text_is_taken_for_cells_of_a_picture(text):
    assert not is_marks(text)


def test_sixels_are_as_large_as_their_cells():
    pytest.importorskip("textual_image", reason="pip install 'difftool[images]'")
    plate = plate_of(Image.new("RGB", (7, 5), (200, 10, 10)), "sixel", (12, 4), (9, 18))
    assert re.match(r'\x1bP[\d;]*q"1;1;108;72', plate.data)
    assert plate.data.endswith("\x1b\\")
    assert plate.data.count("\x1b") == 2
