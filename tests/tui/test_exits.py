"""However the dashboard ends, the shell finds its terminal as it left it, and at once."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from tests.tui.made import line, make_panel, make_run, most, rows
from tests.tui.terminal import PATIENCE, Terminal

PLACES = {
    "runs": [],
    "train": ["2"],
    "samples": ["3"],
    "system": ["4"],
    "log": ["5"],
    "recipe": ["6"],
    "help": ["5", "?"],
    "palette": ["ctrl+p"],
    "search": ["5", "/"],
    "filter": ["1", "/", "t"],
    "differ": ["6", "d"],
    "new": ["1", "n"],
    "delete": ["1", "D"],
    "toast": ["T"],
    "enlarged": ["2", "enter"],
}
BLOCKED = ["status.json", "run.json", "events/00000.jsonl", "recipe.toml", "train.log", "lock"]
TYPED = ("palette", "search", "filter")  # where a q is a letter
CLOSED = ("help", "differ", "new", "delete")  # where q goes back


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path / "runs", "first")
    make_run(tmp_path / "runs", "second", info={"created": "2026-11-19T10:15:30+00:00"})
    return tmp_path / "runs"


def opened(runs, *args: str, **options) -> Terminal:
    terminal = Terminal(*args, "--runs", str(runs), **options)
    terminal.wait_for("leave")
    return terminal


def go(terminal: Terminal, place: str) -> None:
    for key in PLACES[place]:
        terminal.press(key)
        terminal.settle(0.1)


def check_left(terminal: Terminal, code: int = 0) -> None:
    assert terminal.ended() == code, terminal.said
    assert terminal.left_as_found() == []
    assert "Traceback" not in terminal.said
    assert terminal.screen.strange == []


@pytest.mark.parametrize("place", most(PLACES, ["palette", "differ"]))
@pytest.mark.parametrize("way", ["ctrl+c", "SIGTERM"])
def test_leaving_from_everywhere(runs, place, way):
    with opened(runs, "first") as terminal:
        go(terminal, place)
        if way == "ctrl+c":
            terminal.press("ctrl+c")
        else:
            terminal.process.send_signal(getattr(signal, way))
        check_left(terminal)


@pytest.mark.parametrize("place", most([each for each in PLACES if each not in TYPED + CLOSED], ["train"]))
def test_q_leaves_every_screen(runs, place):
    with opened(runs, "first") as terminal:
        go(terminal, place)
        terminal.press("q")
        check_left(terminal)


@pytest.mark.parametrize("way", ["closed", "SIGHUP", "SIGINT", "deaf"])
def test_a_window_that_is_closed_leaves_nothing_running(runs, way):
    deaf = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh") if way == "deaf" else ()  # as under nohup
    with opened(runs, "first", program=(*deaf, sys.executable, "-m", "difftool", "tui")) as terminal:
        if way in ("closed", "deaf"):
            terminal.hang_up()
            terminal.process.wait(PATIENCE)
        else:
            terminal.process.send_signal(getattr(signal, way))
            check_left(terminal)


@pytest.mark.parametrize("way", ["q", "SIGTERM"])
def test_a_terminal_that_takes_nothing_holds_nothing_up(runs, way):
    """As after Ctrl-S, or over a line that is dead: what is drawn meanwhile is left out, not waited for."""
    with opened(runs, "first") as terminal:
        for number in range(150):  # each is a whole screen; a terminal keeps some kilobytes
            os.write(terminal.master, b"?\x1b23"[number % 4 : number % 4 + 1])
            time.sleep(0.01)
        if way == "q":
            os.write(terminal.master, b"\x1b")
            time.sleep(0.5)
            os.write(terminal.master, b"q")
        else:
            terminal.process.send_signal(signal.SIGTERM)
        terminal.process.wait(PATIENCE)  # not one byte was read until here
        terminal.read()
        assert terminal.left_as_found() == []


@pytest.mark.slow  # all that was kept for it is replayed here, cell by cell; test_driver.py has the quick one
def test_a_terminal_that_was_stopped_shows_what_is_true_now(runs):
    with opened(runs, "first", size=(200, 60)) as terminal:
        for number in range(40):  # more than is kept for a terminal that takes nothing
            os.write(terminal.master, b"23"[number % 2 : number % 2 + 1])
            terminal.resize(200 + number % 2, 60)
            time.sleep(0.05)
        os.write(terminal.master, b"5")
        terminal.wait_for("lines, follows", "preview of step 40")
        shown = terminal.settle(0.5)
        terminal.resize(200, 60)
        terminal.wait_for("lines, follows", "preview of step 40")
        assert shown == terminal.settle(0.5)


NOISE = [b"\xff\xfe\x80", b"\x1b[999;999;999~", b"\x1b[<0;-1;99999M", bytes(range(0x80, 0x100)), b"\x1b]52;c;AAAA\x07"]


@pytest.mark.parametrize("noise", most(NOISE, NOISE[:1]))
def test_bytes_that_are_no_keys_are_nothing(runs, noise):
    with opened(runs, "first") as terminal:
        os.write(terminal.master, noise)
        terminal.settle()
        terminal.press("5")
        terminal.wait_for("follows")
        terminal.press("q")
        check_left(terminal)


def test_a_terminal_that_tells_its_size_itself_gets_its_mouse_back(runs):
    with opened(runs, "first") as terminal:
        os.write(terminal.master, b"\x1b[?2048;2$y")
        terminal.settle()
        assert terminal.screen.modes["1016"]
        terminal.press("q")
        check_left(terminal)


def test_an_accident_ends_in_words(runs, tmp_path):
    """A panel that reaches into the dashboard and breaks it stands for every fault of ours."""
    code = """
