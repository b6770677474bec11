"""How the machine is doing while it trains: a `system` event once a second, from a thread that may fail unnoticed."""

from __future__ import annotations

import importlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from difftool.engine.nvidia import NoGPUError, Nvidia, nvidia, why_not

EVERY = 1.0
"""Seconds between two events."""


class Machine:
    """Watches processors, memory, disk and GPUs for as long as the `with` block lasts."""

    def __init__(
        self,
        root: Path,
        note: Callable[..., object],
        gpus: Callable[[], Nvidia] = nvidia,
        every: float = EVERY,
    ) -> None:
        self.root, self.note, self.gpus, self.every = root, note, gpus, every
        self._over = threading.Event()
        # Asking a driver may take a second at first, and for ever when it hangs: not in the thread that trains.
        self._thread = threading.Thread(target=self._watch, name="difftool-machine", daemon=True)

    def __enter__(self) -> Machine:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(timeout=1.0)

    def _watch(self) -> None:
        try:
            with Gauges(self.root, self.gpus) as gauges:
                while True:
                    found = gauges.read()
                    if self._over.is_set():
                        break
                    self.note("system", **found)
                    if self._over.wait(self.every):
                        break
        except Exception as error:  # nothing of this is worth a training
            if not self._over.is_set():
                self.note("log", level="warning", message=f"the machine is no longer watched: {why_not(error)}")


class Gauges:
    """Everything that can be read off this machine."""

    def __init__(self, root: Path, gpus: Callable[[], Nvidia] = nvidia) -> None:
        self.root = root
        self.missing: dict[str, str] = {}  # what will not be there either a second later
        self.gpus: Nvidia | None = None
        self._turn = 0
        try:
            self.psutil: Any = importlib.import_module("psutil")
            self.psutil.cpu_percent()  # the share is counted from here
        except Exception as error:
            self.psutil = None
            self.missing |= dict.fromkeys(_OF_PSUTIL, f"psutil cannot be loaded: {why_not(error)}")
        try:
            self.gpus = gpus()
        except NoGPUError as error:
            self.missing["gpus"] = str(error)
        except Exception as error:
            self.missing["gpus"] = why_not(error)

    def __enter__(self) -> Gauges:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.gpus:
            self.gpus.close()

    def read(self) -> dict[str, Any]:
        """The fields of an event; what cannot be had is None, and its reason stands in `absent`."""
        found: dict[str, Any] = dict.fromkeys((*_OF_PSUTIL, "disk_free", "disk_total", "gpus"))
        absent = dict(self.missing)
        self._turn += 1
        if self.psutil is not None:
            for keys, ask in (
                (("cpu",), self._cpu),
                (("cores",), lambda: (self.psutil.cpu_count(),)),
                (("memory", "memory_total"), self._memory),
                (("process",), lambda: (self.psutil.Process().memory_info().rss,)),
            ):
                _put(found, absent, keys, ask)
        _put(found, absent, ("disk_free", "disk_total"), self._disk)
        if gpus := self.gpus:
            _put(found, absent, ("gpus",), lambda: (gpus.read(),))
        return found | ({"absent": absent} if absent else {})

    def _cpu(self) -> tuple[float]:
        if self._turn == 1:
            raise LookupError("known a second after the beginning")
        return (round(self.psutil.cpu_percent() / 100, 4),)

    def _memory(self) -> tuple[int, int]:
        memory = self.psutil.virtual_memory()
        return memory.total - memory.available, memory.total

    def _disk(self) -> tuple[int, int]:
        disk = shutil.disk_usage(self.root)
        return disk.free, disk.total


_OF_PSUTIL = ("cpu", "cores", "memory", "memory_total", "process")


def _put(
    found: dict[str, Any], absent: dict[str, str], keys: tuple[str, ...], ask: Callable[[], tuple[Any, ...]]
) -> None:
    try:
        found.update(zip(keys, ask(), strict=True))
    except Exception as error:
        absent.update(dict.fromkeys(keys, why_not(error)))
