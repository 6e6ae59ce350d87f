"""`read_capture`: a capture file to what it holds of TCP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from skverdict.runtime.capture import pcap, pcapng
from skverdict.runtime.capture.connections import Capture, Connections, Event
from skverdict.runtime.capture.errors import CaptureError
from skverdict.runtime.capture.link import LINK_TYPES
from skverdict.runtime.capture.network import Segment, decode
from skverdict.runtime.capture.record import Content, Record

Reader = Callable[[Content, str], Iterator[Record]]

STRIDE = 64
"""Packets between two calls of `told`."""

FORMATS: dict[bytes, Reader] = {
    pcapng.MAGIC: pcapng.read_pcapng,
    **dict.fromkeys(pcap.MAGICS, pcap.read_pcap),
}
"""First four bytes of a file: what reads it."""

STRANGERS = {
    b"\x1f\x8b": "a gzip file; gunzip it first",
    b"(\xb5/\xfd": "a zstd file; unzstd it first",
    b"BZh": "a bzip2 file; bunzip2 it first",
    b"\xfd7zXZ": "an xz file; unxz it first",
    b"\x34\xcd\xb2\xa1": "a pcap file of the variant by Alexey Kuznetsov; rewrite it with editcap",
    b"\xa1\xb2\xcd\x34": "a pcap file of the variant by Alexey Kuznetsov; rewrite it with editcap",
    b"snoop\0": "a snoop file; rewrite it with editcap",
}
"""First bytes of what is often taken for a capture."""


def read_capture(path: str | os.PathLike[str]) -> Capture:
    """The TCP connections of a pcap or pcapng file; `CaptureError` for a bad file, `OSError` for none."""
    with open(path, "rb") as file:
        return parse_capture(file.read(), os.fspath(path))


def parse_capture(
    content: Content, name: str = "<capture>", told: Callable[[int], None] | None = None
) -> Capture:
    """The TCP connections in the bytes of a pcap or pcapng file; `name` stands in errors.

    `told` is called now and then with the number of bytes that have been read.
    """
    capture = Capture(name)
    capture.events = list(events_of(content, capture, told))
    return capture


def events_of(
    content: Content, capture: Capture, told: Callable[[int], None] | None = None
) -> Iterator[Event]:
    """The events in the bytes of a file as it is read; all else of `capture` is filled in meanwhile.

    `told` is called as by `parse_capture`: no byte before is needed any more. Raises CaptureError.
    """
    connections = Connections(capture)
    happened = connections.events
    for record in _format(content, capture.file)(content, capture.file):
        if told is not None and not record.number % STRIDE:
            told(record.start)
        segment = _segment(content, record)
        if isinstance(segment, Segment):
            connections.take(segment, content, record)
        else:
            connections.note(segment, record.number)
        capture.packets += 1
        if happened:
            for event in happened:
                capture.payload += len(event.data)
                yield event
            happened.clear()
    connections.finish()


def _format(content: Content, name: str) -> Reader:
    if not content:
        raise CaptureError(name, 0, "the file is empty")
    if len(content) < 4:
        raise CaptureError(name, len(content), "the file ends inside its magic number")
    reader = FORMATS.get(content[:4])
    if reader is not None:
        return reader
    for start, what in STRANGERS.items():
        if content[: len(start)] == start:
            raise CaptureError(name, 0, f"this is {what}")
    raise CaptureError(name, 0, f"magic number {content[:4].hex()} is neither pcap's nor pcapng's")


def _segment(content: Content, record: Record) -> Segment | str:
    """The TCP segment of a packet, or why it gives none."""
    _, _, link_type, begin, end, length = record
    link = LINK_TYPES.get(link_type)
    if link is None:
        return f"has link type {link_type}, which is not known here"
    ether_type, start = link(content, begin, end)
    return decode(content, ether_type, start, end, length - (start - begin))
