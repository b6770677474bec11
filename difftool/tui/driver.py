"""How the dashboard writes to a terminal: one that takes nothing for a while, or is gone, holds nothing up.

Textual's own way waits for the terminal. A stopped one (Ctrl-S, a dead ssh line, a suspended window) would then stop
the dashboard too, its end included; and where the terminal is gone, it would wait for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import termios
import threading
from collections import deque
from collections.abc import Callable

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from difftool.tui.widgets.picture import Picture

MOST = 1 << 20
"""Bytes that wait for the terminal; beyond that, only the screen as it is in the end will be drawn."""
FAREWELL = 1.0
"""Seconds in which a terminal must take what puts it in order again, before what waits for it is thrown away."""
PIECE = 4096
ORDER = "".join(f"\x1b[?{mode}l" for mode in (2004, 2048, 1000, 1003, 1015, 1006, 1016, 1004)) + (
    "\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[m"
)
"""What puts a terminal in order, whatever state it was left in."""
ENDS = (signal.SIGTERM, signal.SIGHUP)


class Outbox(threading.Thread):
    """Writes in order, in a thread of its own; `late` is called once a terminal that was too slow is done."""

    def __init__(self, fd: int, late: Callable[[], object], gone: Callable[[], object]) -> None:
        super().__init__(name="screen", daemon=True)
        self._fd, self._own = _opened(fd)
        self._late, self._gone = late, gone  # both from the thread
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._guard = threading.Condition()
        self._lost = False  # something was left out
        self._over = False
        self._pen = threading.Lock()
        self.dead = False

    def put(self, text: str) -> None:
        """Sends it as soon as the terminal takes it."""
        data = text.encode("utf-8", "backslashreplace")
        with self._guard:
            if self.dead:
                return
            if self._size > MOST:  # each is whole: what is left out cuts no sequence in two
                self._waiting.clear()
                self._size, self._lost = 0, True
            if self._lost and not self._over:
                return
            self._waiting.append(data)
            self._size += len(data)
            self._guard.notify()

    def end(self, words: str) -> None:
        """Nothing comes after this. A terminal that does not take what waits is put in order with `words` alone."""
        with self._guard:
            self._over = True
            self._waiting.append(b"")
            self._guard.notify()
        self.join(FAREWELL)
        if self.is_alive():  # what waits is thrown away, in the terminal's own buffer too, so that there is room
            self.dead = True
            with self._pen, contextlib.suppress(OSError, termios.error):
                termios.tcflush(self._fd, termios.TCOFLUSH)
                if _writable(self._fd, 0.1):
                    os.write(self._fd, b"\x18" + words.encode())  # CAN: ends a sequence that was cut
        elif self._own:
            os.close(self._fd)

    def run(self) -> None:
        """One after the other."""
        try:
            while self._one():
                pass
        except OSError:  # the terminal is gone
            self.dead = True
            self._gone()

    def _one(self) -> bool:
        with self._guard:
            if not self._waiting:
                self._guard.wait(1.0)
            if self.dead:
                return False
            data = self._waiting.popleft() if self._waiting else None
            self._size -= len(data or b"")
        if data == b"":
            return False
        if data is None:
            self._check()
        else:
            self._send(data)
        with self._guard:  # also where nothing was left to send: all that waited may have been left out
            done = self._lost and not self._waiting
            self._lost = self._lost and not done
        if done:
            self._late()
        return True

    def _send(self, data: bytes) -> None:
        step = PIECE if self._own else 256  # with room for one byte a terminal has room for so many
        while data and not self.dead:
            if _writable(self._fd, 0.2):
                with self._pen, contextlib.suppress(BlockingIOError):
                    if not self.dead:  # `end` has had its last word meanwhile
                        data = data[os.write(self._fd, data[:step]) :]

    def _check(self) -> None:
        """A terminal that was closed says so to whoever asks."""
        try:
            termios.tcgetattr(self._fd)
        except termios.error as error:
            raise OSError(*error.args) from None


class OwnDriver(LinuxDriver):
    """Textual's, with the `Outbox` instead of its own; signals end the dashboard from its first moment to its last."""

    _out: Outbox | None = None

    def start_application_mode(self) -> None:
        """From here on the terminal is the dashboard's."""
        loop = asyncio.get_running_loop()
        app = self._app

        def redraw() -> None:
            for picture in app.screen.query(Picture):
                picture.send_again()
            app.screen.refresh(layout=True)

        self._out = Outbox(self._screen, lambda: app.call_later(redraw), lambda: app.call_later(app.exit))
        self._out.start()
        for number in ENDS:
            with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):
                loop.add_signal_handler(number, app.exit)
        super().start_application_mode()

    @property
    def _screen(self) -> int:
        assert self._file is not None
        return self._file.fileno()

    def _get_terminal_size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self._screen)  # standard output is somewhere else meanwhile
        except OSError:
            columns = rows = 0
        return columns or 80, rows or 24

    def write(self, data: str) -> None:
        """Sends it, some time."""
        if self._out is not None and data:
            self._out.put(data)

    def stop_application_mode(self) -> None:
        """Puts everything back, and waits until the terminal has taken it."""
        super().stop_application_mode()
        if self._out is not None:
            self._out.end(ORDER)
            self._out = None

    def _disable_mouse_support(self) -> None:
        super()._disable_mouse_support()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")

    def _run_input_thread(self) -> None:
        while True:
            try:
                self.run_input_thread()
            except UnicodeDecodeError:  # bytes that are no text are no keys
                continue
            except OSError:  # the terminal is gone
                self._app.call_later(self._app.exit)
            return


def _opened(fd: int) -> tuple[int, bool]:
    """The same terminal in a description of its own, so that not to wait is no setting that the shell inherits."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), True
    except OSError:  # another user's terminal, after su
        return fd, False


def _writable(fd: int, seconds: float) -> bool:
    return bool(select.select([], [fd], [], seconds)[1])


def run_guarded(app: App[None]) -> Exception | None:
    """Runs the dashboard in this terminal, and returns what went wrong in it, if anything did: nothing is printed."""
    if "TEXTUAL_DRIVER" not in os.environ:  # else a browser is at the other end
        app.driver_class = OwnDriver
    app.error_console.quiet = True
    # Textual's own way draws a traceback with all local values, which takes seconds where they are large.
    app._fatal_error = app._close_messages_no_wait  # type: ignore[method-assign]
    app.run()
    return app._exception
