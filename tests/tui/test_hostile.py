"""Text from outside that would steer a terminal: everywhere it can come from, on every screen, in a real one."""

from __future__ import annotations

import base64
import json
import os

import pytest

from tests.tui.made import line, make_panel, make_run, most, rows
from tests.tui.terminal import Terminal

STRINGS = [
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "\x1b]0;owned\x1b\\",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1bP+q544e\x1b\\",
    "\x1b_Gi=1,a=T;AAAA\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bc",
    "\x1b[?1049l",
    "\x1b[6n",
    "\x1b(0",
    "\x1b",
    "\x9b2J",
    "\x9d0;owned\x9c",
    "\x90q\x9c",
    "\x85next line",
    "nul\x00nul",
    "bell\x07",
    "back\x08\x08\x08space",
    "carriage\rreturn",
    "line\nfeed",
    "tab\tstop\x0b\x0c",
    "delete\x7f",
    "\u202egnp.exe",
    "\u2066isolated\u2069",
    "zero\u200bwidth\u200d\ufeff",
    "\u2028line\u2029paragraph",
    "tag\U000e0041\U000e007f",
    "private\ue000\U0010ffff",
    "lone\ud800surrogate",
    "a" + "\u0301" * 400,
    "\u65e5\u672c\u8a9e\u30c6\u30ad\u30b9\u30c8",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "[/]",
    "[/foo] [bold",
    "[@click=app.quit]x[/]",
    "[link=https://evil.example]x[/link]",
    "[on red]red[/on red] [blink]",
    "\\[0m \\x1b $(id) `id` %s {0} {self.app}",
    "long " * 20_000,
]
NAMES = ["runs", "train", "samples", "system", "log", "recipe", "panels"]
TRICK = "[@click=app.quit]x[/]"

PANELS = """
from rich.text import Text
from rich.style import Style
STRINGS = {strings!r}
class Plain:
    title = STRINGS[0] + STRINGS[3]
    def draw(self, run, width, height):
        return "\\n".join(STRINGS)
class Rich:
    title = "rich"
    def draw(self, run, width, height):
        text = Text("\\n".join(STRINGS[:8]))
        text.append("link", Style(link="https://evil.example/\\x1b]0;owned\\x07"))
        text.append("act", Style(meta={{"@click": "app.quit"}}))
        return text
class Fails:
    def draw(self, run, width, height):
        raise ValueError("".join(STRINGS))
class Odd:
    def draw(self, run, width, height):
        return 7
"""


def file_name(text: str) -> str:
    return text.replace("/", "|").replace("\0", "")[:60]


def hostile_run(runs, number: int):
    """A run that says these strings wherever a run can say anything."""
    own = STRINGS[number::5]
    every = " ".join(each[:300] for each in own)
    name = os.fsdecode(b"\xff\xfe") + file_name(own[0])
    info = {
        **dict.fromkeys(("recipe", "device", "host", "precision", "created"), every),
        "argv": ["difftool", *own],
        "versions": dict(zip(own, own, strict=True)),
        "git": {"commit": every, every: own},
        "differs": dict.fromkeys(own, own),
        "data": {text: text for text in own},
        "observers": own,
        "parameters": every,
    }
    absent = dict.fromkeys(("gpus", "cpu", "memory", "process", "disk"), every)
    gpu = {"index": every, "name": every, "used": 0.5, "absent": {"memory": every, "power": every}}
    events = b"".join(
        line(kind="log", time=1e9, level=text, message=text)
        + line(kind="ack", time=1e9, id=text, ok=False, message=text)
        + line(kind="checkpoint", time=1e9, step=9, path=text, seconds=1.0)
        + line(kind="metrics", time=1e9, step=50, **{text: 1.0}, nonfinite=[text])
        + line(kind="preview", time=1e9, step=40, sampler={"name": text}, seeds=text, steps=text)
        + line(kind="system", time=1e9, absent=absent, gpus=[gpu], cores=text)
        + line(kind="system", time=1e9, absent=absent)
        + line(kind="end", time=1e9, state=text, exit=text, step=text)
        + line(kind=text, time=text)
        for text in own
    )
    recipe = "".join(f"[{text}]\n{text} = {json.dumps(text)}\n" for text in own)
    root = make_run(runs, name, info=info, status={"state": own[-1][:100], "host": every}, events=events, recipe=recipe)
    said = b"\n".join(text.encode("utf-8", "surrogatepass") for text in own)
    (root / "train.log").write_bytes(said + b"\n\xff\xfe\x80 bytes \x1b[2J\n" + bytes(range(256)))
    drawn = root / "samples" / file_name(own[1])
    drawn.mkdir(parents=True)
    (drawn / "grid.png").write_bytes(b"\x1b[2J no picture")
    return name


