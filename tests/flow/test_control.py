"""A trainer that is asked for something does it within the step, says so, and its weights never know."""

import contextlib
import json
import signal

import numpy as np
import pytest
from PIL import Image

from difftool.engine import checkpoint
from difftool.engine.watch import Watcher
from difftool.errors import DiskError, Stopped
from difftool.run.control import ask
from difftool.run.layout import RunDir
from difftool.run.reader import history

from .conftest import events
from .test_resume import StopAt, weights


class Asking(Watcher):
    """Asks when a step was taken, when something is said, or while a preview is drawn."""

    def __init__(self, run, at=None, said=None, drawing=None):
        self.run, self.at, self.heard, self.drawn = run, at or {}, said or {}, drawing
        self.lines, self.status = [], []

    def ask(self, words):
        for command, args in words:
            if isinstance(command, int):
                signal.raise_signal(command)
            else:
                ask(self.run, command, **args)

    def step(self, step):
        self.ask(self.at.pop(step, []))

    def say(self, text):
        self.lines.append(text)
        self.status.append(json.loads(self.run.status.read_text()))
        for words, asked in list(self.heard.items()):
            if words in text:
                del self.heard[words]
                self.ask(asked)

    def drawing(self, done, total):
        if self.drawn and done:
            asked, self.drawn = self.drawn, None
            self.ask(asked)


@pytest.fixture
def run(tmp_path):
    return RunDir(tmp_path / "runs" / "run")


@pytest.fixture
def whole(train):
    return train(name="whole")


def plain(*commands):
    return [(command, {}) for command in commands]


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image)


def acks(run):
    return [(each["command"], each["step"], each["ok"], each["message"]) for each in events(run, "ack")]


def test_a_checkpoint_and_a_preview_are_made_within_the_step_and_leave_no_trace_in_the_weights(train, run, whole):
    watcher = Asking(run, {3: plain("checkpoint", "preview"), 5: [("preview", {"raw": True})]})
    train(watcher=watcher)
    assert acks(run) == [
        ("checkpoint", 3, True, "checkpoint written: step 3"),
        ("preview", 3, True, "preview drawn: step 3"),
        ("preview", 5, True, "preview drawn: step 5"),
    ]
    asked = [json.loads(line)["id"] for line in run.control.read_bytes().splitlines()]
    assert [each["id"] for each in events(run, "ack")] == asked
    assert run.checkpoint(3).is_dir()
    assert [sorted(event.keys() & {"strip", "raw"}) for event in events(run, "preview")] == [
        ["strip"], ["raw", "strip"], ["strip"],
    ]  # fmt: skip
    for name in ("model", "ema", "optimizer"):
        assert weights(run, name) == weights(whole, name), name
    assert [(row["step"], row["loss"]) for row in history(run)] == [
        (row["step"], row["loss"]) for row in history(whole)
    ]


def test_a_step_is_saved_once(train, run):
    train("checkpoint.every=4", watcher=Asking(run, {4: plain("checkpoint"), 8: plain("checkpoint")}))
    assert acks(run) == [
        ("checkpoint", 4, True, "step 4 is saved already"),
        ("checkpoint", 8, True, "step 8 is saved already"),
    ]
    assert [event["step"] for event in events(run, "checkpoint")] == [4, 8]


def test_stop_saves_and_ends_as_a_signal_does(train, go_on, run, whole):
    with pytest.raises(Stopped) as stopped:
        train(watcher=Asking(run, {3: plain("stop")}))
    assert stopped.value.exit_code == 75
    assert "step 3 " in stopped.value.saved
    assert acks(run) == [("stop", 3, True, "stopping at step 3: it is saved first")]
    assert [row["step"] for row in events(run, "metrics")] == [2, 3]
    assert (events(run, "end")[0]["state"], json.loads(run.status.read_text())["state"]) == ("stopped", "stopped")
    assert go_on(run), "what stopped the last attempt must not stop this one"
    assert weights(run) == weights(whole)


def test_kill_ends_at_once_and_keeps_what_was_saved(train, run):
    with pytest.raises(Stopped) as stopped:
        train("checkpoint.every=2", watcher=Asking(run, {3: plain("kill")}))
    assert stopped.value.exit_code == 75
    assert "step 2 " in stopped.value.saved
    assert "difftool resume" in stopped.value.do
    assert acks(run) == [("kill", 3, True, "ended at step 3; what is saved is step 2")]
    assert not run.checkpoint(3).exists()
    assert json.loads(run.status.read_text())["state"] == "stopped"


def test_kill_before_anything_is_saved_says_so(train, run):
    with pytest.raises(Stopped) as stopped:
        train(watcher=Asking(run, {1: plain("kill")}))
    assert (stopped.value.saved, stopped.value.do) == ("", "")
    assert acks(run)[0][3] == "ended at step 1; nothing is saved"


