"""`difftool runs list`, `show`, `compare` and `rm`."""

import json
import os
import shlex
import subprocess
import sys
import time

import pytest

from difftool.run.lock import RunLock
from difftool.run.trash import discard

RECIPE = """recipe = 1
seed = {seed}
[backbone]
name = "unet"
width = {width}
mults = [1, 2]
"""


def say(run, **status):
    run.status.write_text(json.dumps({"host": "far-away", "heartbeat": time.time(), **status}))


def write(run, attempt, *events):
    with (run.events / f"{attempt:05d}.jsonl").open("a") as file:
        file.write("".join(json.dumps(event) + "\n" for event in events))


def test_list_says_what_runs_do_and_where(cli, make):
    say(make("a"), state="paused", step=3, total=9)
    say(make("b"), state="running", heartbeat=1.0)
    say(make("c"), state="done", step=9, total=9)
    code, out, _ = cli("runs", "list")
    assert code == 0
    lines = out.splitlines()[1:]
    assert lines[0].startswith("c     done  ")
    assert lines[1].startswith("b     stalled on far-away  ")
    assert lines[2].startswith("a     paused on far-away   3/9")


def test_list_of_some_states(cli, make):
    say(make("a"), state="paused")
    say(make("b"), state="stopped")
    say(make("c"), state="done")
    rows = json.loads(cli("runs", "list", "--state", "paused", "--state", "done", "--json")[1])
    assert [row["name"] for row in rows] == ["c", "a"]
    code, out, err = cli("runs", "list", "--state", "running")
    assert (code, out, "no runs running in" in err) == (0, "", True)
    assert cli("runs", "list", "--state", "sleeping")[0] == 2


def test_nothing_in_a_foreign_run_steers_the_terminal(cli, make):
    run = make("a", differs={"x": "\x1b[2J"}, versions=["not a table"])
    say(run, state="do\x1b[2Jne\nx", host="\x1b]0;")
    for command in (["list"], ["show", "a"]):
        code, out, err = cli("runs", *command)
        assert (code, "\x1b" in out + err) == (0, False)


