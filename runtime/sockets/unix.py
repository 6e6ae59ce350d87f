"""Unix sockets. Whoever sends pays for what waits to be read, and is held up when that is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets import hazards
from skverdict.runtime.sockets.accounting import (
    MOST_IN_PAGE,
    MOST_LINEAR,
    PAGE_SIZE,
    page_aligned,
    page_ends,
    truesize,
)
from skverdict.runtime.sockets.address import AF_UNIX, NOBODY
from skverdict.runtime.sockets.buffer import MAX_FRAGMENTS, SocketBuffer
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.queued import QueuedSocket
from skverdict.runtime.sockets.sock import SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, Received, Sock
from skverdict.runtime.sockets.state import State

if TYPE_CHECKING:
    from skverdict.runtime.sockets.kernel import Kernel

#: Bytes in pages of one buffer of a stream (UNIX_SKB_FRAGS_SZ).
_MOST_PAGED = 8 * PAGE_SIZE
#: What a datagram leaves free of the send buffer.
_SPARE = 32
#: Datagrams that may wait at a socket that is not connected to their sender (net.unix.max_dgram_qlen).
_MOST_WAITING = 10


class UnixSocket(QueuedSocket):
    """One of a pair, or alone. `charged` is what the socket pays for what it has sent."""

    protocol = 0

    __slots__ = ("charged", "peer")

    def __init__(self, kernel: Kernel, name: str) -> None:
        super().__init__(kernel, name, AF_UNIX, NOBODY, NOBODY)
        self.charged = 0
        self.peer: UnixSocket | None = None

    def __repr__(self) -> str:
        return f"<{self.name} {self.state.name}>"

    @property
    def interface(self) -> int:
        return 0

    def refund(self, cost: int) -> None:
        """Somebody has taken what the socket sent: there is room for what was redirected."""
        self.charged -= cost
        if self.psock is not None:
            self.psock.backlog.resume()

    def connect(self, peer: UnixSocket) -> None:
        """Send to `peer` from now on."""
        self.peer = peer
        self.state = State.ESTABLISHED

    def check_room(self) -> None:
        """Raise OSError if nothing can be sent now."""
        if self.error:
            raise socket_error(self.take_error(), f"{self.name}: send")
        if self.send_shut:
            raise socket_error(Errno.EPIPE, f"{self.name}: send")
        if self.charged >= self.send_buffer:
            raise socket_error(Errno.EAGAIN, f"{self.name}: what was sent is not read")

    def deliver(self, content: bytes, linear: int, to: UnixSocket) -> None:
        """Let a message arrive; the socket pays."""
        paged = len(content) - linear
        buffer = SocketBuffer(content, 0, linear, (linear, *page_ends(linear, paged)))
        self.deliver_buffer(buffer, page_aligned(paged), to)

    def deliver_buffer(self, buffer: SocketBuffer, paged: int, to: UnixSocket) -> None:
        """Let a buffer arrive that has so many bytes in pages; the socket pays."""
        buffer.sender = buffer.payer = self
        # Control groups account for buffers of unix sockets (GFP_KERNEL_ACCOUNT in `unix_create1`).
        buffer.cost = truesize(buffer.linear, paged, has_small_head=False)
        self.charged += buffer.cost
        to.arrive(buffer, self)

    def pending(self) -> int:
        return self.waiting()

    def shut(self, receive: bool, send: bool) -> None:
        self.receive_shut |= receive
        self.send_shut |= send

    def _read_unjudged(self, length: int, peek: bool) -> Received:
        if self.receive_queue or self.receive_shut:
            return self.read_queue(length, peek)
        raise socket_error(Errno.EAGAIN, f"{self.name}: nothing to receive")


class UnixStream(UnixSocket):
    """A stream socket."""

    type = SOCK_STREAM

    __slots__ = ()

    @property
    def enterable(self) -> bool:
        return self.connected

    def _check_peer(self) -> UnixSocket:
        """The other end, if it takes anything. Raises OSError."""
        if self.peer is None:
            raise socket_error(Errno.EPIPE if self.send_shut else Errno.ENOTCONN, f"{self.name}: send")
        if self.send_shut or self.peer.dead or self.peer.receive_shut:
            raise socket_error(Errno.EPIPE, f"{self.name}: send")
        return self.peer

    def write(self, content: bytes, more: bool = False) -> int:
        """Long messages go in several buffers, each with a page of linear bytes at most."""
        if self.peer is None and self.state is not State.ESTABLISHED:
            raise socket_error(Errno.ENOTCONN, f"{self.name}: send")
        sent = 0
        while sent < len(content):
            size = min(len(content) - sent, self.send_buffer // 2 - 64, MOST_IN_PAGE + _MOST_PAGED)
            linear = size - min(size, page_aligned(max(0, size - MOST_IN_PAGE)))
            if not self._send(content[sent : sent + size], linear, started=sent > 0):
                break
            sent += size
        return sent

    def send_redirected(self, piece: bytes, linear: bool, more: bool) -> int:
        """A fragment stays what it is, as a page does."""
        return self.write(piece) if linear else self.write_page(piece, more)

    def write_page(self, page: bytes, more: bool) -> int:
        """One buffer without linear bytes. Linux 6.1 hangs it onto the last one that waits to be read
        (`unix_stream_sendpage` of net/unix/af_unix.c), for which the sender needs no room."""
        peer = self._check_peer()
        last = peer.receive_queue[-1] if peer.receive_queue else None
        buffer = SocketBuffer(page, 0, 0)
        if self.kernel.settings.kernel != "6.1" or last is None or len(last.cuts) >= MAX_FRAGMENTS:
            self.check_room()
            self.deliver_buffer(buffer, len(page), peer)
        else:
            last.append(buffer)
            last.cost += len(page)
            self.charged += len(page)
            peer.notice(page, self)
        return len(page)

    def _send(self, content: bytes, linear: int, started: bool) -> bool:
        """Send one buffer. False if that fails in a call that has `started` to send; otherwise raises
        OSError."""
        try:
            peer = self._check_peer()
            self.check_room()
        except OSError:
            if started:
                return False
            raise
        self.deliver(content, linear, peer)
        return True

    # Reading

    def read_of(self, buffer: SocketBuffer) -> int:
        return buffer.consumed

    def forget_read(self, buffer: SocketBuffer, length: int) -> None:
        super().forget_read(buffer, length)
        buffer.consumed = 0

    def read_queue(self, length: int, peek: bool) -> Received:
        if not self.connected:
            raise socket_error(Errno.EINVAL, f"{self.name}: receive")
        parts: list[bytes] = []
        at = 0
        while length and at < len(self.receive_queue):
            buffer = self.receive_queue[at]
            part = bytes(buffer.content[buffer.consumed : buffer.consumed + length])
            parts.append(part)
            length -= len(part)
            if peek:
                at += 1
                continue
            buffer.consumed += len(part)
            if buffer.consumed == len(buffer):
                self.receive_queue.popleft().release()
        if not parts and length:
            if self.error:
                raise socket_error(self.take_error(), f"{self.name}: receive")
            if not self.receive_shut:
                raise socket_error(Errno.EAGAIN, f"{self.name}: nothing to receive")
        return Received(b"".join(parts))

    def waiting(self) -> int:
        return sum(len(buffer) - buffer.consumed for buffer in self.receive_queue)

    # Ending

    def shut(self, receive: bool, send: bool) -> None:
        """Takes the other end out of its maps (`sock_map_unhash`)."""
        super().shut(receive, send)
        peer = self.peer
        if peer is None:
            return
        if peer.psock is not None and not self.kernel.ideal:
            peer.psock.leave_maps()
            self.kernel.hazard(peer, hazards.LOST_BY_SHUTDOWN)
        peer.receive_shut |= send
        peer.send_shut |= receive

    def leave(self) -> None:
        peer = self.peer
        if peer is not None:
            peer.receive_shut = peer.send_shut = True
            if self.receive_queue:
                peer.error = int(Errno.ECONNRESET)
        self.clear()
        self.receive_shut = self.send_shut = self.dead = True
        self.state = State.CLOSE
        self.peer = None


class UnixDatagrams(UnixSocket):
    """A datagram socket."""

    type = SOCK_DGRAM

    __slots__ = ()

    def write(self, content: bytes, more: bool = False) -> int:
        self._check_length(content)
        if self.peer is None:
            raise socket_error(Errno.ENOTCONN, f"{self.name}: send")
        return self._send(content, self.peer)

    def write_to(self, content: bytes, target: Sock) -> int:
        self._check_length(content)
        if not isinstance(target, UnixDatagrams):
            raise socket_error(Errno.EPROTOTYPE, f"{self.name}: sendto")
        return self._send(content, target)

    def send_redirected(self, piece: bytes, linear: bool, more: bool) -> int:
        return self.write(piece)

    def _check_length(self, content: bytes) -> None:
        if len(content) > self.send_buffer - _SPARE:
            raise socket_error(Errno.EMSGSIZE, f"{self.name}: {len(content)} bytes are too many")
        self.check_room()

    def _send(self, content: bytes, to: UnixSocket) -> int:
        if to.dead:
            self._lose_peer(to)
            raise socket_error(Errno.ECONNREFUSED, f"{self.name}: send")
        if to.receive_shut:
            raise socket_error(Errno.EPIPE, f"{self.name}: send")
        if to.peer not in (None, self):
            raise socket_error(Errno.EPERM, f"{self.name}: send")
        if to.peer is not self and len(to.receive_queue) > _MOST_WAITING:
            raise socket_error(Errno.EAGAIN, f"{self.name}: {to.name} does not read")
        paged = page_aligned(max(0, len(content) - MOST_LINEAR))
        self.deliver(content, len(content) - paged, to)
        return len(content)

    def _lose_peer(self, peer: UnixSocket) -> None:
        """The other end is gone."""
        if self.peer is peer:
            self.peer = None
            self.state = State.CLOSE
            for buffer in self.receive_queue:
                self.kernel.moved("lost", peer, self, buffer.content, "its sender is gone")
            self.clear()

    def read_queue(self, length: int, peek: bool) -> Received:
        if self.error and not self.receive_queue:
            raise socket_error(self.take_error(), f"{self.name}: receive")
        return self.read_datagram(length, peek)

    def waiting(self) -> int:
        """The length of the next datagram."""
        return len(self.receive_queue[0]) if self.receive_queue else 0

    def leave(self) -> None:
        self.clear()
        self.receive_shut = self.send_shut = self.dead = True
        self.state = State.CLOSE


class UnixPackets(UnixDatagrams):
    """A seqpacket socket, which no map takes."""

    type = SOCK_SEQPACKET

    __slots__ = ()

    @property
    def enterable(self) -> bool:
        return False

    @property
    def takes_redirects(self) -> bool:
        return False

    def read_queue(self, length: int, peek: bool) -> Received:
        if not self.receive_queue and self.receive_shut:
            return Received(b"")
        return super().read_queue(length, peek)

    def shut(self, receive: bool, send: bool) -> None:
        super().shut(receive, send)
        if self.peer is not None:
            self.peer.receive_shut |= send
            self.peer.send_shut |= receive

    def _lose_peer(self, peer: UnixSocket) -> None:
        raise socket_error(Errno.EPIPE, f"{self.name}: send")

    def leave(self) -> None:
        if self.peer is not None:
            self.peer.receive_shut = self.peer.send_shut = True
        super().leave()


#: Unix sockets by the names that pairs are asked for with.
UNIX_KINDS: dict[str, type[UnixSocket]] = {
    "stream": UnixStream,
    "dgram": UnixDatagrams,
    "seqpacket": UnixPackets,
}
