"""What does drawing cost: a chart of a million rows, and a picture of 64x32 cells?

python benchmarks/drawing.py [rows]
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator

from PIL import Image

from difftool.tui.halfblock import cells, shades
from difftool.tui.plot import Curve, bounds, plot, smoothed
from difftool.tui.series import Table
from difftool.tui.ticks import ticks

WIDTH, HEIGHT = 120, 30


def rows(count: int) -> Iterator[list[dict[str, object]]]:
    """What a trainer writes, 20,000 rows at a time."""
    for first in range(0, count, 20_000):
        yield [
            {"kind": "metrics", "time": 1.7e9 + step / 8, "step": step + 1, "images": 64 * step, "loss": 1 / (step + 1)}
            | {"loss_q": [0.4, 0.2, 0.1, step % 7 / 7], "grad_norm": 1 + step % 11, "lr": 2e-4}
            | {"images_per_s": 900.5, "data_wait": 0.03, "ema_decay": 0.9999}
            for step in range(first, min(first + 20_000, count))
        ]


def ms(work: Callable[[], object], times: int = 7) -> list[float]:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return taken


def main(count: int = 1_000_000) -> None:
    """Prints the table."""
    table, taken = Table(), 0.0
    for batch in rows(count):
        start = time.perf_counter()
        table.add(batch)
        taken += time.perf_counter() - start
    lo, hi = table.span("step") or (0.0, 1.0)

    def bins(name: str = "loss") -> list[object]:
        return table.bins(name, "step", lo, hi, 2 * WIDTH)

    def chart() -> object:
        found = table.bins("grad_norm", "step", lo, hi, 2 * WIDTH)
        curves = [Curve(found, 0), Curve(smoothed(found, 0.05), 1, mean=True)]
        low, high = bounds(curves) or (0.0, 1.0)
        ticks(lo, hi, WIDTH, kind="step")
        return plot(curves, WIDTH, HEIGHT, low, high)

    picture = Image.effect_noise((256, 128), 90).convert("RGB")
    results = {
        f"taking {count:,} rows": [1000 * taken],
        f"bins of {2 * WIDTH}, the first time": ms(bins, 1),
        f"bins of {2 * WIDTH}, again": ms(bins),
        f"chart of {WIDTH}x{HEIGHT} cells, the first time": ms(chart, 1),
        f"chart of {WIDTH}x{HEIGHT} cells, again": ms(chart),
        "picture of 64x32 cells": ms(lambda: cells(picture, 64, 32)),
        "the same in ASCII": ms(lambda: shades(picture, 64, 32)),
    }
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'':40}{'min':>9}{'median':>9}{'max':>9}   ms")
    for name, found in results.items():
        print(f"{name:40}{min(found):9.2f}{statistics.median(found):9.2f}{max(found):9.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
