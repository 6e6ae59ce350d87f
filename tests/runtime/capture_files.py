"""Builds captures byte by byte, so that tests can say exactly what a file holds."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)


class Frame(NamedTuple):
    """Bytes of one packet and how many of them were captured (all, where None)."""

    content: bytes
    captured: int | None = None


def tcp(
    source_port: int,
    target_port: int,
    sequence: int,
    acknowledgment: int,
    flags: int,
    payload: bytes,
    options: int = 0,
) -> bytes:
    """A TCP segment with so many bytes of options (all no-operation)."""
    return (
        struct.pack(
            ">HHIIBBHHH",
            source_port,
            target_port,
            sequence % 2**32,
            acknowledgment % 2**32,
            (5 + options // 4) << 4,
            flags,
            1000,
            0,
            0,
        )
        + b"\1" * options
        + payload
    )


def ipv4(
    source: str,
    target: str,
    payload: bytes,
    *,
    total: int | None = None,
    fragment: int = 0,
    protocol: int = 6,
) -> bytes:
    """An IPv4 packet; `total` overrides its total length, `fragment` is flags and offset as they stand."""
    return (
        struct.pack(
            ">BBHHHBBH4s4s",
            0x45,
            0,
            20 + len(payload) if total is None else total,
            7,
            fragment,
            64,
            protocol,
            0,
            ip_address(source).packed,
            ip_address(target).packed,
        )
        + payload
    )


def ipv6(
    source: str,
    target: str,
    payload: bytes,
    *,
    headers: Sequence[tuple[int, bytes]] = (),
    length: int | None = None,
) -> bytes:
    """An IPv6 packet; `headers` are extension headers by number, without their first byte (what follows)."""
    following = [number for number, _ in headers] + [6]
    body = (
        b"".join(bytes([after]) + rest for after, (_, rest) in zip(following[1:], headers, strict=True))
        + payload
    )
    size = len(body) if length is None else length
    addresses = ip_address(source).packed + ip_address(target).packed
    return struct.pack(">IHBB", 6 << 28, size, following[0], 64) + addresses + body


def ethernet(packet: bytes, *, tags: bytes = b"", pad: bool = True) -> bytes:
    """A frame around an IP packet, filled up to the 60 bytes that Ethernet asks for."""
    ether_type = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    frame = b"\x02" * 12 + tags + ether_type + packet
    return frame.ljust(60, b"\xee") if pad else frame


def segment(
    sender: tuple[str, int],
    receiver: tuple[str, int],
    sequence: int,
    acknowledgment: int = 0,
    flags: int = ACK,
    payload: bytes = b"",
) -> bytes:
    """An Ethernet frame with a TCP segment over IPv4."""
    return ethernet(
        ipv4(sender[0], receiver[0], tcp(sender[1], receiver[1], sequence, acknowledgment, flags, payload))
    )


def pcap(frames: Iterable[bytes | Frame], *, link: int = 1, order: str = "<", nano: bool = False) -> bytes:
    """A pcap file; packet number n (from 1) was taken n seconds and 5 units after the epoch."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    content = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for number, given in enumerate(frames, 1):
        frame = given if isinstance(given, Frame) else Frame(given)
        kept = frame.content[: frame.captured]
        content += struct.pack(order + "IIII", number, 5, len(kept), len(frame.content)) + kept
    return content


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block."""
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section_header(order: str = "<") -> bytes:
    """A pcapng section header block without options."""
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, *, snap: int = 0, options: bytes = b"", order: str = "<") -> bytes:
    """A pcapng interface description block."""
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(frame: bytes, *, time: int = 0, number: int = 0, order: str = "<") -> bytes:
    """A pcapng enhanced packet block; `time` in ticks, `number` that of the interface."""
    head = struct.pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)


class Talk:
    """Frames of one connection: who says what at which byte of its stream."""

    def __init__(
        self,
        client: tuple[str, int] = CLIENT,
        server: tuple[str, int] = SERVER,
        *,
        client_initial: int = 1000,
        server_initial: int = 5000,
    ) -> None:
        self.ends = {"client": client, "server": server}
        self.initial = {"client": client_initial, "server": server_initial}
        self.frames: list[bytes] = []

    def opened(self) -> Talk:
        """The three packets of the handshake."""
        return self.say("client", -1, flags=SYN).say("server", -1, flags=SYN | ACK).say("client", 0)

    def say(
        self, who: str, at: int, payload: bytes = b"", *, flags: int = ACK, acknowledges: int = 0
    ) -> Talk:
        """One segment of `who` whose first byte is byte `at` of its stream."""
        other = "server" if who == "client" else "client"
        self.frames.append(
            segment(
                self.ends[who],
                self.ends[other],
                self.initial[who] + 1 + at,
                self.initial[other] + 1 + acknowledges if flags & ACK else 0,
                flags,
                payload,
            )
        )
        return self
