"""How long do answers that need no tensors take? Wall time of whole processes, in turn.

python benchmarks/startup.py [rounds]
"""

import os
import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "--version": ["-m", "difftool", "--version"],
    "--help": ["-m", "difftool", "--help"],
    "runs list": ["-m", "difftool", "runs", "list"],
    "plugins list": ["-m", "difftool", "plugins", "list"],
    "recipes list": ["-m", "difftool", "recipes", "list"],
    "recipes check quickstart": ["-m", "difftool", "recipes", "check", "quickstart"],
    "import torch": ["-c", "import torch"],
}


def main() -> None:
    """Prints one table: milliseconds, and the ratio to starting Python."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for attempt in range(rounds + 1):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            if attempt:  # the first round fills caches
                taken[name].append(1000 * (time.perf_counter() - start))
    base = statistics.median(taken["python -c pass"])
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'':26}{'min':>8}{'median':>8}{'max':>8}   ms{'ratio':>8}")
    for name, ms in taken.items():
        middle = statistics.median(ms)
        print(f"{name:26}{min(ms):8.0f}{middle:8.0f}{max(ms):8.0f}{middle / base:13.1f}")


if __name__ == "__main__":
    main()
