"""Addresses of sockets: an IPv4 or IPv6 address and a port."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from skverdict.runtime.sockets.errors import SimulationError

AF_UNIX = 1
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


#: The words before the IPv4 address in an IPv6 address that stands for one (::ffff:127.0.0.1).
_MAPPED = (0, 0, 0xFFFF)

#: Where a socket that is connected to nobody is connected.
NOBODY = Endpoint((0,), 0)
NOBODY6 = Endpoint((0, 0, 0, 0), 0)


def mapped_ip4(end: Endpoint) -> int:
    """The IPv4 address in `end`, 0 if there is none."""
    if len(end.words) == 1:
        return end.words[0]
    return end.words[3] if end.words[:3] == _MAPPED else 0


def mapped(end: Endpoint) -> Endpoint:
    """An IPv4 address as an IPv6 socket has it."""
    return end if len(end.words) == 4 else Endpoint((*_MAPPED, end.words[0]), end.port)


def unmapped(end: Endpoint) -> Endpoint:
    """The IPv4 address that an IPv6 address stands for; any other one as it is."""
    return Endpoint(end.words[3:], end.port) if end.words[:3] == _MAPPED else end


def mapped_word(end: Endpoint, index: int) -> int:
    """One word of the IPv6 address; IPv4 addresses are mapped (::ffff:127.0.0.1)."""
    return mapped(end).words[index]


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
