"""Every key does what docs/dashboard.md says: pressed for real, and looked at on the screen."""

import contextlib
import fcntl
import itertools
import json
import os
import threading
from pathlib import Path

import pytest

from difftool.run.layout import RunDir
from difftool.run.records import encode, load
from difftool.tui.screens.dialogs import Ask, Choose, Filter, Recipes
from difftool.tui.screens.help import Help
from difftool.tui.screens.log import LogLines
from difftool.tui.screens.room import Room
from difftool.tui.theme import CURVES
from difftool.tui.widgets.chart import Chart
from difftool.tui.widgets.note import Note

from . import canned
from .conftest import keys, press, quiet, shown, strips, text, toasts, until
from .test_follow import tree
from .test_watched import KINDS, NASTY

pytestmark = pytest.mark.usefixtures("noon")
SCREENS = ("runs", "train", "samples", "system", "log", "recipe")
ACTS = {"S", "C", "G", "P", "R", "D", "n"}


@contextlib.contextmanager
def alive(run, state="running"):
    """A trainer of this machine owns the run: its lock is held, its status is fresh."""
    status = load(run.status) | {
        "state": state,
        "heartbeat": canned.NOW - 0.5,
        "exit": None,
        "eta": 100.0,
        "host": canned.HERE,
    }
    run.status.write_bytes(encode(status))
    with run.lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield run


def note(pilot, name):
    return "".join(words for words, _ in pilot.app.screen_stack[0].query_one(f"#{name}", Note).words).strip()


def names(pilot):
    """Runs in the order in which they stand on the list."""
    return [row["name"] for row in pilot.app.screen_stack[0].list.rows]


def files_of(folder):
    """What the files of a run hold; its lock names whoever took it last."""
    return {path.relative_to(folder): about[2] for path, about in tree(folder).items() if path.name != "lock"}


def asked(run):
    return (
        [json.loads(line)["command"] for line in run.control.read_text().splitlines()] if run.control.exists() else []
    )


# Everywhere


@pytest.mark.parametrize(("key", "mode"), list(enumerate(SCREENS, 1)))
async def test_numbers_lead_to_the_screens(canned_runs, key, mode):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        await press(pilot, "1" if mode != "runs" else "2", str(key))
        assert pilot.app.current_mode == pilot.app.screen.here == mode
        assert f" {key} {mode.capitalize()}" in text(pilot.app)


async def test_help_names_every_key_of_the_screen_and_goes_again(canned_runs):
    async with shown(canned_runs[0], (120, 100), canned.RUNNING) as pilot:
        for number in range(1, len(SCREENS) + 1):
            await press(pilot, str(number), "question_mark")
            assert isinstance(pilot.app.screen, Help)
            said = text(pilot.app)
            for key, word in keys(pilot.app).items():
                assert f"{key}  {word}" in said, (number, key, word)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, Room)


async def test_the_next_theme(canned_runs):
    async with shown(canned_runs[0]) as pilot:
        before, colours = pilot.app.theme, [segment.style for strip in strips(pilot.app) for segment in strip]
        await press(pilot, "T")
        assert pilot.app.theme != before
        assert [segment.style for strip in strips(pilot.app) for segment in strip] != colours
        assert toasts(pilot.app)[-1] == f"theme {pilot.app.theme}"


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_leaving_says_how_to_come_back(canned_runs, key):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: not pilot.app.is_running)
        assert canned.RUNNING in pilot.app.left


@pytest.mark.parametrize("number", range(1, len(SCREENS) + 1))
async def test_the_palette_has_every_key_with_a_description(runs, number):
    with alive(RunDir(runs / canned.STOPPED)):
        async with shown(runs, run=canned.STOPPED) as pilot:
            await press(pilot, str(number))
            commands = list(pilot.app.get_system_commands(pilot.app.screen))
            assert all(command.title and command.help for command in commands)
            titles = {command.title for command in commands}
            for active in pilot.app.screen.active_bindings.values():
                binding = active.binding
                if active.enabled and binding.id and binding.id != "app.leave_now":  # q has the same line
                    assert binding.description, binding.id
                    assert f"{binding.description} ({pilot.app.get_key_display(binding)})" in titles
            for key, word in keys(pilot.app).items():
                assert f"{word} ({key})" in titles


