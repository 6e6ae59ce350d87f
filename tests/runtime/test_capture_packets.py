"""Link, IP and TCP headers: the payload is found behind each of them, and what gives none is told."""

from __future__ import annotations

import struct

import pytest
from skverdict.runtime.capture import Note, parse_capture

from tests.runtime.capture_files import ACK, Frame, ethernet, ipv4, ipv6, pcap, tcp

SEGMENT = tcp(40000, 80, 1, 1, ACK, b"payload")
V4 = ipv4("10.0.0.1", "10.0.0.2", SEGMENT)
V6 = ipv6("fd00::1", "fd00::2", SEGMENT)
COOKED = struct.pack(">HHH8s", 0, 1, 6, b"\2" * 8)
COOKED_2 = struct.pack(">HIHBB8s", 0, 1, 1, 0, 6, b"\2" * 8)


def payload(frame: bytes | Frame, link: int = 1) -> bytes:
    return b"".join(event.data for event in parse_capture(pcap([frame], link=link)).events)


def notes(*frames: bytes | Frame, link: int = 1) -> list[Note]:
    capture = parse_capture(pcap(frames, link=link))
    assert not capture.events
    return capture.notes


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ethernet(V4)),
        (1, ethernet(V6)),
        (1, ethernet(V4, tags=b"\x81\x00\x00\x05")),
        (1, ethernet(V6, tags=b"\x88\xa8\x00\x07\x81\x00\x00\x05")),
        (1, ethernet(V4, tags=b"\x91\x00\x00\x07\x81\x00\x00\x05")),
        (113, COOKED + b"\x08\x00" + V4),
        (113, COOKED + b"\x86\xdd" + V6),
        (113, COOKED + b"\x81\x00\x00\x05\x08\x00" + V4),
        (276, b"\x08\x00" + COOKED_2 + V4),
        (276, b"\x86\xdd" + COOKED_2 + V6),
        (276, b"\x81\x00" + COOKED_2 + b"\x00\x05\x08\x00" + V4),
        (101, V4),
        (101, V6),
        (12, V4),
        (14, V4),
        (228, V4),
        (229, V6),
        (0, struct.pack("<I", 2) + V4),
        (0, struct.pack(">I", 2) + V4),
        *[(0, struct.pack("<I", family) + V6) for family in (10, 24, 28, 30)],
        (108, struct.pack(">I", 24) + V6),
    ],
)
def test_payload_behind_each_link_layer(link: int, frame: bytes) -> None:
    assert payload(frame, link) == b"payload"


@pytest.mark.parametrize(
    "headers",
    [
        [(0, b"\0" + bytes(6))],
        [(60, b"\1" + bytes(14))],
        [(43, b"\0" + bytes(6)), (60, b"\0" + bytes(6))],
        [(51, b"\4" + bytes(22))],
        [(44, b"\0" + struct.pack(">HI", 0, 99))],
        [(0, b"\0" + bytes(6)), (44, b"\0" + struct.pack(">HI", 0, 99)), (135, b"\0" + bytes(6))],
    ],
    ids=["hop-by-hop", "options", "routing and options", "authentication", "atomic fragment", "three"],
)
def test_payload_behind_ipv6_extension_headers(headers: list[tuple[int, bytes]]) -> None:
    assert payload(ethernet(ipv6("fd00::1", "fd00::2", SEGMENT, headers=headers))) == b"payload"


def test_addresses_and_ports_of_both_families() -> None:
    capture = parse_capture(pcap([ethernet(V4), ethernet(V6)]))
    assert [(str(c.client), str(c.server)) for c in capture.connections] == [
        ("10.0.0.1:40000", "10.0.0.2:80"),
        ("[fd00::1]:40000", "[fd00::2]:80"),
    ]


@pytest.mark.parametrize("length", range(8))
def test_padding_of_short_frames_is_no_payload(length: int) -> None:
    data = b"x" * length
    frame = ethernet(ipv4("10.0.0.1", "10.0.0.2", tcp(40000, 80, 1, 1, ACK, data)))
    assert len(frame) >= 60
    assert payload(frame) == data


def test_padding_of_an_ipv6_packet_is_no_payload() -> None:
    assert payload(ethernet(V6) + b"trailer") == b"payload"


