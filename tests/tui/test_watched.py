"""What becomes of a run's events: each is applied right, and none of them, whatever stands in it, does harm."""

import base64
import itertools
import json
import math

import pytest

from difftool.run.layout import RunDir
from difftool.run.reader import AGAIN
from difftool.tui import watched as module
from difftool.tui.outside import DEEPEST, LONGEST, clean, sane
from difftool.tui.screens.log import line_parts
from difftool.tui.screens.recipe import _differences, _provenance, _recipe
from difftool.tui.screens.samples import _sampler, shots_of
from difftool.tui.screens.system import figures, series_of
from difftool.tui.watched import Watched
from difftool.tui.widgets import head


@pytest.fixture
def run(tmp_path):
    return Watched("toy", RunDir(tmp_path / "toy"))


def row(step, **more):
    return {"kind": "metrics", "time": 1.7e9 + step, "step": step, "images": step * 8, "loss": step / 4, **more}


def start(from_step, attempt=1, **more):
    return {"kind": "start", "time": 1.7e9, "attempt": attempt, "from_step": from_step, "total": 100, **more}


def preview(step, **more):
    return {"kind": "preview", "time": 1.7e9, "step": step, "path": f"previews/step-{step:08d}.png", **more}


def said(run):
    return [line.text for line in run.log]


def steps(run):
    return [run.table.row(k)["step"] for k in range(len(run.table))]


def test_an_attempt_makes_void_what_it_trains_again(run):
    run.take([start(0, 0), *(row(step) for step in range(1, 9)), preview(4), preview(8)])
    run.take([start(5), row(6, loss=9.0)])
    assert steps(run) == [1, 2, 3, 4, 5, 6]
    assert run.table.last("loss") == 9.0
    assert list(run.previews) == [4]
    assert said(run)[0] == "training begins"
    assert said(run)[-1] == "attempt 2 goes on from step 5"


def test_the_order_within_one_batch_counts(run):
    run.take([row(1), row(2), start(1), row(2, loss=7.0), row(3), start(2), row(3, loss=8.0)])
    assert [run.table.row(k)["loss"] for k in range(len(run.table))] == [0.25, 7.0, 8.0]


def test_changes_of_the_recipe_are_told(run):
    run.take([start(5, changes={"optim.lr": [2e-4, 1e-4], "odd": 3, "empty": []})])
    assert said(run) == ["attempt 2 goes on from step 5 with optim.lr = 0.0001"]


def test_another_run_in_its_place_begins_anew(run):
    run.take([start(0, 0), row(1), preview(1), {"kind": "checkpoint", "step": 1, "path": "x", "time": 1.0}])
    run.take([{"kind": "ack", "id": "a", "ok": True, "message": "done"}, {"kind": "system", "cpu": 0.5}])
    run.info = {"recipe": "old"}
    before = run.version
    run.take([row(7), {"kind": AGAIN}, row(3)])
    assert steps(run) == [3]
    for kept in (run.previews, run.checkpoints, run.system, run.log, run.info, run.sampled):
        assert not kept
    assert run.version > before


def test_values_that_were_not_finite_are_counted_and_told(run):
    run.take(
        [row(1), row(2, loss=None, nonfinite=["loss"]), row(3, loss=None, nonfinite=["loss", "grad_norm"]), row(4)]
    )
    assert run.table.lost("loss") == 2
    assert [(line.text, line.level, line.step) for line in run.log] == [
        ("not finite: loss", "warning", 2),
        ("not finite: loss, grad_norm", "warning", 3),
    ]


def test_previews_lie_where_their_step_says_and_nowhere_else(run):
    run.take([preview(1000, path="../../etc/passwd", strip="/etc/shadow", raw="../raw.png", ema=True)])
    folder = run.run.previews
    assert run.previews[1000].files == {
        "ema": folder / "step-00001000.png",
        "strip": folder / "step-00001000.strip.png",
        "raw": folder / "step-00001000.raw.png",
    }
    run.take([preview(2000)])
    assert set(run.previews[2000].files) == {"ema"}


