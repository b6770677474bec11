"""Stopping and going on: the weights must not know."""

import json
import signal

import pytest

from difftool.engine.saved import newest
from difftool.engine.watch import Watcher
from difftool.errors import CheckpointError, InputError, Stopped
from difftool.run.reader import history

from .conftest import events


def weights(run, name="model"):
    (folder,) = run.checkpoints.glob("step-00000008")
    return (folder / f"{name}.safetensors").read_bytes()


class StopAt(Watcher):
    """Asks the run to stop, as a signal would, when a step was taken."""

    def __init__(self, at, number=signal.SIGTERM):
        self.at, self.number = at, number

    def step(self, step):
        if step == self.at:
            signal.raise_signal(self.number)


@pytest.fixture
def whole(train):
    return train(name="whole")


@pytest.mark.parametrize("stops", [(1,), (3,), (5,), (2, 5, 7)])
def test_stopped_and_resumed_weights_are_bit_identical(train, go_on, whole, tmp_path, stops):
    """Dropout, accumulation 2, flips, warm-up and decay, and epochs of 10 pictures that end inside batches of 6."""
    from difftool.run.layout import RunDir

    with pytest.raises(Stopped) as stopped:
        train(name="parts", watcher=StopAt(stops[0]))
    assert stopped.value.exit_code == 75
    assert f"step {stops[0]} " in stopped.value.saved
    run = RunDir(tmp_path / "runs" / "parts")
    for at in stops[1:]:
        with pytest.raises(Stopped):
            go_on(run, watcher=StopAt(at))
    assert go_on(run) is True
    for name in ("model", "ema", "optimizer"):
        assert weights(run, name) == weights(whole, name), name
    assert run.weights.read_bytes() == whole.weights.read_bytes()


def test_history_has_every_row_once_and_the_same_losses(train, go_on, whole, tmp_path):
    from difftool.run.layout import RunDir

    with pytest.raises(Stopped):
        train(name="parts", watcher=StopAt(4))
    run = RunDir(tmp_path / "runs" / "parts")
    go_on(run)
    assert [(row["step"], row["loss"]) for row in history(run)] == [
        (row["step"], row["loss"]) for row in history(whole)
    ]


@pytest.mark.usefixtures("hears_signals")
def test_ctrl_c_has_its_own_exit_code(train):
    with pytest.raises(Stopped) as stopped:
        train(watcher=StopAt(2, signal.SIGINT))
    assert stopped.value.exit_code == 130
    assert "difftool resume" in stopped.value.do


def test_a_finished_run_trains_longer_only_when_told(train, go_on):
    run = train("train.steps=4", "optim.lr_decay=none")
    assert go_on(run) is False
    assert go_on(run, "train.steps=6") is True
    start = events(run, "start")[-1]
    assert start["from_step"] == 4
    assert start["changes"] == {"train.steps": [4, 6]}
    assert "steps = 6" in run.recipe.read_text()
    assert go_on(run) is False


@pytest.mark.parametrize(
    "change", ["preview.count=2", "log.every=1", "checkpoint.keep=1", "sample.steps=5", "sample.spacing=quadratic"]
)
def test_what_does_not_touch_the_mathematics_may_change(train, go_on, change):
    run = train("train.steps=2", "optim.lr_decay=none")
    assert go_on(run, change, "train.steps=3") is True


@pytest.mark.parametrize(
    "change", ["optim.lr=0.01", "train.batch=4", "loss=l1", "schedule.T=10", "seed=8", "data.count=11"]
)
def test_what_does_needs_permission(train, go_on, change):
    run = train("train.steps=2", "optim.lr_decay=none")
    key = {"loss=l1": "loss.name"}.get(change, change.partition("=")[0])
    with pytest.raises(InputError, match="would change the run") as refused:
        go_on(run, change, "train.steps=3")
    assert f"--allow-change {key}" in refused.value.do
    assert json.loads((run.checkpoint(2) / "state.json").read_text())["step"] == 2


def test_permission_is_used_at_the_next_step(train, go_on):
    run = train("train.steps=2", "optim.lr_decay=none", "optim.warmup=0", "log.every=1")
    go_on(run, "optim.lr=0.5", "train.steps=3", allow=["optim.lr"])
    assert history(run)[-1]["lr"] == 0.5


def test_other_pictures_are_noticed(train, go_on):
    run = train("train.steps=2", "optim.lr_decay=none")
    with pytest.raises(InputError, match="not the one this run was trained on"):
        go_on(run, "data.seed=1", "train.steps=3", allow=["data.seed"])
    assert go_on(run, "data.seed=1", "train.steps=3", allow=["data"]) is True


