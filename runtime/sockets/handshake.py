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
from skverdict.runtime.sockets.tcp import State, TcpSocket

#: Segment size before the path is known (TCP_MSS_DEFAULT).
_DEFAULT_MSS = 536


def connect(client: TcpSocket, server: TcpSocket) -> None:
    """The handshake between two new sockets, `server` being what a listening socket accepts.

    Callbacks come in the kernel's order. The server's side has no more than a request until the last segment
    of the handshake, and is still in SYN_RECV when it is told of the connection.
    """
    client.peer, server.peer = server, client
    server.accepted = True
    mss, client.mss = client.mss, _DEFAULT_MSS
    client.enter(State.SYN_SENT)
    call_back(client, TCP_CONNECT_CB)
    client.mss = mss
    for op in (RWND_INIT, TIMEOUT_INIT, NEEDS_ECN):
        call_back(client, op)
    server.enter(State.NEW_SYN_RECV)
    for op in (RWND_INIT, TIMEOUT_INIT):
        call_back(server, op, full=False)
    client.enter(State.ESTABLISHED)
    call_back(client, ACTIVE_ESTABLISHED_CB)
    server.enter(State.SYN_RECV)
    call_back(server, PASSIVE_ESTABLISHED_CB)
    server.enter(State.ESTABLISHED)
