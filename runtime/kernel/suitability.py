"""Why a socket does not go into a socket map: what the kernel's bare EOPNOTSUPP or EINVAL leaves open.

The rules are those of `sock_map_sk_is_suitable` and `sock_map_sk_state_allowed` (net/core/sock_map.c in Linux 6.1 to
7.2), and of `sk_psock_init` (net/core/skmsg.c).
"""

from __future__ import annotations

import os
import socket

from skverdict.runtime.kernel.sockets import state_of
from skverdict.runtime.machine.errno import Errno

#: include/uapi/linux/in.h; not every Python that runs here has a name for it.
IPPROTO_MPTCP = 262

#: include/uapi/linux/tcp.h.
TCP_ULP = 31

_PARSER = "with a stream parser attached, the map takes TCP only"


def unsuitable(descriptor: int, error: Errno) -> str:
    """Why the kernel answered `error` to the socket of `descriptor`, in words; "" if it is no socket, or if the error
    has nothing to do with it. It is looked at, not changed."""
    reason = _REASONS.get(error)
    if reason is None:
        return ""
    try:
        seen = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return ""
    with seen:
        return reason(seen)


def reason_of(seen: socket.socket) -> str:
    """What EOPNOTSUPP means for a socket of Python."""
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


def layer_of(seen: socket.socket) -> str:
    """What EINVAL means for a socket of Python."""
    try:
        name = seen.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16).rstrip(b"\0").decode("ascii", "replace")
    except OSError:
        return ""
    return f"its upper layer protocol is {name}, and such sockets do not go into maps" if name else ""


_REASONS = {Errno.EOPNOTSUPP: reason_of, Errno.EINVAL: layer_of}