async def test_the_palette_does_what_a_key_does(canned_runs):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        commands = {each.title: each for each in pilot.app.get_system_commands(pilot.app.screen)}
        await commands["axis (x)"].callback()
        await quiet(pilot)
        assert pilot.app.view.axis == "time"
        commands[f"look at {canned.DONE}"].callback()
        await quiet(pilot)
        assert pilot.app.looking.run.name == canned.DONE


@pytest.mark.parametrize("here", ["runs", "train"])
async def test_a_click_on_a_key_presses_it(canned_runs, here):
    async with shown(canned_runs[0], (200, 40), canned.RUNNING) as pilot:
        await press(pilot, str(SCREENS.index(here) + 1))
        y = 39
        x = strips(pilot.app)[y].text.index("? help")
        await pilot.click(offset=(x, y))
        await quiet(pilot)
        assert isinstance(pilot.app.screen, Help)


async def test_a_click_on_the_name_of_a_screen_goes_there(canned_runs):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        for title in ("System", "Recipe", "Runs"):
            await pilot.click(offset=(strips(pilot.app)[1].text.index(title), 1))
            await quiet(pilot)
            assert pilot.app.screen.here == title.lower()


# Runs


async def test_the_list_is_filtered_by_what_is_typed(canned_runs):
    async with shown(canned_runs[0]) as pilot:
        assert len(names(pilot)) == 5
        await press(pilot, "slash", *"NIGHT")
        assert names(pilot) == [canned.CRASHED]
        assert note(pilot, "said").startswith("1 of 5 runs")
        await press(pilot, "enter")
        assert names(pilot) == [canned.CRASHED], "what was typed stays"
        assert not pilot.app.screen.query_one(Filter).has_class("open")
        await press(pilot, "slash", "escape")
        assert len(names(pilot)) == 5
        await press(pilot, "down", "enter")
        assert pilot.app.looking.run.name == canned.FAILED, "the list has the keys again, the cursor is where it was"


async def test_the_list_by_state(canned_runs):
    async with shown(canned_runs[0]) as pilot:
        found = []
        for _ in range(6):
            await press(pilot, "f")
            found.append({row["state"] for row in pilot.app.screen.list.rows})
        assert found[:5] == [{"running"}, {"stopped"}, {"done"}, {"crashed"}, {"failed"}]
        assert len(found[5]) == 5


async def test_the_list_sorted(canned_runs):
    async with shown(canned_runs[0]) as pilot:
        newest = names(pilot)
        await press(pilot, "s")
        assert names(pilot) == sorted(newest)
        assert "by name" in note(pilot, "said")
        await press(pilot, "s")
        assert names(pilot) == [canned.RUNNING, canned.STOPPED, canned.CRASHED, canned.FAILED, canned.DONE]
        await press(pilot, "s")
        assert (names(pilot)[0], names(pilot)[-1]) == (canned.RUNNING, canned.FAILED), "no loss comes last"
        await press(pilot, "s")
        assert names(pilot)[0] == canned.RUNNING
        await press(pilot, "s")
        assert names(pilot) == newest


async def test_the_cursor_stays_on_its_run(canned_runs):
    async with shown(canned_runs[0]) as pilot:
        await press(pilot, "down", "down")
        assert pilot.app.screen.row["name"] == canned.DONE
        await press(pilot, "s")
        assert pilot.app.screen.row["name"] == canned.DONE