def test_a_pause_writes_a_row_waits_and_goes_on_to_the_same_weights(train, run, whole):
    watcher = Asking(run, {3: plain("pause")}, {"paused": plain("pause", "checkpoint", "preview", "resume")})
    train(watcher=watcher)
    assert acks(run) == [
        ("pause", 3, True, "paused at step 3"),
        ("pause", 3, True, "already paused at step 3"),
        ("checkpoint", 3, True, "checkpoint written: step 3"),
        ("preview", 3, True, "preview drawn: step 3"),
        ("resume", 3, True, "going on after step 3"),
    ]
    assert [row["step"] for row in events(run, "metrics")] == [2, 3, 4, 6, 8]
    assert watcher.lines == [
        "paused at step 3 (asked by control.jsonl)",
        "going on after step 3 (asked by control.jsonl)",
    ]
    assert [(status["state"], status["step"]) for status in watcher.status] == [("paused", 3), ("running", 3)]
    assert weights(run) == weights(whole)


@pytest.mark.parametrize(
    ("how", "code"), [("stop", 75), ("kill", 75), (signal.SIGTERM, 75), (signal.SIGINT, 130)], ids=str
)
@pytest.mark.usefixtures("hears_signals")
def test_a_paused_run_can_be_ended(train, run, how, code):
    with pytest.raises(Stopped) as stopped:
        train(watcher=Asking(run, {3: plain("pause")}, {"paused": [(how, {})]}))
    assert stopped.value.exit_code == code
    assert run.checkpoint(3).exists() == (how != "kill")
    assert [row["step"] for row in events(run, "metrics")] == [2, 3]
    assert json.loads(run.status.read_text())["state"] == "stopped"


def test_a_pause_while_nothing_is_left_and_resuming_what_is_not_paused(train, run):
    train(watcher=Asking(run, {3: plain("resume"), 8: plain("pause")}))
    assert acks(run) == [
        ("resume", 3, True, "not paused: it is training, at step 3"),
        ("pause", 8, False, "step 8 was the last: there is nothing to pause"),
    ]


def test_time_spent_paused_is_no_slow_training(train, run, monkeypatch):
    """On a clock of our own, which only stands still while it is not asked to sleep."""
    from difftool.engine import meter, orders

    class Clock:
        now = 0.0

        def monotonic(self):
            self.now += 0.001
            return self.now

        def sleep(self, seconds):
            self.now += 1000

    clock = Clock()
    monkeypatch.setattr(meter, "time", clock)
    monkeypatch.setattr(orders, "time", clock)
    eta = []

    class Eta(Asking):
        def row(self, row, left):
            eta.append(left)

    train("log.every=1", watcher=Eta(run, {3: plain("pause")}, {"paused": plain("resume")}))
    assert min(row["images_per_s"] for row in events(run, "metrics")) > 100
    assert max(eta) < 1


def test_what_nobody_knows_is_answered(train, run):
    train(watcher=Asking(run, {2: plain("dance\x1b[2J")}))
    ((_, step, ok, message),) = acks(run)
    assert (step, ok) == (2, False)
    assert message.startswith("unknown command 'dance\\x1b[2J'; there are checkpoint, preview")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_preview_is_left_for_what_is_more_urgent(train, run, how):
    with pytest.raises(Stopped):
        train(watcher=Asking(run, {3: plain("preview")}, drawing=plain(how)))
    assert not run.preview(3).exists()
    assert run.checkpoint(3).exists() == (how == "stop")
    answers = {command: (ok, message) for command, _, ok, message in acks(run)}
    assert answers[how][0] is True
    assert answers["preview"][0] is False
    assert [row["step"] for row in events(run, "metrics")] == ([2, 3] if how == "stop" else [2])


@pytest.fixture
def full(monkeypatch):
    """A disk that is full at some steps."""
    real, steps = checkpoint.save, set()

    def save(run, shop, state):
        if state.step in steps:
            raise DiskError("cannot write model.safetensors", why="No space left on device")
        return real(run, shop, state)

    monkeypatch.setattr(checkpoint, "save", save)
    return steps


def test_a_checkpoint_that_was_asked_for_and_cannot_be_written_is_told_and_training_goes_on(train, run, full):
    full.add(3)
    watcher = Asking(run, {3: plain("checkpoint")})
    train(watcher=watcher)
    why = "no checkpoint at step 3: cannot write model.safetensors: No space left on device"
    assert acks(run) == [("checkpoint", 3, False, why)]
    assert watcher.lines == [why]
    assert [event["step"] for event in events(run, "checkpoint")] == [8]
    assert events(run, "end")[0]["state"] == "done"


def test_a_checkpoint_on_schedule_that_cannot_be_written_ends_the_run(train, run, full):
    full.add(4)
    with pytest.raises(DiskError):
        train("checkpoint.every=4")
    assert events(run, "end")[0]["state"] == "failed"


def test_a_step_can_be_saved_after_only_its_weights_could_not_be_written(train, run, monkeypatch):
    real, refused = checkpoint.replace_file, []

    def once(path, data):
        if not refused:
            refused.append(path)
            raise DiskError(f"cannot write {path.name}")
        real(path, data)

    monkeypatch.setattr(checkpoint, "replace_file", once)
    train(watcher=Asking(run, {3: plain("checkpoint", "checkpoint")}))
    assert [(ok, message.split(":")[0]) for _, _, ok, message in acks(run)] == [
        (False, "no checkpoint at step 3"),
        (True, "checkpoint written"),
    ]
    assert [path.name for path in refused] == ["model.safetensors"]
    assert [event["step"] for event in events(run, "checkpoint")] == [3, 8]


