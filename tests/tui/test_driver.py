"""What is written to a terminal comes whole and in order; one that takes nothing for a while gets the end of it."""

import contextlib
import os
import pty
import threading
import time
import tty

import pytest

from difftool.tui import driver
from difftool.tui.driver import Outbox

LARGE = "a frame " * 50_000
"""Several times what the kernel keeps for a terminal."""
BURST = [f"<frame {number:06d}>" for number in range(10_000)]


class Looked:
    """A terminal, an outbox that writes to it, and somebody who reads as long as `reading` is set."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.late, self.gone, self.came = [], [], b""
        self.box = Outbox(self.slave, lambda: self.late.append(None), lambda: self.gone.append(None))
        self.reading = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while self.reading.wait():
                self.came += os.read(self.master, 1 << 16)

    def put(self, *texts):
        for text in texts:
            self.box.put(text)

    def close(self):
        self.box.dead = True
        if self.box.is_alive():
            self.box.join(60)
        self.reading.set()
        for fd in (self.slave, self.master):
            with contextlib.suppress(OSError):
                os.close(fd)


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(driver, "MOST", 100_000)
    terminal = Looked()
    yield terminal
    terminal.close()


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_all_comes_in_order(terminal, monkeypatch):
    monkeypatch.setattr(driver, "MOST", 1 << 20)
    terminal.box.start()
    terminal.reading.set()
    terminal.put(*BURST)
    terminal.box.end("never said")
    until(lambda: terminal.came == "".join(BURST).encode())
    assert (terminal.late, terminal.gone) == ([], [])
    assert not terminal.box.is_alive()


def stuck(terminal):
    """Nobody reads, and the outbox waits in the middle of a frame."""
    terminal.reading.clear()
    terminal.put(LARGE)
    until(lambda: not terminal.box._waiting)


def test_a_terminal_that_was_stopped_gets_whole_frames_and_then_what_is_true(terminal):
    terminal.box.start()
    expected = ""
    for times in (1, 2):  # it can be stopped again
        stuck(terminal)
        terminal.put(*BURST)
        assert len(terminal.late) == times - 1
        terminal.reading.set()
        until(lambda times=times: len(terminal.late) == times)
        terminal.put(f"now {times}.")
        expected += f"{LARGE}now {times}."
        until(lambda expected=expected: terminal.came == expected.encode())
    terminal.box.end("never said")
    assert not terminal.box.is_alive()
    assert len(terminal.late) == 2
    assert terminal.came == expected.encode()


def test_a_little_that_waits_is_kept(terminal):
    terminal.box.start()
    stuck(terminal)
    terminal.put("a", "b", "c")
    terminal.reading.set()
    until(lambda: terminal.came == f"{LARGE}abc".encode())
    assert not terminal.late


def test_where_all_that_waited_was_left_out_what_comes_next_is_sent(terminal):
    terminal.put("x" * 100_001, "left out, and with it all before")
    terminal.reading.set()
    terminal.box.start()
    until(lambda: terminal.late)
    terminal.put("now")
    until(lambda: terminal.came == b"now")


def test_the_end_does_not_wait_for_a_terminal_that_takes_nothing(terminal, monkeypatch):
    monkeypatch.setattr(driver, "FAREWELL", 0.2)
    terminal.box.start()
    stuck(terminal)
    terminal.box.end("put in order")
    terminal.put("nothing comes after the end")
    terminal.reading.set()
    until(lambda: terminal.came.endswith(b"\x18put in order"))
    until(lambda: not terminal.box.is_alive())


def test_a_terminal_that_is_gone_is_told_and_holds_nothing_up(terminal):
    os.close(terminal.master)
    terminal.box.start()
    terminal.put("x")
    until(lambda: terminal.gone)
    terminal.put("y")
    terminal.box.end("put in order")
    assert terminal.box.dead
    assert len(terminal.gone) == 1
    until(lambda: not terminal.box.is_alive())
