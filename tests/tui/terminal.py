"""A terminal for tests: the dashboard runs in it as it does for a user, and what reaches the screen can be looked at.

It knows the sequences that a dashboard needs and no more: whatever else comes is kept in `strange`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from pathlib import Path

from rich.cells import cell_len

PATIENCE = 60.0
"""Seconds until something that should happen is given up; never how long it may take."""
MODES = {"7", "25", "1000", "1003", "1004", "1006", "1015", "1016", "1049", "2004", "2026", "2048"}
"""What a dashboard switches on and off: wrapping, cursor, mouse, focus, alternate screen, paste, frames, sizes."""
AFTERWARDS = {"7": True, "25": True} | dict.fromkeys(
    ("1000", "1003", "1004", "1006", "1015", "1016", "1049", "2004", "2048"), False
)
"""What a shell expects."""
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_CSI = re.compile(r"\x1b\[([<=>?]?)([0-9;:]*)([ $]?[@-~])")
_POINTER = re.compile(r"\x1b\]22;[a-z-]*\x07")  # the mouse pointer's shape
_COPY = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
_PART = re.compile(r"\x1b(\[[0-?]*[ -/]*|\][^\x07\x1b]*|)$")
_STEERING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
BLANK = ("", "")  # a cell: what stands there, and its colours


class Screen:
    """The cells, and what was said besides."""

    def __init__(self, columns: int, rows: int) -> None:
        self.strange: list[str] = []
        self.modes: dict[str, bool] = {}
        self.keyboard = 0  # how deep kitty's stack is
        self.copied: list[str] = []
        self.styles: set[str] = set()  # every set of colours that was asked for
        self._rest = ""
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """Empty, and of another size."""
        self.columns, self.rows = columns, rows
        self.cells = [[BLANK] * columns for _ in range(rows)]
        self.x = self.y = 0
        self.style = ""

    @property
    def text(self) -> str:
        """The lines one sees."""
        return "\n".join("".join(cell[0] if cell is not BLANK else " " for cell in row).rstrip() for row in self.cells)

    def feed(self, text: str) -> None:
        """What the program wrote."""
        text, at = self._rest + text, 0
        self._rest = ""
        while at < len(text):
            if found := _TEXT.match(text, at):
                self._write(found[0])
            elif found := _CSI.match(text, at):
                self._csi(*found.groups())
            elif found := _COPY.match(text, at):
                self.copied.append(found[1])
            elif found := _POINTER.match(text, at):
                pass
            elif len(text) - at < 1 << 20 and _PART.match(text, at):
                self._rest = text[at:]
                return
            else:
                self._control(text[at : at + 40])
                at += 1
                continue
            at = found.end()

    def _write(self, text: str) -> None:
        for char in text:
            if unicodedata.category(char) in _STEERING:
                self.strange.append(f"U+{ord(char):04X}")
            wide = cell_len(char)
            if self.y >= self.rows or self.x >= self.columns:
                continue
            row = self.cells[self.y]
            if not wide:
                before = max(0, self.x - 1)
                row[before] = (row[before][0] + char, row[before][1])
                continue
            row[self.x] = (char, self.style)
            if wide == 2 and self.x + 1 < self.columns:
                row[self.x + 1] = ("", self.style)
            self.x += wide

    def _csi(self, mark: str, numbers: str, final: str) -> None:
        if final == "m" and not mark:
            self.style = "" if numbers in ("", "0") else numbers
            self.styles.add(numbers)
        elif final == "H" and not mark:
            row, _, column = numbers.partition(";")
            self.y, self.x = int(row or 1) - 1, int(column or 1) - 1
        elif final in "hl" and mark == "?" and set(numbers.split(";")) <= MODES:
            self.modes |= dict.fromkeys(numbers.split(";"), final == "h")
        elif final == "u" and mark in ("<", ">"):
            self.keyboard += 1 if mark == ">" else -1
        elif not (final == "$p" and mark == "?" and numbers in MODES):
            self.strange.append(f"CSI {mark}{numbers}{final}")

    def _control(self, text: str) -> None:
        if text[0] == "\r":
            self.x = 0
        elif text[0] == "\n":
            self.y += 1
            self.x = 0
        else:
            self.strange.append(repr(text))


class Terminal:
    """A program in a terminal of its own."""

    def __init__(
        self,
        *args: str,
        size: tuple[int, int] = (100, 30),
        env: dict[str, str | None] | None = None,
        program: tuple[str, ...] = (sys.executable, "-m", "difftool", "tui"),
        stdin: int | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.master, slave = pty.openpty()
        self.screen = Screen(*size)
        self.output = b""
        self._size(*size)
        self.before = termios.tcgetattr(slave)
        everything = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LC_ALL": "C.UTF-8",
            **(env or {}),
        }
        self.process = subprocess.Popen(
            [*program, *args],
            stdin=slave if stdin is None else stdin,
            stdout=slave,
            stderr=slave,
            env={key: value for key, value in everything.items() if value is not None},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),  # noqa: PLW1509  (one call, no lock)
        )
        self._slave = slave  # held, so that what the terminal was left like can be asked afterwards

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Keys and sizes

    def press(self, *keys: str) -> None:
        """Types them, one after the other, each a write of its own."""
        for key in keys:
            os.write(self.master, KEYS.get(key, key).encode())
            self.read(0.02)

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size now."""
        self.screen.resize(columns, rows)
        self._size(columns, rows)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    # What comes

    def read(self, seconds: float = 0.1) -> bool:
        """What comes within so many seconds, until nothing comes; whether anything did."""
        came = False
        while self.master >= 0 and select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:  # the other end is gone
                return came
            if not data:
                return came
            self.output += data
            self.screen.feed(self._decoded(data))
            came = True
            seconds = min(seconds, 0.05)
        return came

    def _decoded(self, data: bytes) -> str:
        data = self._half + data
        for cut in range(min(4, len(data)) + 1):  # a character may be cut in two
            try:
                text = data[: len(data) - cut].decode()
            except UnicodeDecodeError:
                continue
            self._half = data[len(data) - cut :]
            return text
        self._half = b""
        return data.decode("utf-8", "backslashreplace")

    _half = b""

    def wait_for(self, *texts: str, absent: str = "") -> str:
        """Until all of them stand on the screen, and `absent` does not; what then stands there."""
        end = time.monotonic() + PATIENCE
        while True:
            came = self.read(0.05)
            shown = self.screen.text
            if all(text in shown for text in texts) and not (absent and absent in shown):
                return shown
            if time.monotonic() > end or (not came and self.process.poll() is not None and not self.read(0.2)):
                raise AssertionError(f"{texts} {f'without {absent!r} ' if absent else ''}did not come:\n{shown}")

    def settle(self, seconds: float = 0.25) -> str:
        """Until nothing more comes; what then stands there."""
        end = time.monotonic() + 3 * seconds + 1  # a cursor that blinks never rests
        while self.read(seconds) and time.monotonic() < end:
            pass
        return self.screen.text

    # The end

    def ended(self) -> int:
        """Waits for the program to end by itself, and returns its exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self.read(0.05)
            assert time.monotonic() < end, f"it does not end:\n{self.screen.text}"
        self.read(0.1)
        return self.process.returncode

    def left_as_found(self) -> list[str]:
        """What is not as a shell expects it; empty when all is."""
        wrong = [f"mode {mode}" for mode, on in AFTERWARDS.items() if self.screen.modes.get(mode, on) != on]
        wrong += ["keyboard"] if self.screen.keyboard else []
        return wrong + (["attributes"] if termios.tcgetattr(self._slave) != self.before else [])

    @property
    def said(self) -> str:
        """What was written after the alternate screen was left."""
        return self.output.rpartition(b"\x1b[?1049l")[2].decode("utf-8", "backslashreplace")

    def hang_up(self) -> None:
        """The window is closed."""
        os.close(self._slave)
        self._slave = -1
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        """Whatever happens, nothing is left running."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for fd in (self.master, self._slave):
            if fd >= 0:
                os.close(fd)
        self.master = self._slave = -1


KEYS = {
    "escape": "\x1b",
    "enter": "\r",
    "tab": "\t",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "ctrl+c": "\x03",
    "ctrl+p": "\x10",
    "ctrl+q": "\x11",
    "backspace": "\x7f",
}
