"""Headers of packets as text, without what differs from one connection to the next.

Sequence and acknowledgement numbers, time stamps, the identification of an IPv4 packet with the checksum over it, and
the label of an IPv6 flow are chosen at random or hang on the time, and by how much windows are shifted on the memory of
the machine: each is a `*`.
"""

from __future__ import annotations

TCP_HEADER, MAC_HEADER, IPV4_HEADER, IPV6_HEADER = 20, 14, 20, 40
END, NOP, WINDOW_SCALE, TIME_STAMP = 0, 1, 3, 8
SYN = 2


def shown_header(content: bytes) -> str:
    """A TCP header: ports, numbers, length with flags, window, checksum, urgent pointer, and each option."""
    if len(content) < TCP_HEADER:
        return content.hex()
    fields = content[:4], content[12:14], content[14:16], content[16:18], content[18:20]
    ports, flags, window, *others = (field.hex() for field in fields)
    first = bool(content[13] & SYN)
    return " ".join([ports, "*", flags, window if first else "*", *others, *_options(content[TCP_HEADER:], first)])


def _options(content: bytes, first: bool) -> list[str]:
    varying = (TIME_STAMP, WINDOW_SCALE) if first else (TIME_STAMP,)
    shown = []
    while content:
        kind = content[0]
        length = 1 if kind in (END, NOP) else content[1] if len(content) > 1 else 1
        option = content[: max(length, 1)]
        shown.append(f"{option[:2].hex()}*" if kind in varying else option.hex())
        content = content[len(option) :]
    return shown


def shown_packet(content: bytes) -> str:
    """A TCP header, with those of IP and Ethernet before it if they are there, and without zeros behind it.

    The ports of scenarios begin with a byte that no IP header begins with.
    """
    if not any(content):
        return ""
    shown = []
    if not any(content[: MAC_HEADER - 2]):
        shown.append(content[:MAC_HEADER].hex())
        content = content[MAC_HEADER:]
    if content[0] >> 4 == 4:
        identified = content[:4].hex(), "*", content[6:10].hex(), "*", content[12:IPV4_HEADER].hex()
        shown.append(" ".join(identified))
        content = content[IPV4_HEADER:]
    elif content[0] >> 4 == 6:
        shown.append(f"{content[:1].hex()} * {content[4:IPV6_HEADER].hex()}")
        content = content[IPV6_HEADER:]
    header, rest = content[: 4 * (content[12] >> 4)], content[4 * (content[12] >> 4) :]
    return " ".join([*shown, shown_header(header), *([rest.hex()] if any(rest) else [])])
