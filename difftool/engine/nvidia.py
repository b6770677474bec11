"""What NVIDIA's driver says of its GPUs, and in words why it does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

FIELDS = ("name", "used", "memory", "memory_total", "power", "power_limit", "temperature")
"""What is asked of each GPU; `used` is a share, memory in bytes, power in watts, temperature in degrees Celsius."""

_WORDS = {
    1: "the NVIDIA driver was not asked yet",
    3: "not supported by this GPU",
    4: "no permission to ask for it",
    6: "not found",
    9: "the NVIDIA driver is not loaded",
    12: "no NVIDIA driver on this machine",
    13: "this NVIDIA driver is too old to tell",
    15: "the GPU is lost: it fell off the bus, or was reset",
    18: "the NVIDIA driver was updated: restart the machine",
}
_DIVIDED = "not told of a GPU that is divided (MIG)"


class NoGPUError(Exception):
    """Why there is nothing to be read, in words."""


class Nvidia:
    """NVML, opened; every reading of every GPU may fail by itself."""

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        try:
            nvml.nvmlInit()
            self.count = int(nvml.nvmlDeviceGetCount())
        except Exception as error:
            raise NoGPUError(why_not(error)) from error
        if not self.count:
            raise NoGPUError("the NVIDIA driver knows no GPU")

    def read(self) -> list[dict[str, Any]]:
        """One dict a GPU; what cannot be had is None, and its reason stands in `absent`."""
        return [self._gpu(index) for index in range(self.count)]

    def close(self) -> None:
        """Gives NVML back."""
        self.nvml.nvmlShutdown()

    def _gpu(self, index: int) -> dict[str, Any]:
        # A handle each time: one that was got before a GPU was reset is no good after it.
        found: dict[str, Any] = {"index": index}
        absent: dict[str, str] = {}
        for key, ask in zip(FIELDS, self._questions(), strict=True):
            try:
                found[key] = ask(self.nvml.nvmlDeviceGetHandleByIndex(index))
            except Exception as error:
                found[key] = None
                absent[key] = _DIVIDED if _code(error) == 3 and self._divided(index) else why_not(error)
        return found | ({"absent": absent} if absent else {})

    def _questions(self) -> tuple[Callable[[Any], Any], ...]:
        nvml = self.nvml
        return (
            lambda gpu: _text(nvml.nvmlDeviceGetName(gpu)),
            lambda gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
            lambda gpu: int(nvml.nvmlDeviceGetMemoryInfo(gpu).used),
            lambda gpu: int(nvml.nvmlDeviceGetMemoryInfo(gpu).total),
            lambda gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
            lambda gpu: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000,
            lambda gpu: int(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)),
        )

    def _divided(self, index: int) -> bool:
        try:
            now, _ = self.nvml.nvmlDeviceGetMigMode(self.nvml.nvmlDeviceGetHandleByIndex(index))
        except Exception:
            return False
        return bool(now)


def nvidia() -> Nvidia:
    """The GPUs of this machine, or NoGPUError."""
    if sys.platform == "darwin":
        raise NoGPUError("an Apple GPU tells how busy it is to administrators only")
    try:
        nvml = importlib.import_module("pynvml")
    except Exception as error:
        raise NoGPUError(f"nvidia-ml-py cannot be loaded: {why_not(error)}") from error
    return Nvidia(nvml)


def why_not(error: Exception) -> str:
    """The reason in words that need no manual."""
    return _WORDS.get(_code(error) or 0) or f"{error}" or type(error).__name__


def _code(error: Exception) -> int | None:
    code = getattr(error, "value", None)
    return code if isinstance(code, int) else None


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