def test_compare(cli, make):
    a = make("a", RECIPE.format(seed=0, width=8))
    b = make("b", RECIPE.format(seed=0, width=16) + "[optim]\nlr = 0.1\n")
    say(a, state="done", step=4, total=4)
    say(b, state="stopped", step=3, total=4)
    losses = {1: 3.0, 2: 1.0, 3: 2.0, 4: 1.5}
    rows = [
        {"kind": "metrics", "time": 100 + s, "step": s, "loss": x, "images_per_s": 10.0 * s} for s, x in losses.items()
    ]
    write(a, 0, {"kind": "start", "time": 100, "from_step": 0}, *rows)
    write(
        b,
        0,
        {"kind": "start", "time": 0, "from_step": 0},
        {**rows[0], "time": 10},
        {**rows[1], "time": 20, "loss": 0.1},
    )
    write(b, 1, {"kind": "start", "time": 1000, "from_step": 1}, {**rows[2], "time": 1005, "loss": None})
    write(b, 1, {"kind": "log", "time": 1007})
    b.preview(3).touch()
    b.preview(3, "strip").touch()
    code, out, err = cli("runs", "compare", "a", "b", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["differs"] == {"backbone.width": [8, 16], "optim.lr": [None, 0.1]}
    assert told["common_step"] == 3
    first, second = told["runs"]
    assert [first[key] for key in ("loss_at_common_step", "best_loss", "best_step", "images_per_s", "seconds")] == [
        2,
        1,
        2,
        25,
        4,
    ]
    # What the second attempt trains again does not count, the time that the run rested neither.
    assert [second[key] for key in ("loss_at_common_step", "best_loss", "best_step", "images_per_s", "seconds")] == [
        None,
        3,
        1,
        20,
        27,
    ]
    assert (first["preview"], second["preview"], second["parameters"]) == (None, str(b.preview(3)), 1234)
    code, out, _ = cli("runs", "compare", "a", "b")
    table = {line[:16].strip(): line[16:].split() for line in out.splitlines()}
    assert table["backbone.width"] == ["8", "16"]
    assert table["optim.lr"] == ["-", "0.1"]
    assert table["loss at step 3"] == ["2.0000"]
    assert table["steps"] == ["4/4", "3/4"]
    assert out.endswith(f"look at  {b.preview(3)}\n")


def test_compare_of_runs_that_said_nothing(cli, make):
    make("a"), make("b")
    code, out, _ = cli("runs", "compare", "a", "b")
    assert (code, "(same recipe)" in out) == (0, True)
    assert json.loads(cli("runs", "compare", "a", "b", "--json")[1])["common_step"] is None


def test_compare_refuses(cli, make):
    assert cli("runs", "compare", "a")[0] == 2
    make("a"), make("b", "not = [toml")
    code, _, err = cli("runs", "compare", "a", "b")
    assert (code, "the run's recipe cannot be read" in err) == (2, True)
    assert "nothing to be compared" in cli("runs", "compare", "a")[2]


def test_rm_moves_into_the_trash_and_says_the_way_back(cli, make):
    run, other = make("a"), make("b")
    code, out, err = cli("runs", "rm", "a", "--yes")
    assert (code, out) == (0, "")
    assert f"a is in {run.root.parent}/.trash/a\n" in err
    assert not run.root.exists()
    assert other.is_run()
    back = err.splitlines()[-1].removeprefix("to have it back: ")
    subprocess.run(shlex.split(back), check=True)
    assert run.is_run()


def test_rm_json(cli, make):
    run = make("a")
    code, out, _ = cli("runs", "rm", "a", "--yes", "--json")
    (told,) = json.loads(out)
    assert (code, told["was"], told["back"]) == (0, str(run.root), f"mv {told['place']} {run.root}")


@pytest.mark.parametrize(
    ("typed", "gone"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_rm_asks_in_a_terminal(cli, make, monkeypatch, typed, gone):
    run = make("a")
    asked, answers = os.openpty()
    os.write(asked, typed.encode() or b"\x04")
    with os.fdopen(answers) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        code, _, err = cli("runs", "rm", "a", "--forever")
    os.close(asked)
    assert code == 0
    assert "delete for good, " in err
    assert ("nothing was removed" in err) != gone
    assert run.root.exists() != gone


def test_rm_without_a_terminal_needs_a_yes(cli, make, monkeypatch):
    run = make("a")
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr("sys.stdin", nothing)
        code, _, err = cli("runs", "rm", "a")
    assert (code, run.is_run(), "do: say --yes" in err) == (2, True, True)


def test_rm_of_a_silent_run_of_another_machine_needs_force_and_asks(cli, make, monkeypatch):
    run = make("a")
    say(run, state="running", host="far-away", heartbeat=time.time() - 7200)
    code, _, err = cli("runs", "rm", "a", "--yes")
    assert (code, run.is_run()) == (3, True)
    assert "do: if it is certain that nobody trains it any more: difftool runs rm --force a" in err
    asked, answers = os.openpty()
    os.write(asked, b"y\n")
    with os.fdopen(answers) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        code, _, err = cli("runs", "rm", "a", "--force")
    os.close(asked)
    assert (code, run.is_run()) == (0, False)
    told, question = err.splitlines()[:2]
    assert told.startswith("a was trained on far-away; nothing was heard of it for 2 h")
    assert question.startswith("move into the trash: a? [y/N]")


def test_rm_touches_nothing_if_one_of_them_is_trained(cli, make):
    a, b = make("a"), make("b")
    with RunLock(b):
        code, _, err = cli("runs", "rm", "a", "b", "--yes")
    assert (code, a.is_run(), b.is_run()) == (3, True, True)
    assert "difftool runs stop b" in err


def test_rm_of_the_same_run_twice_is_once(cli, make):
    make("abc")
    assert cli("runs", "rm", "abc", "ab", "latest", "--yes")[0] == 0


@pytest.mark.parametrize("typed", ["linked", "runs/linked", "latest"])
def test_rm_of_a_link_takes_the_link(cli, make, tmp_path, typed):
    run = make("a")
    elsewhere = run.root.rename(tmp_path / "elsewhere")
    (tmp_path / "runs" / "linked").symlink_to(elsewhere)
    assert cli("runs", "rm", typed, "--yes", "--forever")[0] == 0
    assert (elsewhere / "run.json").is_file()
    assert not (tmp_path / "runs" / "linked").is_symlink()


def test_what_is_in_the_trash_is_not_listed(cli, make):
    discard(make("a"))
    assert cli("runs", "list")[1] == ""


@pytest.mark.parametrize(
    "command",
    ["list", "show a", "tail a", "tail a --json", "compare a b", "rm b --yes", "stop a", "pause a", "checkpoint a"],
)
def test_no_torch(make, environment, tmp_path, command):
    make("a"), make("b")
    code = "import sys; sys.modules['torch'] = None; from difftool.cli import app; app.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "runs", *command.split()],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == (2 if command in ("stop a", "pause a", "checkpoint a") else 0), done.stderr
    assert "bug in difftool" not in done.stderr
