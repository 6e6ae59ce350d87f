"""UDP sockets. The network loses nothing, but a socket drops what does not fit into its receive buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.accounting import MOST_LINEAR, truesize
from skverdict.runtime.sockets.address import AF_INET, IPV4_OF_IPV6, LOOPBACK, Endpoint, endpoint
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.message import PAGE
from skverdict.runtime.sockets.queued import QueuedSocket
from skverdict.runtime.sockets.sock import IPPROTO_UDP, SOCK_DGRAM, Received, Sock
from skverdict.runtime.sockets.state import State

if TYPE_CHECKING:
    from skverdict.runtime.sockets.kernel import Kernel

#: Bytes of an IPv4 and of an IPv6 header, of a UDP header, and of what the kernel leaves before them.
_IP_HEADERS = {AF_INET: 20}
_IP6_HEADER = 40
_UDP_HEADER = 8
_HEADROOM = 31

#: The longest UDP packet, its header included, and what one call may give.
_MOST = 65_535

_ETHERTYPES = {AF_INET: 0x0800}
_ETHERTYPE_IPV6 = 0x86DD


class _Corked(NamedTuple):
    """A datagram that is not complete: its first bytes, and whom the call that began it named."""

    buffer: SocketBuffer
    to: Endpoint


class UdpSocket(QueuedSocket):
    """A UDP socket. Port 0 means that it has none yet."""

    type = SOCK_DGRAM
    protocol = IPPROTO_UDP

    __slots__ = ("_corked",)

    def __init__(self, kernel: Kernel, name: str, family: int, local: Endpoint) -> None:
        super().__init__(kernel, name, family, local, Endpoint((0,) * len(local.words), 0))
        self._corked: _Corked | None = None
        if local.port:
            kernel.register(self)

    @property
    def ethertype(self) -> int:
        return _ETHERTYPES.get(self.family, _ETHERTYPE_IPV6)

    @property
    def local_ip4(self) -> int:
        """IPv6 sockets have a stand-in there."""
        if len(self.local.words) == 1:
            return self.local.words[0]
        return IPV4_OF_IPV6 if any(self.local.words) else 0

    @property
    def enterable(self) -> bool:
        return self.local.port != 0

    def bind(self, port: int) -> None:
        """Take a port on the loopback address."""
        self.local = endpoint(LOOPBACK[self.family], port, self.family)
        self.kernel.register(self)

    def connect(self, remote: Endpoint) -> None:
        """From now on the socket takes datagrams from `remote` alone."""
        self.remote = remote
        self.state = State.ESTABLISHED
        self.kernel.register(self)

    # Sending

    def write(self, content: bytes, more: bool = False) -> int:
        """What is sent with `more` waits for the rest of its datagram, however long that takes."""
        return self._write(content, _is_linear(len(content), self.family), more)

    def _write(self, content: bytes, linear: bool, more: bool) -> int:
        """Send to whom the socket is connected to. Raises OSError."""
        if self._corked is None and not self.connected:
            raise socket_error(Errno.EDESTADDRREQ, f"{self.name}: send")
        return self._send(content, self.remote, linear, more)

    def write_to(self, content: bytes, target: Sock) -> int:
        return self._send(content, target.local, _is_linear(len(content), self.family))

    def write_page(self, page: bytes, more: bool) -> int:
        """Pages stay what they are, parts of one datagram. Linux 6.1 copies them, and over IPv6 each is a datagram of
        its own (`sock_no_sendpage` of net/core/sock.c)."""
        if self.kernel.settings.kernel == "6.1":
            return self.write(page, more and self.family == AF_INET)
        return self._write(page, linear=False, more=more)

    def send_redirected(self, piece: bytes, linear: bool, more: bool) -> int:
        """One datagram. Linux 6.12 and 7.2 leave fragments where they are, so the receiver finds nothing
        linear."""
        copies = linear or self.kernel.settings.kernel == "6.1"
        return self._send(piece, self.remote, copies and _is_linear(len(piece), self.family))

    def _send(self, content: bytes, to: Endpoint, linear: bool, more: bool = False) -> int:
        """Send a datagram, or what was given before and `content` as one to whom the first of the calls named
        (`udp_sendmsg` of net/ipv4/udp.c in Linux 6.1 to 7.2)."""
        if len(content) > _MOST:
            raise self._too_long(len(content))
        if self._corked is None:
            buffer = self._begin(content, linear)
        else:
            buffer, to = self._corked
            self._continue(buffer, content)
        self._corked = _Corked(buffer, to) if more else None
        if not more:
            self._transmit(buffer, to)
        return len(content)

    def _too_long(self, length: int) -> OSError:
        return socket_error(Errno.EMSGSIZE, f"{self.name}: {length} bytes are too many")

    def _fits(self, length: int) -> bool:
        return length + _headers(self.family) <= _MOST + (_IP6_HEADER if self.family != AF_INET else 0)

    def _begin(self, content: bytes, linear: bool) -> SocketBuffer:
        """A new datagram. Raises OSError."""
        if not self._fits(len(content)):
            raise self._too_long(len(content))
        if self.error:
            raise socket_error(self.take_error(), f"{self.name}: send")
        if self.send_shut:
            raise socket_error(Errno.EPIPE, f"{self.name}: send")
        if not self.local.port:
            self.bind(self.kernel.free_port())
        cuts = (*range(PAGE, len(content), PAGE), len(content)) if content else ()
        buffer = SocketBuffer(content, 0, len(content) if linear else 0, cuts)
        buffer.source = str(self.local)
        return buffer

    def _continue(self, buffer: SocketBuffer, content: bytes) -> None:
        """Hang more onto a datagram, as a fragment. That asks neither for errors nor whether the socket was shut.
        What gets too long is lost."""
        length = len(buffer) + len(content)
        if not self._fits(length):
            self._lose_corked("it gets too long")
            raise self._too_long(length)
        buffer.append(SocketBuffer(content, 0, 0))

    def _lose_corked(self, reason: str) -> None:
        if self._corked is not None:
            self.kernel.moved("lost", self, None, self._corked.buffer.content, reason)
            self._corked = None

    def _transmit(self, buffer: SocketBuffer, to: Endpoint) -> None:
        found = self.kernel.find(IPPROTO_UDP, self.local, to)
        if isinstance(found, UdpSocket):
            space = buffer.linear + _headers(self.family) + _HEADROOM
            paged = len(buffer) - buffer.linear
            buffer.cost = truesize(space, paged, self.kernel.settings.kernel != "6.1")
            found.receive(buffer, self)
            return
        self.kernel.moved("lost", self, None, buffer.content, f"nobody is at {to}")
        if self.connected and to == self.remote:
            self.error = int(Errno.ECONNREFUSED)

    # Arrival and reading

    def receive(self, buffer: SocketBuffer, sender: Sock) -> None:
        """A datagram comes in, and is dropped if the socket holds too much already."""
        charged = sum(waiting.cost for waiting in self.receive_queue)
        if self.psock is not None:
            charged += self.psock.ingress.charged
        # Linux 7.2 looks at what comes, too, but takes it if nothing waits.
        looks = buffer.cost if self.kernel.settings.kernel == "7.2" and charged else 0
        if charged + looks > self.receive_buffer:
            self.kernel.moved("lost", sender, self, buffer.content, "its receive buffer is full")
            return
        self.arrive(buffer, sender)

    def read_queue(self, length: int, peek: bool) -> Received:
        if self.error:
            raise socket_error(self.take_error(), f"{self.name}: receive")
        return self.read_datagram(length, peek)

    def _read_unjudged(self, length: int, peek: bool) -> Received:
        if self.psock is not None and self.psock.backlog:
            raise socket_error(Errno.EAGAIN, f"{self.name}: what was redirected is not there yet")
        return self.read_queue(length, peek)

    def waiting(self) -> int:
        """The length of the next datagram."""
        return len(self.receive_queue[0]) if self.receive_queue else 0

    def pending(self) -> int:
        """With a psock, what can be read of the first passed datagram; Linux 6.1 tells of the queue."""
        if self.psock is None or self.kernel.settings.kernel == "6.1":
            return self.waiting()
        return self.psock.ingress.first

    # Ending

    def shut(self, receive: bool, send: bool) -> None:
        if not self.connected:
            raise socket_error(Errno.ENOTCONN, f"{self.name}: shutdown")
        self.receive_shut |= receive
        self.send_shut |= send

    def leave(self) -> None:
        self._lose_corked("its socket is closed before it is complete")
        self.clear()
        self.state = State.CLOSE
        self.dead = True


def _headers(family: int) -> int:
    return _IP_HEADERS.get(family, _IP6_HEADER) + _UDP_HEADER


def _is_linear(length: int, family: int) -> bool:
    """True if a datagram is short enough for the kernel to keep it in one piece."""
    return length + _headers(family) + _HEADROOM < MOST_LINEAR