@pytest.mark.parametrize("name", ["model", "ema", "optimizer"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(train, go_on, name):
    run = train("checkpoint.every=2", "train.steps=4", "optim.lr_decay=none")
    path = run.checkpoint(4) / f"{name}.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)
    said = []

    class Listening(Watcher):
        def say(self, text):
            said.append(text)

    go_on(run, "train.steps=5", watcher=Listening())
    assert events(run, "start")[-1]["from_step"] == 2
    assert any("step-00000004" in line and f"{name}.safetensors" in line for line in said)
    folder, state, passed = newest(run)  # the damaged one is gone: nothing stands in the way of the new ones
    assert (folder, state["step"], passed) == (run.checkpoint(5), 5, [])
    go_on(run, "train.steps=6", "checkpoint.keep=1")
    assert newest(run)[1]["step"] == 6


def test_no_good_checkpoint_is_an_error_and_never_a_new_start(train, go_on):
    run = train("train.steps=2")
    (run.checkpoint(2) / "MANIFEST.json").unlink()
    with pytest.raises(CheckpointError) as nothing:
        go_on(run, "train.steps=3")
    assert nothing.value.exit_code == 4


def test_old_checkpoints_go_only_as_far_as_keep_says(train):
    run = train("checkpoint.every=1", "train.steps=5", "checkpoint.keep=2")
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["step-00000004", "step-00000005"]


def test_resolved_recipe_repeats_the_run(train, registry, tmp_path, whole):
    from difftool.engine.start import start
    from difftool.recipe.load import load

    again, _ = load(str(whole.recipe), registry).recipe("none")
    run = start(again, registry, tmp_path / "runs", Watcher(), name="again")
    assert weights(run) == weights(whole)


def test_fine_tuning_starts_from_the_given_weights(train, whole):
    from difftool.engine.sealed import open_model_file
    from difftool.engine.weights import tensors_of

    given = open_model_file(whole.weights)
    run = train("train.steps=1", "optim.lr=1e-12", "optim.warmup=0", name="tuned", weights=given)
    before, after = tensors_of(given), tensors_of(open_model_file(run.weights))
    assert all((before[name] - after[name]).abs().max() < 1e-9 for name in before)
    with pytest.raises(InputError, match=r"trained otherwise: backbone\.width: 8 -> 16"):
        train("backbone.width=16", name="other", weights=given)
    with pytest.raises(InputError, match="do not fit"):
        train("backbone.width=16", name="other", weights=given, allow=["backbone"])


def test_a_trainer_killed_at_the_very_end_is_put_right(train, go_on):
    """Between the last checkpoint and model.safetensors, or before the last word."""
    run = train("train.steps=2")
    weights, state = run.weights.read_bytes(), json.loads(run.status.read_text())
    run.weights.unlink()
    run.status.write_text(json.dumps(state | {"state": "running"}))
    assert go_on(run) is False
    assert run.weights.read_bytes() == weights
    assert json.loads(run.status.read_text())["state"] == "done"


@pytest.mark.usefixtures("hears_signals")
def test_repeated_hangups_and_terms_still_save(train):
    class Hammered(Watcher):
        def step(self, step):
            if step == 2:
                for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
                    signal.raise_signal(number)

    with pytest.raises(Stopped) as stopped:
        train(watcher=Hammered())
    assert stopped.value.exit_code == 75
    assert "step 2 " in stopped.value.saved


@pytest.mark.parametrize(("change", "key"), [("predict=v", "predict"), ("schedule.T=40", "schedule")])
def test_weights_trained_otherwise_are_refused_unless_allowed_by_name(train, whole, change, key):
    from difftool.engine.sealed import open_model_file

    weights = open_model_file(whole.weights)
    with pytest.raises(InputError, match=rf"the weights were trained otherwise: {key}\.") as refused:
        train("train.steps=1", change, name="tuned", weights=weights)
    assert refused.value.do.endswith(f"--allow-change {key}")
    train("train.steps=1", change, name="tuned", weights=weights, allow=[key])


def test_precision_is_measured_once_and_written_down(train, go_on, monkeypatch):
    from difftool.engine import device

    asked = []
    monkeypatch.setattr(device, "faster_precision", lambda *args, **kw: asked.append(1) or "bf16")
    run = train("train.precision=auto", "train.steps=1", "optim.lr_decay=none")
    assert 'precision = "bf16"' in run.recipe.read_text()
    assert json.loads(run.info.read_text())["precision"] == "bf16"
    assert go_on(run, "train.steps=2") is True
    assert asked == [1]


def test_fewer_steps_than_were_taken_are_refused_and_nothing_changes(train, go_on, tmp_path):
    from difftool.run.layout import RunDir

    with pytest.raises(Stopped):
        train(watcher=StopAt(5))
    run = RunDir(tmp_path / "runs" / "run")
    before = {path: path.read_bytes() for path in run.root.rglob("*.json*")}
    with pytest.raises(InputError, match="already at step 5"):
        go_on(run, "train.steps=3")
    assert {path: path.read_bytes() for path in run.root.rglob("*.json*")} == before


def test_resuming_a_finished_run_writes_nothing(train, go_on):
    run = train("train.steps=2")
    before = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file() and path != run.lock}
    assert go_on(run) is False
    after = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file() and path != run.lock}
    assert after == before


def test_allowing_a_key_that_is_none_is_refused(train, go_on):
    run = train("train.steps=2", "optim.lr_decay=none")
    with pytest.raises(InputError, match=r"no such key; did you mean 'optim\.lr'"):
        go_on(run, "train.steps=3", allow=["optim.lrr"])
