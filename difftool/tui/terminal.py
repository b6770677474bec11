"""The terminal itself: whether it can show the dashboard, and everything that must be put back afterwards."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator, Mapping
from typing import NoReturn

from difftool.errors import InputError, one_line
from difftool.tui.threads import Thread

KEPT = 1 << 16
"""Bytes of stray output that are kept."""
SHOWN = 12
"""Lines of it that are shown afterwards."""


def check_terminal(piped: bool = False) -> None:
    """Refuses where no dashboard can be drawn; `piped` when events come through standard input."""
    if "TEXTUAL_DRIVER" in os.environ:  # a browser is at the other end
        return
    if os.environ.get("TERM", "") in ("dumb", ""):
        raise InputError(f"this terminal cannot show the dashboard (TERM={os.environ.get('TERM', '')})", do=_INSTEAD)
    if not sys.__stdout__ or not sys.__stdout__.isatty():
        raise InputError("the dashboard needs a terminal, and standard output is none", do=_INSTEAD)
    if piped and sys.__stdin__ and sys.__stdin__.isatty():
        raise InputError("nothing is piped in", do="ssh HOST difftool runs tail RUN --json | difftool tui -")
    if not piped and not (sys.__stdin__ and sys.__stdin__.isatty()):
        raise InputError(
            "the dashboard needs a terminal, and standard input is none",
            do="difftool tui - if events come through it; " + _INSTEAD,
        )


_INSTEAD = "difftool runs list, or difftool runs tail RUN"


def ascii_only(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale promises ASCII and no more. An unset one promises nothing, and terminals are UTF-8 today."""
    asked = environ.get("DIFFTOOL_ASCII")
    if asked is not None:
        return asked not in ("", "0")
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or ""
    if locale in ("", "C.UTF-8"):  # Python itself sets LC_CTYPE to this when it finds the C locale
        locale = environ.get("LC_ALL") or environ.get("LANG") or ""
    return locale in ("C", "POSIX") or (bool(locale) and "utf" not in locale.lower())


class Terminal:
    """The terminal while it is the dashboard's alone."""

    def __init__(self, events: int | None = None, shell: int | None = None, stray: Stray | None = None) -> None:
        self.events = events
        """the pipe that events come through, if they do"""
        self._shell, self._stray = shell, stray

    def leave(self, words: str = "", code: int = 0) -> NoReturn:
        """Says the last words and ends the process here and now, whatever a panel's thread is still at."""
        if self._shell is None or self._stray is None:
            sys.exit(code)
        # Straight to the shell: file descriptors 1 and 2 stay apart until the end, so nothing gets in between.
        text = "".join(f"{line}\n" for line in (self._stray.words(), words) if line)
        with contextlib.suppress(OSError):
            os.write(self._shell, text.encode("ascii" if ascii_only() else "utf-8", "backslashreplace"))
        os._exit(code)


class Stray(Thread):
    """What somebody writes while the dashboard is shown: a pipe that never fills, of which the last lines are kept."""

    def __init__(self) -> None:
        super().__init__("stray output")
        self._from, self.into = os.pipe()
        self._kept = b""
        self._lines = 0

    def go(self) -> None:
        """Takes whatever comes, for ever."""
        while data := os.read(self._from, 1 << 16):
            self._lines += data.count(b"\n")
            self._kept = (self._kept + data)[-KEPT:]

    def words(self) -> str:
        """The last of it, safe to show, and how much more there was."""
        while select.select([self._from], [], [], 0)[0] and self._lines < 1000:  # what the thread has not got to yet
            time.sleep(0.01)
        kept = self._kept.decode("utf-8", "backslashreplace")
        lines = [one_line(line.expandtabs(4).rstrip()) for line in kept.splitlines() if line.strip()]
        if not lines:
            return ""
        head = f"difftool: {max(self._lines, len(lines)):,} lines were written while the dashboard was shown"
        return "\n".join([head + (", the last of them:" if self._lines > SHOWN else ":"), *lines[-SHOWN:]])


@contextlib.contextmanager
def own_terminal(piped: bool = False) -> Iterator[Terminal]:
    """The terminal is the dashboard's alone: what anybody writes to file descriptors 1 and 2 meanwhile is kept apart.

    Events come through standard input if `piped`: keys come from the terminal then.
    """
    if "TEXTUAL_DRIVER" in os.environ:
        yield Terminal()
        return
    screen = os.dup(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    events = os.dup(0) if piped else None
    if piped:
        try:
            keys = os.open(os.ttyname(screen), os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            raise InputError("no terminal to take keys from", why=error.strerror or str(error)) from None
        os.dup2(keys, 0)
        os.close(keys)
    kept = [os.dup(1), os.dup(2)]
    before = sys.__stderr__
    stray = Stray()
    stray.start()
    drawn = os.fdopen(screen, "w", encoding="utf-8", errors="backslashreplace")
    try:
        sys.__stderr__ = drawn  # type: ignore[misc]  # where Textual draws
        for number in (1, 2):
            os.dup2(stray.into, number)
        yield Terminal(events, kept[1], stray)
    finally:
        sys.__stderr__ = before  # type: ignore[misc]
        said = stray.words()
        for number, fd in zip((1, 2), kept, strict=True):
            os.dup2(fd, number)
            os.close(fd)
        with contextlib.suppress(OSError):
            drawn.close()
        if said:
            sys.stderr.write(said + "\n")
