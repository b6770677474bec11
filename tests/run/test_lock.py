"""One trainer a run, proved with real processes: the lock dies with its owner and with nothing else."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from difftool.errors import BusyError, DiskError
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock, is_locked
from difftool.run.records import load

OWNER = """
import sys
from pathlib import Path
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock
with RunLock(RunDir(Path(sys.argv[1]))):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def owner(run):
    """Another process that owns the run until the block ends."""
    command = [sys.executable, "-c", OWNER, str(run.root)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout.readline() == b"locked\n"
        yield process


def test_a_second_process_is_refused_and_told_who_owns_the_run(run):
    with owner(run) as other:
        assert is_locked(run)
        with pytest.raises(BusyError) as caught, RunLock(run):
            pass
        text = caught.value.render()
        for part in (f"process {other.pid}", load(run.lock)["host"], load(run.lock)["started"], "difftool runs stop"):
            assert part in text
        other.stdin.close()
        other.wait()
        assert not is_locked(run)
        with RunLock(run):
            assert load(run.lock)["pid"] == os.getpid()


def test_the_lock_dies_with_a_killed_owner(run):
    with owner(run) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert run.lock.exists()
    assert not is_locked(run)
    with RunLock(run):
        assert is_locked(run)


def test_the_same_process_cannot_own_a_run_twice(run):
    with RunLock(run) as lock:
        with pytest.raises(BusyError):
            RunLock(run).acquire()
        with pytest.raises(BusyError):
            lock.acquire()
        assert is_locked(run)
    assert not is_locked(run)
    lock.release()


def test_busy_without_a_readable_owner(run):
    with RunLock(run):
        run.lock.write_bytes(b"{")
        with pytest.raises(BusyError) as caught:
            RunLock(run).acquire()
    assert "another process" in caught.value.why


def test_a_reader_that_asks_at_the_wrong_moment_is_not_an_owner(run, monkeypatch):
    import fcntl
    import time

    run.lock.touch()
    with run.lock.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(reader, fcntl.LOCK_UN))
        with RunLock(run):
            assert is_locked(run)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and threads of the test runner
def test_forked_children_neither_keep_nor_drop_the_lock(run):
    ready, go = os.pipe(), os.pipe()
    lock = RunLock(run)
    lock.acquire()
    child = os.fork()
    if child == 0:
        try:
            lock.release()  # as a `with` block does that the child unwinds
            os.write(ready[1], b"x")
            os.close(go[1])
            os.read(go[0], 1)
        finally:
            os._exit(0)  # whatever happens, there must not be two pytests
    try:
        os.read(ready[0], 1)
        assert is_locked(run), "the child must not drop the parent's lock"
        os.close(lock._fd)  # what the kernel does when the parent dies
        lock._fd = None
        assert not is_locked(run), "the child must not keep it alive"
    finally:
        lock.forget()
        for fd in (*go[1:], *ready):
            os.close(fd)
        os.waitpid(child, 0)
        os.close(go[0])


def test_programs_we_start_do_not_inherit_the_lock(run):
    with RunLock(run) as lock:
        assert not os.get_inheritable(lock._fd)


def test_asking_neither_creates_the_file_nor_writes(run):
    assert not is_locked(run)
    assert not run.lock.exists()
    run.lock.touch()
    run.lock.chmod(0o444)
    before = run.lock.stat().st_mtime_ns
    assert not is_locked(run)
    assert run.lock.stat().st_mtime_ns == before


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(DiskError, match="cannot lock"):
        RunLock(RunDir(tmp_path / "gone")).acquire()
