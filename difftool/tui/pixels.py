"""Pictures in full resolution, for terminals that can: by Kitty's protocol, or as Sixels.

What the two need is textual-image's (the extra `images`): its table of Kitty's marks and its Sixel encoder. Its widgets
are not used: they write past Textual and what keeps text from outside from steering the terminal, and they ask the
terminal one thing after the other, each with a wait. Here it is asked once, in one go, before the dashboard begins.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import importlib
import importlib.util
import io
import os
import re
import select
import struct
import sys
import termios
import time
import tty
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from PIL import Image
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from difftool.tui.terminal import ascii_only

Kind = Literal["", "kitty", "sixel"]
Size = tuple[int, int]

CELL: Size = (10, 20)
"""Pixels of a cell where a terminal does not say: what Sixels were made for has these."""
MOST_PIXELS = 1_200_000
"""Of one picture as it is sent: the line to the terminal may be a slow one."""
PATIENCE, PATIENCE_FAR = 0.5, 1.5
"""Seconds in which a terminal answers, here and through ssh. All but the oddest do, so this is not waited for."""

_SILENT = "this terminal does not say that it can"
_KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_CELL_SIZE, _WHO = "\x1b[16t", "\x1b[c"
_MARK = "\U0010eeee"
_PIECE = 4096


@dataclass(frozen=True)
class Means:
    """How this terminal shows pictures; without a kind in half blocks, and why."""

    kind: Kind = ""
    cell: Size = CELL
    why: str = _SILENT


@dataclass(frozen=True)
class Plate:
    """A picture ready to be sent: Kitty's is a PNG in base64, the other a Sixel sequence."""

    kind: Kind
    data: str
    width: int
    height: int


class Lens:
    """Whether pictures are shown in full now."""

    def __init__(self, means: Means, colours: str | None) -> None:
        if means.kind and colours is None:
            means = replace(means, kind="", why="without colours there are only letters")
        elif means.kind == "kitty" and colours != "truecolor":  # a picture is named by the colour of its cells
            means = replace(means, kind="", why="it takes COLORTERM=truecolor, which is not set")
        self.means = means
        self.kind = means.kind

    def turn(self) -> str:
        """Full or half blocks; returns what is to be said about it: nothing where a note would lie over the picture."""
        if not self.means.kind:
            return f"pictures stay in half blocks: {self.means.why}"
        self.kind = "" if self.kind else self.means.kind
        return "" if self.kind else "pictures in half blocks"

    def cell(self) -> Size:
        """Pixels of a cell, which change with the size of the letters."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return _cell_of(sys.__stderr__.fileno()) or self.means.cell  # type: ignore[union-attr]
        return self.means.cell


def ask_terminal(environ: Mapping[str, str] = os.environ) -> Means:
    """Asks the terminal on standard output what it can; only before the dashboard begins, which reads all answers."""
    if "TEXTUAL_DRIVER" in environ:
        return Means(why="a browser shows no others")
    if importlib.util.find_spec("textual_image") is None:
        return Means(why="pip install 'difftool[images]'")
    if ascii_only(environ):
        return Means(why="the locale promises ASCII alone")
    term = environ.get("TERM", "")
    if term in ("", "dumb", "linux") or environ.get("TERM_PROGRAM") == "Apple_Terminal":  # which print the question
        return Means()
    inside = "TMUX" in environ or "STY" in environ or term.startswith(("tmux", "screen"))
    # tmux and screen take Kitty's question for a window title.
    question = ("" if inside else _KITTY) + _CELL_SIZE + _WHO
    try:
        fd = os.open(os.ttyname(1), os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return Means()
    try:
        answer = _answer(fd, question, PATIENCE_FAR if "SSH_CONNECTION" in environ else PATIENCE)
        return means_of(answer, _cell_of(fd))
    except (OSError, termios.error):
        return Means()
    finally:
        os.close(fd)


def means_of(answer: str, cell: Size | None = None) -> Means:
    """What an answer says. Sixels first: some that know Kitty's protocol do not know the cells that name a picture."""
    said = re.search(r"\x1b\[6;(\d{1,3});(\d{1,3})t", answer)
    size = cell or ((int(said[2]), int(said[1])) if said and int(said[1]) and int(said[2]) else CELL)
    who = re.search(r"\x1b\[\?([\d;]*)c", answer)
    if who and "4" in who[1].split(";"):
        return Means("sixel", size, "")
    return Means("kitty", size, "") if "\x1b_Gi=31;OK\x1b\\" in answer else Means()


