"""Addresses of sockets: an IPv4 or IPv6 address and a port."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from skverdict.runtime.sockets.errors import SimulationError

AF_INET = 2
AF_INET6 = 10

#: What IPv6 sockets hold in place of an IPv4 address (LOOPBACK4_IPV6): 127.0.0.6.
IPV4_OF_IPV6 = 0x7F000006

LOOPBACK = {AF_INET: "127.0.0.1", AF_INET6: "::1"}


class Endpoint(NamedTuple):
    """One end of a connection. `words` are the address in numbers of 32 bits as network order spells them:
    one for IPv4, four for IPv6. `port` is 1..65535."""

    words: tuple[int, ...]
    port: int

    def __str__(self) -> str:
        if len(self.words) == 1:
            return f"{ipaddress.IPv4Address(self.words[0])}:{self.port}"
        packed = b"".join(word.to_bytes(4, "big") for word in self.words)
        return f"[{ipaddress.IPv6Address(packed)}]:{self.port}"


def mapped_word(end: Endpoint, index: int) -> int:
    """One word of the IPv6 address; IPv4 addresses are mapped (::ffff:127.0.0.1)."""
    return end.words[index] if len(end.words) == 4 else (0, 0, 0xFFFF, end.words[0])[index]


def endpoint(address: str, port: int, family: int) -> Endpoint:
    """Read `address` (numeric). Raises SimulationError if it is not one of `family` or the port is out of
    range."""
    if not 1 <= port <= 65535:
        raise SimulationError(f"port {port} is not within 1..65535")
    parse = ipaddress.IPv4Address if family == AF_INET else ipaddress.IPv6Address
    try:
        packed = parse(address).packed
    except ValueError as error:
        version = "IPv4" if family == AF_INET else "IPv6"
        raise SimulationError(f"{address!r} is not a numeric {version} address") from error
    words = tuple(int.from_bytes(packed[at : at + 4], "big") for at in range(0, len(packed), 4))
    return Endpoint(words, port)
