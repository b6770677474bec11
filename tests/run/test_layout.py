"""Names, places, and how a user's words find a run."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from difftool.errors import InputError
from difftool.run.layout import RunDir, check_name, checkpoint_steps, find_run, list_runs, new_name

NOW = datetime(2026, 11, 20, 10, 15, 30)


def make(runs: Path, name: str, created: str | None = "2026-01-01T00:00:00.000000+00:00") -> RunDir:
    run = RunDir(runs / name)
    run.root.mkdir(parents=True)
    run.info.write_text("{broken" if created is None else json.dumps({"created": created}))
    return run


def test_places():
    run = RunDir(Path("runs/a"))
    places = [run.info, run.recipe, run.lock, run.status, run.events, run.control, run.log, run.previews]
    names = ["run.json", "recipe.toml", "lock", "status.json", "events", "control.jsonl", "train.log", "previews"]
    assert [path.name for path in places] == names
    assert run.name == "a"
    assert (run.checkpoints.name, run.weights.name) == ("checkpoints", "model.safetensors")
    assert run.preview(1000) == Path("runs/a/previews/step-00001000.png")
    assert run.checkpoint(10000) == Path("runs/a/checkpoints/step-00010000")
    assert not run.is_run()


def test_new_name():
    assert new_name("anime64", NOW, "7f3a") == "anime64-20261120-101530-7f3a"


@pytest.mark.parametrize("recipe", ["../../etc", "动漫", "", "-rf", "x" * 500, "my recipe!", "é\n"])
def test_new_name_is_always_a_name(recipe):
    check_name(new_name(recipe, NOW, "7f3a"))


@pytest.mark.parametrize("name", ["a", "A.b_c-1", "9" * 64])
def test_good_names(name):
    check_name(name)


@pytest.mark.parametrize("name", ["", "a\n", "-a", ".a", "a/b", "..", "a b", "a" * 65, "é", "latest"])
def test_bad_names_come_with_a_good_one(name):
    with pytest.raises(InputError) as caught:
        check_name(name)
    check_name(caught.value.do.removeprefix("--name "))


def test_list_runs_newest_first_and_damaged_last(tmp_path):
    make(tmp_path, "old", "2026-01-01T00:00:00.000001+00:00")
    make(tmp_path, "new", "2026-01-01T00:00:00.000002+00:00")
    make(tmp_path, "zone", "2026-01-01T02:00:00.000000+02:00")
    make(tmp_path, "damaged", None)
    make(tmp_path, "strange", "yesterday")
    (tmp_path / "no-run").mkdir()
    (tmp_path / "file").write_text("")
    assert [run.name for run in list_runs(tmp_path)] == ["new", "old", "zone", "strange", "damaged"]
    assert list_runs(tmp_path / "nowhere") == []


def test_find_run(tmp_path, monkeypatch):
    old = make(tmp_path / "runs", "anime64-a")
    new = make(tmp_path / "runs", "mnist-b", "2026-06-01T00:00:00.000000+00:00")
    make(tmp_path / "runs", "mnist-b2")
    runs = tmp_path / "runs"
    assert find_run("latest", runs) == new
    assert find_run("anime", runs) == old
    assert find_run("mnist-b", runs) == new, "the whole name wins over the prefix"
    assert find_run(str(old.root), tmp_path / "elsewhere") == old
    monkeypatch.chdir(runs)
    assert find_run("./anime64-a", tmp_path / "elsewhere").root == old.root.resolve()
    monkeypatch.chdir(old.root)
    assert find_run(".", runs).name == "anime64-a"


def test_find_run_says_where_it_looked_and_what_is_near(tmp_path, monkeypatch):
    make(tmp_path / "runs", "anime64-20261120-101530-7f3a")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        find_run("anmie64", Path("runs"))
    assert str(tmp_path / "runs") in caught.value.render()
    assert "did you mean anime64-20261120-101530-7f3a?" in caught.value.render()


def test_find_run_ambiguous(tmp_path):
    for number in range(7):
        make(tmp_path, f"toy-{number}")
    with pytest.raises(InputError) as caught:
        find_run("toy", tmp_path)
    assert caught.value.why.count("toy-") == 5
    assert "and 2 more" in caught.value.why
    assert "7 runs" in str(caught.value)


@pytest.mark.parametrize("text", ["", "latest", "x", "a\0b", "~nobody-of-this-name/x", "../.."])
def test_find_run_in_an_empty_folder(tmp_path, text):
    with pytest.raises(InputError, match=str(tmp_path)):
        find_run(text, tmp_path)


def test_checkpoint_steps(tmp_path):
    run = RunDir(tmp_path)
    assert checkpoint_steps(run) == []
    for name in [
        "step-00000100",
        "step-00020000",
        "step-123456789",
        "step-12",
        "step-000000003",
        ".stage-5",
        ".trash-1",
    ]:
        (run.checkpoints / name).mkdir(parents=True)
    (run.checkpoints / "step-00000007").write_text("a file")
    assert checkpoint_steps(run) == [123456789, 20000, 100]