@pytest.mark.parametrize("number", most(range(5), [2]))
def test_no_byte_of_a_hostile_run_steers_the_terminal(tmp_path, number):
    # The strings themselves are in the path of the folder of runs too.
    runs = tmp_path / file_name(STRINGS[number] + STRINGS[number + 24] + TRICK)
    hostile_run(runs, number)
    make_run(runs, "tame")
    env = make_panel(
        tmp_path / "plugins",
        PANELS.format(strings=STRINGS[number::5]),
        {f"[red]{kind}\x1b[2J": kind for kind in ("Plain", "Rich", "Fails", "Odd")},
    )
    with Terminal("--runs", str(runs), size=(120, 50), env=env) as terminal:
        terminal.wait_for("2 runs", "tame")
        terminal.press("/", "a", "escape", "down", "up", "D")
        terminal.wait_for("Delete ")
        terminal.press("c")
        terminal.wait_for("2 runs", absent="Delete ")
        terminal.press("end", "enter")  # when it began is no date, so it comes last
        terminal.wait_for("smoothed")
        assert "gone" not in terminal.screen.text
        for key, name in enumerate(NAMES, 1):
            terminal.press(str(key))
            terminal.settle(0.15)
            terminal.press("?")
            terminal.wait_for("Keys can be changed")
            terminal.press("escape")
            terminal.wait_for("leave", absent="Keys can be changed")
            if name == "samples":
                terminal.press("e", "t", "t", "+", "left", "left", "end", "o")
            if name == "log":
                terminal.press("l", "l", "l", "l", "l", "/", "[", "/", "]", "enter", "n", "home", "pagedown")
            if name == "recipe":
                terminal.press("y", "pagedown", "d")
                terminal.wait_for("What differs from which run?")
                terminal.press("enter")
            terminal.settle(0.15)
        terminal.settle()
        terminal.press("ctrl+p")
        terminal.wait_for("Search for commands")
        terminal.press("[", "/", "]")
        terminal.wait_for("\U0001f50e [/]")
        terminal.press("backspace", "backspace", "backspace")
        terminal.wait_for("Search for commands")
        terminal.press("l", "o", "o", "k")
        terminal.wait_for("\U0001f50e look", "look at")
        terminal.press("escape")
        terminal.wait_for("leave", absent="\U0001f50e")
        terminal.press("q")
        assert terminal.ended() == 0, terminal.said
        assert terminal.screen.strange == []
        assert terminal.left_as_found() == []
        for text in terminal.screen.copied:
            assert base64.b64decode(text).decode().isprintable()


def test_markup_is_shown_as_it_is_written(tmp_path):
    make_run(
        tmp_path, TRICK.replace("/", "|"), events=line(kind="log", time=1e9, message=TRICK), info={"device": TRICK}
    )
    with Terminal("--runs", str(tmp_path)) as terminal:
        terminal.wait_for("1 run")
        assert TRICK.replace("/", "|") in terminal.screen.text
        terminal.press("enter", "5")
        terminal.wait_for("  " + TRICK)
        terminal.press("6")
        terminal.wait_for(TRICK + ", None")
        assert terminal.process.poll() is None


def test_a_pipe_may_bring_anything(tmp_path):
    """Events, garbage, a line without an end, and the pipe's own end; keys come from the terminal all the while."""
    garbage = b"".join(line(kind="log", time=1e9, message=text) for text in STRINGS)
    garbage += bytes(range(256)) + b"\n{\n[]\n" + line(kind=["log"]) + b"x" * (3 << 20) + b"\n"
    told = line(kind="run", name=STRINGS[3], info={"device": STRINGS[0]}, state="running", recipe_text=STRINGS[5])
    ours, theirs = os.pipe()
    with Terminal("-", stdin=ours, size=(120, 50)) as terminal:
        os.close(ours)
        data = told + rows(20) + garbage + line(kind="log", time=1e9, message="the last line")
        while data:
            terminal.read(0.0)
            data = data[os.write(theirs, data[:4096]) :]
        terminal.press("5")
        terminal.wait_for("the last line", "follows")
        for key in "2346":
            terminal.press(key)
            terminal.settle(0.15)
        os.close(theirs)
        terminal.wait_for("the other end was closed")
        terminal.press("5", "?")
        terminal.wait_for("Keys can be changed")
        terminal.press("escape")
        terminal.wait_for("leave", absent="Keys can be changed")
        terminal.press("q")
        assert terminal.ended() == 0, terminal.said
        assert terminal.screen.strange == []
        assert terminal.left_as_found() == []
