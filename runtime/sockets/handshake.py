"""How a TCP connection comes to be, with the callbacks that sock_ops programs get meanwhile."""

from __future__ import annotations

from skverdict.runtime.sockets.callbacks import (
    ACTIVE_ESTABLISHED_CB,
    NEEDS_ECN,
    PASSIVE_ESTABLISHED_CB,
    RWND_INIT,
    TCP_CONNECT_CB,
    TIMEOUT_INIT,
    call_back,
)
from skverdict.runtime.sockets.options import MAXIMUM_SEGMENT, TIME_STAMP
from skverdict.runtime.sockets.state import State
from skverdict.runtime.sockets.tcp import FIRST_SEQUENCE, TcpSocket

#: Segment sizes of a client on loopback: before the path is known (TCP_MSS_DEFAULT), without the options of
#: the handshake, and by the first window that the server offers.
_DEFAULT_MSS = 536
_CONNECTING_MSS = 524
_FIRST_MSS = 32741


def connect(client: TcpSocket, server: TcpSocket, listener: TcpSocket | None = None) -> None:
    """The handshake between two new sockets, `server` being what `listener` accepts, if one matters.

    Callbacks come in the kernel's order (measured on Linux 6.1 and 7.2). The server's side has no more than
    a request until the last segment of the handshake, and is still in SYN_RECV when it is told of the
    connection.
    """
    client.other, server.other = server, client
    server.accepted = True
    mss = client.mss
    client.enter(State.SYN_SENT)
    client.mss = _DEFAULT_MSS
    call_back(client, TCP_CONNECT_CB)
    client.mss = _CONNECTING_MSS
    call_back(client, RWND_INIT)
    client.snd_nxt = FIRST_SEQUENCE
    call_back(client, TIMEOUT_INIT)
    call_back(client, NEEDS_ECN)
    server.enter(State.NEW_SYN_RECV)
    for op in (RWND_INIT, TIMEOUT_INIT, NEEDS_ECN):
        call_back(server, op, full=False)
    client.rcv_nxt = client.copied_seq = FIRST_SEQUENCE
    _limit_segments(client, server, listener)
    client.mss = min(mss, _FIRST_MSS)
    client.enter(State.ESTABLISHED)
    call_back(client, ACTIVE_ESTABLISHED_CB)
    client.mss = mss
    if listener is not None:
        server.inherit(listener)
    server.rcv_nxt = server.copied_seq = server.snd_nxt = FIRST_SEQUENCE
    server.state = State.SYN_RECV  # a new socket begins in it: no change to be told of
    call_back(server, PASSIVE_ESTABLISHED_CB)
    server.enter(State.ESTABLISHED)


def _limit_segments(client: TcpSocket, server: TcpSocket, listener: TcpSocket | None) -> None:
    """Each end heeds TCP_MAXSEG of both."""
    ends = [end.options for end in (client, listener) if end is not None and end.options]
    if wanted := [size for options in ends if (size := options.get(MAXIMUM_SEGMENT))]:
        client.segment_limit = server.segment_limit = min(wanted) - TIME_STAMP
