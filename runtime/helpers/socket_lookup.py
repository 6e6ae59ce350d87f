"""Helpers that find sockets by their addresses, and those that take and give socket pointers.

The rules are those of net/core/filter.c (`__bpf_skc_lookup`). There is one network namespace.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.semantics import signed
from skverdict.runtime.sockets import hazards
from skverdict.runtime.sockets.address import Endpoint
from skverdict.runtime.sockets.contexts import SocketContext
from skverdict.runtime.sockets.sock import IPPROTO_TCP, IPPROTO_UDP, Sock
from skverdict.runtime.sockets.structures import BpfSock, BpfTcpSock, SocketStructure

#: Addresses and ports of `struct bpf_sock_tuple`, by its size: the words of an address.
_WORDS = {12: 1, 36: 4}


class Tuple(NamedTuple):
    """What `struct bpf_sock_tuple` holds: where a packet comes from and where it goes."""

    source: Endpoint
    destination: Endpoint


def read_tuple(content: bytes) -> Tuple | None:
    """The addresses in `content`; None if it has no size of a tuple."""
    words = _WORDS.get(len(content))
    if words is None:
        return None
    *numbers, source_port, destination_port = struct.unpack(f">{2 * words}I2H", content)
    return Tuple(
        Endpoint(tuple(numbers[:words]), source_port), Endpoint(tuple(numbers[words:]), destination_port)
    )


def _find(
    context: SocketContext, content: bytes, protocol: int, namespace: int, flags: int
) -> Sock | None:
    """The socket that a packet of these addresses would go to.

    None for flags, for a namespace other than the caller's (a negative 32-bit number), and for what is no
    tuple.
    """
    addresses = read_tuple(content)
    if flags or addresses is None or signed(namespace, 32) >= 0:
        return None
    kernel = context.socket.kernel
    if kernel.settings.kernel == "7.2" and context.socket.protocol == IPPROTO_TCP and not kernel.ideal:
        kernel.hazard(context.socket, hazards.LOOKUP_BY_CHANCE)
    return kernel.find(protocol, addresses.source, addresses.destination)


def sk_lookup_tcp(call: Call, context: SocketContext, content: bytes, namespace: int, flags: int) -> int:
    """A full socket; what is in the making does not count."""
    found = _find(context, content, IPPROTO_TCP, namespace, flags)
    return call.acquired(None if found is None or not found.full else BpfSock(found))


def sk_lookup_udp(call: Call, context: SocketContext, content: bytes, namespace: int, flags: int) -> int:
    found = _find(context, content, IPPROTO_UDP, namespace, flags)
    return call.acquired(None if found is None else BpfSock(found))


def skc_lookup_tcp(call: Call, context: SocketContext, content: bytes, namespace: int, flags: int) -> int:
    found = _find(context, content, IPPROTO_TCP, namespace, flags)
    return call.acquired(None if found is None else BpfSock(found), "sock_common")


def sk_release(call: Call, socket: SocketStructure) -> int:
    return 0


def tcp_sock(call: Call, structure: SocketStructure) -> int:
    """NULL for a socket that is not TCP or not full."""
    socket = structure.socket
    return call.structure(BpfTcpSock(socket) if socket.full and socket.protocol == IPPROTO_TCP else None)


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_sk_lookup_tcp": sk_lookup_tcp,
    "bpf_sk_lookup_udp": sk_lookup_udp,
    "bpf_skc_lookup_tcp": skc_lookup_tcp,
    "bpf_sk_release": sk_release,
    "bpf_tcp_sock": tcp_sock,
}
