"""IP and TCP headers: from an IP packet to the TCP segment in it, or to the reason why there is none.

Sources: RFC 791, RFC 8200 and RFC 9293; the checks are those of Linux's `ip_rcv_core`, `ip6_rcv_core` and
`tcp_v4_rcv`, less the checksums, which a capture on the sending machine holds unfilled.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from skverdict.runtime.capture.link import IPV4, IPV6
from skverdict.runtime.capture.record import Content

TCP = 6
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

FRAGMENT = 44
AUTHENTICATION = 51
SKIPPED_HEADERS = frozenset({0, 43, 60, 135, 139, 140})
"""IPv6 extension headers of the common form: next header, length in 8 bytes less the first 8."""

NOT_IP = "is not IP"
NOT_TCP = "is not TCP"
IP_FRAGMENT = "is an IP fragment; fragments are not put together"
BAD_IP = "has an IP header that a receiver drops"
BAD_TCP = "has a TCP header that a receiver drops"
CUT_HEADER = "was captured too short for its headers"


class Segment(NamedTuple):
    """One TCP segment.

    `flow` has the addresses (4 or 16 bytes each) and the ports of the sender and the receiver, as the headers
    have them. The payload is bytes `start` to `end` of the file, and `missing` more that were not captured.
    """

    flow: bytes
    sequence: int
    acknowledgment: int
    flags: int
    start: int
    end: int
    missing: int


Reason = str
_ipv4 = struct.Struct(">BxH2xHxB2x8s").unpack_from
_ipv6 = struct.Struct(">4xHBx32s").unpack_from
_tcp = struct.Struct(">4sIIBB").unpack_from


def decode(content: Content, ether_type: int, start: int, end: int, length: int) -> Segment | Reason:
    """The segment in the network-layer packet from `start` to `end`, of `length` bytes on the wire."""
    if ether_type == IPV4:
        return _decode_ipv4(content, start, end, length)
    if ether_type == IPV6:
        return _decode_ipv6(content, start, end, length)
    return NOT_IP


def _decode_ipv4(content: Content, start: int, end: int, length: int) -> Segment | Reason:
    if end - start < 20:
        return CUT_HEADER if length >= 20 else BAD_IP
    first, total, fragment, protocol, addresses = _ipv4(content, start)
    header = (first & 15) * 4
    # A frame that the card cuts up later (TSO) has a total length of 0 where 16 bits are too few for it.
    total = total or length
    if first >> 4 != 4 or header < 20 or total < header or total > length:
        return BAD_IP
    if protocol != TCP:
        return NOT_TCP
    if fragment & 0x3FFF:
        return IP_FRAGMENT
    if end > start + total:
        end = start + total
    return _decode_tcp(content, start + header, end, total - header, addresses)


def _decode_ipv6(content: Content, start: int, end: int, length: int) -> Segment | Reason:
    if end - start < 40:
        return CUT_HEADER if length >= 40 else BAD_IP
    payload, following, addresses = _ipv6(content, start)
    # 0 stands for TSO as with IPv4, and for a jumbogram, whose option repeats what the frame's length tells.
    total = payload + 40 if payload else length
    if content[start] >> 4 != 6 or total > length:
        return BAD_IP
    at, end = start + 40, min(end, start + total)
    while following != TCP:
        if following not in SKIPPED_HEADERS and following not in (FRAGMENT, AUTHENTICATION):
            return NOT_TCP
        if end - at < 8:
            return CUT_HEADER if total > end - start else BAD_IP
        if following == FRAGMENT:
            if (content[at + 2] << 8 | content[at + 3]) & 0xFFF9:
                return IP_FRAGMENT
            size = 8
        elif following == AUTHENTICATION:
            size = (content[at + 1] + 2) * 4
        else:
            size = (content[at + 1] + 1) * 8
        following = content[at]
        at += size
    return _decode_tcp(content, at, end, start + total - at, addresses)


def _decode_tcp(content: Content, at: int, end: int, length: int, addresses: bytes) -> Segment | Reason:
    """The segment of `length` bytes at `at`, captured up to `end`."""
    if end - at < 20:
        return CUT_HEADER if length >= 20 else BAD_TCP
    ports, sequence, acknowledgment, offset, flags = _tcp(content, at)
    header = (offset >> 4) * 4
    if header < 20 or header > length:
        return BAD_TCP
    payload = at + header
    if payload > end:
        payload = end
    missing = length - header - (end - payload)
    return Segment(addresses + ports, sequence, acknowledgment, flags, payload, end, missing)
