"""What does the dashboard cost, and how quick is it? In a real terminal, over a run of a million rows and a live one.

    python benchmarks/dashboard.py [--rows 1000000] [--seconds 10]

Each figure stands beside what was promised of it. Times are of this machine; run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import psutil
from PIL import Image

SIZE = (40, 120)
LARGE = (60, 200)
PREVIEWS = 40
RUNS = 60


class Terminal:
    """A program in a terminal of its own; everything it writes is kept with the time it came."""

    def __init__(self, *args: str, size: tuple[int, int] = SIZE) -> None:
        self.began = time.monotonic()
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            os.execv(sys.executable, [sys.executable, "-m", "difftool", "tui", *args])
        self.process = psutil.Process(pid)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.said = b""

    def read(self, seconds: float) -> bytes:
        """What comes within this time."""
        came, until = b"", time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                came += os.read(self.fd, 1 << 16)
            except OSError:
                break
        self.said += came
        return came

    def until(self, *texts: str, seconds: float = 30) -> float:
        """Seconds until one of the texts comes."""
        start, came = time.monotonic(), b""
        while time.monotonic() - start < seconds:
            came += self.read(0.005)
            if any(text.encode() in came for text in texts):
                return time.monotonic() - start
        raise SystemExit(f"{texts} did not come in {seconds} s; the end of what came: {came[-400:]!r}")

    @property
    def memory(self) -> str:
        """What it holds now."""
        return f"{self.process.memory_info().rss / 2**20:.0f} MiB"

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self.fd, keys.encode())

    def used(self, seconds: float) -> float:
        """Share of one core over this time."""
        before = sum(self.process.cpu_times()[:2])
        start = time.monotonic()
        self.read(0)
        while time.monotonic() - start < seconds:
            self.read(0.2)
        return (sum(self.process.cpu_times()[:2]) - before) / (time.monotonic() - start)

    def quit(self, key: str = "q") -> float:
        """Seconds until the process is gone."""
        self.press(key)
        start = time.monotonic()
        while time.monotonic() - start < 10:
            self.read(0.005)
            if os.waitpid(self.process.pid, os.WNOHANG)[0]:
                os.close(self.fd)
                return time.monotonic() - start
        raise SystemExit("it did not end")


def row(step: int, now: float, many: int = 0) -> bytes:
    """A row as a trainer writes it, with as many more metrics as one likes."""
    loss = 0.03 + 0.2 * math.exp(-step / 5000) + 0.002 * math.sin(step)
    more = {f"metric_{k}": loss * k for k in range(many)}
    fields = {
        "kind": "metrics", "time": round(now, 3), "step": step, "images": step * 128, "loss": loss,
        "loss_q": [loss * 0.3, loss * 0.6, loss, loss * 2], "grad_norm": loss * 3, "lr": 2e-4, "images_per_s": 911.25,
        "data_wait": 0.0123, "ema_decay": 0.9999, **more,
    }  # fmt: skip
    return json.dumps(fields).encode() + b"\n"


def make(folder: Path, name: str, rows: int, state: str = "done") -> Path:
    """A run folder with this many rows."""
    run = folder / name
    for part in ("events", "previews", "checkpoints"):
        (run / part).mkdir(parents=True)
    now = time.time()
    (run / "run.json").write_text(json.dumps({"format": 1, "name": name, "created": "2026-11-20T10:15:30+00:00"}))
    (run / "recipe.toml").write_text("recipe = 1\n")
    total = {"state": state, "step": rows, "total": rows or 1000, "heartbeat": now, "host": "elsewhere", "exit": 0}
    (run / "status.json").write_text(json.dumps(total))
    with (run / "events" / "00000.jsonl").open("wb") as file:
        file.write(
            json.dumps({"kind": "start", "time": now, "attempt": 0, "from_step": 0, "total": rows}).encode() + b"\n"
        )
        for step in range(1, rows + 1):
            file.write(row(step, now - (rows - step)))
    return run


def live(run: Path, hertz: float, many: int, stop: threading.Event) -> None:
    """Writes rows as a trainer would."""
    step = 0
    with (run / "events" / "00000.jsonl").open("ab", buffering=0) as file:
        while not stop.wait(1 / hertz):
            step += 1
            file.write(row(step, time.time(), many))


def report(what: str, value: str, promised: str) -> None:
    """One line of the table."""
    print(f"{what:44} {value:>22}   {promised}", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dashboard-"))
    try:
        measure(folder, asked.rows, asked.seconds)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, rows: int, seconds: float) -> None:
    """All of it, one after the other."""
    print(f"{'what':44} {'measured':>22}   promised")
    measure_start(folder)
    measure_history(folder, rows, seconds)
    for hertz, many, promised in ((1, 0, "under 3 %"), (20, 50, "under 10 %")):
        measure_live(folder, hertz, many, promised, seconds)
    measure_previews(folder)
    measure_list(folder, seconds)
    measure_leaving(folder)


def measure_start(folder: Path) -> None:
    """How long it takes until there is something to see, and what is loaded for that."""
    started = []
    for _ in range(5):
        terminal = Terminal("--runs", str(folder / "empty"))
        started.append(terminal.until("runs in"))
        terminal.read(0.5)
        terminal.press("\x1b")
        terminal.read(0.3)
        terminal.quit()
    report("start to first screen, median of 5", f"{statistics.median(started):.2f} s", "under 0.7 s")
    modules = subprocess.run(
        check=True,
        args=[sys.executable, "-c", "import sys, difftool.tui.app; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    report("torch loaded", modules, "never")


def measure_history(folder: Path, rows: int, seconds: float) -> None:
    """A long history: while it is read, and afterwards."""
    big = make(folder / "big", "million", rows)
    terminal = Terminal(str(big))
    report(f"{rows:,} rows: first paint", f"{terminal.until('million'):.2f} s", "under 1 s")
    reading, done = b"reading the history", 0.0
    while not done:  # the first drawing of the line on top without these words
        came = terminal.read(0.05)
        if reading in terminal.said and b"Recipe" in came and reading not in came:
            done = time.monotonic() - terminal.began
    report("  whole history", f"{done:.1f} s", "under 6 s, aim 3")
    report("  memory", terminal.memory, "under 250 MB")
    delays = []
    for key, text in [("5", "follows"), ("2", "loss"), ("4", "GPU"), ("2", "loss"), ("6", "recipe")] * 4:
        terminal.read(0.3)
        terminal.press(key)
        delays.append(terminal.until(text))
    report("  key to paint, median / worst of 20", spread(delays), "under 100 ms")
    report("  idle", f"{terminal.used(seconds):.1%} of a core", "under 2 %")
    report("  q to the shell", f"{terminal.quit():.2f} s", "under 1 s")
    terminal = Terminal(str(big))
    terminal.until("million")
    delays = []
    for _ in range(4):
        terminal.press("?")
        delays.append(terminal.until("A flat loss"))
        terminal.press("\x1b")
        terminal.read(0.5)
    report("  key to paint while it is read, worst of 4", f"{1000 * max(delays):.0f} ms", "usable")
    terminal.quit()


def measure_live(folder: Path, hertz: float, many: int, promised: str, seconds: float) -> None:
    """A run that is trained: what looking at it costs, and how late its news is."""
    run, stop = make(folder / f"live{hertz}", f"live{hertz}", 0, "running"), threading.Event()
    threading.Thread(target=live, args=(run, hertz, many, stop), daemon=True).start()
    terminal = Terminal(str(run))
    terminal.until("running")
    terminal.read(3)
    report(f"{many or 10} metrics at {hertz} Hz", f"{terminal.used(seconds):.1%} of a core", promised)
    delays = []
    for number in range(10):
        event = {"kind": "log", "time": time.time(), "level": "info", "message": f"mark{number}x"}
        with (run / "events" / "00000.jsonl").open("ab", buffering=0) as file:
            file.write(json.dumps(event).encode() + b"\n")
        delays.append(terminal.until(f"mark{number}x"))
        time.sleep(0.3)
    stop.set()
    report("  write to screen, median / worst of 10", spread(delays), "under 500 ms")
    terminal.quit()


def measure_previews(folder: Path) -> None:
    """What is held after every preview of a run was looked at in a large terminal."""
    run = make(folder / "drawn", "drawn", 100)
    with (run / "events" / "00000.jsonl").open("ab") as file:
        for number in range(1, PREVIEWS + 1):
            path = run / "previews" / f"step-{number:08d}.png"
            Image.effect_noise((522, 522), 60).convert("RGB").save(path)  # 16 pictures of 128x128 and their margins
            event = {"kind": "preview", "time": time.time(), "step": number, "path": f"previews/{path.name}"}
            file.write(json.dumps(event | {"seeds": "0-15", "steps": 50}).encode() + b"\n")
    terminal = Terminal(str(run), size=LARGE)
    terminal.until("drawn")
    terminal.read(1)
    before = terminal.memory
    terminal.press("3")
    terminal.until(f"{PREVIEWS} of {PREVIEWS}")
    for _ in range(PREVIEWS - 1):
        terminal.press("\x1b[D")
        terminal.read(0.3)
    terminal.read(1)
    report(f"memory after {PREVIEWS} previews at 200x60", f"{before} -> {terminal.memory}", "under 250 MB")
    terminal.quit()


def measure_list(folder: Path, seconds: float) -> None:
    """What a long list costs while nothing happens."""
    for number in range(RUNS):
        make(folder / "many", f"run-{number:02d}", 10)
    terminal = Terminal("--runs", str(folder / "many"))
    terminal.until(f"{RUNS} runs")
    terminal.read(3)
    report(f"{RUNS} runs listed: idle", f"{terminal.used(seconds):.1%} of a core", "under 2 %")
    terminal.quit()


def measure_leaving(folder: Path) -> None:
    """How soon the shell is back."""
    run, slowest = str(folder / "live1" / "live1"), 0.0
    for key in "123456":
        terminal = Terminal(run)
        terminal.until("live1")
        terminal.read(0.5)
        terminal.press(key)
        terminal.read(0.7)
        slowest = max(slowest, terminal.quit())
    report("q to the shell, slowest of all screens", f"{slowest:.2f} s", "under 1 s")
    terminal = Terminal(run)
    terminal.until("live1")
    start = time.monotonic()
    terminal.process.send_signal(signal.SIGTERM)
    os.waitpid(terminal.process.pid, 0)
    report("SIGTERM to the shell", f"{time.monotonic() - start:.2f} s", "under 1 s")


def spread(delays: list[float]) -> str:
    """Median and worst."""
    return f"{1000 * statistics.median(delays):.0f} / {1000 * max(delays):.0f} ms"


if __name__ == "__main__":
    main()
