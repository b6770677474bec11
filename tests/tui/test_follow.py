"""The threads that read: whatever happens to a run's files meanwhile, what is shown is what is there."""

import contextlib
import gc
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from PIL.PngImagePlugin import PngInfo

from difftool.run import state
from difftool.run.layout import RunDir
from difftool.run.records import encode
from difftool.tui import follow, stream
from difftool.tui.follow import Follower
from difftool.tui.listing import Lister
from difftool.tui.threads import Errand, Thread
from difftool.tui.watched import Watched

from . import canned

TRAINER = """
import sys, time
from pathlib import Path
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock
from difftool.run.writer import RunWriter, create_run
import os, socket
run = create_run(Path(sys.argv[1]), {"recipe": "toy", "device": "cpu"}, "recipe = 1\\n")
with RunLock(run):
    writer = RunWriter(run)
    step = 0
    while True:
        step += 1
        writer.event("metrics", step=step, images=step, loss=1 / step)
        writer.status(force=True, state="running", step=step, total=10**6, pid=os.getpid(), host=socket.gethostname())
        time.sleep(0.05)
"""
"""Everything of a trainer but the training."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(follow, "POLL", 0.01)
    monkeypatch.setattr(follow, "REST", 0.02)


@pytest.fixture
def run(tmp_path):
    """A run of this machine that begins: its files are there, nothing is in them."""
    return made(RunDir(tmp_path / "runs" / "toy"))


def made(run, state="done", host=None, heartbeat=None, **info):
    told = canned.Told(
        state, 1, 100, host or socket.gethostname(), heartbeat=time.time() if heartbeat is None else heartbeat
    )
    return canned.write(run, time.time() - 10, told, [[]], **info)


@contextlib.contextmanager
def followed(run):
    watched = Watched(run.name, run, read=0.0)
    follower = Follower(watched, run)
    follower.start()
    try:
        yield watched
    finally:
        follower.stop()


def until(true, said=""):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, said
        time.sleep(0.005)
    return True


def steps(watched):
    with watched.guard:
        return [watched.table.row(k)["step"] for k in range(len(watched.table))]


def append(run, *lines, segment=0):
    with (run.events / f"{segment:05d}.jsonl").open("ab") as file:
        file.write(b"".join(lines))


def test_lines_that_come_in_pieces_are_taken_once_and_whole(run):
    dice = random.Random(3)
    data = b"".join(canned.rows(10_000, 1.7e9))
    with followed(run) as watched:
        while data:
            piece, data = data[: (cut := dice.randrange(1, 4000))], data[cut:]
            append(run, piece)
            time.sleep(0.001)
        until(lambda: steps(watched) == list(range(50, 10_001, 50)))
    assert watched.bad == 0
    assert watched.read == 1


def test_damage_is_counted_and_costs_its_line_alone(run):
    append(
        run,
        b'{"kind": "metrics", "step": 1, "loss"\n',
        canned.line("metrics", 1.7e9, step=2, loss=1.0, images=2),
        b"\x00\xff\n",
    )
    with followed(run) as watched:
        until(lambda: steps(watched) == [2] and watched.bad == 2)


@pytest.mark.parametrize("resumed", [False, True])
def test_half_a_line_that_a_killed_trainer_left_is_not_waited_for(run, resumed):
    append(run, *canned.rows(100, 1.7e9), b'{"kind": "metr')
    if resumed:
        begun = canned.line("start", 1.7e9, attempt=1, from_step=100, total=900)
        append(run, begun, *canned.rows(150, 1.7e9, first=100), segment=1)
    with followed(run) as watched:
        until(lambda: watched.read == 1)
        assert steps(watched) == [50, 100, 150][: 2 + resumed]
        if not resumed:  # it was only slow
            append(run, b'ics", "time": 1.7, "step": 150}\n')
            until(lambda: steps(watched) == [50, 100, 150])
            until(lambda: watched.read == 1)


def test_a_resume_supersedes(run):
    append(run, *canned.rows(500, 1.7e9))
    with followed(run) as watched:
        until(lambda: steps(watched)[-1:] == [500])
        append(
            run,
            canned.line("start", 1.7e9, attempt=1, from_step=200, total=900),
            *canned.rows(300, 1.7e9, first=200),
            segment=1,
        )
        until(lambda: steps(watched) == [50, 100, 150, 200, 250, 300])


@pytest.mark.parametrize("how", ["truncated", "replaced", "recreated"])
def test_what_lies_in_its_place_is_read_anew(run, how):
    append(run, *canned.rows(500, 1.7e9), canned.line("log", 1.7e9, level="info", message="of the old one"))
    run.log.write_text("old words on standard error\n")
    with followed(run) as watched:
        until(lambda: steps(watched)[-1:] == [500] and any("old words" in line.text for line in list(watched.log)))
        lines = canned.rows(100, 1.7e9, seed=9)
        if how == "truncated":
            (run.events / "00000.jsonl").write_bytes(b"".join(lines))
        elif how == "replaced":
            other = run.root / "other"
            other.write_bytes(b"".join(lines))
            other.replace(run.events / "00000.jsonl")
        else:
            shutil.rmtree(run.root)
            until(lambda: "gone" in watched.trouble)
            assert steps(watched)[-1:] == [500], "what was read stays until something else is there"
            made(run, recipe="another", log="new words on standard error, more of them than before\n")
            append(run, *lines)
        until(lambda: steps(watched) == [50, 100])
        assert not any("old one" in line.text for line in list(watched.log))
        if how == "recreated":
            until(lambda: watched.info.get("recipe") == "another" and not watched.trouble)
            until(lambda: any(line.text.startswith("new words") for line in list(watched.log)))


@contextlib.contextmanager
def forbidden(folder):
    """Nobody may read the folder: to root the kernel says so only if it is not root for a while."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        folder.chmod(0)
        try:
            yield
        finally:
            folder.chmod(0o755)


