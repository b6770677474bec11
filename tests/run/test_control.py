"""A command is one whole line, is handed out once, and only to the attempt it was meant for."""

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest

from difftool.errors import DiskError
from difftool.run.control import Inbox, ask
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock


@pytest.fixture
def inbox(run):
    with RunLock(run):
        yield Inbox(run)


def line(**fields):
    record = {"id": "a", "time": time.time(), "command": "stop", "args": {}} | fields
    return json.dumps(record).encode() + b"\n"


def put(run, data):
    with run.control.open("ab") as file:
        file.write(data)


def test_what_is_asked_is_handed_out_once_and_in_order(run, inbox):
    first, second = ask(run, "preview", raw=True), ask(run, "stop")
    assert [(each.id, each.command, each.args) for each in inbox.poll()] == [
        (first, "preview", {"raw": True}),
        (second, "stop", {}),
    ]
    assert inbox.poll() == []
    assert ask(run, "stop") != second
    assert [each.command for each in inbox.poll()] == ["stop"]


def test_the_file_is_as_documented(run):
    name = ask(run, "preview", raw=True)
    (record,) = map(json.loads, run.control.read_bytes().splitlines())
    assert list(record) == ["id", "time", "command", "args"]
    assert (record["id"], record["command"], record["args"]) == (name, "preview", {"raw": True})


def test_a_command_is_one_write(run, monkeypatch):
    writes = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(bytes(data)) or real(fd, data))
    ask(run, "stop")
    assert len(writes) == 1
    assert writes[0].endswith(b"\n")


def test_while_nothing_is_new_a_look_is_one_stat(run, inbox, monkeypatch):
    ask(run, "stop")
    assert len(inbox.poll()) == 1
    calls = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda *args, **options: calls.append(args) or real(*args, **options))
    monkeypatch.setattr(os, "open", lambda *args: pytest.fail("opened"))
    for _ in range(5):
        assert inbox.poll() == []
    assert len(calls) == 5


def test_what_an_earlier_attempt_was_asked_is_not_obeyed_again(run):
    with RunLock(run):
        ask(run, "stop")
        assert [each.command for each in Inbox(run).poll()] == ["stop"]
    with RunLock(run):
        during = ask(run, "pause")  # the trainer has the lock and still loads
        assert [each.id for each in Inbox(run).poll()] == [during]


@pytest.mark.parametrize("skew", [-1e6, 1e6], ids=["slow", "fast"])
def test_the_clock_of_who_asks_does_not_matter(run, skew):
    put(run, line(id="before", time=time.time() + skew))
    with RunLock(run):
        put(run, line(id="after", time=time.time() + skew))
        inbox = Inbox(run)
        assert [each.id for each in inbox.poll()] == ["after"]


@pytest.mark.parametrize("asked", [None, "x", -1])
def test_a_lock_that_does_not_say_how_much_was_asked_leaves_the_times(run, asked):
    put(run, line(id="before", time=time.time() - 5))
    with RunLock(run):
        owner = json.loads(run.lock.read_bytes())
        assert owner["asked"] == run.control.stat().st_size
        run.lock.write_text(json.dumps({**owner, "asked": asked}))
        after = ask(run, "stop")
        assert [each.id for each in Inbox(run).poll()] == [after]


def test_a_file_that_became_shorter_than_it_was_leaves_the_times(run):
    for name in ("one", "two"):
        put(run, line(id=name, time=time.time() - 5))
    with RunLock(run):
        inbox = Inbox(run)
        run.control.write_bytes(line(id="old", time=time.time() - 5))
        assert inbox.poll() == []
        after = ask(run, "stop")
        assert [each.id for each in inbox.poll()] == [after]


def test_without_a_readable_owner_only_what_comes_later_counts(run):
    ask(run, "stop")
    run.lock.write_bytes(b"{")
    inbox = Inbox(run)
    assert inbox.poll() == []
    ask(run, "pause")
    assert [each.command for each in inbox.poll()] == ["pause"]


@pytest.mark.parametrize(
    "damage",
    [
        b"\n",
        b"{\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b'"stop"\n',
        b"x" * (1 << 21) + b"\n",
        line(id=7),
        line(id=""),
        line(id="x" * 65),
        line(command=None),
        line(command="c" * 65),
        line(args=[1]),
        line(time="now"),
        line(time=True),
        line(time=10**400),
        b'{"id": "a", "command": "stop", "time": NaN}\n',
    ],
    ids=lambda damage: "",  # they hold the time of now, and every worker must call a test the same
)
def test_lines_that_are_no_commands_are_passed_over(run, inbox, damage):
    put(run, damage)
    good = ask(run, "stop")
    assert [each.id for each in inbox.poll()] == [good]


def test_a_command_without_args_has_none(run, inbox):
    put(run, b'{"id": "b", "time": %f, "command": "stop"}\n' % (time.time() + 1))
    assert [each.args for each in inbox.poll()] == [{}]


def test_a_line_still_being_written_waits_for_its_end(run, inbox):
    whole = line(time=time.time() + 1)
    put(run, whole[:20])
    assert inbox.poll() == []
    put(run, whole[20:])
    assert [each.id for each in inbox.poll()] == ["a"]


def test_half_a_line_does_not_swallow_the_next_command(run, inbox):
    put(run, b'{"id": "half')
    good = ask(run, "stop")
    assert [each.id for each in inbox.poll()] == [good]


def test_a_file_that_is_cut_short_or_replaced_is_read_anew_and_nothing_is_obeyed_twice(run, inbox):
    ask(run, "preview")
    assert len(inbox.poll()) == 1
    before = run.control.read_bytes()
    run.control.write_bytes(b"")
    assert inbox.poll() == []
    after = ask(run, "pause")
    assert [each.id for each in inbox.poll()] == [after]
    run.control.unlink()
    assert inbox.poll() == []
    run.control.write_bytes(before + line(id="new", time=time.time() + 1))
    assert [each.id for each in inbox.poll()] == ["new"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_something_else_in_its_place_is_no_inbox_and_nobody_waits(run, inbox, make):
    make(run.control)
    assert inbox.poll() == []


def test_many_ask_at_once_and_every_line_is_whole(run, inbox):
    asked = []

    def many():
        asked.extend(ask(run, "preview", text="x" * 300) for _ in range(40))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    heard = []
    while any(thread.is_alive() for thread in threads):
        heard += inbox.poll()
    heard += inbox.poll()
    assert sorted(each.id for each in heard) == sorted(asked)


def test_a_full_disk_is_told(run, monkeypatch):
    def full(fd, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskError, match=r"cannot write control\.jsonl") as told:
        ask(run, "stop")
    assert "free some space" in told.value.do


def test_a_run_that_is_gone_is_told(tmp_path):
    with pytest.raises(DiskError):
        ask(RunDir(tmp_path / "gone"), "stop")