def _answer(fd: int, question: str, patience: float) -> str:
    """All that comes until the terminal has said who it is, which every one says and says last."""
    before = termios.tcgetattr(fd)
    found = b""
    try:
        tty.setcbreak(fd, termios.TCSANOW)
        os.write(fd, question.encode())
        until = time.monotonic() + patience
        while not re.search(rb"\x1b\[\?[\d;]*c", found) and len(found) < 4096:
            if not select.select([fd], [], [], max(0.0, until - time.monotonic()))[0]:
                break
            found += os.read(fd, 256)
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, before)
    return found.decode("ascii", "replace")


def _cell_of(fd: int) -> Size | None:
    rows, columns, wide, high = struct.unpack("4H", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return (wide // columns, high // rows) if rows and columns and wide >= columns and high >= rows else None


def room_of(size: Size, width: int, height: int, cell: Size) -> Size:
    """The cells (wide, high) that a picture takes within `width` x `height`; enlarged by whole factors only."""
    wide, high = max(1, size[0]), max(1, size[1])
    width, height = min(max(1, width), 250), min(max(1, height), 250)  # there are 297 of Kitty's marks
    scale = min(width * cell[0] / wide, height * cell[1] / high, (MOST_PIXELS / (wide * high)) ** 0.5)
    if scale >= 2:
        scale = int(scale)
    return (
        min(width, max(1, round(wide * scale / cell[0]))),
        min(height, max(1, round(high * scale / cell[1]))),
    )


def plate_of(image: Image.Image, kind: Kind, room: Size, cell: Size) -> Plate:
    """The picture in exactly these cells."""
    size = (room[0] * cell[0], room[1] * cell[1])
    drawn = image.convert("RGB").resize(size, Image.Resampling.BOX)  # grown, its pixels stay squares
    if kind == "kitty":
        file = io.BytesIO()
        drawn.save(file, "PNG", compress_level=4)
        return Plate(kind, base64.b64encode(file.getvalue()).decode(), *room)
    encode = importlib.import_module("textual_image._sixel").image_to_sixels
    return Plate(kind, str(encode(drawn)), *room)


def sent(plate: Plate, number: int) -> str:
    """What makes a picture known to a terminal of Kitty's kind, under this number; nothing is shown yet."""
    return "".join(_pieces(plate, number))


def _pieces(plate: Plate, number: int) -> Iterator[str]:
    head = f"a=T,U=1,i={number},f=100,c={plate.width},r={plate.height},q=2,"
    for start in range(0, len(plate.data), _PIECE):
        more = int(start + _PIECE < len(plate.data))
        yield f"\x1b_G{head if start == 0 else 'q=2,'}m={more};{plate.data[start : start + _PIECE]}\x1b\\"


def forgotten(number: int) -> str:
    """What frees the terminal of it."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"


@lru_cache(16)
def marks(number: int, width: int, height: int) -> tuple[Strip, ...]:
    """Cells over which such a terminal lays the picture of this number: their colour names it, their accents the
    place."""
    accents = [chr(code) for code in importlib.import_module("textual_image.renderable.tgp")._NUMBER_TO_DIACRITIC]
    style = Style(color=Color.from_rgb(number >> 16 & 255, number >> 8 & 255, number & 255))
    return tuple(
        Strip([Segment("".join(f"{_MARK}{accents[row]}{accents[column]}" for column in range(width)), style)], width)
        for row in range(height)
    )


def is_marks(text: str) -> bool:
    """Whether this is such cells and nothing else, which show a picture or nothing, whoever wrote them."""
    return text.startswith(_MARK) and all(char == _MARK or unicodedata.combining(char) == 230 for char in text)


def painted(plate: Plate, x: int, y: int) -> str:
    """Sixels at a place of the screen; the cursor stays where it is."""
    return f"\x1b7\x1b[{y + 1};{x + 1}H{plate.data}\x1b8"