def test_pictures_of_a_pipe_come_with_their_event():
    run = Watched("-", None)
    good = base64.b64encode(b"picture").decode()
    run.take([preview(1, png=good, png_strip=good, png_raw="*not base64*"), preview(2), preview(3, png=7)])
    assert run.previews[1].files == {"ema": b"picture", "strip": b"picture"}
    assert run.previews[2].files == run.previews[3].files == {}
    assert "png" not in run.previews[1].words


def test_answers_are_found_by_their_id(run):
    run.take([{"kind": "ack", "id": "a1", "command": "pause", "step": 3, "ok": False, "message": "already paused"}])
    assert "already paused" in [each.text for each in run.log]
    assert (run.log[-1].text, run.log[-1].level) == ("already paused", "warning")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            {"kind": "checkpoint", "step": 10, "path": "checkpoints/step-00000010", "seconds": 1.26},
            "checkpoint, 1.3 s: checkpoints/step-00000010",
        ),
        ({"kind": "end", "state": "stopped", "exit": 75, "step": 10}, "stopped at step 10, exit code 75"),
        ({"kind": "log", "level": "error", "message": "out of paper"}, "out of paper"),
        (preview(1500), "preview of step 1,500"),
    ],
)
def test_events_are_told_in_words(run, event, words):
    run.take([event])
    assert said(run) == [words]


def test_kinds_of_a_later_format_are_passed_over(run):
    run.take([{"kind": "sermon", "text": "x"}, row(1)])
    assert steps(run) == [1]
    assert not run.log


def test_words_of_a_pipe_about_the_run_are_checked():
    run = Watched("-", None)
    run.take(
        [
            {
                "kind": "run",
                "name": "far",
                "state": "running",
                "step": 7,
                "total": "many",
                "loss": True,
                "recipe": "a = 1\n",
                "info": {"seed": 1},
            }
        ]
    )
    assert (run.name, run.state, run.active) == ("far", "running", True)
    assert (run.summary["step"], run.summary["total"]) == (7, None)
    assert run.recipe == "a = 1\n"
    run.take([{"kind": "state", "state": "done", "step": 9, "curve": [1.0, None, "x", 10**400]}])
    assert (run.state, run.active, run.summary["curve"]) == ("done", False, [1.0, None, None, None])


# Nothing that can stand in an event does harm


def deep(levels):
    found = "x"
    for level in range(levels):
        found = [found] if level % 2 else {"k": found}
    return found


NASTY = (
    None, True, False, 0, -1, 10**18, -(10**18), 10**400, -(10**400), 1e308, -0.0, "", "x", "x" * 5000,
    "\x1b[2J\x07\u202e", "\ud800", "[/b]", [], {}, [None], [[]], [10**400], {"a": 1}, {"a": [1, 2]}, {"": None},
    ["loss", 3, None],
    {"name": 10**400}, {"\x1b": "\x1b"}, deep(900),
    [{"index": [], "name": {}, "used": "x", "memory": 10**400, "absent": 3}],
)  # fmt: skip
KINDS = {
    "start": start(1, changes={"a": [1, 2]}, versions={}),
    "metrics": row(5, loss_q=[1.0, None], nonfinite=["loss"], grad_norm=1.0),
    "preview": preview(
        5, strip="s", raw="r", seeds="0-15", sampler={"name": "ddpm"}, steps=50, ema=True,
        png="eA==", png_raw="eA==", png_strip="eA==",
    ),
    "checkpoint": {"kind": "checkpoint", "time": 1.0, "step": 5, "path": "p", "seconds": 1.0},
    "log": {"kind": "log", "time": 1.0, "level": "info", "message": "m"},
    "ack": {"kind": "ack", "time": 1.0, "id": "a", "command": "c", "step": 5, "ok": True, "message": "m"},
    "end": {"kind": "end", "time": 1.0, "state": "done", "exit": 0, "step": 5},
    "system": {
        "kind": "system", "time": 1.0, "cpu": 0.5, "cores": 2, "memory": 1, "memory_total": 2, "process": 1,
        "disk_free": 1, "disk_total": 2, "gpus": [{"index": 0, "used": 0.5}], "absent": {"gpus": "none"},
    },
    "run": {
        "kind": "run", "name": "n", "state": "running", "step": 1, "total": 2, "loss": 0.5, "rate": 1.0, "eta": 1.0,
        "age": 1.0, "heartbeat": 1.0, "host": "h", "here": False, "device": "d", "pid": 1, "exit": 0,
        "curve": [1.0], "recipe": "r", "info": {},
    },
    "state": {
        "kind": "state", "state": "running", "step": 1, "total": 2, "rate": 1.0, "eta": 1.0, "exit": 1, "curve": [None],
    },
    AGAIN: {"kind": AGAIN},
}  # fmt: skip