def test_tcp_options_are_no_payload() -> None:
    assert (
        payload(ethernet(ipv4("10.0.0.1", "10.0.0.2", tcp(1, 2, 1, 1, ACK, b"data", options=12)))) == b"data"
    )


def test_frames_for_the_card_to_cut_up_have_no_length() -> None:
    data = bytes(range(256)) * 300
    segment = tcp(40000, 80, 1, 1, ACK, data)
    assert payload(ethernet(ipv4("10.0.0.1", "10.0.0.2", segment, total=0))) == data
    assert payload(ethernet(ipv6("fd00::1", "fd00::2", segment, length=0))) == data
    jumbo = [(0, b"\0\xc2\4" + struct.pack(">I", len(segment) + 8))]
    assert payload(ethernet(ipv6("fd00::1", "fd00::2", segment, headers=jumbo, length=0))) == data


IP_FRAGMENT = "is an IP fragment; fragments are not put together"
BAD_IP = "has an IP header that a receiver drops"
BAD_TCP = "has a TCP header that a receiver drops"
SHORT = "was captured too short for its headers"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", SEGMENT, fragment=0x2000)), IP_FRAGMENT),
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", b"later part", fragment=0x0010)), IP_FRAGMENT),
        (
            ethernet(ipv6("fd00::1", "fd00::2", SEGMENT, headers=[(44, b"\0" + struct.pack(">HI", 1, 9))])),
            IP_FRAGMENT,
        ),
        (
            ethernet(ipv6("fd00::1", "fd00::2", b"part", headers=[(44, b"\0" + struct.pack(">HI", 64, 9))])),
            IP_FRAGMENT,
        ),
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", SEGMENT, protocol=17)), "is not TCP"),
        (ethernet(ipv6("fd00::1", "fd00::2", SEGMENT, headers=[(50, b"\0" + bytes(6))])), "is not TCP"),
        (b"\2" * 12 + b"\x08\x06" + bytes(46), "is not IP"),
        (b"\2" * 13, "is not IP"),
        (b"\2" * 12 + b"\x81\x00\x00", "is not IP"),
        (ethernet(b"\x44" + V4[1:]), BAD_IP),
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", SEGMENT, total=19)), BAD_IP),
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", SEGMENT, total=1500)), BAD_IP),
        (ethernet(ipv6("fd00::1", "fd00::2", SEGMENT, length=1500)), BAD_IP),
        (
            ethernet(ipv6("fd00::1", "fd00::2", SEGMENT[:4], headers=[(0, b"\1" + bytes(6))]), pad=False),
            BAD_TCP,
        ),
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", SEGMENT[:19])), BAD_TCP),
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", SEGMENT[:12] + b"\x40" + SEGMENT[13:])), BAD_TCP),
        (ethernet(ipv4("10.0.0.1", "10.0.0.2", SEGMENT[:12] + b"\xf0" + SEGMENT[13:])), BAD_TCP),
        (Frame(ethernet(V4), 30), SHORT),
        (Frame(ethernet(V4), 50), SHORT),
        (Frame(ethernet(V6), 50), SHORT),
        (Frame(ethernet(ipv6("fd00::1", "fd00::2", SEGMENT, headers=[(0, b"\0" + bytes(6))])), 56), SHORT),
    ],
)
def test_what_gives_no_segment_is_noted(frame: bytes | Frame, reason: str) -> None:
    assert notes(frame) == [Note(reason, 1, 1)]


def test_an_unknown_link_type_is_noted() -> None:
    assert notes(b"\0" * 60, b"\0" * 60, link=189) == [
        Note("has link type 189, which is not known here", 2, 1)
    ]


def test_notes_count_and_name_the_first_packet() -> None:
    arp, fragment = (
        b"\2" * 12 + b"\x08\x06" + bytes(46),
        ethernet(ipv4("1.1.1.1", "2.2.2.2", b"x", fragment=0x10)),
    )
    assert [str(note) for note in notes(arp, fragment, arp)] == [
        "2 packets, the first of them packet 1: each is not IP",
        "packet 2 is an IP fragment; fragments are not put together",
    ]
