"""Terminals of every kind and size, and what is none."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.tui.made import make_run, most
from tests.tui.terminal import Terminal

SIZES = [(1, 1), (2, 2), (10, 3), (20, 5), (40, 12), (80, 24), (500, 200)]


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path / "runs", "toy-1")
    return tmp_path / "runs"


def walk(terminal: Terminal) -> None:
    """All screens, a dialog, the help, the palette; then the log."""
    for key in ("1", "2", "3", "4", "5", "6", "?"):
        terminal.press(key)
        terminal.settle(0.1)
    terminal.press("escape")
    terminal.settle(0.15)
    terminal.press("1", "D")
    terminal.settle(0.1)
    terminal.press("c", "ctrl+p")
    terminal.settle(0.1)
    terminal.press("escape")
    terminal.settle(0.15)
    terminal.press("5")
    terminal.settle()


def check_leaves(terminal: Terminal) -> None:
    terminal.press("q")
    assert terminal.ended() == 0, terminal.said
    assert terminal.left_as_found() == []
    assert terminal.screen.strange == []


@pytest.mark.parametrize("where", ["stdout", "stdin", "TERM=dumb", "TERM="])
def test_what_is_no_terminal_is_refused_in_words(runs, where):
    command = [sys.executable, "-m", "difftool", "tui", "--runs", str(runs)]
    if where in ("stdout", "stdin"):
        with Terminal(
            program=("sh", "-c", '"$@" ' + ("| cat" if where == "stdout" else "< /dev/null"), "sh", *command)
        ) as terminal:
            code, said = terminal.ended(), terminal.output.decode()
        assert code == (0 if where == "stdout" else 2)  # of cat
    else:
        term = where.removeprefix("TERM=")
        with Terminal(program=tuple(command), env={"TERM": term or None}) as terminal:
            assert terminal.ended() == 2
            said = terminal.output.decode()
    assert "\x1b" not in said
    assert said.startswith("difftool: error: ")
    assert len(said.splitlines()) == 2


def test_a_pipe_is_told_with_exit_code_2(runs):
    done = subprocess.run(
        [sys.executable, "-m", "difftool", "tui", "--runs", str(runs)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color"},
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize("size", most(SIZES, [(1, 1)]), ids=str)
def test_every_size_has_something_to_show(runs, size):
    with Terminal("toy-1", "--runs", str(runs), size=size) as terminal:
        while "1049" not in terminal.screen.modes:
            terminal.read()
        terminal.settle()
        walk(terminal)
        assert terminal.process.poll() is None
        if size >= (10, 3):
            assert "done" in terminal.screen.text
        check_leaves(terminal)


def test_a_storm_of_sizes(runs):
    with Terminal("toy-1", "--runs", str(runs)) as terminal:
        terminal.wait_for("leave")
        for number in range(100):
            columns, rows = SIZES[number % 6]
            terminal.resize(columns + number, rows + number // 4)
            if number % 5 == 0:
                terminal.press("123456"[number // 5 % 6])
            terminal.read(0.01)
        terminal.resize(100, 30)
        terminal.press("5")
        terminal.wait_for("lines, follows", "preview of step 40")
        check_leaves(terminal)


@pytest.mark.parametrize(
    "term", most(["xterm-256color", "screen-256color", "tmux-256color", "linux"], ["xterm-256color"])
)
def test_colours_are_those_the_terminal_has(runs, term):
    with Terminal("toy-1", "--runs", str(runs), env={"TERM": term, "COLORTERM": None}) as terminal:
        terminal.wait_for("leave")
        walk(terminal)
        assert not [style for style in terminal.screen.styles if re.search(r"[34]8;2;", style)]
        check_leaves(terminal)


LOCALES = [{"LC_ALL": "C"}, {"LC_ALL": None, "LANG": "C", "LC_CTYPE": None}]


@pytest.mark.slow
def test_no_color_is_no_colour(runs):
    with Terminal("toy-1", "--runs", str(runs), env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("leave")
        walk(terminal)
        for style in terminal.screen.styles:
            for found in re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", style):
                assert len(set(found)) == 1, style  # shades of grey
        check_leaves(terminal)


@pytest.mark.parametrize("locale", most(LOCALES, LOCALES[:1]))
def test_an_ascii_locale_gets_ascii(runs, locale):
    with Terminal("toy-1", "--runs", str(runs), env=locale) as terminal:
        terminal.wait_for("leave")
        walk(terminal)
        for key in "236?":
            terminal.press(key)
            terminal.settle(0.1)
        terminal.press("escape")
        terminal.settle()
        check_leaves(terminal)
        assert terminal.output.isascii()
