"""What panels are told of a run: put together once for all of them, and each has its own."""

from difftool.tui import panels
from difftool.tui.panels import Newest, Panels, run_for
from difftool.tui.watched import Watched


def rows(first, last):
    return [{"kind": "metrics", "time": 1.0 * k, "step": k, "images": k, "loss": 1.0} for k in range(first, last)]


def test_rows_are_put_together_once_as_long_as_nothing_is_new(monkeypatch):
    monkeypatch.setattr(panels, "ROWS", 3)
    run, other, newest = Watched("toy", None), Watched("other", None), Newest()
    run.take(rows(1, 6))
    found = newest.rows(run)
    assert [row["step"] for row in found] == [3, 4, 5]
    assert newest.rows(run) is found
    run.take(rows(6, 7))
    assert [row["step"] for row in newest.rows(run)] == [4, 5, 6]
    other.version = run.version
    assert newest.rows(other) == []


def test_what_a_panel_does_to_its_rows_is_its_own_affair():
    run, newest = Watched("toy", None), Newest()
    run.take(rows(1, 3))
    told = run_for(run, newest)
    told["rows"][0]["loss"] = 7.0
    told["rows"].clear()
    assert [row["loss"] for row in run_for(run, newest)["rows"]] == [1.0, 1.0]


def test_without_plugins_there_are_no_panels(tmp_path, monkeypatch):
    info = tmp_path / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[difftool.panels]\nloud = toy:Loud\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "loud" in Panels().names
    assert Panels(allowed=False).names == []
