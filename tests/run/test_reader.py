"""Readers see whole lines only, in order, through restarts, cuts and damage; a run's state is the truth."""

import json
import os
import time

import pytest

from difftool.run import reader
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock
from difftool.run.reader import Tail, history, summary
from difftool.run.writer import RunWriter


def write(run, attempt, *events, end="\n"):
    run.events.mkdir(parents=True, exist_ok=True)
    with (run.events / f"{attempt:05d}.jsonl").open("a") as file:
        file.write("".join(json.dumps(event) + "\n" for event in events[:-1]))
        file.write(json.dumps(events[-1]) + end if isinstance(events[-1], dict) else events[-1])


def metrics(*steps, loss=1.0):
    return [{"kind": "metrics", "step": step, "loss": loss} for step in steps]


def steps(events):
    return [event.get("step") for event in events]


def test_tail_continues_where_it_stopped_over_all_attempts(run):
    tail = Tail(run)
    assert tail.poll() == []
    write(run, 0, *metrics(1, 2))
    assert steps(tail.poll()) == [1, 2]
    write(run, 0, *metrics(3))
    write(run, 1, {"kind": "start", "from_step": 2}, *metrics(3))
    events = tail.poll()
    assert steps(events) == [3, None, 3]
    assert events[1]["from_step"] == 2
    assert tail.poll() == []


def test_segments_are_read_in_the_order_of_their_numbers(run):
    for attempt in (100000, 99999, 2):
        write(run, attempt, *metrics(attempt))
    (run.events / "notes.jsonl").write_text('{"kind": "log"}\n')
    assert steps(Tail(run).poll()) == [2, 99999, 100000]


def test_a_half_written_line_waits(run):
    tail = Tail(run)
    write(run, 0, *metrics(1), '{"kind": "metrics", "st')
    assert steps(tail.poll()) == [1]
    assert tail.poll() == []
    write(run, 0, 'ep": 2}\n')
    assert steps(tail.poll()) == [2]
    assert tail.bad == 0


def test_a_torn_end_does_not_hide_the_next_attempt(run):
    write(run, 0, *metrics(1), '{"kind": "met')
    write(run, 1, *metrics(2))
    assert steps(Tail(run).poll()) == [1, 2]


def test_damage_is_counted_and_skipped_and_unknown_kinds_pass(run):
    write(run, 0, "\0\0\0\n[1]\n\n{}\n")
    write(run, 0, {"kind": "invented", "step": 7, "x": [1]})
    tail = Tail(run)
    assert tail.poll() == [{"kind": "invented", "step": 7, "x": [1]}]
    assert tail.bad == 4


@pytest.mark.parametrize("limit", [1, 10, 50, 100, 10_000])
def test_max_bytes_bounds_a_poll_and_loses_nothing(run, limit):
    write(run, 0, *metrics(*range(20)), '{"torn')
    write(run, 1, *metrics(*range(20, 30)))
    tail, seen = Tail(run), []
    while events := tail.poll(max_bytes=limit):
        assert len(events) <= limit // 40 + 1
        seen += steps(events)
    assert seen == list(range(30))


def test_a_line_without_end_is_damage_and_not_a_trap(run, monkeypatch):
    monkeypatch.setattr(reader, "MAX_LINE", 1000)
    write(run, 0, "x" * 5000)
    tail = Tail(run)
    assert tail.poll(max_bytes=100) == []
    write(run, 0, "x\n")
    write(run, 0, *metrics(1))
    events = []
    for _ in range(20):
        events += tail.poll(max_bytes=100)
    assert steps(events) == [1]
    assert tail.bad > 0


def test_a_segment_that_was_cut_or_replaced_is_read_again(run):
    tail = Tail(run)
    write(run, 0, *metrics(1, 2, 3))
    tail.poll()
    os.truncate(run.events / "00000.jsonl", 0)
    write(run, 0, *metrics(7))
    assert steps(tail.poll()) == [7]
    other = run.events / "other"
    other.write_text("".join(json.dumps(event) + "\n" for event in metrics(8, 9, 10, 11)))
    other.replace(run.events / "00000.jsonl")
    assert steps(tail.poll()) == [8, 9, 10, 11]


