"""Many lines parsed at once say what `records.decode` says of each, whatever stands in them."""

import json
import random

import pytest

from difftool.run import lines
from difftool.run.lines import events_in
from difftool.run.records import decode

GOOD = [
    b'{"kind":"metrics","step":1,"loss":0.5,"loss_q":[1,null,2.5,-0.0]}',
    b'  {"kind" : "log", "message": "\\u00e9\\n\\ud83d\\ude00 e99 100e"}\t\r',
    b'{"kind":"x","kind":"y"}',
    b'{"kind":"x","a":123456789012345678901234567890,"b":-0,"c":1e-400,"d":1.7976931348623157e+308}',
    '{"kind":"log","message":"猫"}'.encode(),
    b'{"kind":"x","commit":"7e0001234"}',
    b'{"kind":"lone","a":"\\ud800"}',
    b'{"kind":"lone","a":"\xed\xa0\x80"}',
    b'{"kind":"deep","a":' + b"[" * 300 + b"]" * 300 + b"}",
    b'\xef\xbb\xbf{"kind":"mark"}',
    '{"kind":"x"}'.encode("utf-16"),
    json.dumps({"kind": "wide", "a": list(range(300))}).encode(),
]
BAD = [
    b"", b" ", b"\0\0\0", b"{}", b"[]", b"[1]", b"7", b'"text"', b"null", b"NaN", b'{"kind":7}', b'{"kind":null}',
    b'{"kind":"x","a":NaN}', b'{"kind":"x","a":-Infinity}', b'{"kind":"x","a":1e999}', b'{"kind":"x","a":-1E+400}',
    b'{"kind":"x","a":[[0.1e0310]]}', b'{"kind":"x","a":' + b"9" * 250 + b"e99}",
    b'{"kind":"x","a":1' + b"0" * 310 + b".5}",
    b'{"kind":"x","a":' + b"9" * 5000 + b"}", b'{"kind":"x","a":01}', b'{"kind":"x","a":1.}', b'{"kind":"x",}',
    b'{"kind":"x","a":"\x01"}', b'{"kind":"x","a":"\\x41"}', b'{"kind":"x","a":"\xff"}', b'{"kind":"x"} {"kind":"x"}',
    b'{"kind":"x"},{"kind":"x"}', b'{"kind":"x","a":[1', b"2]}", b'{"kind":"x","a":[{}', b"{}]}",
    b'{"kind":"x"', b'"a":1}',
    b"{},7,{}", b"]", b"[", b'"', b'{"kind":"x","a":"', b",", b"\xef\xbb\xbf",
    b"[" * 99999,
]  # fmt: skip


def one_by_one(chunk):
    found = [decode(line) for line in chunk.removesuffix(b"\n").split(b"\n")]
    events = [record for record in found if record is not None and isinstance(record.get("kind"), str)]
    return events, len(found) - len(events)


@pytest.mark.parametrize("line", GOOD + BAD, ids=lambda line: repr(line[:30]))
def test_a_line_among_others(line):
    first, last = b'{"kind":"first"}', b'{"kind":"last"}'
    for chunk in (line + b"\n", b"\n".join([first, line, last, b""])):
        assert repr(events_in(chunk)) == repr(one_by_one(chunk))
    assert bool(events_in(line + b"\n")[1]) == (line in BAD)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("piece", [1, 200, 64 << 10])
def test_any_mixture(seed, piece, monkeypatch):
    monkeypatch.setattr(lines, "PIECE", piece)
    pick = random.Random(seed)
    cheap = [line for line in BAD if len(line) < 9999]
    chosen = [pick.choice(GOOD if pick.random() < 0.8 else cheap) for _ in range(pick.randrange(1, 60))]
    if pick.random() < 0.5:  # torn: cut anywhere
        k = pick.randrange(len(chosen))
        chosen[k] = chosen[k][: pick.randrange(len(chosen[k]) + 1)]
    chunk = b"\n".join([*chosen, b""])
    assert repr(events_in(chunk)) == repr(one_by_one(chunk))


def test_two_halves_make_no_whole_though_the_number_of_lines_fits():
    torn = [b'{"kind":"x","a":[{}', b"{}]}", b'{"kind":"a"},{"kind":"b"}']
    for chunk in (b"\n".join([*torn, b""]), b"\n".join([*reversed(torn), b""])):
        assert events_in(chunk) == ([], 3)


def test_numbers_are_the_same_to_the_bit():
    pick = random.Random(0)
    texts = [repr(pick.uniform(-1, 1) * 10.0 ** pick.randrange(-320, 309)) for _ in range(3000)]
    texts += ["".join(pick.choices("0123456789", k=pick.randrange(1, 40))).lstrip("0") + ".5" for _ in range(500)]
    texts += ["0." + "".join(pick.choices("0123456789", k=pick.randrange(1, 60))) for _ in range(500)]
    chunk = b"".join(f'{{"kind":"x","a":{text if text[0] != "." else "0" + text}}}\n'.encode() for text in texts)
    assert events_in(chunk) == one_by_one(chunk)


def test_what_is_undamaged_is_parsed_at_once(monkeypatch):
    monkeypatch.setattr(lines, "decode", pytest.fail)
    chunk = b"".join(json.dumps({"kind": "metrics", "step": k, "lr": k * 1e-5}).encode() + b"\n" for k in range(5000))
    assert [event["step"] for event in events_in(chunk)[0]] == list(range(5000))
