"""Which processor, and which arithmetic is faster on it."""

from __future__ import annotations

import platform
import re
import statistics
import time
from collections.abc import Callable

import torch

from difftool.errors import InputError, MachineError

FASTER = 0.9
"""bf16 must need less than this share of float32's time to be worth its coarser numbers."""


def pick(wish: str) -> torch.device:
    """The device that `train.device` or --device means."""
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", wish):
        raise InputError(f"{wish!r} is no device; there are auto, cpu, cuda, cuda:1, mps")
    device = torch.device(wish)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            built = torch.version.cuda is not None
            raise MachineError(
                f"there is no {wish} here",
                why="torch sees no NVIDIA GPU" if built else f"this torch ({torch.__version__}) is built without CUDA",
                do="check the driver with nvidia-smi"
                if built
                else "install a CUDA build of torch, or use device = cpu",
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise MachineError(f"there is no {wish}; this machine has {torch.cuda.device_count()} GPUs")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise MachineError("there is no mps here", why="that is the GPU of a Mac", do="use device = auto")
    return device


def describe(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def wait(device: torch.device) -> None:
    """Until everything that was asked of the device is done; only where time is measured."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def faster_precision(work: Callable[[str], object], device: torch.device, rounds: int = 3) -> str:
    """bf16 if a short measurement of `work(precision)` says that it is faster here, else float32."""
    if device.type == "mps":
        return "float32"  # autocast there is young; nothing is lost but speed
    seconds: dict[str, list[float]] = {"float32": [], "bf16": []}
    for attempt in range(rounds + 1):
        for precision, taken in seconds.items():  # in turn, because machines drift
            wait(device)
            start = time.perf_counter()
            work(precision)
            wait(device)
            if attempt:  # the first round pays for compiling kernels
                taken.append(time.perf_counter() - start)
    ratio = statistics.median(seconds["bf16"]) / statistics.median(seconds["float32"])
    return "bf16" if ratio < FASTER else "float32"
