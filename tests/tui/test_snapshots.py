"""Every screen as text at three sizes. `DIFFTOOL_SNAPSHOTS=write pytest tests/tui/test_snapshots.py` takes them anew;
look at each before it is kept."""

import asyncio
import difflib
import os
import re
from pathlib import Path

import pytest
from textual.color import Color

from difftool.tui.widgets.picture import Picture

from . import canned
from .conftest import press, quiet, shown, strips, text

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
ALONE = {
    "train": ("2",),
    "samples": ("3",),
    "strip": ("t",),
    "samples-raw-and-closer": ("t", "left", "e", "+", "+"),
    "system": ("4",),
    "log": ("5",),
    "recipe": ("6",),
    "help": ("2", "question_mark"),
    "stop": ("S",),
}
"""Keys that lead to a screen from the run that trains."""
OTHERS = ("runs", "menu", "empty", "compare", "resumed", "failed", "no-gpu", "differences", "read-only")


async def taken(folder, empty, size):
    """{name: text} of all screens."""
    found = {}
    async with shown(folder, size, canned.RUNNING) as pilot:
        for name, pressed in ALONE.items():
            await press(pilot, *pressed)
            found[name] = text(pilot.app)
            if pilot.app.screen.is_modal:
                await press(pilot, "escape")
    async with shown(folder, size) as pilot:
        found["runs"] = text(pilot.app)
        await press(pilot, "space", "space", "space", "c")
        found["compare"] = text(pilot.app)
    async with shown(empty, size) as pilot:
        found["menu"] = text(pilot.app)
        await press(pilot, "escape")
        found["empty"] = text(pilot.app)
    async with shown(folder, size, canned.STOPPED) as pilot:
        found["resumed"] = text(pilot.app)
        await press(pilot, "4")
        found["no-gpu"] = text(pilot.app)
        await press(pilot, "6", "d", "enter")
        found["differences"] = text(pilot.app)
    async with shown(folder, size, canned.FAILED) as pilot:
        found["failed"] = text(pilot.app)
    async with shown(folder, size, readonly=True) as pilot:
        found["read-only"] = text(pilot.app)
    return found


@pytest.fixture(scope="module")
def screens(canned_runs, tmp_path_factory):
    """Every screen at a size; all of one size at once, when the first of them is asked for."""
    known = {}
    empty = tmp_path_factory.mktemp("empty")

    def at(size):
        if size not in known:
            with pytest.MonkeyPatch.context() as patch:
                canned.freeze(patch)
                known[size] = asyncio.run(taken(canned_runs[0], empty, SIZES[size]))
        return known[size]

    return at


@pytest.mark.parametrize("name", [*ALONE, *OTHERS])
@pytest.mark.parametrize("size", SIZES)
def test_every_screen_looks_as_it_was_last_looked_at(screens, name, size):
    # A temporary folder, which takes one line or two.
    found = re.sub(r"(?ms)^( +run  )/.*?\n(?= +created )", r"\1/data/runs/...\n", screens(size)[name]) + "\n"
    path = SNAPSHOTS / f"{name}.{size}.txt"
    if os.environ.get("DIFFTOOL_SNAPSHOTS") == "write":
        path.write_text(found)
    kept = path.read_text() if path.exists() else ""
    if found != kept:
        difference = difflib.unified_diff(kept.splitlines(), found.splitlines(), path.name, "now", lineterm="")
        pytest.fail("\n".join([*difference, "", "DIFFTOOL_SNAPSHOTS=write takes it anew"]), pytrace=False)


def test_no_snapshot_is_left_over():
    wanted = {f"{name}.{size}.txt" for name in (*ALONE, *OTHERS) for size in SIZES}
    assert {path.name for path in SNAPSHOTS.iterdir()} == wanted


@pytest.mark.usefixtures("noon")
async def test_the_colours_of_a_picture_are_those_of_its_file(canned_runs):
    from difftool.tui.halfblock import decoded

    folder, runs = canned_runs
    async with shown(folder, (120, 39), canned.RUNNING) as pilot:
        await press(pilot, "3")
        picture = pilot.app.screen.query(Picture).first()
        image, _ = decoded(runs[canned.RUNNING].preview(20_000))
        left, top = picture.region.x, picture.region.y + 1
        cells = [
            (segment.style, char)
            for strip in strips(pilot.app)[top : top + 32]
            for segment in strip
            for char in segment.text
        ]
        drawn = [style for style, char in cells if char == "▀"]
        assert (image.size, len(drawn)) == ((64, 64), 64 * 32), (left, top)
        for x, y in ((0, 0), (5, 3), (31, 15), (63, 31), (40, 20)):
            style = drawn[64 * y + x]
            found = tuple(style.color.triplet), tuple(style.bgcolor.triplet)
            assert found == (image.getpixel((x, 2 * y)), image.getpixel((x, 2 * y + 1)))


@pytest.mark.usefixtures("noon")
async def test_states_and_warnings_have_colours(canned_runs):
    async with shown(canned_runs[0], (120, 40)) as pilot:
        await quiet(pilot)
        words = ("running", "stopped", "crashed", "failed")
        segments = [segment for strip in strips(pilot.app)[3:] for segment in strip]
        found = {word: segment.style.color.triplet for word in words for segment in segments if word in segment.text}
        theme = pilot.app.current_theme
        for word, ink in zip(words, (theme.success, theme.warning, theme.error, theme.error), strict=True):
            assert all(abs(a - b) <= 2 for a, b in zip(found[word], Color.parse(ink).rgb, strict=True)), word