def look_at_everything(run):
    """All that the screens work out from a run; that they also draw it is for test_screens."""
    for line in run.log:
        line_parts(line, 80)
        assert len(line.text) <= LONGEST * 8
    for shot in shots_of(run):
        hash(shot.preview.words.get("time"))
        if shot.preview.words.get("sampler"):
            _sampler(shot.preview.words)
    figures(dict(run.system[-1]) if run.system else {}, 80, False)
    for _, figure in series_of(list(run.system)):
        [figure(each) for each in run.system]
    head.figures(run.summary)
    total, step = run.summary.get("total"), run.summary.get("step")
    assert not total or math.isfinite((step or 0) / total)
    for rows in (_provenance(run, 80), _recipe(run), _differences(run, run.name, run.recipe)):
        assert isinstance(rows, list)
    for axis in ("step", "time", "images"):
        run.table.span(axis)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piped", [False, True])
def test_no_value_of_any_field_does_harm(tmp_path, kind, piped):
    whole = KINDS[kind]
    for field, value in itertools.product([*whole, "unheard of"], NASTY):
        if field == "kind":
            continue
        run = Watched("toy", None if piped else RunDir(tmp_path / "toy"))
        run.take([row(1), {**whole, field: value}, row(2)])
        look_at_everything(run)
        run.take([{k: v for k, v in whole.items() if k != field}, row(3)])
        look_at_everything(run)


@pytest.mark.parametrize("value", NASTY)
def test_no_file_about_a_run_does_harm(run, value):
    keys = ("argv", "versions", "git", "data", "differs", "observers", "device", "parameters", "created", "precision")
    for key in keys:
        run.info = clean({"device": "cpu", key: value})
        run.recipe = "name = 'x'\n[a]\nb = 1\n"
        run.summary = sane(clean({"state": "running", "step": value, "total": value, "rate": value, "eta": value}))
        if isinstance(value, dict | list | str):  # the reader of status.json lets no other types through
            run.summary = {}
        look_at_everything(run)


def test_texts_from_outside_are_safe_and_short(run):
    run.take(
        [
            {"kind": "log", "message": "\x1b]0;title\x07\nsecond line", "level": "info"},
            {"kind": "log", "message": "x" * 100_000, "level": "info"},
            {"kind": "checkpoint", "path": "\x9b2J", "step": 1},
            row(1, nonfinite=["\x1b[31m"]),
        ]
    )
    assert all(line.text.isprintable() and len(line.text) <= LONGEST + 3 for line in run.log)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 50)
    monkeypatch.setattr(module, "PICTURES", 10_000)
    run = Watched("-", None)
    picture = base64.b64encode(bytes(3000)).decode()
    for k in range(200):
        run.take(
            [
                preview(k, png=picture),
                {"kind": "checkpoint", "step": k, "path": "p"},
                {"kind": "ack", "id": str(k), "ok": True, "message": "m"},
                *({"kind": "system", "cpu": 0.5} for _ in range(40)),
                *({"kind": "log", "message": f"{k}"} for _ in range(200)),
            ]
        )
    assert list(run.previews) == list(range(150, 200)), "the newest stay"
    assert [step for step in run.previews if run.previews[step].files] == [197, 198, 199]
    assert [each["step"] for each in run.checkpoints] == list(range(150, 200))
    assert (len(run.system), len(run.log)) == (module.SECONDS, module.LOG_LINES)
    assert run.logged > len(run.log)


def test_deep_tables_end_somewhere():
    assert json.dumps(clean(json.loads("[" * 500 + "]" * 500))).count("[") == DEEPEST
