"""The classic capture file: a header of 24 bytes, then packets with a header of 16 bytes each.

Source: draft-ietf-opsawg-pcap. The file's magic number says its byte order and the unit of its times.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from skverdict.runtime.capture.errors import CaptureError
from skverdict.runtime.capture.record import LONGEST_PACKET, Content, Record

MAGICS: dict[bytes, tuple[str, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""First four bytes of the file: byte order for `struct`, and nanoseconds in a unit of the fraction field."""

FILE_HEADER = 24
PACKET_HEADER = 16
SECOND = 1_000_000_000


def read_pcap(content: Content, name: str) -> Iterator[Record]:
    """The packets of a pcap file whose magic number is one of `MAGICS`; raises `CaptureError`."""
    order, unit = MAGICS[content[:4]]
    size = len(content)
    if size < FILE_HEADER:
        raise CaptureError(name, size, f"the file ends inside its header of {FILE_HEADER} bytes")
    major, minor, link = struct.unpack_from(order + "HH12xI", content, 4)
    if major != 2:
        raise CaptureError(name, 4, f"pcap version {major}.{minor} is unknown; this reads version 2")
    link &= 0xFFFF  # the upper half tells about frame check sequences, which IP lengths trim anyway
    header = struct.Struct(order + "IIII").unpack_from
    at, number = FILE_HEADER, 0
    while at < size:
        number += 1
        if size - at < PACKET_HEADER:
            raise CaptureError(name, at, f"the file ends inside the header of packet {number}")
        seconds, fraction, captured, length = header(content, at)
        start = at + PACKET_HEADER
        end = start + captured
        if captured > LONGEST_PACKET:
            raise CaptureError(name, at + 8, f"packet {number} claims {captured} bytes, which no packet has")
        if end > size:
            there = f"{captured} bytes claimed, {size - start} there"
            raise CaptureError(name, start, f"the file ends inside packet {number}: {there}")
        if length < captured:
            length = captured
        yield Record(number, seconds * SECOND + fraction * unit, link, start, end, length)
        at = end
