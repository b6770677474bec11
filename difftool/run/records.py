"""The JSON of a run directory: one record a line, numbers that are always numbers, damage that is never fatal."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        with path.open("rb") as file:
            return decode(file.read(MAX_DOCUMENT)) or {}
    except OSError:
        return {}


@dataclass(frozen=True)
class Status:
    """What `status.json` says: the last word of the process that trains, never more than about a second old."""

    state: str = "starting"
    """starting, running, stopped, done or failed"""
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

    def to_json(self) -> dict[str, Any]:
        """The fields as a plain dict, in order."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Status:
        """The status in a record: unknown keys are ignored, a value of the wrong type counts as absent."""
        known = {}
        for field in dataclasses.fields(cls):
            accepted = _ACCEPTED[str(field.type).split(" ", 1)[0]]  # "int | None" reads as int: None is the default
            if isinstance(record.get(field.name), accepted):
                known[field.name] = record[field.name]
        return cls(**known)


_ACCEPTED: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


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