async def test_marked_runs_are_shown_over_each_other_in_their_colours(canned_runs):
    async with shown(canned_runs[0], (160, 40)) as pilot:
        assert "c" not in keys(pilot.app)
        await press(pilot, "space", "space")
        assert note(pilot, "said").startswith("5 runs, 2 marked")
        assert keys(pilot.app)["c"] == "compare"
        marks = [line for line in text(pilot.app).splitlines() if line.startswith("▶")]
        assert len(marks) == 2
        await press(pilot, "c")
        assert [run.name for run in pilot.app.looking.runs] == [canned.RUNNING, canned.STOPPED]
        assert pilot.app.current_mode == "train"
        colours = dict(pilot.app.looking.colours)
        assert len(set(colours.values())) == 2
        inks = {
            segment.style.color.name
            for strip in strips(pilot.app)[4:20]
            for segment in strip
            if any(0x2800 < ord(char) < 0x2900 for char in segment.text)
        }
        assert {CURVES[colour] for colour in colours.values()} <= inks
        await press(pilot, "1", "up", "up", "space", "down", "down", "space", "c")  # one less, another one more
        assert len(pilot.app.looking.runs) == 2
        assert {name: pilot.app.looking.colours[name] for name in colours} == colours


async def test_a_run_is_deleted_into_the_trash_after_asking(runs):
    async with shown(runs) as pilot:
        await press(pilot, "down", "D")
        assert isinstance(pilot.app.screen, Ask)
        assert f"Delete {canned.STOPPED}?" in text(pilot.app)
        await press(pilot, "c")
        assert (runs / canned.STOPPED).exists()
        before = files_of(runs / canned.STOPPED)
        await press(pilot, "D", "d")
        await until(pilot, lambda: canned.STOPPED not in names(pilot))
        assert files_of(runs / ".trash" / canned.STOPPED) == before
        await until(pilot, lambda: any(".trash" in said for said in toasts(pilot.app)))


async def test_a_run_that_is_trained_cannot_be_deleted(runs):
    with alive(RunDir(runs / canned.DONE)):
        async with shown(runs) as pilot:
            await press(pilot, "down", "down")
            assert "D" not in keys(pilot.app)
            await press(pilot, "D")
            assert isinstance(pilot.app.screen, Room)


async def test_the_recipes_can_be_chosen_from(tmp_path):
    async with shown(tmp_path) as pilot:
        assert isinstance(pilot.app.screen, Recipes), "there is no run: offered at once"
        assert "What shall be trained?" in text(pilot.app)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, Room)
        await press(pilot, "n", "down")
        assert pilot.app.screen.query_one("#about").render().plain == "faces of 64x64, for a GPU"
        await press(pilot, "q")
        assert isinstance(pilot.app.screen, Room)
        assert list(tmp_path.iterdir()) == []


async def test_sixty_runs(tmp_path):
    for number in range(60):
        run = RunDir(tmp_path / f"run-{number:02d}")
        canned.write(run, canned.NOW - 100 * number, canned.Told("done", 10, 10, exit=0), [[]])
    async with shown(tmp_path, (80, 24)) as pilot:
        assert "60 done" in text(pilot.app)
        assert "run-00" in text(pilot.app)
        assert "run-59" not in text(pilot.app)
        await press(pilot, "end")
        assert pilot.app.screen.row["name"] == "run-59"
        assert "run-59" in text(pilot.app)
        await press(pilot, "pageup")
        assert "run-00" not in text(pilot.app)
        assert int(pilot.app.screen.row["name"][4:]) < 50
        await press(pilot, "home", "pagedown")
        assert 10 < int(pilot.app.screen.row["name"][4:]) < 20
        await press(pilot, "down", "enter")
        assert pilot.app.current_mode == "train"


# Acting


@pytest.mark.parametrize(("key", "command"), [("C", "checkpoint"), ("G", "preview"), ("P", "pause")])
@pytest.mark.parametrize("screen", ["1", "2"])
async def test_a_command_is_asked_and_its_answer_is_told(runs, key, command, screen):
    with alive(RunDir(runs / canned.STOPPED)) as run:
        async with shown(runs, run=canned.STOPPED) as pilot:
            await press(pilot, screen)
            if screen == "1":
                await press(pilot, "down")
            await press(pilot, key)
            await until(pilot, lambda: asked(run) == [command])
            number = json.loads(run.control.read_text())["id"]
            answer = canned.line("ack", canned.NOW, id=number, command=command, step=7, ok=True, message="as you wish")
            with (run.events / "00001.jsonl").open("ab") as file:
                file.write(answer)
            await until(pilot, lambda: "as you wish" in toasts(pilot.app))


