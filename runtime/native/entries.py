"""The form of the entries in which native code looks maps up.

An entry begins with three numbers: where the bytes of the value are (0 until somebody asked for it, or if there is
none), the run in which it last got an address, and that address. An array has an entry for each index. A hash has one
for each key that was asked for, and behind the three whether the map has such a key, the key's place among all that
were asked for, and the key itself, filled up to whole numbers. It lies where the key's hash leads, or a little behind.
"""

from __future__ import annotations

import sys

from skverdict.runtime.machine.semantics import mask

WORD = 8
BYTES, RUN, ADDRESS, STATE, PLACE, KEY = range(0, 48, WORD)
#: Bytes of an array's entry.
SIZE = STATE

EMPTY, PRESENT, ABSENT = range(3)
#: How many entries from where its hash leads may be a key's.
PROBES = 16
#: 2 ** 64 divided by the golden ratio (Knuth, The Art of Computer Programming, section 6.4).
MULTIPLIER = 0x9E3779B97F4A7C15
_FEWEST_BITS, _MOST_BITS = 10, 15


def hashed_size(key_size: int) -> int:
    """Bytes of a hash's entry."""
    return KEY + -(-key_size // WORD) * WORD


def hashed_bits(max_entries: int) -> int:
    """Bits of a key's hash, for a map of so many entries."""
    return min(max((2 * max_entries).bit_length(), _FEWEST_BITS), _MOST_BITS)


def hashed(key: bytes, bits: int) -> int:
    """A key's hash."""
    result = 0
    for at, size in parts_of_key(len(key)):
        part = int.from_bytes(key[at : at + size], sys.byteorder)
        result = (result ^ part) * MULTIPLIER & mask(64)
    return result >> 64 - bits


def parts_of_key(size: int) -> list[tuple[int, int]]:
    """The numbers that the bytes of a key are taken for: where each is, and its size."""
    parts, at = [], 0
    for each in (8, 4, 2, 1):
        while size - at >= each:
            parts.append((at, each))
            at += each
    return parts
