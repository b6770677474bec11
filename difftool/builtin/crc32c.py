"""The checksum CRC-32C (Castagnoli) of many bytes at once: pictures take milliseconds, and training waits for them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Words = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]

POLYNOMIAL = 0x82F63B78  # bits in reverse, as the checksum has them
FULL = b"Td\x1fd"
"""Bytes that take the register from 0 to all ones, where the checksum is to begin."""


def crc32c(data: bytes) -> int:
    """The checksum of the bytes.

    The register is linear in all that went into it: what two halves leave there, each from 0, adds up once the first
    is moved on over the length of the second. So neighbours are joined pairwise, all pairs in one operation, until one
    is left. Zeros in front leave the register at 0: with them the number of words is made a power of two.
    """
    import numpy as np

    count = (len(FULL) + len(data) + 3) // 4
    levels = (count - 1).bit_length()
    words = np.frombuffer((FULL + data).rjust(4 << levels, b"\0"), dtype="<u4").astype(np.uint32)
    words = _moved(words, 2)  # a register that holds four bytes, over these four
    for level in range(levels):
        words = _moved(words[0::2], level + 2) ^ words[1::2]
    return int(words[0]) ^ 0xFFFFFFFF


def _moved(registers: Words, level: int) -> Words:
    """The registers after 2^level further bytes of zeros: what each of its four bytes becomes, added up."""
    import numpy as np

    places = np.ascontiguousarray(registers, dtype="<u4").view(np.uint8).reshape(-1, 4)
    tables = _tables(level)
    moved: Words = tables[0].take(places[:, 0])
    for place in (1, 2, 3):
        moved ^= tables[place].take(places[:, place])
    return moved.reshape(registers.shape)


@functools.cache
def _tables(level: int) -> Words:
    """[4, 256]: what each value in each byte of a register becomes over 2^level bytes of zeros."""
    import numpy as np

    if level:
        return _moved(_tables(level - 1), level - 1)
    registers = [byte << shift for shift in (0, 8, 16, 24) for byte in range(256)]
    for _ in range(8):
        registers = [register >> 1 ^ (register & 1) * POLYNOMIAL for register in registers]
    return np.array(registers, dtype=np.uint32).reshape(4, 256)