async def test_a_pause_is_ended_with_the_same_key(runs):
    with alive(RunDir(runs / canned.STOPPED), "paused") as run:
        async with shown(runs, run=canned.STOPPED) as pilot:
            assert keys(pilot.app)["P"] == "go on"
            await press(pilot, "P")
            await until(pilot, lambda: asked(run) == ["resume"])


@pytest.mark.parametrize(("answer", "command"), [("s", ["stop"]), ("k", ["kill"]), ("c", []), ("escape", [])])
async def test_stopping_asks_how(runs, answer, command):
    with alive(RunDir(runs / canned.STOPPED)) as run:
        async with shown(runs, run=canned.STOPPED) as pilot:
            await press(pilot, "S")
            assert isinstance(pilot.app.screen, Ask)
            await press(pilot, answer)
            await until(pilot, lambda: asked(run) == command)
            assert isinstance(pilot.app.screen, Room)


async def test_what_cannot_be_asked_of_a_run_is_not_offered(canned_runs):
    async with shown(canned_runs[0]) as pilot:
        offered = {}
        for name in names(pilot):
            offered[name] = "".join(sorted(set(keys(pilot.app)) & (ACTS - {"n"})))
            await press(pilot, "down")
        assert offered == {
            canned.RUNNING: "CGPS",
            canned.STOPPED: "DR",
            canned.DONE: "D",
            canned.CRASHED: "DR",
            canned.FAILED: "D",  # there is nothing to go on from
        }


async def test_a_disk_that_refuses_is_told(runs):
    with alive(RunDir(runs / canned.STOPPED)) as run:
        run.control.mkdir()
        async with shown(runs, run=canned.STOPPED) as pilot:
            await press(pilot, "C")
            await until(pilot, lambda: any("cannot write control.jsonl" in said for said in toasts(pilot.app)))


async def test_read_only_offers_nothing_that_acts_and_writes_nothing(runs):
    with alive(RunDir(runs / canned.STOPPED)):
        before = tree(runs)
        async with shown(runs, run=canned.STOPPED, readonly=True) as pilot:
            for number in range(1, len(SCREENS) + 1):
                await press(pilot, str(number))
                assert "read-only" in strips(pilot.app)[1].text
                assert not set(keys(pilot.app)) & (ACTS - ({"n"} if SCREENS[number - 1] == "log" else set()))
                titles = [command.title for command in pilot.app.get_system_commands(pilot.app.screen)]
                acting = [t for t in titles if t.endswith(tuple(f"({key})" for key in ACTS)) and "next" not in t]
                assert acting == []
                if number in (1, 3):  # the screens that have acts of their own
                    await press(pilot, "S", "C", "G", "P", "R", "D", "n")
                    assert isinstance(pilot.app.screen, Room)
        assert tree(runs) == before


async def test_in_an_empty_folder_read_only_offers_nothing(tmp_path):
    async with shown(tmp_path, readonly=True) as pilot:
        assert isinstance(pilot.app.screen, Room)
        assert "n" not in keys(pilot.app)
        assert note(pilot, "said") == "no runs in /data/runs"


# Train


def titles(pilot):
    return [chart.strips[0].text.strip() for chart in pilot.app.screen.query(Chart) if chart.display]