def test_a_folder_that_may_not_be_read_for_a_while(run):
    run.root.parent.parent.chmod(0o700)
    append(run, *canned.rows(100, 1.7e9))
    with followed(run) as watched:
        until(lambda: steps(watched) == [50, 100])
        with forbidden(run.root):
            until(lambda: "may not be read" in watched.trouble)
            assert steps(watched) == [50, 100]
        append(run, *canned.rows(150, 1.7e9, first=100))
        until(lambda: steps(watched) == [50, 100, 150] and not watched.trouble)


def test_standard_error_of_the_trainer_is_read_as_it_comes(run):
    with followed(run) as watched:
        until(lambda: watched.summary)
        run.log.write_bytes(b"one\n\n\ttwo \xff\n")
        until(lambda: [line.text for line in list(watched.log)] == ["one", "    two \\xff"])
        with run.log.open("ab") as file:
            file.write(b"three\n")
        until(lambda: [line.text for line in list(watched.log)][2:] == ["three"])
        assert {line.level for line in watched.log} == {"stderr"}


@pytest.mark.parametrize(("ending", "kind"), [("", "ema"), (follow.RAW, "raw")])
def test_pictures_that_were_drawn_from_here_are_found(run, ending, kind):
    with followed(run) as watched:
        until(lambda: watched.summary)
        (run.samples / "unfinished").mkdir(parents=True)
        folder = run.samples / f"20261120-120000{ending}"
        folder.mkdir()
        words = PngInfo()
        for key, text in {"sampler": '{"name": "ddim"}', "steps": "25", "seeds": "0-3", "evil": "\x1b[2J"}.items():
            words.add_text(f"difftool.{key}", text)
        canned.sheet(4, 16, 1.0).save(run.root / "unfinished.png", pnginfo=words)
        (run.root / "unfinished.png").replace(folder / "grid.png")
        until(lambda: watched.sampled)
        assert list(watched.sampled) == [folder.name]
        found = watched.sampled[folder.name]
        assert found.files == {kind: folder / "grid.png"}
        assert (found.words["sampler"], found.words["steps"], found.words["seeds"]) == ({"name": "ddim"}, "25", "0-3")
        assert found.words["evil"] == "\\x1b[2J"


# What it does in truth


@pytest.fixture
def trainer(tmp_path):
    """A process that holds the lock of a run and gives signs of life."""
    run = RunDir(tmp_path / "runs" / "alive")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen([sys.executable, "-c", TRAINER, str(run.root)], env=env)
    until(run.status.exists)
    yield run, process
    process.kill()
    process.wait()


def listed(lister, name):
    return next((row["state"] for row in lister.rows if row["name"] == name), None)


def test_a_trainer_that_is_killed_is_seen_to_have_crashed(trainer, tmp_path):
    run, process = trainer
    lister = Lister(tmp_path / "runs")
    lister.start()
    with followed(run) as watched:
        until(lambda: watched.state == listed(lister, "alive") == "running")
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: watched.state == listed(lister, "alive") == "crashed")
    lister.stop()


def test_a_trainer_that_gives_no_sign_of_life_is_stalled_until_it_does(trainer, monkeypatch):
    run, process = trainer
    with followed(run) as watched:
        until(lambda: watched.state == "running")
        process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(state, "STALE", 1.0)
        until(lambda: watched.state == "stalled")
        assert watched.active
        process.send_signal(signal.SIGCONT)
        until(lambda: watched.state == "running")


@pytest.mark.parametrize(("age", "said"), [(1, "running"), (3600, "stalled")])
def test_a_run_of_another_machine_is_judged_by_its_heartbeat(tmp_path, age, said):
    run = made(RunDir(tmp_path / "far"), "running", "elsewhere", time.time() - age)
    with followed(run) as watched:
        until(lambda: watched.state == said)
        assert (watched.summary["host"], watched.summary["here"]) == ("elsewhere", False)


