"""Where pictures are developed: decoded and scaled in a thread, so that a large or a broken one holds nothing up."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from difftool.tui.halfblock import cells, decoded, fit, plain, shades
from difftool.tui.pixels import Kind, Plate, plate_of, room_of
from difftool.tui.threads import Thread

KEPT = 160
"""Developed pictures that are kept: scrubbing to and fro draws each once."""
MOST_KEPT = 48 << 20
"""Bytes of these, about."""
CELL = 350
"""Bytes of one piece of a line, with its style."""
AGAIN = 2.0
"""Seconds after which a picture that could not be shown is tried again: it may have been on its way."""


@dataclass(frozen=True)
class Wish:
    """A picture at a size; `stamp` differs when the file was written anew."""

    source: Path | bytes
    stamp: Hashable
    width: int
    height: int
    ascii: bool
    part: tuple[float, float] = (1.0, 1.0)  # its upper left corner alone: shares of its width and height
    kind: Kind = ""  # in full resolution, for a terminal whose cells have so many pixels
    cell: tuple[int, int] = (1, 2)


@dataclass(frozen=True)
class Print:
    """What became of it: lines to draw, or the reason why there are none."""

    strips: tuple[Strip, ...]
    why: str = ""
    plate: Plate | None = None
    made: float = field(default_factory=time.monotonic, compare=False)

    @property
    def weight(self) -> int:
        """Bytes, about."""
        return CELL * sum(map(len, self.strips)) + (len(self.plate.data) if self.plate else 0)


class Darkroom(Thread):
    """Develops the newest wish of each widget."""

    def __init__(self) -> None:
        super().__init__("pictures")
        self.version = 0
        self._wishes: dict[int, Wish] = {}
        self._done: OrderedDict[Wish, Print] = OrderedDict()
        self._weight = 0
        self._guard = threading.Lock()
        self._rung = threading.Event()

    def picture(self, widget: int, wish: Wish) -> Print | None:
        """The print, if there is one by now; else it is developed, and `version` grows when it is done."""
        with self._guard:
            done = self._done.get(wish)
            if done is not None:
                self._done.move_to_end(wish)
                if not done.why or time.monotonic() - done.made < AGAIN:
                    return done
            self._wishes[widget] = wish
        self._rung.set()
        return done

    def go(self) -> None:
        """One wish after the other."""
        while not self.asked.is_set():
            self._rung.wait()
            self._rung.clear()
            while wish := self._next():
                try:
                    done = develop(wish)
                except Exception as error:  # whatever a hostile file does, it is one picture that is missing
                    done = Print((), f"cannot be shown: {type(error).__name__}")
                with self._guard:
                    self._weight += done.weight - (self._done[wish].weight if wish in self._done else 0)
                    self._done[wish] = done
                    while len(self._done) > KEPT or (len(self._done) > 1 and self._weight > MOST_KEPT):
                        self._weight -= self._done.popitem(last=False)[1].weight
                self.version += 1

    def _next(self) -> Wish | None:
        with self._guard:
            if not self._wishes:
                return None
            return self._wishes.pop(next(iter(self._wishes)))


def develop(wish: Wish) -> Print:
    """Lines of half blocks, each two pixels high; of letters where only ASCII can be shown. In full where asked for."""
    image, why = decoded(wish.source)
    if image is None:
        return Print((), why)
    if wish.part != (1.0, 1.0):
        wide, high = (max(1, round(side * share)) for side, share in zip(image.size, wish.part, strict=True))
        image = image.crop((0, 0, wide, high))
    if wish.kind and not wish.ascii:
        image = plain(image)
        width, height = room_of(image.size, wish.width, wish.height, wish.cell)
        try:
            plate = plate_of(image, wish.kind, (width, height), wish.cell)
        except (ImportError, AttributeError, TypeError):  # another textual-image than this was written for
            plate = None
        # Half blocks lie below: they are seen until the terminal has the rest, and where a note covers a part of it.
        return Print(tuple(_strip(row, width) for row in cells(image, width, height)), plate=plate)
    width, height = fit(image.size, wish.width, wish.height)
    if wish.ascii:
        return Print(tuple(Strip([Segment(row)], width) for row in shades(image, width, height)))
    return Print(tuple(_strip(row, width) for row in cells(image, width, height)))


def _strip(row: list[tuple[tuple[int, int, int], tuple[int, int, int]]], width: int) -> Strip:
    segments: list[Segment] = []
    start = 0
    for end in range(1, len(row) + 1):  # neighbours of one colour are one piece: fewer bytes over a slow line
        if end == len(row) or row[end] != row[start]:
            upper, lower = row[start]
            style = Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
            segments.append(Segment("▀" * (end - start), style))
            start = end
    return Strip(segments, width)