async def test_axes_smoothing_and_logarithms(canned_runs):
    async with shown(canned_runs[0], (160, 50), canned.RUNNING) as pilot:
        first = text(pilot.app)
        assert note(pilot, "runs") == "smoothed over 2%"
        assert [title.endswith("log") for title in titles(pilot)][:2] == [False, True]
        for said in ("by time", "by images", "smoothed"):
            await press(pilot, "x")
            assert note(pilot, "runs").startswith(said)
        assert text(pilot.app) == first
        for said in ("smoothed over 1%", "not smoothed", "not smoothed"):
            await press(pilot, "left_square_bracket")
            assert note(pilot, "runs") == said
        assert text(pilot.app) != first
        await press(pilot, *["right_square_bracket"] * 9)
        assert note(pilot, "runs") == "smoothed over 20%"
        await press(pilot, "y")
        assert all(title.endswith("log") for title in titles(pilot))
        await press(pilot, "y")
        assert not any(title.endswith("log") for title in titles(pilot))
        await press(pilot, "y")
        assert [title.endswith("log") for title in titles(pilot)][:2] == [False, True]


async def test_zoom_pan_and_reset(canned_runs):
    async with shown(canned_runs[0], (160, 50), canned.RUNNING) as pilot:
        first = text(pilot.app)
        await press(pilot, "plus")
        closer = text(pilot.app)
        assert note(pilot, "runs").startswith("50% of it shown")
        assert closer != first
        await press(pilot, "left")
        assert text(pilot.app) != closer
        await press(pilot, "right", "right")
        assert text(pilot.app) == closer, "it ends where the run ends"
        await press(pilot, "minus")
        assert text(pilot.app) == first
        await press(pilot, "plus", "plus", "left", "p", "0")
        assert text(pilot.app) == first


async def test_frozen_charts_hold_still_and_can_be_looked_at(runs):
    run = RunDir(runs / canned.RUNNING)
    async with shown(runs, (160, 50), canned.RUNNING) as pilot:
        await press(pilot, "p")
        assert note(pilot, "runs").startswith("frozen")
        before = titles(pilot)
        with (run.events / "00000.jsonl").open("ab") as file:
            file.write(b"".join(canned.rows(21_000, canned.NOW, first=20_000)))
        await until(pilot, lambda: len(pilot.app.looking.run.table) == 420)
        await quiet(pilot)
        assert titles(pilot) == before
        await press(pilot, "plus")
        assert "50% of it shown" in note(pilot, "runs")
        await press(pilot, "0")
        assert titles(pilot) != before
        assert "21k" in text(pilot.app) or "20k" in text(pilot.app)


async def test_columns_and_one_chart_alone(canned_runs):
    async with shown(canned_runs[0], (200, 60), canned.RUNNING) as pilot:
        assert len(titles(pilot)) == 6
        await press(pilot, "g")
        assert len(titles(pilot)) == 3, "one column"
        await press(pilot, "g", "g", "g")
        assert len(titles(pilot)) == 6
        await press(pilot, "tab", "enter")
        assert [title[:9] for title in titles(pilot)] == ["loss by t"]
        assert keys(pilot.app)["⏎"] == "enlarge"
        await press(pilot, "escape")
        assert len(titles(pilot)) == 6
        await press(pilot, "shift+tab", "enter")
        assert titles(pilot)[0].startswith("loss 1 not finite")
        await press(pilot, "enter")
        assert len(titles(pilot)) == 6


async def test_titles_tell_the_newest_number_and_what_was_lost(canned_runs):
    async with shown(canned_runs[0], (200, 60), canned.FAILED) as pilot:
        assert titles(pilot)[0].startswith("loss 3 not finite")
        assert text(pilot.app).count("×") >= 2


async def test_new_rows_are_shown_as_they_come(runs):
    run = RunDir(runs / canned.RUNNING)
    async with shown(runs, (160, 50), canned.RUNNING) as pilot:
        before = titles(pilot)
        with (run.events / "00000.jsonl").open("ab") as file:
            file.write(b"".join(canned.rows(30_000, canned.NOW, first=20_000, seed=8)))
        await until(pilot, lambda: titles(pilot) != before)
        await until(pilot, lambda: "30k" in text(pilot.app))


# Samples


