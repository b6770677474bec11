"""What the sink `csv` writes: a table in which each step stands once, whatever became of the trainer."""

import csv
import math

import pytest

from difftool.api import InputError, RunInfo
from difftool.builtin.csv_sink import CSV

TIME = 1_800_000_000.125


class Run:
    """A run's folder, and one attempt after the other that writes there."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder / "metrics.csv"

    def attempt(self, from_step=0, columns=None):
        writer = CSV(columns=columns).open(RunInfo(str(self.folder), "run", {}, 0, "cpu"))
        writer.event({"kind": "start", "time": TIME, "from_step": from_step})
        return writer

    def write(self, *steps, from_step=0, columns=None, **numbers):
        """One attempt."""
        writer = self.attempt(from_step, columns)
        for step in steps:
            loss = {"loss": 1 / step, "loss_q": [0.1 * step, None]}
            writer.event({"kind": "metrics", "time": TIME + step, "step": step, **loss, **numbers})
        writer.close()

    def read(self):
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file, strict=True))

    def steps(self):
        return [int(row["step"]) for row in self.read()]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_a_line_for_each_row_with_all_numbers_the_first_one_has(run):
    run.write(1, 3, lr=2e-4, note="words", good=True, ema_decay=None)
    assert run.path.read_text().splitlines()[0] == "step,time,loss,loss_q1,loss_q2,lr,ema_decay"
    rows = run.read()
    assert [float(row["loss"]) for row in rows] == [1, 1 / 3]
    assert [float(row["loss_q1"]) for row in rows] == [0.1, 0.1 * 3]
    assert [float(row["time"]) for row in rows] == [TIME + 1, TIME + 3]
    assert [(row["lr"], row["loss_q2"], row["ema_decay"]) for row in rows] == [("0.0002", "", "")] * 2
    assert run.path.read_bytes().count(b"\n") == 3
    assert b"\r" not in run.path.read_bytes()


def test_a_line_is_there_as_soon_as_it_is_written(run):
    writer = run.attempt()
    writer.event({"kind": "metrics", "time": TIME, "step": 1, "loss": 0.5})
    assert run.read() == [{"step": "1", "time": str(TIME), "loss": "0.5"}]
    writer.close()


def test_what_was_not_finite_is_nan(run):
    run.write(1, 2, loss=None, loss_q=[None, 1.0], ema_decay=None, nonfinite=["loss", "loss_q"])
    for row in run.read():
        assert (row["loss"], row["loss_q1"], row["loss_q2"], row["ema_decay"]) == ("nan", "nan", "1.0", "")
        assert math.isnan(float(row["loss"]))


@pytest.mark.parametrize(
    ("columns", "head"),
    [
        (("loss", "loss_q2", "loss"), "step,loss,loss_q2"),
        (("loss", "step"), "step,loss"),
        (("loss", "later"), "step,loss,later"),
    ],
)
def test_columns_that_were_chosen(run, columns, head):
    run.write(4, columns=columns)
    assert run.path.read_text().splitlines()[0] == head
    assert run.read()[0]["loss"] == "0.25"
    assert run.read()[0].get("later", "") == ""


def test_a_resumed_run_goes_on_below(run):
    run.write(1, 2)
    before = run.path.read_bytes()
    inode = run.path.stat().st_ino
    run.write(3, from_step=2)
    assert run.steps() == [1, 2, 3]
    assert run.path.read_bytes().startswith(before)
    assert run.path.stat().st_ino == inode  # nothing was to be taken out, so nothing was written anew


@pytest.mark.parametrize("from_step", [0, 2, 3, 5, 9])
def test_steps_that_are_trained_again_stand_once(run, from_step):
    run.write(1, 3, 5, 7)
    kept = [step for step in (1, 3, 5, 7) if step <= from_step]
    lines = run.path.read_bytes().splitlines()
    run.attempt(from_step).close()
    assert run.steps() == kept
    run.write(from_step + 1, from_step + 2, from_step=from_step)
    assert run.steps() == [*kept, from_step + 1, from_step + 2]
    assert run.path.read_bytes().splitlines()[: len(kept) + 1] == lines[: len(kept) + 1]
    assert [path.name for path in run.folder.iterdir()] == ["metrics.csv"]


def test_a_line_torn_at_any_byte_is_taken_out_and_all_others_stay(run):
    run.write(1, 2, 3)
    content = run.path.read_bytes()
    for length in range(len(content)):
        run.path.write_bytes(content[:length])
        whole = content[:length].count(b"\n") - 1
        run.write(4, from_step=3)
        assert run.steps() == [*range(1, whole + 1), 4]
        assert [*run.read()[0]] == ["step", "time", "loss", "loss_q1", "loss_q2"]


def test_what_else_stands_in_the_table_stays(run):
    """Somebody opened it in a spreadsheet, which ends lines in its own way, and wrote beside it."""
    run.write(1, 2, 3, columns=("loss",))
    text = run.path.read_text().replace("\n", "\r\n").replace("2,0.5", '2,"0.5"')
    run.path.write_bytes(text.encode() + b'"best, so far",\r\n')
    run.write(3, from_step=2, columns=("loss",))
    assert [row["step"] for row in run.read()] == ["1", "2", "best, so far", "3"]
    assert [row["loss"] for row in run.read()][:2] == ["1.0", "0.5"]


def test_a_number_that_comes_later_has_no_column(run):
    run.write(1)
    run.write(2, from_step=1, fid=3.5)
    assert run.steps() == [1, 2]
    assert "fid" not in run.read()[1]


def test_a_table_with_other_columns_is_refused_and_left_alone(run):
    run.write(1, columns=("loss",))
    before = run.path.read_bytes()
    with pytest.raises(InputError, match=r"metrics\.csv with other columns") as refused:
        run.attempt(columns=("loss", "lr"))
    assert refused.value.why == "its first line is step,loss"
    assert run.path.read_bytes() == before
    run.path.rename(run.folder / "before.csv")
    run.write(2, columns=("loss", "lr"))
    assert run.steps() == [2]


@pytest.mark.parametrize("content", [b"name,age\nAnna,7\n", b"\xff\xfe\n"])
def test_a_table_of_somebody_else_is_left_alone(run, content):
    run.path.write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.csv"):
        run.attempt()
    assert run.path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused_in_words(run):
    run.path.mkdir()
    with pytest.raises(InputError, match=r"cannot write metrics\.csv") as refused:
        run.attempt()
    assert refused.value.why == "Is a directory"
    assert str(run.folder) in refused.value.render().splitlines()[0]


def test_what_is_no_row_is_left_out(run):
    writer = run.attempt()
    for kind in ("checkpoint", "preview", "log", "ack", "end", "something new"):
        writer.event({"kind": kind, "time": TIME, "step": 3})
    writer.close()
    assert run.path.read_bytes() == b""
