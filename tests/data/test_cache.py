"""Pictures kept between runs: whole, never more than the limit, and never trusted when damaged."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import difftool.data
from difftool.builtin.avatars import Avatars
from difftool.data import cache
from difftool.data.locked import begun
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


def files(folder=None):
    """Their names, but for the tokens that tell one writer's from another's."""
    return sorted(re.sub(r"\.[0-9a-f]{8}\.", ".", path.name) for path in (folder or cache.folder()).iterdir())


def pictures_of(key):
    (path,) = cache.folder().glob(f"{key}.*.u8")
    return path


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
        b'{"shape": [4, 2, 3, 1], "token": "TOKEN"}',
        b'{"shape": [4, 2, 3, 1], "facts": 1}',
        b'{"shape": [4, 2, 3, 1], "facts": 1, "token": "00000000"}',
        b'{"shape": [4, 2, 3, 1], "facts": 1, "token": 5}',
        b'{"shape": [4, 2, 3, 1], "facts": 1, "token": "\\u0000"}',
        b'{"shape": [4, 2, 3, 1], "facts": 1, "token": "/x/TOKEN"}',
        b'{"shape": 3, "facts": 1, "token": "TOKEN"}',
        b'{"shape": ["x", 2, 3, 1], "facts": 1, "token": "TOKEN"}',
        b'{"shape": [4.0, 2, 3, 1], "facts": 1, "token": "TOKEN"}',
        b'{"shape": [5, 2, 3, 1], "facts": 1, "token": "TOKEN"}',
        b'{"shape": [-4, -2, 3, 1], "facts": 1, "token": "TOKEN"}',
        b'{"shape": [0], "facts": 1, "token": "TOKEN"}',
    ],
)
def test_a_damaged_note_is_no_entry(damage):
    keep("k")
    table = cache.folder() / "k.json"
    table.write_bytes(damage.replace(b"TOKEN", pictures_of("k").name.split(".")[1].encode()))
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
    os.truncate(pictures_of("k"), length)
    assert cache.recall("k") is None
    assert (keep("k").pixels == pixels(4)).all()


def test_one_half_of_an_entry_is_none():
    keep("a")
    keep("b")
    (cache.folder() / "a.json").unlink()
    pictures_of("b").unlink()
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


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), InputError("no")])
def test_what_fails_in_the_drawing_is_not_the_caches_fault(error):
    def rows():
        yield pixels(1)
        raise error

    with pytest.raises(type(error)) as caught:
        cache.keep("k", "", SHAPE, 4, rows(), lambda: None)
    assert caught.value is error
    assert files() == []


@pytest.mark.parametrize(
    "block", [pixels(2).astype(np.float32), pixels(2).transpose(0, 2, 1, 3), pixels(2)[..., 0], pixels(2).repeat(3, 3)]
)
def test_blocks_of_another_shape_or_type_are_refused(block):
    with pytest.raises(ValueError, match=r"mine: a picture to keep is .*, expected uint8 \[2, 3, 1\]"):
        cache.keep("k", "mine", SHAPE, 4, iter([pixels(2), block]), lambda: None)
    assert files() == []


def test_a_drawer_s_keys_are_its_own():
    """What it depends on may be called like what the cache itself depends on."""
    drawn = []

    def draw(index):
        drawn.append(index)
        return pixels(1)[0]

    for about, depends in [("a", {}), ("a", {"shape": 1}), ("a", {"drawn": "b"}), ("b", {}), ("a", {"format": 9})]:
        for _ in range(2):
            cache.drawn(about, depends, (1, *SHAPE), draw, lambda done, total: None)
    assert len(drawn) == 5
    assert cache.key_of({"format": cache.FORMAT}) != cache.key_of({})


def test_a_full_disk_is_told(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="cannot be kept") as caught:
        keep("k")
    assert caught.value.why == "No space left on device"
    assert caught.value.where == str(cache.folder())
    assert files() == []


def test_a_note_that_cannot_be_put_in_place_goes_away(monkeypatch):
    replace = Path.replace

    def full(path, target):
        if target.suffix == ".json":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DiskError, match="cannot be kept"):
        keep("k")
    assert files() == ["k.u8"]
    monkeypatch.undo()
    cache.clear()
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
    assert files() == ["k.part"]
    keep("other")
    assert files() == ["other.json", "other.u8"]
    assert cache.recall("other")


def test_what_is_being_written_stays_and_counts(monkeypatch):
    monkeypatch.setenv(cache.LIMIT, gib(12))
    keep("old", 4)

    def rows():
        yield pixels(4)
        assert cache.clear() == 4 * EACH
        assert files() == ["k.part"]
        yield pixels(1)

    assert len(cache.keep("k", "", SHAPE, 5, rows(), lambda: None).pixels) == 5
    assert files() == ["k.json", "k.u8"]


def test_parts_count_as_taken(monkeypatch):
    """Another process writes 8 of at most 12: an old entry of 4 has to go for 4 more."""
    monkeypatch.setenv(cache.LIMIT, gib(12))
    keep("old", 4)
    with begun(cache.folder() / "x.00000000.part") as out:
        out.write(pixels(8).tobytes())
        out.flush()
        keep("new", 4)
        assert files() == ["new.json", "new.u8", "x.part"]
    assert files() == ["new.json", "new.u8"]


def test_orphans_go_but_not_those_that_are_about_to_be_named():
    keep("k")
    keep("other")
    (cache.folder() / "k.json").unlink()
    with pictures_of("k").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cache.clear()
        assert files() == ["k.u8"]
    assert cache.clear() == 4 * EACH
    assert files() == []


def test_a_part_that_is_swept_before_it_is_locked_is_begun_again(monkeypatch):
    flock, part = fcntl.flock, cache.folder() / "k.00000000.part"

    def late(file, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        part.unlink()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with begun(part) as out:
        out.write(b"x")
        out.flush()
        assert part.read_bytes() == b"x"


def test_without_locks_only_what_is_old_goes(monkeypatch):
    def none(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    part = cache.folder() / "x.00000000.part"
    part.touch()
    keep("k")
    assert files() == ["k.json", "k.u8", "x.part"]
    os.utime(part, (0, time.time() - 2 * 86_400))
    keep("other")
    assert files() == ["k.json", "k.u8", "other.json", "other.u8"]
    cache.clear()
    assert files() == []


def test_another_pillow_draws_faces_anew(monkeypatch):
    Avatars(size=16, count=1).open()
    monkeypatch.setattr("PIL.__version__", "0.1")
    Avatars(size=16, count=1).open()
    assert len(cache.holdings()) == 2


def test_an_entry_that_came_meanwhile_is_kept_and_ours_thrown_away():
    """Otherwise one's pictures might be read with what the other says of them."""

    def rows():
        yield pixels(2)
        keep("k", 3, facts="theirs")
        yield pixels(2)

    kept = cache.keep("k", "", SHAPE, 4, rows(), lambda: "mine")
    assert (kept.facts, len(kept.pixels)) == ("theirs", 3)
    assert files() == ["k.json", "k.u8"]


