"""How a TCP connection comes to be, with the callbacks that sock_ops programs get meanwhile."""

from __future__ import annotations

from skverdict.runtime.sockets import headers
from skverdict.runtime.sockets.callbacks import (
    ACTIVE_ESTABLISHED_CB,
    NEEDS_ECN,
    PASSIVE_ESTABLISHED_CB,
    RWND_INIT,
    TCP_CONNECT_CB,
    TIMEOUT_INIT,
    call_back,
)
from skverdict.runtime.sockets.header_options import written
from skverdict.runtime.sockets.headers import ACK, Segment, SynPacket
from skverdict.runtime.sockets.options import MAXIMUM_SEGMENT, SAVE_SYN, TIME_STAMP
from skverdict.runtime.sockets.state import State
from skverdict.runtime.sockets.tcp import FIRST_SEQUENCE, TcpSocket

#: Segment sizes of a client on loopback: before the path is known (TCP_MSS_DEFAULT), without the options of
#: the handshake, and by the first window that the server offers.
_DEFAULT_MSS = 536
_CONNECTING_MSS = 524
_FIRST_MSS = 32741

#: The value of TCP_SAVE_SYN that keeps the link layer's header as well.
_WITH_LINK_LAYER = 2


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
    told = bool(client.kernel.sock_ops)  # nobody else sees headers
    syn = _syn(client) if told else None
    server.enter(State.NEW_SYN_RECV)
    call_back(server, RWND_INIT, full=False)
    _save(server, listener, syn)
    call_back(server, TIMEOUT_INIT, full=False)
    answer = _answer(server, listener, syn) if told else None
    call_back(server, NEEDS_ECN, full=False)
    client.rcv_nxt = client.copied_seq = FIRST_SEQUENCE
    _limit_segments(client, server, listener)
    client.mss = min(mss, _FIRST_MSS)
    client.enter(State.ESTABLISHED)
    call_back(client, ACTIVE_ESTABLISHED_CB, segment=answer)
    client.mss = mss
    last = _acknowledgement(client) if told else None
    if listener is not None:
        server.inherit(listener)
    server.predicts = True
    server.rcv_nxt = server.copied_seq = server.snd_nxt = FIRST_SEQUENCE
    server.state = State.SYN_RECV  # a new socket begins in it: no change to be told of
    call_back(server, PASSIVE_ESTABLISHED_CB, segment=last)
    server.enter(State.ESTABLISHED)


def _option(socket: TcpSocket | None, key: tuple[int, int]) -> int:
    """An option of `socket`, 0 if it was never set."""
    return 0 if socket is None or socket.options is None else socket.options.get(key, 0)


def _syn(client: TcpSocket) -> SynPacket:
    """The packet with which `client` asks for a connection."""
    draft = headers.syn(client, _option(client, MAXIMUM_SEGMENT))
    return headers.syn_packet(client, headers.arrived(client, written(client, draft, client.callback_flags), 0))


def _save(server: TcpSocket, listener: TcpSocket | None, syn: SynPacket | None) -> None:
    """Keep the packet if the listener wants that: 1 is without the link layer's header, 2 with it."""
    wanted = _option(listener, SAVE_SYN)
    if wanted and syn is not None:
        server.saved_syn = syn if wanted == _WITH_LINK_LAYER else syn._replace(mac=b"")


def _answer(server: TcpSocket, listener: TcpSocket | None, syn: SynPacket | None) -> Segment:
    """The answer to `syn`, as it arrives. It is the listener that has asked to write into it."""
    draft = headers.syn_ack(server, _option(listener, MAXIMUM_SEGMENT))
    asks = 0 if listener is None else listener.callback_flags
    return _arrived(server, written(server, draft, asks, full=False, syn=syn))


def _acknowledgement(client: TcpSocket) -> Segment:
    """The last segment of a handshake, as it arrives."""
    return _arrived(client, written(client, headers.established(client, ACK), client.callback_flags))


def _arrived(sender: TcpSocket, head: bytes) -> Segment:
    return Segment(headers.arrived(sender, head, 0), len(head), head[headers.FLAGS])


def _limit_segments(client: TcpSocket, server: TcpSocket, listener: TcpSocket | None) -> None:
    """Each end heeds TCP_MAXSEG of both."""
    if wanted := [size for end in (client, listener) if (size := _option(end, MAXIMUM_SEGMENT))]:
        client.segment_limit = server.segment_limit = min(wanted) - TIME_STAMP
