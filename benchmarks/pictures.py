"""How fast are pictures read the first time, and how soon are they there the second time?

python benchmarks/pictures.py PATH [SIZE]        a folder, a .zip or a .tar
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from difftool.api import Fit, PictureFiles


def main(path: str, size: int = 64) -> None:
    """Prints the table; the cache is one of its own, empty at first."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        files = PictureFiles(Path(path), Fit(size, size))
        start = time.perf_counter()
        report = files.prepare(lambda done, total: None)
        first = time.perf_counter() - start
        start = time.perf_counter()
        files.prepare(lambda done, total: None)
        images = files.open()
        again = time.perf_counter() - start
    print(report.found)
    print(f"read and cached at {size}x{size}: {first:.2f} s, {len(images) / first:,.0f} pictures a second")
    print(f"the second time: {again:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