async def test_samples_are_scrubbed(canned_runs):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        await press(pilot, "3")
        assert note(pilot, "said").startswith("5 of 5, step 20,000, seeds 0-15, ddpm, 50 steps, follows the newest")
        places = []
        for key in ("left", "left", "right", "home", "right", "up", "down", "end"):
            await press(pilot, key)
            places.append(int(note(pilot, "said")[0]))
        assert places == [4, 3, 4, 1, 2, 5, 1, 5]
        assert "follows the newest" in note(pilot, "said")


async def test_a_new_preview_shows_if_one_follows(runs):
    run = RunDir(runs / canned.RUNNING)
    async with shown(runs, run=canned.RUNNING) as pilot:
        await press(pilot, "3")
        with (run.events / "00000.jsonl").open("ab") as file:
            file.write(canned.preview(run, 24_000, canned.NOW, 1.0))
        await until(pilot, lambda: note(pilot, "said").startswith("6 of 6, step 24,000"))
        await press(pilot, "left")
        with (run.events / "00000.jsonl").open("ab") as file:
            file.write(canned.preview(run, 28_000, canned.NOW, 1.0))
        await until(pilot, lambda: note(pilot, "said").startswith("5 of 7, step 20,000"))


async def test_strips_raw_weights_and_a_closer_look(canned_runs):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        await press(pilot, "3")
        caption = lambda: pilot.app.screen.query("Picture").first().caption  # noqa: E731
        assert caption().endswith("averaged weights (EMA)")
        averaged = [segment.style for strip in strips(pilot.app) for segment in strip]
        await press(pilot, "t")
        assert caption().endswith("from x_T to x_0")
        await press(pilot, "t", "e")
        assert caption().endswith("weights without averaging")
        assert "not drawn without averaging" in text(pilot.app)
        await press(pilot, "left")
        assert "not drawn" not in text(pilot.app)
        await press(pilot, "e", "right")
        assert [segment.style for strip in strips(pilot.app) for segment in strip] == averaged
        found = []
        for _ in range(5):
            await press(pilot, "plus")
            found.append(caption().rpartition(", ")[2])
        assert found == ["16 of 16", "9 of 16", "4 of 16", "1 of 16", "averaged weights (EMA)"]


async def test_runs_side_by_side_at_the_nearest_step(canned_runs):
    async with shown(canned_runs[0], (160, 40)) as pilot:
        await press(pilot, "space", "space", "c", "3")
        captions = [picture.caption for picture in pilot.app.screen.query("Picture") if picture.display]
        assert [caption.rpartition(": ")[0] for caption in captions] == [canned.RUNNING, canned.STOPPED]
        assert ["step 20,000" in captions[0], "step 2,000" in captions[1]] == [True, True]


async def test_the_path_goes_to_the_clipboard(canned_runs):
    folder, runs = canned_runs
    async with shown(folder, run=canned.RUNNING) as pilot:
        await press(pilot, "3", "left", "o")
        assert pilot.app.clipboard == str(runs[canned.RUNNING].preview(16_000))
        await press(pilot, "t", "o")
        assert pilot.app.clipboard == str(runs[canned.RUNNING].preview(16_000, "strip"))


async def test_sampling_asks_with_which_weights(canned_runs):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        await press(pilot, "3", "n")
        assert isinstance(pilot.app.screen, Ask)
        assert "averaged weights" in text(pilot.app)
        await press(pilot, "c")
        assert not canned_runs[1][canned.RUNNING].samples.exists()


# System, log, recipe


async def test_the_window_of_the_machines_figures(canned_runs):
    async with shown(canned_runs[0], run=canned.RUNNING) as pilot:
        await press(pilot, "4")
        found = []
        for _ in range(4):
            found.append(
                next(line for line in text(pilot.app).splitlines() if "per cent" in line).split(",")[0].strip()
            )
            await press(pilot, "w")
        assert len(set(found)) == 3
        assert found[0] == found[3]