def test_facts_never_meet_other_pictures(monkeypatch):
    """Even if both find nothing just before they put theirs in place."""
    recall = cache.recall

    def rows():
        yield pixels(4)
        keep("k", 4, value=7, facts="theirs")
        monkeypatch.setattr(cache, "recall", blind)

    def blind(key):
        monkeypatch.setattr(cache, "recall", recall)

    theirs = keep("k", 4, value=7, facts="theirs")
    cache.drop("k")
    mine = cache.keep("k", "", SHAPE, 4, rows(), lambda: "mine")
    assert (mine.facts, (mine.pixels == pixels(4)).all()) == ("mine", True)
    assert (theirs.pixels == pixels(4, 7)).all()
    keep("other")  # sweeps
    assert files() == ["k.json", "k.u8", "other.json", "other.u8"]
    assert (cache.recall("k").pixels == pixels(4)).all()


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


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf", "1e300"])
def test_a_limit_that_is_none(monkeypatch, text):
    monkeypatch.setenv(cache.LIMIT, text)
    with pytest.raises(InputError, match=cache.LIMIT) as caught:
        cache.limit()
    assert caught.value.exit_code == 2


def test_limits(monkeypatch):
    assert cache.limit() == 20 * 2**30
    monkeypatch.setenv(cache.LIMIT, "")
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
    assert files(spare) == ["k.json", "k.u8"]


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
    assert pictures_of("k").read_bytes() == pixels(4).tobytes()
    assert json.loads((cache.folder() / "k.json").read_bytes())["facts"] == {"bad": []}
