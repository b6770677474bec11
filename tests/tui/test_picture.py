"""Pictures under a real terminal: what it says it can is used, and nothing it has not said."""

import base64
import contextlib
import fcntl
import importlib.util
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import pytest
from PIL import Image

INSTALLED = importlib.util.find_spec("textual_image") is not None
images = pytest.mark.skipif(not INSTALLED, reason="pip install 'difftool[images]'")
PATIENCE = 60.0
KITTY = b"\x1b_Gi=31;OK\x1b\\\x1b[6;20;10t\x1b[?62c"
SIXEL = b"\x1b[6;20;10t\x1b[?62;4c"
NEITHER = b"\x1b[?62;22c"
MARK = "\U0010eeee".encode()
SENT = re.compile(rb"\x1b_G([^;\x1b]*);([^\x1b]*)\x1b\\")
PAINTED = re.compile(rb'\x1b7\x1b\[(\d+);(\d+)H\x1bP[\d;]*q"1;1;(\d+);(\d+)[^\x1b]*\x1b\\\x1b8')


class Answering:
    """A terminal that answers the one question with these bytes, and keeps all it is sent."""

    def __init__(self, folder, answer, *args, **environ):
        environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **environ}
        self.answer, self.stream, self.asked = answer, b"", b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            kept = {k: v for k, v in os.environ.items() if k not in ("TMUX", "STY", "NO_COLOR", "TERM_PROGRAM")}
            command = [sys.executable, "-P", "-m", "difftool", "tui", "--runs", str(folder), *args]
            os.execve(sys.executable, command, {**kept, **environ})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    def press(self, key):
        os.write(self.fd, key.encode())

    def read(self, true):
        until = time.monotonic() + PATIENCE
        while not true(self.stream):
            assert time.monotonic() < until, self.stream[-2000:]
            if select.select([self.fd], [], [], 0.1)[0]:
                self.stream += os.read(self.fd, 1 << 16)
            if not self.asked and b"\x1b[c" in self.stream:
                self.asked = self.stream
                os.write(self.fd, self.answer)

    def next(self, true):
        """As `read`, of what comes from here on."""
        before = len(self.stream)
        self.read(lambda stream: true(stream[before:]))
        return self.stream[before:]


def transfers(stream):
    """The pictures in Kitty's messages: {number: (keys, picture)}."""
    found, number = {}, 0
    for head, piece in SENT.findall(stream):
        keys = dict(each.split(b"=") for each in head.split(b","))
        if keys.get(b"a") == b"T":
            number = int(keys[b"i"])
            found[number] = (keys, b"")
        if keys.get(b"a") in (None, b"T"):
            found[number] = (found[number][0], found[number][1] + piece)
    return {number: (keys, Image.open(io.BytesIO(base64.b64decode(data)))) for number, (keys, data) in found.items()}


@images
def test_kittys_protocol(canned_runs):
    folder, runs = canned_runs
    name = next(name for name, run in runs.items() if any(run.previews.glob("*.png")))
    with Answering(folder, KITTY, name) as terminal:
        terminal.read(lambda stream: b"system" in stream.lower())
        terminal.press("3")
        stream = terminal.next(lambda stream: stream.count(MARK) > 200 and b"q=2,m=0" in stream)
        number, (keys, picture) = list(transfers(stream).items())[-1]
        wide, high = int(keys[b"c"]), int(keys[b"r"])
        assert picture.size == (10 * wide, 20 * high)
        picture.load()
        assert b"38;2;%d;%d;%d" % (number >> 16, number >> 8 & 255, number & 255) in stream
        assert "▀".encode() not in stream[stream.rindex(MARK) - 100 :]
        terminal.press("k")
        terminal.next(lambda stream: b"a=d,d=I,i=%d," % number in stream and "▀".encode() in stream)
        terminal.press("k")
        terminal.next(lambda stream: MARK in stream)


@images
def test_sixels(canned_runs):
    folder, runs = canned_runs
    name = next(name for name, run in runs.items() if any(run.previews.glob("*.png")))
    with Answering(folder, SIXEL, name) as terminal:
        terminal.read(PAINTED.search)
        terminal.press("3")
        stream = terminal.next(PAINTED.search)
        y, x, wide, high = map(int, PAINTED.search(stream).groups())
        assert y + high / 20 - 1 <= 40
        assert x + wide / 10 - 1 <= 120
        terminal.press("?")  # a dialog lies over the picture: nothing may be painted over that
        terminal.next(lambda stream: "╭".encode() in stream)
        stream = terminal.next(lambda stream: len(stream) > 500)  # frames: the run goes on
        assert not PAINTED.search(stream)
        terminal.press("\x1b")
        terminal.next(PAINTED.search)
        terminal.press("k")
        terminal.next(lambda stream: b"pictures in half blocks" in stream)
        terminal.press("k")
        terminal.next(lambda stream: "▀".encode() in stream)


@images
@pytest.mark.parametrize("inside", [{"TMUX": "/tmp/tmux,1,0"}, {"STY": "1.a"}, {"TERM": "screen-256color"}], ids=str)
def test_tmux_and_screen_are_asked_no_more_than_they_understand(canned_runs, inside):
    with Answering(canned_runs[0], NEITHER, **inside) as terminal:
        terminal.read(lambda stream: b"\x1b[?1049h" in stream)
        assert terminal.asked
        assert b"\x1b_" not in terminal.stream


@pytest.mark.parametrize("answer", [b"", NEITHER], ids=["silent", "neither"])
def test_without_a_yes_there_are_half_blocks_and_the_key_says_why(canned_runs, answer):
    folder, runs = canned_runs
    name = next(name for name, run in runs.items() if any(run.previews.glob("*.png")))
    with Answering(folder, answer, name) as terminal:
        terminal.read(lambda stream: "▀".encode() in stream)
        terminal.press("k")
        terminal.next(lambda stream: b"pictures stay in half" in stream)
        said = terminal.stream.replace(b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", b"", 1 if INSTALLED else 0)
        assert b"\x1b_" not in said
        assert b"\x1bP" not in said
        assert MARK not in said
        terminal.press("q")
        terminal.next(lambda stream: b"\x1b[?1049l" in stream)