async def test_reasons_stand_where_figures_would(canned_runs):
    async with shown(canned_runs[0], run=canned.STOPPED) as pilot:
        await press(pilot, "4")
        assert f"n/a: {canned.NO_GPU}" in text(pilot.app)


async def test_the_log_by_level(canned_runs):
    async with shown(canned_runs[0], run=canned.FAILED) as pilot:
        await press(pilot, "5")
        lines = pilot.app.screen.query_one(LogLines)
        found = {}
        for _ in range(5):
            found[pilot.app.screen.level] = len(lines.rows)
            await press(pilot, "l")
        assert found == {"all": 8, "info": 2, "warning": 3, "error": 1, "stderr": 2}


async def test_searching_the_log(runs):
    run = RunDir(runs / canned.DONE)
    words = [
        canned.line("log", canned.NOW, level="info", message=f"line {k}{' needle' * (k in (5, 50, 95))}")
        for k in range(100)
    ]
    (run.events / "00000.jsonl").write_bytes(b"".join(words))
    async with shown(runs, (80, 24), canned.DONE) as pilot:
        await press(pilot, "5")
        lines = pilot.app.screen.query_one(LogLines)
        assert "line 99" in text(pilot.app)
        assert "100 lines, follows" in note(pilot, "said")
        await press(pilot, "n")
        assert "nothing is searched for" in toasts(pilot.app)[-1]
        await press(pilot, "slash", *"NEEDLE", "enter")
        assert "3 found" in note(pilot, "said")
        at = []
        for key in ("N", "N", "N", "n", "n", "n", "N"):
            await press(pilot, key)
            at.append(lines.at)
            assert f"line {lines.at} needle" in text(pilot.app)
        assert at == [95, 50, 5, 50, 95, 5, 95], "after the last comes the first"
        assert "does not follow" in note(pilot, "said")
        await press(pilot, "slash", *"x", "enter", "n")
        assert toasts(pilot.app)[-1] == "not found"


async def test_the_log_follows_its_end_until_one_goes_up(runs):
    run = RunDir(runs / canned.DONE)

    def say(first, last):
        with (run.events / "00000.jsonl").open("ab") as file:
            file.write(
                b"".join(canned.line("log", canned.NOW, level="info", message=f"line {k}.") for k in range(first, last))
            )

    say(0, 50)
    async with shown(runs, (80, 24), canned.DONE) as pilot:
        await press(pilot, "5")
        say(50, 60)
        await until(pilot, lambda: "line 59." in text(pilot.app))
        await press(pilot, "up", "up")
        assert "does not follow" in note(pilot, "said")
        say(60, 70)
        await until(pilot, lambda: pilot.app.looking.run.log[-1].text == "line 69.")
        await quiet(pilot)
        assert "line 69." not in text(pilot.app)
        await press(pilot, "end")
        assert "line 69." in text(pilot.app)
        assert "does not follow" not in note(pilot, "said")
        say(70, 80)
        await until(pilot, lambda: "line 79." in text(pilot.app))
        await press(pilot, "home")
        assert "line 79." not in text(pilot.app)


async def test_the_recipe_marks_what_is_not_default(canned_runs):
    async with shown(canned_runs[0], (120, 60), canned.STOPPED) as pilot:
        await press(pilot, "6")
        marked = [line.strip(" ●") for line in text(pilot.app).splitlines() if line.startswith(" ●")]
        assert marked == ['name = "digits"', "mults = [", "lr = 0.0002", "steps = 5000"]


async def test_what_differs_from_another_run(canned_runs):
    async with shown(canned_runs[0], (120, 60), canned.STOPPED) as pilot:
        await press(pilot, "6", "d")
        assert isinstance(pilot.app.screen, Choose)
        assert canned.STOPPED not in [name for name, _ in pilot.app.screen.rows], "not from itself"
        await press(pilot, "down", "enter")
        await until(pilot, lambda: f"what differs from {canned.DONE}" in note(pilot, "said"))
        assert [run.name for run in pilot.app.looking.followed.values()] == [canned.STOPPED], "one file, no history"
        said = text(pilot.app)
        assert [line.split() for line in said.splitlines() if line.startswith("   train.steps")] == [
            ["train.steps", "5000", "2400"]
        ]
        assert "grad_clip" not in said
        await press(pilot, "d")
        assert "grad_clip" in text(pilot.app)


