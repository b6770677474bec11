"""TensorBoard's event files, written without TensorBoard: records with checksums, and in them a few protobuf messages.

A message is a row of fields, each a number, a type and a value; only what is needed here is here. The numbers of the
fields are those of event.proto, summary.proto and tensor.proto.
"""

from __future__ import annotations

import functools
import math
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path

PREFIX = "events.out.tfevents."
VERSION = "brain.Event:2"
"""From this version on, readers go by START, not by steps that fall."""
PNG = b"\x89PNG\r\n\x1a\n"
CASTAGNOLI = 0x82F63B78
"""The polynomial of CRC-32C, its bits in reverse as the checksum has them."""
STRINGS = 7
"""A tensor's type: text."""


def varint(number: int) -> bytes:
    """A whole number, seven bits a byte, lowest first."""
    number &= (1 << 64) - 1
    head = bytearray()
    while number > 127:
        head.append(number & 127 | 128)
        number >>= 7
    return bytes([*head, number])


def field(key: int, value: int | float | str | bytes) -> bytes:
    """One field of a message: a whole number, a number in 64 bits, a text, or bytes, as of another message."""
    if isinstance(value, int):
        return varint(key << 3) + varint(value)
    if isinstance(value, float):
        return varint(key << 3 | 1) + struct.pack("<d", value)
    content = value.encode() if isinstance(value, str) else value
    return varint(key << 3 | 2) + varint(len(content)) + content


def scalar(tag: str, value: float) -> bytes:
    """A number, as a value of a summary: in 32 bits, where one too large for them becomes infinite."""
    try:
        single = struct.pack("<f", value)
    except OverflowError:
        single = struct.pack("<f", math.copysign(math.inf, value))
    return field(1, tag) + varint(2 << 3 | 5) + single


def image(tag: str, png: bytes) -> bytes | None:
    """A picture, as a value of a summary; None if these are no bytes of a PNG."""
    if not png.startswith(PNG) or len(png) < 24:
        return None
    width, height = struct.unpack(">II", png[16:24])
    return field(1, tag) + field(4, field(1, height) + field(2, width) + field(3, 3) + field(4, png))


def text(tag: str, words: str) -> bytes:
    """A text in Markdown, as a value of a summary."""
    tensor = field(1, STRINGS) + field(2, b"") + field(8, words)
    return field(1, tag) + field(8, tensor) + field(9, field(1, field(1, "text")))


def record(data: bytes) -> bytes:
    """The bytes with their length and the checksums of both."""
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def masked(data: bytes) -> bytes:
    """The checksum as it is written: turned and moved, since a checksum of checksums would be weak."""
    check = crc32c(data)
    return struct.pack("<I", ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def crc32c(data: bytes) -> int:
    """The checksum of the bytes."""
    table, register = _table(), 0xFFFFFFFF
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ register >> 8
    return register ^ 0xFFFFFFFF


@functools.cache
def _table() -> list[int]:
    """What a byte alone does to the register."""
    table = list(range(256))
    for _ in range(8):
        table = [register >> 1 ^ (register & 1) * CASTAGNOLI for register in table]
    return table


class EventFile:
    """A new file of events in a folder; each event goes out whole, in one write."""

    def __init__(self, folder: Path) -> None:
        # Files are read in the order of their names, so a later one must not have an earlier time, whatever clocks say.
        times = [path.name.removeprefix(PREFIX).split(".")[0] for path in folder.glob(f"{PREFIX}*")]
        start = max([int(time.time()), *(int(each) + 1 for each in times if each.isdecimal())])
        self.path = folder / f"{PREFIX}{start:010d}.{socket.gethostname()}"
        self._file = self.path.open("xb", buffering=0)
        self._event(time.time(), 0, field(3, VERSION))

    def start(self, when: float, step: int) -> None:
        """A session starts: whatever was written for this step and later ones is void."""
        self._event(when, step, field(7, field(1, 1)))

    def summary(self, when: float, step: int, values: Iterable[bytes]) -> None:
        """The values of a step, unless there are none."""
        if content := b"".join(field(1, value) for value in values):
            self._event(when, step, field(5, content))

    def close(self) -> None:
        """No more events."""
        self._file.close()

    def _event(self, when: float, step: int, what: bytes) -> None:
        rest = memoryview(record(field(1, float(when)) + field(2, step) + what))
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            self.close()  # whoever fails is not asked again
            raise
