"""The dashboard over canned runs: driven by keys, looked at as text, and never waited for by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time

import pytest

from difftool.run.layout import RunDir
from difftool.tui.app import DifftoolApp
from difftool.tui.setup import Offer, Setup
from difftool.tui.widgets.picture import Picture

from . import canned

PATIENCE = 60.0
"""Seconds until something that should happen is given up; never how long it may take."""
OFFERS = (
    Offer("quickstart", "faces of 32x32 in a few minutes, on any machine"),
    Offer("anime64", "faces of 64x64, for a GPU"),
    Offer("two_pixel", "two pixels, to look at the mathematics"),
)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test that is a coroutine runs in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def canned_runs(tmp_path_factory):
    """(folder, {name: run}); only to be looked at."""
    folder = tmp_path_factory.mktemp("canned") / "runs"
    return folder, canned.make(folder)


@pytest.fixture
def runs(tmp_path):
    """The same for a test alone: it may change them."""
    folder = tmp_path / "runs"
    canned.make(folder)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _keys_at_once():
    """Textual rests twice after each key, until the process computes no more: `press` knows what to wait for."""

    async def at_once(*_):
        await asyncio.sleep(0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.app.wait_for_idle", at_once)
        yield


@pytest.fixture
def noon(monkeypatch):
    """The clock stands, on a machine whose name is known."""
    canned.freeze(monkeypatch)


@contextlib.asynccontextmanager
async def shown(folder, size=(120, 40), run=None, **setup):
    """The dashboard over a folder; with `run` it is opened on that."""
    chosen = RunDir(folder / run) if run else None
    app = DifftoolApp(Setup(folder, chosen, offers=setup.pop("offers", OFFERS), **setup))
    app.where = "/data/runs"  # how long a temporary folder's name is must not decide what has room
    async with app.run_test(size=size) as pilot:
        await quiet(pilot)
        yield pilot
    assert app._exception is None


async def until(pilot, true, said=""):
    """Waits for something to be so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"{said}\n{text(pilot.app)}"
        await pilot.pause(0.01)
    return True


async def press(pilot, *keys):
    """Presses keys, and waits until all that they set off is on the screen."""
    for key in keys:
        await pilot.press(key)
        for _ in range(3):  # a key goes from the dashboard to the screen, to what has the focus, and back
            await pilot.pause(0)
    await quiet(pilot)


async def quiet(pilot):
    """Waits until all there is to read is read, all pictures are developed, and the screen no longer changes."""
    app = pilot.app

    def read():
        listed = app.setup.pipe is not None or app.looking.lister.looked
        followed = all(run.read >= 1 and (run.run is None or run.summary or run.trouble) for run in app.looking.runs)
        screen = app.screen_stack[0] if app.screen_stack else None
        return listed and followed and getattr(screen, "built", False)

    await until(pilot, lambda: not app.is_running or read())
    before = None
    deadline = time.monotonic() + PATIENCE
    while app.is_running:
        assert time.monotonic() < deadline, "the screen never came to rest"
        if read():
            app.screen_stack[0].renew()
            app.screen_stack[0].refresh_bindings()
        await pilot.pause()
        now = text(app)
        if now == before and read() and developed(app):
            return
        before = now
        await pilot.pause(0.01)


def developed(app):
    """Whether every picture that is shown is the one that was wished for."""
    waiting = []
    ask = app.darkroom.picture

    def asked(widget, wish):
        if (found := ask(widget, wish)) is None:
            waiting.append(wish)
        return found

    app.darkroom.picture = asked
    try:
        for picture in app.screen_stack[0].query(Picture):
            if picture.display:
                picture.renew()
    finally:
        del app.darkroom.picture
    return not waiting


def strips(app):
    """What is on the screen, line by line (the one place that looks into Textual's private parts)."""
    return app.screen._compositor.render_strips()


def text(app):
    """What is on the screen, as text."""
    return "\n".join(strip.text.rstrip() for strip in strips(app))


def toasts(app):
    """What was told in the corner, the newest last."""
    return [note.message for note in app._notifications]


def keys(app):
    """What stands at the bottom: {key: word}."""
    from difftool.tui.widgets.keys import Keys

    return {each[0]: each[1] for row in app.screen_stack[0].query_one(Keys).rows for each in row}
