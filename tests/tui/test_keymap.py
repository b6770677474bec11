"""keys.toml gives keys other names; what makes no sense in it is said."""

import pytest
from textual.binding import Binding

from difftool.errors import InputError
from difftool.tui import keymap
from difftool.tui.app import DifftoolApp
from difftool.tui.keymap import keys_file, keys_of_user
from difftool.tui.widgets.lines import Lines

from . import canned
from .conftest import keys, press, quiet, shown, text, toasts, until


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(keymap, "user_config_path", lambda name: tmp_path / name)
    keys_file().parent.mkdir()
    return keys_file()


def test_without_a_file_nothing_is_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(keymap, "user_config_path", lambda name: tmp_path / name)
    assert keys_of_user() == {}


@pytest.mark.parametrize(
    "text", ['"train.log_y" = "L"\n"run.preview" = "f5"\n', '[keys]\n"train.log_y" = "L"\n"run.preview" = "f5"\n']
)
def test_the_file_is_read(file, text):
    file.write_text(text)
    assert keys_of_user() == {"train.log_y": "L", "run.preview": "f5"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"train.log_y = ", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'"train.log_y" = 7\n', "train.log_y: a key is a text"),
        (b'train.log_y = "L"\n', "a key is a text"),
        (b"keys = 3\n", "a key is a text"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(file, content, says):
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        keys_of_user()
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.usefixtures("noon")
async def test_another_key_does_it_and_the_old_one_no_longer(canned_runs):
    async with shown(canned_runs[0], run=canned.RUNNING, keys={"train.log_y": "L", "run.preview": "f5"}) as pilot:
        assert keys(pilot.app)["L"] == "log-y"
        assert keys(pilot.app)["f5"] == "preview"
        await press(pilot, "y")
        assert pilot.app.view.log is None
        await press(pilot, "L")
        assert pilot.app.view.log is True
        await press(pilot, "question_mark")
        assert "L  log-y" in text(pilot.app)
        titles = {command.title for command in pilot.app.get_system_commands(pilot.app.screen_stack[0])}
        assert "log-y (L)" in titles


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        (
            {"train.log_y": "u", "train.axis": "u"},
            "keys.toml: on the screen train, u would be both train.log_y and train.axis",
        ),
        ({"train.log_y": "x"}, "keys.toml: on the screen train, x would be both train.log_y and train.axis"),
        ({"train.log_y": "q"}, "keys.toml: on the screen train, q would be both train.log_y and app.leave"),
        ({"train.log_y": "xyz"}, "keys.toml: train.log_y: there is no key xyz"),
        ({"train.logy": "u"}, "keys.toml: train.logy is nothing that has a key; did you mean train.log_y?"),
    ],
)
@pytest.mark.usefixtures("noon")
async def test_keys_that_do_not_fit_are_told(canned_runs, mine, said):
    async with shown(canned_runs[0], run=canned.RUNNING, keys=mine) as pilot:
        await until(pilot, lambda: toasts(pilot.app), "a note")
        assert toasts(pilot.app) == [said]


@pytest.mark.usefixtures("noon")
async def test_every_binding_may_have_its_own_key_again(canned_runs):
    owners = [DifftoolApp, Lines, *DifftoolApp.MODES.values()]
    own = {each.id: each.key for owner in owners for each in owner.BINDINGS if isinstance(each, Binding)}
    async with shown(canned_runs[0], run=canned.RUNNING, keys=own) as pilot:
        await quiet(pilot)
        assert not toasts(pilot.app)