class Breaks:
    def draw(self, run, width, height):
        from difftool.tui.widgets.head import Head
        def broken(self, y):
            raise RuntimeError("it broke\\x1b[2J")
        Head.render_line = broken
        return "done"
"""
    for debug in (None, "1"):
        env = {**make_panel(tmp_path / str(debug), code, {"breaks": "Breaks"}), "DIFFTOOL_DEBUG": debug}
        with opened(runs, "first", env=env) as terminal:
            terminal.press("7")
            terminal.wait_for("done")
            terminal.press("5")
            assert terminal.ended() == 1
            assert terminal.left_as_found() == []
            assert "difftool: error: RuntimeError: it broke\\x1b[2J" in terminal.said
            assert "this is a bug in difftool" in terminal.said
            assert ("Traceback" in terminal.said) == (debug is not None)


@pytest.mark.parametrize("what", most(BLOCKED, BLOCKED[:1]))
def test_a_disk_that_blocks_does_not_keep_one(tmp_path, what):
    """A pipe to which nobody writes blocks whoever opens it, as a dead file system does."""
    make_run(tmp_path, "tame")
    stuck = make_run(tmp_path, "stuck")
    (stuck / what).unlink(missing_ok=True)
    os.mkfifo(stuck / what)
    with opened(tmp_path) as terminal:
        terminal.settle()
        terminal.press("down", "enter")
        for key in "234561":
            terminal.press(key)
            terminal.settle(0.1)
        terminal.press("q")
        check_left(terminal)


def test_pictures_that_block_do_not_keep_one(tmp_path):
    stuck = make_run(tmp_path, "stuck")
    (stuck / "previews/step-00000040.png").unlink()
    os.mkfifo(stuck / "previews/step-00000040.png")
    (stuck / "samples/new").mkdir(parents=True)
    os.mkfifo(stuck / "samples/new/grid.png")
    with opened(tmp_path, "stuck") as terminal:
        terminal.press("3")
        terminal.wait_for("not a regular file")
        terminal.press("q")
        check_left(terminal)


PANELS = """
import os, sys, threading, time, subprocess
class Prints:
    def draw(self, run, width, height):
        print("STRAY to stdout")
        print("STRAY to stderr\\x1b[2J", file=sys.stderr)
        sys.__stdout__.write("STRAY dunder\\n"); sys.__stdout__.flush()
        os.write(1, b"STRAY one\\n"); os.write(2, b"STRAY two\\x1b]0;owned\\x07\\n")
        subprocess.run(["sh", "-c", "echo STRAY child; echo STRAY child >&2"])
        return "has printed"
class Raises:
    def draw(self, run, width, height):
        raise ValueError("as it should")
class Leaves:
    def draw(self, run, width, height):
        sys.exit(3)
class Hangs:
    def draw(self, run, width, height):
        threading.Thread(target=time.sleep, args=(1e6,)).start()  # not a daemon
        time.sleep(1e6)
class Floods:
    def draw(self, run, width, height):
        def flood():
            while True:
                os.write(1, b"STRAY flood " * 500 + b"\\n")
                print("STRAY flood " * 100)
        threading.Thread(target=flood).start()
        return "y" * 1_000_000 + "\\n" * 100_000
"""


def test_a_panel_is_its_own_affair(runs, tmp_path):
    kinds = {name: name for name in ("Prints", "Raises", "Leaves", "Hangs")}
    with opened(runs, "first", size=(100, 60), env=make_panel(tmp_path / "panels", PANELS, kinds)) as terminal:
        terminal.press("7")
        shown = terminal.wait_for("has printed", "ValueError: as it should", "SystemExit: 3", "is drawing")
        assert "STRAY" not in shown
        terminal.press("2", "5", "7", "2", "5")
        terminal.wait_for("follows")
        assert b"STRAY" not in terminal.output
        terminal.press("q")
        check_left(terminal)
        assert "lines were written while the dashboard was shown" in terminal.said
        assert "STRAY two\\x1b]0;owned\\x07" in terminal.said


def test_a_flood_stays_behind_the_dashboard(runs, tmp_path):
    env = make_panel(tmp_path / "panels", PANELS, {"Floods": "Floods"})
    with opened(runs, "first", size=(100, 60), env=env) as terminal:
        terminal.press("7")
        terminal.wait_for("yyyy")
        terminal.press("5")
        terminal.wait_for("follows")
        assert b"STRAY" not in terminal.output
        terminal.press("q")
        check_left(terminal)
        assert len(terminal.said.splitlines()) < 20


def test_keys_come_from_the_terminal_while_events_come_from_a_pipe(tmp_path):
    ours, theirs = os.pipe()
    with Terminal("-", stdin=ours) as terminal:
        os.close(ours)
        os.write(theirs, line(kind="run", name="afar", state="running", step=5) + rows(5))
        terminal.wait_for("afar", "running")
        terminal.press("ctrl+c")
        check_left(terminal)
        with pytest.raises(BrokenPipeError):  # whoever writes is told
            os.write(theirs, b"\n")
        os.close(theirs)
