"""Making sockets: their addresses, ports and connections."""

from __future__ import annotations

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.address import (
    AF_INET,
    AF_INET6,
    LOOPBACK,
    NOBODY6,
    Endpoint,
    endpoint,
    mapped,
)
from skverdict.runtime.sockets.callbacks import TCP_LISTEN_CB, call_back
from skverdict.runtime.sockets.errors import SimulationError, socket_error
from skverdict.runtime.sockets.handshake import connect
from skverdict.runtime.sockets.kernel import FIRST_EPHEMERAL_PORT, Kernel
from skverdict.runtime.sockets.listener import Listener
from skverdict.runtime.sockets.sock import IPPROTO_TCP, Sock
from skverdict.runtime.sockets.state import State
from skverdict.runtime.sockets.tcp import TcpSocket
from skverdict.runtime.sockets.udp import UdpSocket
from skverdict.runtime.sockets.unix import UNIX_KINDS, UnixSocket

#: An address and a port as callers give them; None leaves it to the network.
Where = tuple[str | None, int | None]

_FAMILIES = {"v4": AF_INET, "v6": AF_INET6}


class Network:
    """Where the sockets of one machine come from."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._pairs = 0

    def count(self) -> int:
        """The number of the next pair of sockets: 1, 2, ..."""
        self._pairs += 1
        return self._pairs

    def _end(self, where: Where, family: int) -> Endpoint:
        address, port = where
        if port is None:
            port = self.kernel.free_port()
        else:
            self.kernel.take_port(port)
        return endpoint(address or LOOPBACK[family], port, family)

    def tcp_pair(
        self, client: Where, server: Where, family: str, listener: Sock | None, names: tuple[str, str]
    ) -> tuple[TcpSocket, TcpSocket]:
        """A connection, accepted."""
        if listener is not None:
            connected = self.tcp_connect(client, family, listener, names[0])
            assert isinstance(listener, TcpSocket) and listener.listener is not None
            accepted = listener.listener.accept()
            accepted.name = names[1]
            return connected, accepted
        number = _family(family)
        client_end, server_end = self._end(client, number), self._end(server, number)
        while server[1] is None and self._taken(client_end, server_end):
            server_end = self._end(server, number)
        # Only sock_ops programs can tell that somebody listens meanwhile.
        own = self._listen(server_end, number, f"listener of {names[1]}") if self.kernel.sock_ops else None
        made = self._connect(client_end, server_end, (number, number), names, own)
        if own is not None:
            if made[1].inheritance is not None:
                made[1].inheritance.accepted = True
            if own.psock is not None:
                own.psock.leave_maps()
            own.leave()
        return made

    def tcp_connect(self, client: Where, family: str, listener: Sock, name: str) -> TcpSocket:
        """A connection that waits to be accepted. Raises OSError ECONNREFUSED if nobody listens."""
        if not isinstance(listener, TcpSocket) or listener.listener is None or listener.dead:
            raise socket_error(Errno.ECONNREFUSED, f"{name}: {listener.name} does not listen")
        number = _family(family)
        if number != listener.family and not (number == AF_INET and listener.local.words == NOBODY6.words):
            raise SimulationError(f"{name} cannot reach {listener.name} over IP{family}")
        to = listener.local
        if not any(to.words):  # on all addresses: that of the loopback interface
            to = endpoint(LOOPBACK[number], to.port, number)
        end = self._end(client, number)
        first = end
        while client[1] is None and self._taken(end, to):
            end = self._end(client, number)
            if end == first:
                raise socket_error(Errno.EADDRNOTAVAIL, f"{name}: no port is free")
        families = (number, listener.family)
        names = (name, f"accepted from {listener.name}")
        socket, accepted = self._connect(end, to, families, names, listener)
        listener.listener.add(accepted)
        return socket

    def _taken(self, client: Endpoint, server: Endpoint) -> bool:
        """True if there is a connection between these addresses."""
        found = self.kernel.find(IPPROTO_TCP, client, server)
        return found is not None and found.remote.port != 0

    def _connect(
        self, client: Endpoint, server: Endpoint, families: tuple[int, int], names: tuple[str, str],
        listener: TcpSocket | None,
    ) -> tuple[TcpSocket, TcpSocket]:  # fmt: skip
        one = TcpSocket(self.kernel, names[0], families[0], client, server)
        if families[1] == AF_INET6:
            client, server = mapped(client), mapped(server)
        other = TcpSocket(self.kernel, names[1], families[1], server, client)
        if listener is not None and listener.listener is not None:
            other.inheritance = listener.listener.inheritance()
        try:
            connect(one, other, listener)
        finally:
            self.kernel.settle()
        return one, other

    def tcp_listener(self, where: Where, family: str, name: str) -> TcpSocket:
        """A listening socket."""
        number = _family(family)
        return self._listen(self._end(where, number), number, name)

    def _listen(self, end: Endpoint, family: int, name: str) -> TcpSocket:
        socket = self._alone(end, family, name)
        socket.listener = Listener(socket)
        socket.state = State.LISTEN
        call_back(socket, TCP_LISTEN_CB)
        return socket

    def tcp_socket(self, where: Where, family: str, name: str) -> TcpSocket:
        """A socket that is neither connected nor listens."""
        number = _family(family)
        return self._alone(self._end(where, number), number, name)

    def _alone(self, end: Endpoint, family: int, name: str) -> TcpSocket:
        return TcpSocket(self.kernel, name, family, end, Endpoint((0,) * len(end.words), 0))

    def udp_socket(self, where: Where, family: str, name: str, bound: bool = True) -> UdpSocket:
        """A UDP socket that is connected to nobody."""
        number = _family(family)
        if bound:
            return UdpSocket(self.kernel, name, number, self._end(where, number))
        if where[1] is not None:
            raise SimulationError(f"{name} has a port, so it is bound")
        unbound = endpoint(LOOPBACK[number], FIRST_EPHEMERAL_PORT, number)
        return UdpSocket(self.kernel, name, number, unbound._replace(port=0))

    def unix_socket(self, kind: str, name: str) -> UnixSocket:
        """A unix socket that is connected to nobody."""
        if kind not in UNIX_KINDS:
            raise SimulationError(f"kind {kind!r} is none of {', '.join(UNIX_KINDS)}")
        return UNIX_KINDS[kind](self.kernel, name)


def _family(family: str) -> int:
    """The number of an address family."""
    if family not in _FAMILIES:
        raise SimulationError(f"family {family!r} is neither v4 nor v6")
    return _FAMILIES[family]