async def test_another_recipe_that_cannot_be_read_says_why(runs):
    (runs / canned.DONE / "recipe.toml").unlink()
    async with shown(runs, (120, 60), canned.STOPPED) as pilot:
        await press(pilot, "6", "d", "down", "enter")
        await until(pilot, lambda: "cannot be read: FileNotFoundError" in note(pilot, "said"))
        assert "grad_clip" in text(pilot.app)


async def test_the_command_goes_to_the_clipboard(canned_runs):
    async with shown(canned_runs[0], run=canned.STOPPED) as pilot:
        await press(pilot, "6", "y")
        assert pilot.app.clipboard == f"difftool train digits --name {canned.STOPPED}"


# Little, much, and nonsense


@pytest.mark.parametrize("size", [(120, 40), (40, 12)], ids=str)
async def test_no_run_at_all(tmp_path, size):
    async with shown(tmp_path, size, offers=()) as pilot:
        for number, here in enumerate(SCREENS, 1):
            await press(pilot, str(number))
            assert "no run" in text(pilot.app), here


async def test_a_run_that_has_not_begun(tmp_path):
    run = RunDir(tmp_path / "young")
    canned.write(
        run, canned.NOW - 1, canned.Told("starting", 0, 100, heartbeat=canned.NOW, loss=None, rate=None, curve=()), []
    )
    with alive(run, "starting"):
        async with shown(tmp_path, run="young") as pilot:
            for number in range(1, len(SCREENS) + 1):
                await press(pilot, str(number))
                assert "starting" in text(pilot.app)
            await press(pilot, "2")
            assert "nothing yet" in text(pilot.app)
            with (run.events / "00000.jsonl").open("wb") as file:
                file.write(b"".join(canned.rows(500, canned.NOW)))
            await until(pilot, lambda: "nothing yet" not in text(pilot.app))


async def test_a_run_whose_folder_goes_away_while_it_is_looked_at(runs):
    async with shown(runs, run=canned.DONE) as pilot:
        (runs / canned.DONE).rename(runs.parent / "away")
        for number in ("2", "3", "4", "5", "6", "1"):
            await press(pilot, number)
        await press(pilot, "2")
        await until(pilot, lambda: "gone, or may not be read" in text(pilot.app))
        (runs.parent / "away").rename(runs / canned.DONE)
        await until(pilot, lambda: "may not be read" not in text(pilot.app))


@pytest.mark.parametrize("last", ["run", pytest.param("state", marks=pytest.mark.slow)])
async def test_whatever_comes_through_a_pipe_every_screen_is_drawn(last):
    out, into = os.pipe()
    events = [KINDS["again"], KINDS["run"], KINDS["metrics"]]
    for whole in sorted(KINDS.values(), key=lambda whole: whole["kind"] == last):
        every = itertools.product(whole, NASTY)
        events += [{**whole, field: value} for field, value in every if field != "kind" and whole["kind"] != "again"]
    data = b"".join(json.dumps(event).encode() + b"\n" for event in events)

    def pour():
        with os.fdopen(into, "wb") as file:
            file.write(data)

    pourer = threading.Thread(target=pour)
    pourer.start()
    async with shown(Path("/nowhere"), (100, 30), pipe=out) as pilot:
        await until(
            pilot, lambda: "the other end was closed" in pilot.app.looking.run.trouble, pilot.app.looking.run.trouble
        )
        for key in ("2", "x", "x", "3", "t", "e", "4", "w", "5", "l", "6", "question_mark", "escape"):
            await press(pilot, key)
        assert not set(keys(pilot.app)) & ACTS - {"n"}
    pourer.join()
    os.close(out)
