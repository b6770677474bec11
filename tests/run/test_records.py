"""One JSON line a record, whatever is put in, and no exception whatever comes out."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from difftool.run.records import Status, decode, encode, load, moment


def test_round_trip():
    record = {
        "kind": "metrics",
        "loss": 0.1 + 0.2,
        "text": "猫\n\x1b[2J\x7f\u202e",
        "loss_q": [1.0, None],
        "deep": {"a": 1},
    }
    line = encode(record)
    assert line.endswith(b"\n")
    assert all(32 <= byte < 127 for byte in line[:-1]), "no control byte reaches a terminal"
    assert decode(line) == record


def test_what_is_not_finite_becomes_null_and_is_named():
    record = {"loss": math.nan, "loss_q": [1.0, math.inf], "deep": {"x": (-math.inf,)}, "lr": 1e-4}
    back = json.loads(encode(record), parse_constant=pytest.fail)
    assert back["loss"] is None
    assert back["loss_q"] == [1.0, None]
    assert back["deep"] == {"x": [None]}
    assert back["nonfinite"] == ["loss", "loss_q", "deep"]
    assert "nonfinite" not in json.loads(encode({"lr": 1e-4}))


def test_foreign_types_never_fail():
    record = {
        "path": Path("a/b"),
        "small": np.float32(0.5),
        "array": np.array([1, 2]),
        "bad": np.float32("nan"),
        "set": {1},
    }
    assert decode(encode(record)) == {
        "path": "a/b", "small": 0.5, "array": [1, 2], "bad": None, "set": [1], "nonfinite": ["bad"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"{", b'{"a": 1', b"[1]", b"1", b"\xff\xfe", b"\0" * 9, b'{"a": NaN}', b'{"a": 1e999}', b"[" * 99999],
)
def test_damaged_lines_are_none(line):
    assert decode(line) is None


def test_load_tolerates_everything(tmp_path):
    assert load(tmp_path / "nothing") == {}
    assert load(tmp_path) == {}
    (tmp_path / "half").write_bytes(b'{"a"')
    assert load(tmp_path / "half") == {}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, Path.touch], ids=["folder", "pipe", "file"])
def test_load_leaves_nothing_open(tmp_path, make):
    make(tmp_path / "it")
    before = lowest_free()
    assert load(tmp_path / "it") == {}
    assert lowest_free() == before


def lowest_free():
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    return fd


@pytest.mark.parametrize(
    ("text", "seconds"), [("1970-01-01T01:00:05.5+01:00", 5.5), ("soon", None), (7, None), ("0001-01-01", None)]
)
def test_a_moment_is_unix_seconds_or_nothing(text, seconds):
    assert moment({"created": text}, "created") == seconds
    assert moment({}, "created") is None


def test_status_round_trip_and_tolerance():
    status = Status("running", 7, 100, 12.5, 42, "here", 3.0, 80.0, 0.5, None, 1)
    assert Status.from_json(status.to_json()) == status
    assert Status.from_json({"state": "done", "invented": 1, "step": "seven", "loss": None, "eta": 3}) == Status(
        "done", eta=3
    )
    assert Status.from_json({}) == Status()
