"""Sinks that are right, some of them unusual."""

import json
import queue
import sqlite3
import threading
import time
from pathlib import Path

from difftool.api import Sink, SinkWriter


class Writer(SinkWriter):
    """Lines of JSON, one for each row, and one for each start: after it, rows above its from_step are void."""

    mode = "a"

    def __init__(self, run):
        self.run = run
        self.file = Path(run.dir, "rows.jsonl").open(self.mode)  # noqa: SIM115

    def event(self, event):
        if event["kind"] in ("start", "metrics"):
            print(json.dumps(event), file=self.file, flush=True)

    def close(self):
        self.file.close()


class Right(Sink):
    """Rows."""

    def open(self, run):
        return Writer(run)


def opening(name, writer):
    """A sink that opens other writers."""
    return type(name, (Right,), {"open": lambda self, run: writer(run), "__doc__": "Rows."})


def threaded(daemon):
    class Threaded(Writer):
        """Hands the work to a thread."""

        def __init__(self, run):
            super().__init__(run)
            self.queue = queue.Queue()
            self.thread = threading.Thread(target=self.work, daemon=daemon)
            self.thread.start()

        def work(self):
            while (event := self.queue.get()) is not None:
                Writer.event(self, event)

        def event(self, event):
            self.queue.put(dict(event))

        def close(self):
            self.queue.put(None)
            self.thread.join()
            super().close()

    return Threaded


class Base(Writer):
    """A data base."""

    def __init__(self, run):
        self.base = sqlite3.connect(Path(run.dir, "rows.sqlite"))
        self.base.execute("create table if not exists rows (step integer primary key, loss real)")

    def event(self, event):
        if event["kind"] == "start":
            self.base.execute("delete from rows where step > ?", (event["from_step"],))
        if event["kind"] == "metrics":
            self.base.execute("insert or replace into rows values (?, ?)", (event["step"], event["loss"]))
            self.base.commit()

    def close(self):
        self.base.commit()
        self.base.close()


class Newest(Writer):
    """Nothing but the newest row, as a gauge has it."""

    def __init__(self, run):
        self.path = Path(run.dir, "newest.json")

    def event(self, event):
        if event["kind"] == "metrics":
            self.path.write_text(json.dumps({"loss": event["loss"]}))

    def close(self):
        pass


class Timed(Writer):
    """A file for each attempt, named by the clock; another for the words, where it was started."""

    def __init__(self, run):
        self.file = Path(run.dir, f"rows-{time.time_ns()}.jsonl").open("a")  # noqa: SIM115
        self.words = Path("words.txt").open("a")  # noqa: SIM115

    def event(self, event):
        if event["kind"] == "log":
            self.words.write(event["message"] + "\n")
        super().event(event)

    def close(self):
        self.file.close()
        self.words.close()


class Central(Writer):
    """One data base for all runs, with a column that says whose a row is."""

    def __init__(self, run):
        self.id, self.base = run.id, sqlite3.connect(Path(run.dir).parent / "all.sqlite")
        self.base.execute(
            "create table if not exists rows (run text, step integer, loss real, primary key (run, step))"
        )

    def event(self, event):
        if event["kind"] == "start":
            self.base.execute("delete from rows where run = ? and step > ?", (self.id, event["from_step"]))
        if event["kind"] == "metrics":
            self.base.execute("insert or replace into rows values (?, ?, ?)", (self.id, event["step"], event["loss"]))
        self.base.commit()

    def close(self):
        self.base.close()


class Duck:
    """Derived from nothing, keeps nothing."""

    def __init__(self, run): ...

    def event(self, event): ...

    def close(self): ...


UNUSUAL = [
    opening(writer.__name__, writer)
    for writer in (Writer, Base, Central, Newest, Timed, Duck, threaded(daemon=True), threaded(daemon=False))
]
