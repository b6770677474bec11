"""Sinks with one error each, and unusual ones that are right."""

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from difftool.api import InputError
from difftool.builtin import csv_sink, tensorboard
from difftool.testing import ConformanceError, check_sink, examine, sinks

from .mutants import broken, caught, mutants
from .right_sinks import UNUSUAL, Writer, opening


def wrong(name, **changes):
    """A sink whose writers differ from the right one."""
    return opening(name, type(name, (Writer,), changes))


def then(deed):
    """Does something to (writer, event), then what is right."""

    def event(self, event):
        deed(self, event)
        Writer.event(self, event)

    return event


def only_known(self, event):
    {"metrics": Writer.event, "start": id, "log": id, "preview": id, "checkpoint": id, "system": id, "ack": id,
     "end": id}[event["kind"]]  # fmt: skip
    Writer.event(self, event)


def rounded(self, event):
    if event["kind"] == "metrics":
        print(event["step"], f"{event['loss']:.4f}", file=self.file, flush=True)
    elif event["kind"] == "start":
        print("from", event["from_step"], file=self.file, flush=True)


def looks(self, event):
    if event["kind"] == "preview":
        Image.open(Path(self.run.dir, event["path"])).load()


def strict(self, event):
    if event["kind"] == "metrics" and not all(isinstance(value, int | float) for value in event["loss_q"]):
        raise ValueError("loss_q")


def bag(self, event):
    event.pop("later", None)
    event["seen"] = True


def sorts(self, event):
    for value in event.values():
        if isinstance(value, list) and None not in value:
            value.sort(key=str, reverse=True)


def rows_alone(self, event):
    if event["kind"] == "metrics":
        Writer.event(self, event)


def tidy(run):
    run.recipe["log"]["sinks"] = ["rows"]
    return Writer(run)


def afresh(run):
    for old in Path(run.dir).glob("rows.jsonl"):
        old.unlink()
    return Writer(run)


class Counted(Writer):
    def __init__(self, run):
        super().__init__(run)
        self.count = 0

    def event(self, event):
        self.count += event["kind"] == "metrics"
        super().event(event)

    def close(self):
        try:
            self.file.write(f"# one row in {1 / self.count:.2f}\n")
        finally:
            super().close()


class Late(Writer):
    """Opens its file when there is something to write."""

    def __init__(self, run):
        self.path = Path(run.dir, "rows.jsonl")

    def event(self, event):
        if not hasattr(self, "file"):
            self.file = self.path.open("a")
        super().event(event)


class Shared(Writer):
    """The file of whichever run was opened last."""

    files: ClassVar = []

    def __init__(self, run):
        self.files.append(Path(run.dir, "rows.jsonl"))

    def event(self, event):
        if event["kind"] in ("start", "metrics"):
            with self.files[-1].open("a") as file:
                print(json.dumps(event), file=file)

    def close(self):
        pass


class Onto(Writer):
    """Writes what it is told when there is more of it; a list of the class is shared by all."""

    waiting: ClassVar = []

    def event(self, event):
        self.waiting.append(event)
        if event["kind"] == "end":
            for each in self.waiting:
                print(json.dumps(each), file=self.file)
            self.waiting.clear()


class Beside(Writer):
    """A file where the command was typed, and not in the folder of the run."""

    def __init__(self, run):
        self.file = Path("rows.jsonl").open("a")  # noqa: SIM115


class OneForAll(Writer):
    """One file for all runs; steps that are trained again are taken out, whosever they are."""

    def __init__(self, run):
        self.run, self.path = run, Path(run.dir).parent / "all.jsonl"

    def event(self, event):
        rows = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        if event["kind"] == "start":
            rows = [row for row in rows if row["step"] <= event["from_step"]]
        elif event["kind"] == "metrics":
            rows.append({"run": self.run.id, **event})
        self.path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def close(self):
        pass


