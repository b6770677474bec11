"""The JSON of a run directory: one record a line, numbers that are always numbers, damage that is never fatal."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

CURVE = 32  # points of `Status.curve`
LARGEST = 1e15  # no step, rate or time is larger; Python's integers have no end, and clocks cannot take them
MAX_DOCUMENT = 16 << 20  # bytes: far above any run.json; a foreign folder must not fill the memory


def encode(record: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """The record as one line of ASCII JSON; NaN and infinity become null, their keys are listed in `nonfinite`."""
    plain: dict[str, Any] = {}
    lost: list[str] = []
    for key, value in record.items():
        plain[str(key)], finite = _plain(value)
        if not finite:
            lost.append(str(key))
    if lost:
        plain["nonfinite"] = lost
    # ASCII escapes every control byte, so a line can neither be split in two nor steer a terminal that prints it.
    return json.dumps(plain, ensure_ascii=True, allow_nan=False, indent=indent).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The object in these bytes, or None when they are damaged: cut short, not JSON, not an object, not finite."""
    try:
        record = json.loads(line, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def load(path: Path) -> dict[str, Any]:
    """The object in a small JSON file; empty when the file is missing or damaged."""
    try:
        # A pipe of that name would keep whoever opens it waiting for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return {}
            with os.fdopen(fd, "rb", closefd=False) as file:
                return decode(file.read(MAX_DOCUMENT)) or {}
        finally:
            os.close(fd)
    except OSError:
        return {}


def moment(record: Mapping[str, Any], key: str) -> float | None:
    """The time that is written there as text, in unix seconds; None where there is none."""
    try:
        return datetime.fromisoformat(record[key]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True)
class Status:
    """What `status.json` says: the last word of the process that trains, never more than about a second old."""

    state: str = "starting"
    """starting, running, paused, stopped, done or failed"""
    step: int = 0
    total: int | None = None
    heartbeat: float = 0.0
    """unix seconds of the last write"""
    pid: int | None = None
    host: str = ""
    eta: float | None = None
    """seconds until the last step"""
    rate: float | None = None
    """images per second"""
    loss: float | None = None
    exit: int | None = None
    """exit code, once there is one"""
    attempt: int = 0
    curve: list[float | None] = field(default_factory=list)
    """mean losses over equal spans from the first step to now, 32 at most; null where none was finite"""

    def to_json(self) -> dict[str, Any]:
        """The fields as a plain dict, in order."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Status:
        """The status in a record: unknown keys are ignored, a value of the wrong type counts as absent."""
        known: dict[str, Any] = {}
        for each in dataclasses.fields(cls):
            accepted = _ACCEPTED[str(each.type).split(" ", 1)[0]]  # "int | None" reads as int: None is the default
            value = record.get(each.name)
            if isinstance(value, accepted) and not (isinstance(value, int | float) and abs(value) > LARGEST):
                known[each.name] = value
        if "curve" in known:
            known["curve"] = [_number(value) for value in known["curve"][:CURVE]]
        return cls(**known)


_ACCEPTED: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "list[float": (list,)}


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _plain(value: Any) -> tuple[Any, bool]:
    """The value in JSON's own types, and whether every number in it was finite."""
    if value is None or isinstance(value, str | int):
        return value, True
    if isinstance(value, float):
        return (value, True) if math.isfinite(value) else (None, False)
    if isinstance(value, Mapping):
        pairs = {str(key): _plain(item) for key, item in value.items()}
        return {key: item for key, (item, _) in pairs.items()}, all(finite for _, finite in pairs.values())
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in value]
        return [item for item, _ in items], all(finite for _, finite in items)
    if hasattr(value, "tolist"):  # a tensor's or an array's number, without importing either library
        return _plain(value.tolist())
    return str(value), True  # a path, a date: an event must never fail for its content


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)  # 1e999 is valid JSON and yet infinity
