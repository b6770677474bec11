"""How long does a history of a million rows take? Ours against the standard library's json, and a folder of runs.

python benchmarks/reading.py [rows]
"""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from difftool.run.layout import RunDir
from difftool.run.reader import Runs, Tail
from difftool.run.records import encode
from difftool.run.writer import RunWriter, create_run

ROUNDS = 3
RUNS = 200
POLLS = 50


def fill(run: RunDir, rows: int) -> int:
    """Writes a log of so many rows, all different; its size in bytes."""
    pick = random.Random(0)
    run.events.mkdir(exist_ok=True)
    with (run.events / "00000.jsonl").open("wb") as file:
        for step in range(1, rows + 1):
            row = {
                "kind": "metrics", "time": 1.8e9 + step / 8, "step": step, "images": 128 * step, "loss": pick.random(),
                "loss_q": [pick.random() for _ in range(4)], "grad_norm": pick.random(), "lr": 1e-4 * pick.random(),
                "images_per_s": 1000 * pick.random(), "data_wait": pick.random() / 100, "ema_decay": 0.9999,
            }  # fmt: skip
            file.write(json.dumps(row).encode() + b"\n")
        return file.tell()


def plain(run: RunDir) -> float:
    """Line by line with json.loads."""
    total = 0.0
    with (run.events / "00000.jsonl").open("rb") as file:
        for line in file:
            total += json.loads(line)["loss"]
    return total


def ours(run: RunDir) -> float:
    """Tail."""
    total = 0.0
    tail = Tail(run)
    while events := tail.poll():
        for event in events:
            total += event["loss"]
    return total


def dashboard(folder: Path, trained: bool) -> float:
    """Milliseconds of processor time that one look at a folder of runs takes."""
    for number in range(RUNS):
        run = create_run(folder / f"run-{number}", {"recipe": "r"}, "")
        writer = RunWriter(run)
        writer.status(force=True, state="done", step=10, total=10, loss=0.1, curve=[0.1] * 32)
        writer.close()
        for step in (1, 2, 3):
            run.checkpoint(step).mkdir()
    status = encode({"state": "running", "host": "elsewhere", "heartbeat": time.time(), "curve": [0.1] * 32})
    runs, taken = Runs(folder), 0.0
    time.sleep(2.1)  # folders that have just changed are looked at more closely
    for poll in range(POLLS + 1):
        if trained:  # as a trainer does, beside its place and renamed into it
            for number in range(RUNS):
                draft = folder / f"run-{number}" / ".draft"
                draft.write_bytes(status)
                draft.replace(draft.with_name("status.json"))
        start = time.process_time()
        if len(runs.poll()) != RUNS:
            raise SystemExit("a run is missing")
        if poll:  # the first one reads everything
            taken += time.process_time() - start
    return 1000 * taken / POLLS


def main() -> None:
    """Prints one table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        run = RunDir(Path(folder) / "run")
        run.root.mkdir()
        size = fill(run, rows)
        print(f"{rows:,} rows, {size / 1e6:,.0f} MB; seconds, the best of {ROUNDS}; most memory so far")
        for name, read in (("Tail.poll and a sum", ours), ("json.loads and a sum", plain)):
            best = float("inf")
            for _ in range(ROUNDS):
                start = time.perf_counter()
                read(run)
                best = min(best, time.perf_counter() - start)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
            print(f"{name:24}{best:8.2f} s {size / best / 1e6:8.0f} MB/s {memory:8.0f} MiB")
    for name, trained in (("all at rest", False), ("all in training", True)):
        with tempfile.TemporaryDirectory() as folder:
            ms = dashboard(Path(folder), trained)
            print(f"{RUNS} runs, {name:16}{ms:8.2f} ms a look: {ms / 10:.2f} % of a core at one look a second")


if __name__ == "__main__":
    main()
