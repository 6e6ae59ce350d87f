"""One captured packet, as both file formats give it."""

from __future__ import annotations

from mmap import mmap
from typing import NamedTuple

Content = bytes | mmap
"""A file in memory, or mapped into it."""

LONGEST_PACKET = 1 << 20
"""Bytes; twice the longest packet that Linux builds (BIG TCP, 512 KiB). A longer one is a corrupt length."""


class Record(NamedTuple):
    """One packet: bytes `start` to `end` of the file, of `length` bytes on the wire.

    `number` counts from 1 as Wireshark does. `time` is nanoseconds since the epoch, 0 where it has none.
    `link_type` is a LINKTYPE_ number, which says what the packet begins with.
    """

    number: int
    time: int
    link_type: int
    start: int
    end: int
    length: int
