"""Why a socket does not go into a socket map: what the kernel's bare EOPNOTSUPP leaves open.

The rules are those of `sock_map_sk_is_suitable` and `sock_map_sk_state_allowed` (net/core/sock_map.c in Linux 6.1 to
7.2).
"""

from __future__ import annotations

import os
import socket

from skverdict.runtime.kernel.sockets import state_of

#: include/uapi/linux/in.h; not every Python that runs here has a name for it.
IPPROTO_MPTCP = 262

_PARSER = "with a stream parser attached, the map takes TCP only"


def unsuitable(descriptor: int) -> str:
    """What keeps the socket of `descriptor` out, in words; "" if it is no socket. It is looked at, not changed."""
    try:
        seen = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return ""
    with seen:
        return reason_of(seen)


def reason_of(seen: socket.socket) -> str:
    """As `unsuitable`, for a socket of Python."""
    if seen.proto == IPPROTO_MPTCP:
        return "it speaks MPTCP: make it, or the listener that it comes from, with IPPROTO_TCP"
    if seen.family == socket.AF_UNIX:
        if seen.type == socket.SOCK_SEQPACKET:
            return "it is a unix socket of type SOCK_SEQPACKET"
        goes_in = seen.type == socket.SOCK_DGRAM or state_of(seen) == "ESTABLISHED"
        return _PARSER if goes_in else "it is not connected"
    if seen.family not in (socket.AF_INET, socket.AF_INET6):
        return f"its address family is {seen.family!r}"
    if seen.type == socket.SOCK_STREAM and seen.proto == socket.IPPROTO_TCP:
        return f"it is in state {state_of(seen)}, and only ESTABLISHED and LISTEN go in"
    if seen.type == socket.SOCK_DGRAM and seen.proto == socket.IPPROTO_UDP:
        return _PARSER if seen.getsockname()[1] else "it is bound to no port"
    return f"its protocol is number {seen.proto}"
