"""Whether a process is the trainer that it seems to be: a number alone may be a stranger's.

Containers can share a hostname and still number their processes each for itself.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from difftool.run.layout import RunDir
from difftool.run.records import load, moment

psutil: Any = importlib.import_module("psutil")  # it comes without types


def owns(pid: int, run: RunDir) -> bool:
    """Whether this process has the run's lock open, or, where that is kept secret, may have: it is old enough."""
    try:
        lock = run.lock.stat()
        return any(os.path.samestat(lock, file) for file in _open_files(pid))
    except (PermissionError, psutil.AccessDenied):
        return _began_before(pid, moment(load(run.lock), "started"))
    except (OSError, psutil.Error):  # there is no such process
        return False


def _open_files(pid: int) -> Iterator[os.stat_result]:
    listed = Path(f"/proc/{pid}/fd")
    if Path("/proc/self/fd").is_dir():  # Linux: the very files, whatever their paths are called in that process
        paths = list(listed.iterdir())
    else:
        paths = [Path(each.path) for each in psutil.Process(pid).open_files()]
    for path in paths:
        try:
            yield path.stat()
        except OSError:  # closed just now, or no file of ours
            continue


def _began_before(pid: int, taken: float | None) -> bool:
    try:
        return taken is not None and psutil.Process(pid).create_time() <= taken
    except psutil.Error:
        return False