@pytest.mark.parametrize("value", [10**400, -(10**400), True, [10**400], {"a": 1}, "x" * 10_000, "\x1b[2J"])
def test_a_status_that_makes_no_sense_stops_neither_thread(run, value, tmp_path):
    fields = ("step", "total", "heartbeat", "eta", "rate", "loss", "exit", "curve", "host", "pid", "attempt", "state")
    lister = Lister(tmp_path / "runs")
    lister.start()
    with followed(run) as watched:
        for field in fields:
            run.status.write_text(
                json.dumps(
                    {"state": "running", "step": 1, "total": 2, "host": "elsewhere", "heartbeat": 1.0, field: value}
                )
            )
            run.info.write_text(json.dumps({"created": value, "device": value, "recipe": value}))
            lister.looked = False
            lister.now.set()
            until(lambda: lister.looked)
        made(run, "done")
        until(lambda: watched.state == listed(lister, "toy") == "done" and not lister.trouble and not watched.trouble)
    lister.stop()


def test_a_list_that_cannot_be_read_says_why_and_recovers(run):
    folder = run.root.parent
    folder.parent.chmod(0o700)
    lister = Lister(folder)
    lister.start()
    until(lambda: listed(lister, "toy") == "done")
    with forbidden(folder):
        until(lambda: "cannot list the runs" in lister.trouble)
        assert listed(lister, "toy") == "done", "what was there is still shown"
    until(lambda: not lister.trouble)
    shutil.rmtree(folder)
    until(lambda: lister.rows == [])
    lister.stop()


# Reading disturbs nothing


def tree(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        found[path] = (about.st_mode, about.st_mtime_ns, path.read_bytes() if path.is_file() else None)
    return found


WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_opened = []
_listening = threading.Event()


def _heard(event, args):
    if event == "open" and _listening.is_set() and isinstance(args[2], int) and args[2] & WRITING:
        _opened.append(args[0])


def test_nothing_is_written_and_no_file_is_opened_for_writing(tmp_path):
    folder = tmp_path / "runs"
    runs = canned.make(folder)
    before = tree(folder)
    sys.addaudithook(_heard)  # for good: nobody can take one back
    _listening.set()
    try:
        lister = Lister(folder)
        lister.start()
        with contextlib.ExitStack() as stack:
            all_ = [stack.enter_context(followed(run)) for run in runs.values()]
            until(lambda: len(lister.rows) == len(runs) and all(each.read >= 1 and each.summary for each in all_))
            lister.looked = False
            lister.now.set()
            until(lambda: lister.looked)
        lister.stop()
    finally:
        _listening.clear()
    assert [path for path in _opened if str(path).startswith(str(tmp_path))] == []
    assert tree(folder) == before


# A pipe


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def test_events_of_a_pipe_come_in_pieces(pipe):
    out, into = pipe
    dice = random.Random(4)
    watched = Watched("-", None)
    stream.Stream(watched, out).start()
    data = encode({"kind": "run", "name": "far", "state": "running", "step": 1})
    data += b"not json\n[1]\n{}\n" + b'{"kind": 7}\n' + b"[" * 100_000 + b"\n"
    data += (
        b"".join(canned.rows(3000, 1.7e9)) + canned.line("start", 1.0, attempt=1, from_step=1000) + b'{"kind": "again"'
    )
    while data:
        piece, data = data[: (cut := dice.randrange(1, 9000))], data[cut:]
        os.write(into, piece)
    until(lambda: watched.name == "far" and steps(watched) == list(range(50, 1001, 50)))
    assert not watched.trouble
    os.write(into, b"}\n" + canned.rows(50, 1.0)[0])
    until(lambda: steps(watched) == [50])
    os.close(into)
    until(lambda: "the other end was closed" in watched.trouble)
    assert steps(watched) == [50], "what was heard last stays"


def test_a_line_without_end_is_not_kept_for_ever(pipe, monkeypatch):
    monkeypatch.setattr(stream, "LONGEST_LINE", 1000)
    out, into = pipe
    watched = Watched("-", None)
    reader = stream.Stream(watched, out)
    reader.start()
    os.write(into, b"x" * 900)
    until(lambda: reader.kept == 900)
    os.write(into, b"x" * 101)
    until(lambda: reader.kept == len(stream.DAMAGED))
    first, second = canned.rows(100, 1.0)
    os.write(into, first + second)
    until(lambda: steps(watched) == [100])
    assert (watched.bad, reader.kept) == (1, 0), "the end of what was too long is no event, whatever it looks like"


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_lines_are_put_together_from_however_many_pieces(pipe, piece):
    out, into = pipe
    watched = Watched("-", None)
    stream.Stream(watched, out).start()
    data = b"".join(canned.rows(500, 1.0))
    for at in range(0, len(data), piece):
        os.write(into, data[at : at + piece])
    until(lambda: steps(watched) == list(range(50, 501, 50)))
    assert watched.bad == 0


# Threads


def test_a_thread_that_fails_says_so_and_nothing_else_does():
    said = []

    def work():
        raise ValueError("\x1b[2J boom")

    Errand("work", work, said.append).start()
    until(lambda: said)
    assert said == ["ValueError: \\x1b[2J boom"]


def test_threads_keep_no_process_alive():
    assert Thread("x")._thread.daemon


def test_the_collector_works_again_when_a_history_is_left_half_read(run, monkeypatch):
    monkeypatch.setattr(follow, "CHUNK", 400)  # a row at a time
    append(run, *canned.rows(500_000, 1.7e9))
    with followed(run):
        until(lambda: not gc.isenabled())
    until(gc.isenabled)