def test_history_lets_a_later_attempt_supersede(run):
    write(run, 0, {"kind": "start", "from_step": 0}, *metrics(1, 2, 3, 4, 5))
    write(run, 1, {"kind": "start", "from_step": 2}, *metrics(3, 4, loss=2.0), {"kind": "preview", "step": 4})
    write(run, 2, {"kind": "start", "from_step": 3}, *metrics(4, 4, 5, loss=3.0))
    assert [(row["step"], row["loss"]) for row in history(run)] == [(1, 1), (2, 1), (3, 2), (4, 3), (5, 3)]


def test_history_needs_no_start_and_no_log(run):
    assert history(run) == []
    write(run, 0, *metrics(2, 1), {"kind": "metrics"}, {"kind": "start"})
    assert steps(history(run)) == [1, 2]


def test_history_reads_a_log_longer_than_one_poll(run, monkeypatch):
    monkeypatch.setattr(Tail.poll, "__defaults__", (100,))
    write(run, 0, *metrics(*range(50)))
    assert len(history(run)) == 50


def say(run, **status):
    run.status.write_text(json.dumps(status))


def test_summary_of_a_run(run):
    writer = RunWriter(run)
    writer.status(force=True, state="done", step=10, total=10, loss=0.5, rate=80.0, eta=0.0, exit=0)
    writer.close()
    run.checkpoint(5).mkdir()
    run.checkpoint(10).mkdir()
    found = summary(run)
    json.dumps(found, allow_nan=False)
    assert 0 <= found.pop("age") < 60
    assert isinstance(found.pop("created"), str)
    assert found == {
        "name": "toy-1", "path": str(run.root), "state": "done", "step": 10, "total": 10, "loss": 0.5, "rate": 80.0,
        "eta": None, "device": "cpu", "exit": 0, "attempts": 1, "checkpoint": 10, "recipe": "toy",
    }  # fmt: skip


def test_the_state_is_the_truth(run, monkeypatch):
    monkeypatch.setattr(reader.socket, "gethostname", lambda: "here")
    assert summary(run)["state"] == "unknown"
    for said in ("starting", "running"):
        say(run, state=said, host="here", eta=5.0)
        assert summary(run)["state"] == "crashed"
        assert summary(run)["eta"] is None
    for said in ("stopped", "done", "failed"):
        say(run, state=said, host="here")
        assert summary(run)["state"] == said
    with RunLock(run):
        assert summary(run)["state"] == "running", "the lock speaks, not the file of the last attempt"
        say(run, state="running", host="here", eta=5.0)
        assert summary(run)["eta"] == 5.0


def test_the_state_of_another_machines_run(run, monkeypatch):
    monkeypatch.setattr(reader.socket, "gethostname", lambda: "here")
    say(run, state="running", host="there", heartbeat=time.time() - 30)
    assert summary(run)["state"] == "running"
    say(run, state="running", host="there", heartbeat=time.time() - 61)
    assert summary(run)["state"] == "stalled"


def test_a_run_that_begins_while_we_look_has_not_crashed(run, monkeypatch):
    monkeypatch.setattr(reader.socket, "gethostname", lambda: "here")
    say(run, state="running", host="here")
    answers = iter([False, True])
    monkeypatch.setattr(reader, "is_locked", lambda _: next(answers))
    assert summary(run)["state"] == "running"


def test_summary_tolerates_damage_and_absence(run, tmp_path):
    run.status.write_bytes(b"{half")
    run.info.write_bytes(b"\xff")
    assert summary(run)["state"] == "unknown"
    empty = summary(RunDir(tmp_path / "nowhere"))
    assert (empty["attempts"], empty["checkpoint"], empty["created"], empty["age"]) == (0, None, None, None)


def test_a_reader_writes_nothing(run):
    before = sorted(run.root.rglob("*"))
    Tail(run).poll(), history(run), summary(run)
    assert sorted(run.root.rglob("*")) == before
