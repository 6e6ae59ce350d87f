"""The pcapng capture file: blocks of a type, a length, a body and the length again.

Source: draft-ietf-opsawg-pcapng. A file is a row of sections, each with its own byte order and its own
interfaces; blocks of types not needed here (names, statistics, secrets, custom ones) are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from skverdict.runtime.capture.errors import CaptureError
from skverdict.runtime.capture.record import LONGEST_PACKET, Content, Record

MAGIC = b"\x0a\x0d\x0d\x0a"
"""Block type of a section header, the same in both byte orders."""

SECTION_HEADER = 0x0A0D0D0A
INTERFACE = 1
OBSOLETE_PACKET = 2
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6

ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
"""The byte-order magic behind a section header's length: byte order for `struct`."""

SMALLEST_BODY = {SECTION_HEADER: 16, INTERFACE: 8, OBSOLETE_PACKET: 20, SIMPLE_PACKET: 4, ENHANCED_PACKET: 20}
"""Bytes of the fixed part of each block's body."""

FRAME = 12
"""Bytes of a block around its body: type and both lengths."""

OPTION_END, OPTION_TIME_RESOLUTION, OPTION_TIME_OFFSET = 0, 9, 14
SECOND = 1_000_000_000
LATEST_TIME = 1 << 63
"""Nanoseconds since the epoch."""


class Interface(NamedTuple):
    """An interface of a section. A time `t` is `t / ticks + offset` seconds since the epoch."""

    link_type: int
    snap_length: int
    ticks: int
    offset: int

    def nanoseconds(self, time: int) -> int:
        """The time since the epoch."""
        return time * SECOND // self.ticks + self.offset * SECOND


class Section(NamedTuple):
    """Byte order of a section, for `struct`, and the interfaces described in it so far."""

    order: str
    interfaces: list[Interface]


def read_pcapng(content: Content, name: str) -> Iterator[Record]:
    """The packets of a pcapng file that begins with `MAGIC`; raises `CaptureError`."""
    section = Section("<", [])
    at, number, size = 0, 0, len(content)
    while at < size:
        if content[at : at + 4] == MAGIC:
            section = Section(_byte_order(content, at, name), [])
        kind, body, following = _block(content, at, section.order, name)
        if kind == SECTION_HEADER:
            (major,) = struct.unpack_from(section.order + "H", content, body + 4)
            if major != 1:
                raise CaptureError(name, body + 4, f"pcapng version {major} is unknown; this reads version 1")
        elif kind == INTERFACE:
            section.interfaces.append(_interface(content, body, following - 4, section.order, name))
        elif kind in (ENHANCED_PACKET, OBSOLETE_PACKET, SIMPLE_PACKET):
            number += 1
            yield _packet(content, kind, body, following - 4, section, number, name)
        at = following


def _byte_order(content: Content, at: int, name: str) -> str:
    """Byte order of the section whose header is the block at `at`."""
    magic = content[at + 8 : at + 12]
    if len(magic) < 4:
        raise CaptureError(name, len(content), "the file ends inside a section header")
    if magic not in ORDERS:
        raise CaptureError(name, at + 8, f"byte-order magic {magic.hex()} is neither 4d3c2b1a nor 1a2b3c4d")
    return ORDERS[magic]


def _block(content: Content, at: int, order: str, name: str) -> tuple[int, int, int]:
    """Type of the block at `at`, where its body begins, and where the next block begins."""
    left = len(content) - at
    if left < FRAME:
        raise CaptureError(name, at, f"the file ends inside a block header: {left} bytes left of {FRAME}")
    kind, length = struct.unpack_from(order + "II", content, at)
    if length % 4 or length < FRAME + SMALLEST_BODY.get(kind, 0):
        raise CaptureError(name, at + 4, f"a block of type {kind:#x} cannot be {length} bytes long")
    if length > left:
        raise CaptureError(name, at, f"the file ends inside a block: {length} bytes claimed, {left} there")
    (again,) = struct.unpack_from(order + "I", content, at + length - 4)
    if again != length:
        raise CaptureError(
            name, at + length - 4, f"a block of {length} bytes closes with the length {again}, not its own"
        )
    return kind, at + 8, at + length


def _interface(content: Content, body: int, end: int, order: str, name: str) -> Interface:
    """The interface that the block's body from `body` to `end` describes."""
    link, snap_length = struct.unpack_from(order + "H2xI", content, body)
    ticks, offset = 1_000_000, 0
    at = body + 8
    while end - at >= 4:
        code, length = struct.unpack_from(order + "HH", content, at)
        at += 4
        if code == OPTION_END:
            break
        if length > end - at:
            raise CaptureError(name, at - 2, f"an option of {length} bytes does not fit its interface block")
        if code == OPTION_TIME_RESOLUTION and length >= 1:
            power = content[at]
            ticks = 2 ** (power & 0x7F) if power & 0x80 else 10**power
        elif code == OPTION_TIME_OFFSET and length >= 8:
            (offset,) = struct.unpack_from(order + "q", content, at)
        at += (length + 3) // 4 * 4
    return Interface(link, snap_length, ticks, offset)


def _packet(
    content: Content, kind: int, body: int, end: int, section: Section, number: int, name: str
) -> Record:
    """The packet of a packet block of any of the three kinds, whose body ends at `end`."""
    interface_number, time = 0, 0
    start = body + SMALLEST_BODY[kind]
    room = end - start
    if kind == SIMPLE_PACKET:
        (length,) = struct.unpack_from(section.order + "I", content, body)
    else:
        layout = section.order + ("IIIII" if kind == ENHANCED_PACKET else "H2xIIII")
        interface_number, high, low, captured, length = struct.unpack_from(layout, content, body)
        time = high << 32 | low
    known = len(section.interfaces)
    if interface_number >= known:
        raise CaptureError(
            name, body, f"packet {number} is of interface {interface_number}, and {known} are described"
        )
    interface = section.interfaces[interface_number]
    if kind == SIMPLE_PACKET:
        captured = min(length, interface.snap_length or length, room)
    if captured > min(room, LONGEST_PACKET):
        raise CaptureError(name, body, f"packet {number} claims {captured} bytes, and its block has {room}")
    nanoseconds = interface.nanoseconds(time) if time else 0
    if not 0 <= nanoseconds < LATEST_TIME:
        raise CaptureError(name, body, f"packet {number} has a time outside the years 1970 to 2262")
    return Record(
        number,
        nanoseconds,
        interface.link_type,
        start,
        start + captured,
        max(length, captured),
    )