def test_what_is_asked_in_one_breath_with_kill_is_answered(train, run):
    with pytest.raises(Stopped):
        train(watcher=Asking(run, {3: plain("pause", "kill", "preview", "dance")}))
    late = "too late: the run ended at step 3"
    assert acks(run) == [
        ("kill", 3, True, "ended at step 3; nothing is saved"),
        ("pause", 3, False, late),
        ("preview", 3, False, late),
        ("dance", 3, False, late),
    ]


def test_a_preview_that_fails_is_told_and_training_goes_on(train, run, monkeypatch):
    from difftool.engine import pictures

    monkeypatch.setattr(pictures, "strip", lambda *_: 1 / 0)
    train(watcher=Asking(run, {3: plain("preview")}))
    ((_, _, ok, message),) = acks(run)
    assert not ok
    assert "no preview at step 3: ZeroDivisionError" in message
    assert events(run, "end")[0]["state"] == "done"


def test_what_comes_too_late_is_answered(train, run):
    class Late(Watcher):
        def wrote(self, what, path):
            if what == "checkpoint":
                ask(run, "stop")
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(watcher=Late())
    assert acks(run) == [("stop", 8, False, "too late: the run ended at step 8")]


def test_the_film_and_the_raw_sheet_show_what_they_should(train, run):
    """The film begins with noise and ends with the pictures of the sheet; the raw sheet is that of the raw weights."""
    import difftool
    from difftool.data.sheet import GAP, sheet

    train("preview.raw=true", "train.ema_warmup=false", "train.ema=0.999", "optim.lr=0.05", "optim.warmup=0")
    (event,) = events(run, "preview")
    assert event["strip"] == "previews/step-00000008.strip.png"
    assert event["raw"] == "previews/step-00000008.raw.png"
    film, grid = (picture(run.root / event[key]) for key in ("strip", "path"))
    cell = 64 + GAP
    assert film.shape == (4 * cell + GAP, 9 * cell + GAP, 3)
    frames = [
        [film[r * cell + GAP : (r + 1) * cell, c * cell + GAP : (c + 1) * cell] for c in range(9)] for r in range(4)
    ]
    shown = [grid[r * cell + GAP : (r + 1) * cell, c * cell + GAP : (c + 1) * cell] for r in range(2) for c in range(2)]
    assert all(np.array_equal(row[-1], picture) for row, picture in zip(frames, shown, strict=True))
    assert all(len({frame.tobytes() for frame in row}) == 9 for row in frames)
    raw = difftool.load(run.checkpoint(8) / "model.safetensors", "cpu").sample(range(4), batch=4)
    assert np.array_equal(picture(run.root / event["raw"]), sheet(raw.numpy()))
    with Image.open(run.root / event["raw"]) as image:
        assert image.info["difftool.ema"] == "False"


def test_without_averaging_there_is_one_sheet(train, run):
    train("train.ema=0", watcher=Asking(run, {3: [("preview", {"raw": True})]}))
    assert acks(run)[0][3] == "preview drawn: step 3 (nothing is averaged in this run: these are the raw weights)"
    assert all("raw" not in event for event in events(run, "preview"))


def test_a_preview_of_few_steps_has_a_film_of_as_many_frames(train, run):
    train("preview.steps=3", "preview.sampler=ddim", "preview.count=2")
    assert picture(run.preview(8, "strip")).shape == (2 * 66 + 2, 4 * 66 + 2, 3)


def test_the_film_costs_no_evaluation_of_the_network(train, monkeypatch):
    from difftool.core.denoiser import NetDenoiser

    calls = []
    real = NetDenoiser.__call__
    monkeypatch.setattr(NetDenoiser, "__call__", lambda *args, **rest: calls.append(1) or real(*args, **rest))
    train()
    assert len(calls) == 20, "the levels of one walk"


def test_status_has_the_curve_of_the_whole_run_over_a_resume(train, go_on, run, whole):
    with contextlib.suppress(Stopped):
        train(watcher=StopAt(4))
    assert len(json.loads(run.status.read_text())["curve"]) == 4
    go_on(run)
    curve = json.loads(run.status.read_text())["curve"]
    losses = {row["step"]: row["loss"] for row in history(whole)}
    assert curve == pytest.approx([losses[2 * ((n + 2) // 2)] for n in range(8)], rel=1e-4)


def test_the_heart_beats_between_rows(train, run, monkeypatch):
    from difftool.run import writer

    monkeypatch.setattr(writer, "STATUS_EVERY", 0.0)
    seen = []

    class Looking(Watcher):
        def step(self, step):
            seen.append(json.loads(run.status.read_text())["step"])

    train("log.every=100", watcher=Looking())
    assert seen == [0, 1, 2, 3, 4, 5, 6, 7]
