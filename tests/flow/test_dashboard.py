"""The dashboard and a real trainer: what is asked is done and answered, and leaving leaves it alone."""

import asyncio
import contextlib
import os
import signal
import time

import pytest

from difftool.run import launch
from difftool.run.control import ask
from difftool.run.layout import RunDir, list_runs
from difftool.run.lock import is_locked
from difftool.run.records import load
from difftool.tui.app import DifftoolApp
from difftool.tui.setup import Offer, Setup

from .conftest import TINY, events

ENDLESS = ["--set", "train.steps=1000000", "--set", "log.every=5"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of runs; whatever happens, nobody trains there afterwards."""
    begun, train = [], launch.train
    monkeypatch.setattr(launch, "train", lambda *how: begun.append(train(*how)) or begun[-1])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    runs = tmp_path / "runs"
    yield runs
    for run in list_runs(runs):
        if is_locked(run):
            with contextlib.suppress(ProcessLookupError):
                os.kill(load(run.lock)["pid"], signal.SIGKILL)
    for each in begun:
        each.process.wait(60)


async def until(pilot, true, said=lambda: ""):
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, said()
        await pilot.pause(0.02)


def test_a_trainer_is_watched_asked_and_left(folder):
    asyncio.run(_watched_asked_and_left(folder))


async def _watched_asked_and_left(folder):
    begun = launch.train(["tiny.toml", *ENDLESS], folder, "real")
    run = RunDir(folder / "real")
    app = DifftoolApp(Setup(folder, offers=(Offer("tiny.toml", "a tiny one"),), launched=begun))
    async with app.run_test(size=(120, 40)) as pilot:
        told = []
        notify = app.notify
        app.notify = lambda message, **more: (told.append(message), notify(message, **more))
        told += [note.message for note in app._notifications]

        def heard(words):
            return lambda: any(words in each for each in told)

        def state():
            return app.looking.run.state if app.looking.run else None

        await until(
            pilot,
            lambda: app.looking.run and app.looking.run.name == "real" and len(app.looking.run.table) > 1,
            begun.why,
        )
        await until(pilot, lambda: state() == "running")
        for key, words in (("C", "checkpoint written: step"), ("G", "preview drawn")):
            await pilot.press(key)
            await until(pilot, heard(words), lambda: told)
        await until(pilot, lambda: app.looking.run.previews and app.looking.run.checkpoints)
        assert run.preview(max(app.looking.run.previews)).is_file()
        await pilot.press("P")
        await until(pilot, lambda: state() == "paused", lambda: told)
        await until(pilot, heard("paused at step"), lambda: told)
        rows = len(app.looking.run.table)
        await pilot.press("P")
        await until(pilot, lambda: state() == "running" and len(app.looking.run.table) > rows, lambda: told)
        await pilot.press("S")
        await pilot.press("s")
        await until(pilot, lambda: state() == "stopped", lambda: told)
        assert load(run.status)["exit"] == 75
        assert [each["command"] for each in events(run, "ack")] == ["checkpoint", "preview", "pause", "resume", "stop"]
        assert all(each["ok"] for each in events(run, "ack"))

        # A recipe of the menu, in a process of its own.
        (folder.parent / "tiny.toml").write_text(TINY.replace("steps = 8", "steps = 1000000"))
        await pilot.press("1")
        await until(pilot, lambda: app.screen.here == "runs" and app.screen.built and app.screen.row)
        await pilot.press("n")
        await until(pilot, lambda: app.screen.is_modal)
        await pilot.press("enter")
        await until(pilot, heard("has begun"), lambda: told)  # there are other runs: one is not taken away from them
        await until(pilot, lambda: app.screen.list.rows[0]["name"].startswith("tiny-"))
        await pilot.press("home", "enter")
        await until(
            pilot, lambda: app.looking.run.name.startswith("tiny-") and len(app.looking.run.table) > 0, lambda: told
        )
        other = app.looking.run.run
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert other.name in app.left
    step = load(other.status)["step"]
    for stopped in (lambda: load(other.status)["step"] > step, lambda: not is_locked(other)):
        deadline = time.monotonic() + 60
        while not stopped():
            assert time.monotonic() < deadline, "leaving stopped it, or it does not hear"
            time.sleep(0.05)
        if is_locked(other):
            ask(other, "stop")
    assert load(other.status)["state"] == "stopped"
    assert begun.process.wait(60) == 75
