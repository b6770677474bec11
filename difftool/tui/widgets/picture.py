"""A picture, with a line that says what it is: in half blocks, or in full resolution where the terminal can."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.strip import Strip

from difftool.tui.darkroom import Print, Wish
from difftool.tui.pixels import Plate, forgotten, marks, painted, sent
from difftool.tui.widgets.drawn import Drawn

if TYPE_CHECKING:
    from difftool.tui.app import DifftoolApp

_NUMBERS = (1 << 16, (1 << 24) - 2)
"""Of pictures in the terminal: by chance, so that they are not those of another program beside this one."""


class Picture(Drawn):
    """Shows the newest picture it was given as soon as it is developed; the one before stays until then."""

    app: DifftoolApp

    def __init__(self, empty: str, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.empty = empty
        self.caption = ""
        self.source: tuple[Path | bytes, Hashable] | None = None
        self.part = (1.0, 1.0)
        self._print: Print | None = None
        self._wish: Wish | None = None
        self._number = random.randint(*_NUMBERS)
        self._sent: Plate | None = None  # what the terminal has under this number

    def show(
        self,
        source: Path | bytes | None,
        stamp: Hashable,
        caption: str,
        empty: str = "",
        part: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """This picture from now on, or the upper left part of it."""
        self.part = part
        self.source = None if source is None else (source, stamp)
        empty = empty or self.empty
        if (caption, empty) != (self.caption, self.empty):
            self.caption, self.empty = caption, empty
            self.refresh()
        self.renew()

    def renew(self) -> None:
        """Takes the print if it is done."""
        width, height = self.size.width, self.size.height - 1
        if self.source is None or width < 1 or height < 1:
            found = None
        else:
            lens = self.app.lens
            wish = Wish(*self.source, width, height, self.app.ascii, self.part)
            if lens.kind:
                wish = Wish(*self.source, width, height, self.app.ascii, self.part, lens.kind, lens.cell())
            found = self.app.darkroom.picture(id(self), wish)
            if found is None:
                return
        if found is not self._print:
            self._print = found
            self._send()
            self.refresh()

    def on_resize(self) -> None:
        """Another size is another print."""
        self.renew()

    def on_unmount(self) -> None:
        """The terminal need not keep it."""
        self._forget()

    @property
    def plate(self) -> Plate | None:
        """What is shown in full."""
        return self._print.plate if self._print else None

    def render_line(self, y: int) -> Strip:
        """The caption, then the picture in the middle."""
        if y == 0:
            return self.strip_of([(f" {self.caption}", "dim")])
        strips = self._strips()
        if not strips:
            words = (self._print.why if self._print else "") or ("" if self.source else self.empty)
            return self.strip_of([(words if y == 1 else "", "dim")])
        row = y - 1
        if row >= len(strips):
            return self.strip_of([])
        strip = strips[row]
        base = self.rich_style
        left = max(0, (self.size.width - strip.cell_length) // 2)
        padded = Strip([*self.strip_of([], left), *strip.apply_style(base)], left + strip.cell_length)
        return padded.adjust_cell_length(self.size.width, base)

    def _strips(self) -> tuple[Strip, ...]:
        plate = self.plate
        if plate and plate is self._sent:
            return marks(self._number, plate.width, plate.height)
        return self._print.strips if self._print else ()

    # In full

    def redrawn(self, spans: Iterable[tuple[int, int, int]] | None) -> None:
        """These parts (y, from x, to x) of the screen were drawn, or all: there are no Sixels over them any more."""
        plate = self.plate
        if plate is None or plate.kind != "sixel" or not self.app.lens.kind:
            return
        left = self.region.x + max(0, (self.size.width - plate.width) // 2)
        place = Region(left, self.region.y + 1, plate.width, plate.height)
        rows = range(place.y, place.bottom)
        if spans is not None and not any(y in rows and x < place.right and to > place.x for y, x, to in spans):
            return
        if self not in self.screen._compositor.visible_widgets or not self.screen.region.contains_region(place):
            return
        if any(toast.region.overlaps(place) for toast in self.screen.query("Toast")):
            return  # the half blocks do until it is gone, when these cells are drawn anew
        self._write(painted(plate, place.x, place.y))

    def _send(self) -> None:
        """Lets the terminal have the picture; another one gets another number, as the old one is seen till then."""
        if self._sent:
            self.call_after_refresh(self._write, forgotten(self._number))
            self._sent = None
        plate = self.plate
        if plate and plate.kind == "kitty":
            self._number = self._number % _NUMBERS[1] + 1
            self._sent = plate
            self._write(sent(plate, self._number))

    def send_again(self) -> None:
        """The terminal may not have got it."""
        self._sent = None
        self._send()

    def _forget(self) -> None:
        if self._sent:
            self._write(forgotten(self._number))
            self._sent = None

    def _write(self, text: str) -> None:
        driver = self.app._driver
        if driver is not None and not self.app.is_headless:
            driver.write(text)
