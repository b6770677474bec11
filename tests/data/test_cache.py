"""Pictures kept between runs: whole, never more than the limit, and never trusted when damaged."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import difftool.data
from difftool.data import cache
from difftool.errors import DiskError, InputError

SHAPE = (2, 3, 1)
EACH = 6


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(cache.LIMIT, raising=False)
    return tmp_path / "home"


def pixels(count, value=0):
    return (np.arange(count * EACH) % 251 + value).astype(np.uint8).reshape(count, *SHAPE)


def keep(key, count=4, value=0, facts=None):
    rows = iter(np.array_split(pixels(count, value), min(3, count)))
    return cache.keep(key, f"/from/{key}", SHAPE, count, rows, lambda: facts)


def files():
    return sorted(path.name for path in cache.folder().iterdir())


def test_what_was_kept_is_recalled(home):
    kept = keep("k", facts={"bad": [[1, "b\udcffad"]]})
    for each in (kept, cache.recall("k")):
        assert (each.pixels == pixels(4)).all()
        assert each.pixels.shape == (4, *SHAPE)
        assert each.facts == {"bad": [[1, "b\udcffad"]]}
        assert not each.pixels.flags.writeable
    assert cache.recall("other") is None
    assert files() == ["k.json", "k.u8"]
    assert cache.folder() == home / "difftool" / "pictures"


def test_facts_are_asked_for_after_the_pictures():
    told = []

    def rows():
        for block in np.array_split(pixels(4), 2):
            told.append(len(block))
            yield block

    assert cache.keep("k", "", SHAPE, 4, rows(), lambda: list(told)).facts == [2, 2]


def test_keys_depend_on_everything():
    parts = {"a": 1, "b": [2, 3], "c": "é\udcff"}
    same = cache.key_of(dict(reversed(parts.items())))
    assert cache.key_of(parts) == same
    others = [{**parts, "a": 2}, {**parts, "b": [3, 2]}, {**parts, "d": None}, {"a": 1, "b": [2, 3]}]
    assert len({same, *map(cache.key_of, others)}) == 5


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"\xff",
        b'{"shape": [4, 2, 3]}',
        b'{"shape": 3, "facts": 1}',
        b'{"shape": ["x", 2, 3, 1], "facts": 1}',
        b'{"shape": [4.0, 2, 3, 1], "facts": 1}',
        b'{"shape": [5, 2, 3, 1], "facts": 1}',
        b'{"shape": [-4, -2, 3, 1], "facts": 1}',
        b'{"shape": [0], "facts": 1}',
    ],
)
def test_a_damaged_note_is_no_entry(damage):
    keep("k")
    table = cache.folder() / "k.json"
    table.write_bytes(damage)
    assert cache.recall("k") is None
    assert [(each.key, each.size) for each in cache.holdings()] == [("k", 4 * EACH)]  # it takes space all the same
    assert (keep("k", value=7).pixels == pixels(4, 7)).all()
    assert cache.recall("k") is not None
    table.write_bytes(damage)
    assert cache.clear() == 4 * EACH
    assert files() == []


@pytest.mark.parametrize("length", [0, 4 * EACH - 1, 4 * EACH + 1])
def test_pictures_cut_short_are_no_entry(length):
    keep("k")
    os.truncate(cache.folder() / "k.u8", length)
    assert cache.recall("k") is None
    assert (keep("k").pixels == pixels(4)).all()


def test_one_half_of_an_entry_is_none():
    keep("a")
    keep("b")
    (cache.folder() / "a.json").unlink()
    (cache.folder() / "b.u8").unlink()
    assert cache.recall("a") is cache.recall("b") is None
    assert cache.holdings() == []


def test_fewer_pictures_than_expected():
    kept = cache.keep("k", "", SHAPE, 100, iter([pixels(2)]), lambda: None)
    assert kept.pixels.shape == (2, *SHAPE)


def test_a_failure_leaves_nothing():
    def rows():
        yield pixels(2)
        raise InputError("too much is broken")

    with pytest.raises(InputError, match="too much"):
        cache.keep("k", "", SHAPE, 4, rows(), lambda: None)
    assert files() == []
    assert cache.recall("k") is None


def test_a_full_disk_is_told(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="cannot be kept") as caught:
        keep("k")
    assert caught.value.why == "No space left on device"
    assert caught.value.where == str(cache.folder())
    assert files() == []


WRITER = """
import sys, time
import numpy as np
from difftool.data import cache
def rows():
    for k in range(4):
        print(k, flush=True)
        if sys.argv[1] == "hang" and k == 2: time.sleep(600)
        sys.stdin.readline()
        yield np.full((1, 2, 3, 1), k, np.uint8)