class InTens(Writer):
    """Writes ten rows at once."""

    def __init__(self, run):
        super().__init__(run)
        self.waiting = []

    def event(self, event):
        if event["kind"] == "start":
            super().event(event)
        elif event["kind"] == "metrics":
            self.waiting.append(event)
            if len(self.waiting) == 10:
                for each in self.waiting:
                    super().event(each)
                self.waiting.clear()


class FirstIsTheHead(Writer):
    """The first row says what columns there are."""

    head = None

    def event(self, event):
        if event["kind"] == "metrics" and self.head is None:
            self.head = list(event)
            print(json.dumps(self.head), file=self.file)
        else:
            super().event(event)


def cutting(more):
    """Takes out what is trained again, beginning `more` steps later than it should."""

    class Cuts(Writer):
        def event(self, event):
            if event["kind"] == "start":
                path = Path(self.run.dir, "rows.jsonl")
                rows = [line for line in path.read_text().splitlines(True) if line.startswith("{")]
                kept = [row for row in rows if json.loads(row)["step"] <= event["from_step"] + more]
                path.write_text("".join(kept))
            elif event["kind"] == "metrics":
                super().event(event)

    return Cuts


def into_events(self, event):
    with Path(self.run.dir, "events", "00000.jsonl").open("a") as file:
        print(json.dumps(event), file=file)


def cleans_up(self, event):
    if event["kind"] == "end":
        for picture in Path(self.run.dir, "previews").glob("*.png"):
            picture.unlink()


LEFT_OPEN = []


def leaves_open(self):
    LEFT_OPEN.append(self.file)


@pytest.fixture(autouse=True)
def tidy_up():
    yield
    for file in LEFT_OPEN:
        file.close()


WRONG = [
    (wrong("OnlyKnown", event=only_known), sinks.takes_whatever_happens, "a kind that is not known yet makes it raise"),
    (wrong("Rounds", event=rounded), sinks.takes_whatever_happens, "a row with null makes it raise TypeError"),
    (wrong("Looks", event=then(looks)), sinks.takes_whatever_happens, "a preview whose file is gone makes it raise"),
    (wrong("Strict", event=then(strict)), sinks.takes_whatever_happens, "a row with null makes it raise ValueError"),
    (wrong("Bag", event=then(bag)), sinks.edits_nothing, "it edits a start: {'seen': True}"),
    (wrong("Sorts", event=then(sorts)), sinks.edits_nothing, "it edits "),
    (opening("Tidy", tidy), sinks.edits_nothing, "the recipe of the run"),
    (wrong("Afresh", mode="w"), sinks.goes_on_after_a_stop, "earlier steps are lost"),
    (opening("Deletes", afresh), sinks.goes_on_after_a_stop, "earlier steps are lost"),
    (wrong("RowsAlone", event=rows_alone), sinks.tells_what_is_void, "it keeps its row of step 21"),
    (opening("Divides", Counted), sinks.closes_at_any_time, "raises ZeroDivisionError"),
    (opening("Late", Late), sinks.closes_at_any_time, "raises AttributeError"),
    (wrong("StaysOpen", close=leaves_open), sinks.lets_go_when_closed, "rows.jsonl stays open"),
    (wrong("ForgetsToClose", close=lambda self: None), sinks.lets_go_when_closed, "rows.jsonl stays open"),
    (opening("Beside", Beside), sinks.keeps_runs_apart, "rows.jsonl holds the numbers of two runs, and not whose"),
    (opening("OneForAll", OneForAll), sinks.keeps_runs_apart, "of one run is gone when the next begins"),
    (opening("InTens", InTens), sinks.keeps_the_first_row_and_the_last, "it keeps 20, and loses that of step 25"),
    (opening("FirstIsTheHead", FirstIsTheHead), sinks.keeps_the_first_row_and_the_last, "and loses that of step 1"),
    (opening("CutsTooMuch", cutting(-1)), sinks.tells_what_is_void, "it takes out its row of step 20"),
    (opening("CutsTooLittle", cutting(1)), sinks.tells_what_is_void, "it keeps its row of step 21"),
    (opening("Shared", Shared), sinks.keeps_runs_apart, "does not come to its folder"),
    (opening("Onto", Onto), sinks.keeps_runs_apart, "stands in the folder of another run"),
    (wrong("IntoEvents", event=then(into_events)), sinks.leaves_the_run_alone, "it writes into events/00000.jsonl"),
    (wrong("CleansUp", event=then(cleans_up)), sinks.leaves_the_run_alone, "it removes previews/step-000000"),
]


