"""Link layers: where the IP packet begins in what was captured.

Sources: the LINKTYPE_ registry of tcpdump.org for the headers, IEEE 802.1Q for tags.
"""

from __future__ import annotations

from collections.abc import Callable

from skverdict.runtime.capture.record import Content

IPV4, IPV6 = 0x0800, 0x86DD
VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
"""EtherTypes of a tag (802.1Q, 802.1ad, and QinQ before its standard): 2 bytes of tag, then an EtherType."""

LOOPBACK_FAMILIES = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin."""

Start = tuple[int, int]
"""EtherType of the network layer and the offset at which it begins; EtherType 0 where there is none."""

NOTHING: Start = (0, 0)


def _ether_type(content: Content, at: int, end: int) -> Start:
    """Network layer behind the EtherType at `at`, tags passed over."""
    while at + 2 <= end:
        kind = content[at] << 8 | content[at + 1]
        at += 2
        if kind not in VLAN_TAGS:
            return kind, at
        at += 2
    return NOTHING


def _ethernet(content: Content, start: int, end: int) -> Start:
    """Two addresses of 6 bytes, then the EtherType."""
    return _ether_type(content, start + 12, end)


def _cooked(content: Content, start: int, end: int) -> Start:
    """LINKTYPE_LINUX_SLL: 14 bytes, then the EtherType."""
    return _ether_type(content, start + 14, end)


def _cooked_2(content: Content, start: int, end: int) -> Start:
    """LINKTYPE_LINUX_SLL2: the EtherType first, the packet (or the tag) behind 20 bytes."""
    if end - start < 20:
        return NOTHING
    kind = content[start] << 8 | content[start + 1]
    return _ether_type(content, start + 22, end) if kind in VLAN_TAGS else (kind, start + 20)


def _raw(content: Content, start: int, end: int) -> Start:
    """The IP packet itself, its version in its first four bits."""
    version = content[start] >> 4 if start < end else 0
    return {4: IPV4, 6: IPV6}.get(version, 0), start


def _loopback(content: Content, start: int, end: int) -> Start:
    """LINKTYPE_NULL and LINKTYPE_LOOP: an address family of 4 bytes, in the order of whoever captured."""
    if end - start < 4:
        return NOTHING
    family = content[start : start + 4]
    number = min(int.from_bytes(family, "little"), int.from_bytes(family, "big"))
    return LOOPBACK_FAMILIES.get(number, 0), start + 4


LINK_TYPES: dict[int, Callable[[Content, int, int], Start]] = {
    0: _loopback,
    1: _ethernet,
    12: _raw,
    14: _raw,
    101: _raw,
    108: _loopback,
    113: _cooked,
    228: _raw,
    229: _raw,
    276: _cooked_2,
}
"""LINKTYPE_ number: how its packets begin (`content`, first byte and end of the packet in it)."""
