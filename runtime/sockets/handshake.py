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
from skverdict.runtime.sockets.state import State
from skverdict.runtime.sockets.tcp import TcpSocket

#: Segment sizes of a client on loopback: before the path is known (TCP_MSS_DEFAULT), without the options of
#: the handshake, and by the first window that the server offers.
_DEFAULT_MSS = 536
_CONNECTING_MSS = 524
_FIRST_MSS = 32741

#: Where both streams begin; each real connection chooses at random.
_FIRST_SEQUENCE = 1


def connect(client: TcpSocket, server: TcpSocket) -> None:
    """The handshake between two new sockets, `server` being what a listening socket accepts.

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
    client.snd_nxt = _FIRST_SEQUENCE
    call_back(client, TIMEOUT_INIT)
    call_back(client, NEEDS_ECN)
    server.enter(State.NEW_SYN_RECV)
    for op in (RWND_INIT, TIMEOUT_INIT, NEEDS_ECN):
        call_back(server, op, full=False)
    client.rcv_nxt = client.copied_seq = _FIRST_SEQUENCE
    client.mss = min(mss, _FIRST_MSS)
    client.enter(State.ESTABLISHED)
    call_back(client, ACTIVE_ESTABLISHED_CB)
    client.mss = mss
    server.rcv_nxt = server.copied_seq = server.snd_nxt = _FIRST_SEQUENCE
    server.enter(State.SYN_RECV)
    call_back(server, PASSIVE_ESTABLISHED_CB)
    server.enter(State.ESTABLISHED)