kept = cache.keep("k", "", (2, 3, 1), 4, rows(), lambda: {"who": sys.argv[1]})
print(kept.pixels[:, 0, 0, 0].tolist(), flush=True)
"""


def writer(name):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_killed_writer_leaves_no_entry():
    with writer("hang") as process:
        for _ in range(2):
            process.stdout.readline()
            process.stdin.write("\n")
            process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert cache.recall("k") is None
    (part,) = files()
    assert part.endswith(".part")
    keep("other")
    assert part in files()  # it might be somebody's work
    os.utime(cache.folder() / part, (0, time.time() - 2 * 86_400))
    keep("third")
    assert part not in files()
    assert cache.recall("other")


def test_two_at_once_keep_the_same():
    """Each step of one process comes between two of the other's."""
    with writer("a") as a, writer("b") as b:
        for _ in range(4):
            for process in (a, b):
                process.stdout.readline()
                process.stdin.write("\n")
                process.stdin.flush()
        for process in (a, b):
            assert process.stdout.readline() == "[0, 1, 2, 3]\n"
    assert files() == ["k.json", "k.u8"]
    kept = cache.recall("k")
    assert kept.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert kept.facts["who"] in "ab"


def gib(count):
    return repr(count * EACH / 2**30)


def used(key, seconds_ago):
    when = time.time() - seconds_ago
    os.utime(cache.folder() / f"{key}.json", (when, when))


def test_the_least_recently_used_goes_first(monkeypatch):
    monkeypatch.setenv(cache.LIMIT, gib(12))
    for age, key in enumerate("abc"):
        keep(key)
        used(key, 100 - age)
    assert cache.recall("a")  # used just now
    assert [each.key for each in cache.holdings()] == ["a", "c", "b"]
    keep("d", 1)
    assert {each.key for each in cache.holdings()} == {"a", "c", "d"}
    keep("e", 10)
    assert {each.key for each in cache.holdings()} == {"d", "e"}
    assert sum(each.size for each in cache.holdings()) <= cache.limit()


def test_pictures_in_use_stay_readable_when_dropped():
    kept = keep("k")
    cache.clear()
    assert (kept.pixels == pixels(4)).all()


def test_more_than_the_limit_is_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setenv(cache.LIMIT, gib(4))
    keep("old", 4)
    with pytest.raises(InputError, match="the pictures take") as caught:
        cache.keep("k", "", SHAPE, 5, (pytest.fail("it was read") for _ in "1"), lambda: None)
    assert f"{cache.LIMIT}=1" in caught.value.do
    assert cache.recall("old")


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e300"])
def test_a_limit_that_is_none(monkeypatch, text):
    monkeypatch.setenv(cache.LIMIT, text)
    with pytest.raises(InputError, match=cache.LIMIT) as caught:
        cache.limit()
    assert caught.value.exit_code == 2


def test_limits(monkeypatch):
    assert cache.limit() == 20 * 2**30
    monkeypatch.setenv(cache.LIMIT, "0.5")
    assert cache.limit() == 2**29


def test_clear():
    keep("a", 1)
    keep("b", 3)
    assert [(each.key, each.about, each.size) for each in sorted(cache.holdings(), key=lambda each: each.key)] == [
        ("a", "/from/a", EACH),
        ("b", "/from/b", 3 * EACH),
    ]
    assert cache.clear() == 4 * EACH
    assert cache.holdings() == []
    assert files() == []
    assert cache.clear() == 0


def test_a_home_that_cannot_be_written(home, tmp_path, monkeypatch):
    home.write_text("a file in the way")  # permissions would not stop root
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spare = tmp_path / f"difftool-{os.getuid()}"
    assert cache.folder() == spare
    assert spare.stat().st_mode & 0o777 == 0o700
    keep("k")
    assert cache.recall("k")
    assert sorted(path.name for path in spare.iterdir()) == ["k.json", "k.u8"]


def test_a_spare_folder_of_somebody_else_is_not_used(home, tmp_path, monkeypatch):
    home.write_text("a file in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spare = tmp_path / f"difftool-{os.getuid()}"
    spare.mkdir()
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine)
    lstat = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: os.stat_result((0, 0, 0, 0, mine + 1, *lstat(path)[5:])))
    with pytest.raises(DiskError, match="no folder"):
        cache.folder()


def test_no_pickle():
    """A cache is a file that others may write: nothing in it is ever run."""
    for path in Path(difftool.data.__file__).parent.glob("*.py"):
        text = path.read_text()
        assert not any(word in text for word in ("pickle", "np.load(", "np.save", "marshal", "shelve")), path
    keep("k", facts={"bad": []})
    assert (cache.folder() / "k.u8").read_bytes() == pixels(4).tobytes()
    assert json.loads((cache.folder() / "k.json").read_bytes())["facts"] == {"bad": []}
