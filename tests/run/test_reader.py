"""Readers see whole lines only, in order, through restarts, cuts and damage."""

import json
import os
import shutil

import pytest

from difftool.run import segments
from difftool.run.reader import Tail, history, summary
from difftool.run.writer import create_run


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


@pytest.mark.parametrize("limit", [1, 100, 10_000])
@pytest.mark.parametrize("rest", ["x", '{"kind": "metrics", "step": 5}'])
def test_a_line_without_end_is_damage_and_not_a_trap(run, monkeypatch, limit, rest):
    monkeypatch.setattr(segments, "MAX_LINE", 1000)
    write(run, 0, *metrics(0), "x" * 50_000)
    tail = Tail(run)
    assert steps(tail.poll(max_bytes=limit)) == [0]
    while tail.poll(max_bytes=limit):
        pass
    write(run, 0, rest + "\n")  # still the same line, whatever it looks like
    write(run, 0, *metrics(1))
    events = []
    while more := tail.poll(max_bytes=limit):
        events += more
    assert steps(events) == [1]
    assert tail.bad == 1


def test_a_line_of_five_megabytes_is_passed_over(run):
    write(run, 0, *metrics(1), {"kind": "log", "message": "x" * 5_000_000}, *metrics(2))
    tail = Tail(run)
    assert steps(tail.poll() + tail.poll()) == [1, 2]
    assert tail.bad == 1


def test_much_damage_does_not_look_like_the_end(run):
    write(run, 0, "{damage}\n" * 1000)
    write(run, 0, *metrics(1))
    tail = Tail(run)
    assert steps(tail.poll(max_bytes=100)) == [1]
    assert tail.bad == 1000


def kinds(events):
    return [event["kind"] if event["kind"] == "again" else event["step"] for event in events]


def cut(run):
    os.truncate(run.events / "00001.jsonl", 0)


def cut_and_grown_beyond(run):
    path = run.events / "00001.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in metrics(*range(100, 200))))


def replaced(run):
    shutil.copy(run.events / "00001.jsonl", run.events / "copy")
    (run.events / "copy").replace(run.events / "00001.jsonl")


def deleted_and_made_again(run):
    shutil.rmtree(run.root)
    create_run(run.root, {"recipe": "toy"}, "recipe = 1\n")
    write(run, 0, *metrics(70, 80, 90, 95))


@pytest.mark.parametrize("change", [cut, cut_and_grown_beyond, replaced, deleted_and_made_again])
@pytest.mark.parametrize("skip", [False, True])
def test_a_log_that_is_another_one_is_read_again_from_its_start(run, change, skip):
    write(run, 0, *metrics(1, 2))
    write(run, 1, *metrics(3, 4))
    tail = Tail(run, skip=skip)
    tail.poll()
    change(run)
    write(run, 1, *metrics(5))
    fresh = Tail(run).poll()
    assert steps(fresh)[-1] == 5
    assert kinds(tail.poll()) == ["again", *steps(fresh)]
    assert tail.poll() == []


def test_another_run_in_its_place_is_told_before_it_has_a_log(run):
    write(run, 0, *metrics(1))
    tail = Tail(run)
    tail.poll()
    shutil.rmtree(run.root)
    assert tail.poll() == []
    create_run(run.root, {"recipe": "toy"}, "recipe = 1\n")
    assert tail.poll() == [{"kind": "again"}]
    assert tail.poll() == []


def test_history_forgets_what_was_replaced(run, monkeypatch):
    write(run, 0, *metrics(1, 2, 3))
    polls = iter([Tail(run).poll(), [{"kind": "again"}, *metrics(2, loss=9.0)], []])
    monkeypatch.setattr(Tail, "poll", lambda _: next(polls))
    assert [(row["step"], row["loss"]) for row in history(run)] == [(2, 9.0)]


def test_a_run_that_vanishes_and_comes_back_is_the_same(run, tmp_path):
    write(run, 0, *metrics(1))
    tail = Tail(run)
    tail.poll()
    run.root.rename(tmp_path / "elsewhere")
    assert tail.poll() == []
    (tmp_path / "elsewhere").rename(run.root)
    write(run, 0, *metrics(2))
    write(run, 1, *metrics(3))
    assert kinds(tail.poll()) == [2, 3]


def test_a_segment_that_vanishes_and_comes_back_is_not_read_twice(run):
    write(run, 0, *metrics(1))
    tail = Tail(run)
    tail.poll()
    (run.events / "00000.jsonl").rename(run.events / "hidden")
    write(run, 1, *metrics(2))
    assert kinds(tail.poll()) == [2]
    (run.events / "hidden").rename(run.events / "00000.jsonl")
    assert tail.poll() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("hidden", ["events", "events/00000.jsonl", "."])
def test_a_permission_that_is_lost_and_comes_back(run, hidden):
    write(run, 0, *metrics(1))
    tail = Tail(run)
    tail.poll()
    write(run, 0, *metrics(2))
    path = run.root / hidden
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        assert tail.poll() == []
    finally:
        path.chmod(mode)
    assert kinds(tail.poll()) == [2]


def test_a_file_where_a_folder_should_be_and_the_other_way_round(run):
    run.events.rmdir()
    run.events.write_text("?")
    tail = Tail(run)
    assert tail.poll() == []
    run.events.unlink()
    (run.events / "00000.jsonl").mkdir(parents=True)
    os.mkfifo(run.events / "00001.jsonl")
    write(run, 2, *metrics(1))
    assert kinds(tail.poll()) == [1]


def test_skip_passes_over_what_is_there(run):
    write(run, 0, *metrics(1, 2), '{"torn')
    write(run, 1, *metrics(3), '{"kind": "metrics", "st')
    tail = Tail(run, skip=True)
    assert tail.poll() == []
    write(run, 1, 'ep": 4}\n')
    write(run, 2, *metrics(5))
    assert kinds(tail.poll()) == [4, 5]
    assert tail.skipped
    assert tail.bad == 0


def test_skip_of_nothing_sees_all_that_comes(run):
    tail = Tail(run, skip=True)
    write(run, 0, *metrics(1))
    assert kinds(tail.poll()) == [1]
    assert not tail.skipped


@pytest.mark.parametrize(("keep", "first"), [(1, 61), (100, 58), (2100, 15), (10**6, 1)])
def test_keep_leaves_the_last_lines(run, keep, first):
    write(run, 0, *metrics(*range(1, 31)))
    write(run, 1, *metrics(*range(31, 61)))
    tail = Tail(run, skip=True, keep=keep)
    seen = kinds(tail.poll())
    assert abs((seen or [61])[0] - first) <= 2
    assert seen == list(range((seen or [61])[0], 61))
    assert tail.skipped == (first > 1)
    assert tail.bad == 0


def test_share_says_how_much_was_read(run):
    write(run, 0, *metrics(*range(100)))
    write(run, 1, *metrics(*range(100, 200)))
    tail = Tail(run)
    tail.poll(max_bytes=100)
    assert 0 < tail.share() < 0.1
    while tail.poll():
        pass
    assert tail.share() == 1


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


def test_a_reader_writes_nothing(run):
    before = sorted(run.root.rglob("*"))
    Tail(run).poll(), history(run), summary(run)
    assert sorted(run.root.rglob("*")) == before