@mutants(*WRONG)
def test_each_is_caught_by_its_rule_and_by_no_other(part, rule, word):
    caught(part, rule, word)
    told = broken([part()], tuple(other for other in sinks.RULES if other is not rule), [0])
    if rule is sinks.takes_whatever_happens:  # what cannot be told something fails wherever all is told
        assert all("raises " in reason for *_, reason in told)
    else:
        assert told == []


def test_a_thread_that_goes_on_is_told(monkeypatch):
    monkeypatch.setattr(sinks, "PATIENCE", 0.1)
    released = threading.Event()

    class Waits(Writer):
        def __init__(self, run):
            super().__init__(run)
            threading.Thread(target=released.wait, name="waits for more").start()

    try:
        part = opening("GoesOn", Waits)
        caught(part, sinks.lets_go_when_closed, "the thread waits for more goes on after close()")
    finally:
        released.set()


def test_a_thread_that_is_not_waited_for_is_told():
    class Drips(Writer):
        def event(self, event): ...

        def close(self):
            def drip():
                for number in range(40):
                    self.file.write(f"{number}\n")
                    self.file.flush()
                    time.sleep(0.02)
                self.file.close()

            threading.Thread(target=drip, daemon=True).start()

    part = opening("Drips", Drips)
    caught(part, sinks.lets_go_when_closed, "rows.jsonl stays open after close()")

    class Reopens(Writer):
        """Holds no file longer than it takes to write a line."""

        def __init__(self, run):
            self.path = Path(run.dir, "rows.jsonl")

        def event(self, event): ...

        def close(self):
            def drip():
                time.sleep(0.2)  # so that none is open when that is asked
                for number in range(40):
                    with contextlib.suppress(OSError), self.path.open("a") as file:
                        print(number, file=file)
                    time.sleep(0.02)

            threading.Thread(target=drip, daemon=True).start()

    caught(opening("Reopens", Reopens), sinks.lets_go_when_closed, "a thread still writes after close()")


def test_one_that_exclusively_makes_its_file_cannot_go_on():
    caught(wrong("Exclusive", mode="x"), sinks.goes_on_after_a_stop, "raises FileExistsError")


def test_what_has_no_close_is_no_writer():
    class Halfway:
        def event(self, event): ...

    caught(opening("Half", lambda run: Halfway()), sinks.closes_at_any_time, "a Halfway without close()")


def test_whoever_changes_the_process_is_told():
    def away(run):
        os.chdir("/")
        return Writer(run)

    def prints(self, event):
        print(event["kind"])

    here = Path.cwd()
    caught(opening("Away", away), sinks.takes_whatever_happens, "it changes the working directory")
    assert Path.cwd() == here
    with pytest.raises(ConformanceError, match="standard output is for data"):
        check_sink(wrong("Prints", event=then(prints))())


@pytest.mark.parametrize("seed", [0, 1, 6])
@pytest.mark.parametrize(
    "part", [*(kind() for kind in UNUSUAL), csv_sink.CSV(), tensorboard.TensorBoard()], ids=lambda p: type(p).__name__
)
def test_what_is_right_is_let_alone(part, seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert all(finding.kept for finding in check_sink(part, seed)), "the message says more"
    assert list(tmp_path.iterdir()) == []


def test_whoever_refuses_to_open_is_not_asked():
    def refuses(run):
        raise InputError("nobody is logged in", do="log in")

    with pytest.raises(InputError, match="it refuses all that it could be asked with: nobody is logged in"):
        examine(opening("Refuses", refuses)())
