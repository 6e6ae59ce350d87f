"""The two file formats, and every way in which a file of them can be broken."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.runtime.capture import CaptureError, parse_capture, read_capture

from tests.runtime.capture_files import (
    Frame,
    Talk,
    block,
    enhanced,
    interface,
    pcap,
    section_header,
    segment,
)

HELLO = Talk().opened().say("client", 0, b"hello").say("server", 0, b"world", acknowledges=5)
FRAMES = HELLO.frames


def payloads(content: bytes) -> list[tuple[bool, bytes]]:
    events = parse_capture(content).events
    return [(event.from_client, event.data) for event in events if event.kind == "data"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("nano", "unit"), [(False, 1000), (True, 1)])
def test_pcap_in_each_byte_order_and_time_unit(order: str, nano: bool, unit: int) -> None:
    capture = parse_capture(pcap(FRAMES, order=order, nano=nano))
    data = [event for event in capture.events if event.kind == "data"]
    assert [(event.from_client, event.data) for event in data] == [(True, b"hello"), (False, b"world")]
    assert [event.time for event in data] == [4 * 10**9 + 5 * unit, 5 * 10**9 + 5 * unit]
    assert [event.packet for event in data] == [4, 5]
    assert capture.packets == 5


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_in_each_byte_order(order: str) -> None:
    content = section_header(order) + interface(order=order)
    content += b"".join(enhanced(frame, order=order) for frame in FRAMES)
    assert payloads(content) == [(True, b"hello"), (False, b"world")]


def test_pcapng_sections_of_both_orders_and_blocks_of_other_kinds() -> None:
    first = section_header("<") + interface() + block(5, b"\0" * 8) + block(0xBAD, b"custom")
    first += b"".join(enhanced(frame) for frame in FRAMES[:4])
    second = section_header(">") + interface(order=">") + enhanced(FRAMES[4], order=">")
    assert payloads(first + second) == [(True, b"hello"), (False, b"world")]


@pytest.mark.parametrize(
    ("options", "ticks", "nanoseconds"),
    [
        (b"", 1_500_000, 1_500_000_000),
        (struct.pack("<HHB3xHH", 9, 1, 9, 0, 0), 1_500_000_000, 1_500_000_000),
        (struct.pack("<HHB3x", 9, 1, 0x80 | 10), 1536, 1_500_000_000),
        (struct.pack("<HH4sHHB3xHHq", 2, 4, b"eth0", 9, 1, 3, 14, 8, 100), 1500, 101_500_000_000),
    ],
    ids=["microseconds", "nanoseconds", "power of two", "name, milliseconds, offset"],
)
def test_pcapng_times(options: bytes, ticks: int, nanoseconds: int) -> None:
    content = section_header() + interface(options=options)
    content += b"".join(enhanced(frame, time=ticks) for frame in FRAMES)
    assert {event.time for event in parse_capture(content).events} == {nanoseconds}


def test_pcapng_simple_and_obsolete_packets() -> None:
    content = section_header() + interface(snap=70)
    content += b"".join(block(3, struct.pack("<I", len(frame)) + frame) for frame in FRAMES[:3])
    old = FRAMES[3]
    content += block(2, struct.pack("<HHIIII", 0, 0, 0, 1, len(old), len(old)) + old)
    long = segment(("10.0.0.2", 80), ("10.0.0.1", 40000), 5001, 1006, payload=b"x" * 40)
    content += block(3, struct.pack("<I", len(long)) + long[:70])
    events = parse_capture(content).events
    assert [(event.kind, event.data, event.missing) for event in events] == [
        ("open", b"", 0),
        ("data", b"hello", 0),
        ("data", b"x" * 16, 0),
        ("hole", b"", 24),
    ]


GOOD = pcap(FRAMES)
GOOD_NG = section_header() + interface() + enhanced(FRAMES[0])


@pytest.mark.parametrize(
    ("content", "offset", "problem"),
    [
        (b"", 0, "the file is empty"),
        (b"\xd4\xc3", 2, "the file ends inside its magic number"),
        (b"GIF89a", 0, "magic number 47494638 is neither pcap's nor pcapng's"),
        (b"\x1f\x8b\x08\0", 0, "this is a gzip file; gunzip it first"),
        (GOOD[:20], 20, "the file ends inside its header of 24 bytes"),
        (GOOD[:4] + b"\x03" + GOOD[5:], 4, "pcap version 3.4 is unknown; this reads version 2"),
        (GOOD[:30], 24, "the file ends inside the header of packet 1"),
        (GOOD[:50], 40, "the file ends inside packet 1: 60 bytes claimed, 10 there"),
        (GOOD[:-1], len(GOOD) - 60, "the file ends inside packet 5: 60 bytes claimed, 59 there"),
        (GOOD[:32] + b"\xff" * 4 + GOOD[36:], 32, "packet 1 claims 4294967295 bytes, which no packet has"),
        (GOOD_NG[:10], 10, "the file ends inside a section header"),
        (
            GOOD_NG[:8] + b"abcd" + GOOD_NG[12:],
            8,
            "byte-order magic 61626364 is neither 4d3c2b1a nor 1a2b3c4d",
        ),
        (GOOD_NG[:12] + b"\x02" + GOOD_NG[13:], 12, "pcapng version 2 is unknown; this reads version 1"),
        (GOOD_NG[:35], 28, "the file ends inside a block header: 7 bytes left of 12"),
        (GOOD_NG[:-4], 48, "the file ends inside a block: 92 bytes claimed, 88 there"),
        (
            GOOD_NG[:-4] + b"\0" * 4,
            len(GOOD_NG) - 4,
            "a block of 92 bytes closes with the length 0, not its own",
        ),
        (section_header() + block(6, b"\0" * 16), 32, "a block of type 0x6 cannot be 28 bytes long"),
        (
            section_header() + b"\1\0\0\0\x15\0\0\0" + b"\0" * 20,
            32,
            "a block of type 0x1 cannot be 21 bytes long",
        ),
        (section_header() + enhanced(b""), 36, "packet 1 is of interface 0, and 0 are described"),
        (
            section_header() + interface() + block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9) + b"12345678"),
            56,
            "packet 1 claims 9 bytes, and its block has 8",
        ),
        (
            section_header() + interface(options=struct.pack("<HHq", 14, 8, -1)) + enhanced(b"", time=5),
            68,
            "packet 1 has a time outside the years 1970 to 2262",
        ),
        (
            section_header() + interface(options=struct.pack("<HH", 9, 40)),
            46,
            "an option of 40 bytes does not fit its interface block",
        ),
    ],
)
def test_a_broken_file_is_named_with_place_and_fault(content: bytes, offset: int, problem: str) -> None:
    with pytest.raises(CaptureError) as caught:
        parse_capture(content, "broken.pcap")
    assert str(caught.value) == f"broken.pcap: byte {offset}: {problem}"
    assert (caught.value.file, caught.value.offset, caught.value.problem) == ("broken.pcap", offset, problem)


def packets_or_offset(content: bytes) -> tuple[int, int | None]:
    try:
        return parse_capture(content).packets, None
    except CaptureError as error:
        return 0, error.offset


@pytest.mark.parametrize("whole", [GOOD, GOOD_NG], ids=["pcap", "pcapng"])
def test_every_cut_is_an_error_or_a_shorter_capture(whole: bytes) -> None:
    read = [packets_or_offset(whole[:length]) for length in range(len(whole))]
    assert all(offset is None or offset <= length for length, (_, offset) in enumerate(read))
    assert max(packets for packets, _ in read) < parse_capture(whole).packets


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([GOOD, GOOD_NG]), st.data())
def test_a_damaged_file_gives_an_error_or_a_capture(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    packets, offset = packets_or_offset(bytes(damaged))
    assert packets <= 6
    assert offset is None or offset <= len(damaged)


def test_packets_captured_short_leave_a_hole() -> None:
    frame = segment(("10.0.0.1", 40000), ("10.0.0.2", 80), 1001, 1, payload=b"a" * 100)
    events = parse_capture(pcap([Frame(frame, 54 + 30)])).events
    assert [(event.kind, event.data, event.missing) for event in events[1:]] == [
        ("data", b"a" * 30, 0),
        ("hole", b"", 70),
    ]


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "hello.pcap"
    path.write_bytes(GOOD)
    capture = read_capture(path)
    assert capture.file == str(path)
    assert len(capture.connections) == 1
    with pytest.raises(FileNotFoundError):
        read_capture(tmp_path / "absent.pcap")
