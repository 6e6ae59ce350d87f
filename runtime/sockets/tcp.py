"""One end of a TCP connection: its queues, its state, and what happens when nobody's program interferes.

The network between the two ends loses nothing and takes no time; acknowledgements are immediate. Sequence
numbers do not wrap. Each push becomes a segment at once, as with TCP_NODELAY, and arrives as one buffer,
which merges with one that waits in the receive queue. A sender is held up when as much waits to be read as
the buffers of both ends can hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.address import (
    AF_INET,
    AF_INET6,
    IPV4_OF_IPV6,
    Endpoint,
    mapped_ip4,
    mapped_word,
)
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.callbacks import STATE_CB, STATE_CB_FLAG, call_back
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.header_options import (
    ASKS,
    WRITES,
    acknowledge,
    acknowledge_last,
    outgoing,
    parse,
    room_taken,
)
from skverdict.runtime.sockets.headers import ACK, FIN, PUSH, RST
from skverdict.runtime.sockets.kernel import Kernel
from skverdict.runtime.sockets.message import PAGE, Message
from skverdict.runtime.sockets.reading import receive
from skverdict.runtime.sockets.sending import push, send_message, send_pages
from skverdict.runtime.sockets.sock import IPPROTO_TCP, SOCK_STREAM, Received, Sock
from skverdict.runtime.sockets.state import State

if TYPE_CHECKING:
    from skverdict.runtime.sockets.headers import SynPacket
    from skverdict.runtime.sockets.listener import Inheritance, Listener

#: What the link layer calls IPv4 and IPv6.
_ETHERTYPES = {AF_INET: 0x0800, AF_INET6: 0x86DD}

#: Where both streams begin; each real connection chooses at random.
FIRST_SEQUENCE = 1

#: Segments that may be under way at the start (TCP_INIT_CWND), and no end of slow start yet
#: (TCP_INFINITE_SSTHRESH).
INITIAL_WINDOW = 10
NO_THRESHOLD = 0x7FFFFFFF

#: What sending a FIN does to the state, and what the acknowledgement of the FIN does then.
_AFTER_FIN = {
    State.ESTABLISHED: (State.FIN_WAIT1, State.FIN_WAIT2),
    State.CLOSE_WAIT: (State.LAST_ACK, State.CLOSE),
}


#: Attributes that options set, and that a new connection has from its listener.
_INHERITED = (
    "callback_flags", "congestion_control", "congestion_window", "low_water", "mark", "options", "receive_buffer",
    "send_buffer", "slow_start_threshold",
)  # fmt: skip


class _Locked:
    """A socket that is held while the block runs."""

    __slots__ = ("_socket",)

    def __init__(self, socket: TcpSocket) -> None:
        self._socket = socket

    def __enter__(self) -> None:
        self._socket.owned = True

    def __exit__(self, *_: object) -> None:
        self._socket.release()


class _Unlocked:
    """A socket that is not held while the block runs."""

    __slots__ = ("_socket",)

    def __init__(self, socket: TcpSocket) -> None:
        self._socket = socket

    def __enter__(self) -> None:
        self._socket.release()

    def __exit__(self, *_: object) -> None:
        self._socket.owned = True


class TcpSocket(Sock):
    """One end. `other` is the other, None before there is one; `listener` is there for a listening socket.

    `rcv_nxt` is the stream position behind what has arrived and `copied_seq` the kernel's idea of the
    position behind what was read, which programs' verdicts move in ways of their own. `owned` is True while
    a system call holds the socket; segments that arrive meanwhile wait in a backlog.
    """

    type = SOCK_STREAM
    protocol = IPPROTO_TCP
    judges_all = True
    parses = True

    __slots__ = (
        "_backlog", "_cuts", "_unsent", "accepted", "callback_flags", "congestion_control", "congestion_window",
        "copied_seq", "done", "inheritance", "lingers", "listener", "low_water", "mss", "options", "other", "owned",
        "plan", "predicts", "rcv_nxt", "saved_syn", "segment_limit", "slow_start_threshold", "snd_nxt", "transmit_hash",
    )  # fmt: skip

    mss: int
    rcv_nxt: int
    copied_seq: int
    snd_nxt: int
    congestion_window: int
    slow_start_threshold: int

    def __init__(self, kernel: Kernel, name: str, family: int, local: Endpoint, remote: Endpoint) -> None:
        super().__init__(kernel, name, family, local, remote)
        settings = kernel.settings
        self.other: TcpSocket | None = None
        self.listener: Listener | None = None
        self.inheritance: Inheritance | None = None  # what a watched listener left to it
        self.mss = settings.mss
        self.receive_buffer = settings.receive_buffer
        self.send_buffer = settings.send_buffer
        self.done = False  # a FIN has arrived
        self.lingers = False  # closed, and in TIME_WAIT until the other end's FIN comes
        self.accepted = False  # it was made by accept, not by connect
        self.owned = False
        self.rcv_nxt = self.copied_seq = self.snd_nxt = 0
        self.callback_flags = 0  # BPF_SOCK_OPS_*_CB_FLAG
        self.low_water = 1  # SO_RCVLOWAT
        self.congestion_control = b"cubic"
        self.congestion_window = INITIAL_WINDOW
        self.slow_start_threshold = NO_THRESHOLD
        self.segment_limit: int | None = None  # what TCP_MAXSEG of either end leaves of a segment
        self.options: dict[tuple[int, int], int] | None = None  # by level and number; most sockets never have any
        self.transmit_hash = 0
        self.predicts = False  # a header has been parsed, with which the next is compared
        self.saved_syn: SynPacket | None = None
        self.plan: list[int] = []  # sizes of the next segments
        self._unsent = b""
        self._cuts: tuple[int, ...] = ()
        self._backlog: list[Callable[[], None]] = []
        kernel.register(self)

    @property
    def peer(self) -> TcpSocket:
        """The other end of a socket that is or was connected."""
        assert self.other is not None
        return self.other

    @property
    def idle(self) -> bool:
        """True if the connection is open, nothing is under way to this end or held back by it, and any byte that
        comes is told of."""
        ends = self.dead or self.done or self.error or self.receive_shut or self.send_shut
        queued = self.receive_queue or self._unsent or self._backlog or self.plan
        unread = self.rcv_nxt != self.copied_seq
        return self.state is State.ESTABLISHED and not (
            ends or queued or unread or self.owned or self.inheritance is not None or self.low_water > 1
            or self.callback_flags & ASKS
        )

    def carried(self, length: int) -> None:
        """So many bytes went to the other end and are done with there, while both were idle."""
        self.snd_nxt += length
        self.peer.rcv_nxt += length
        self.peer.copied_seq += length

    @property
    def has_sent(self) -> bool:
        """True once bytes have been sent."""
        return self.snd_nxt > FIRST_SEQUENCE

    @property
    def mss_cache(self) -> int:
        """The size of a segment as the socket reckons. Over loopback, what is sent at once arrives at once, whatever
        that is."""
        return self.mss if self.segment_limit is None else min(self.mss, self.segment_limit)

    def inherit(self, listener: TcpSocket) -> None:
        """Take over what a connection gets from the socket that listens for it: all but the priority."""
        for name in _INHERITED:
            setattr(self, name, getattr(listener, name))
        for each in self.kernel.on_connection:
            each(listener, self)

    # What programs read

    @property
    def reachable(self) -> bool:
        return self.state is not State.CLOSE and not (self.dead and self.state is State.LISTEN)

    @property
    def local_ip4(self) -> int:
        """The IPv4 address that programs read; IPv6 sockets have a stand-in there."""
        if self.family == AF_INET6 and not self._mapped:
            return IPV4_OF_IPV6 if any(self.local.words) and not self._bare else 0
        return mapped_ip4(self.local)

    @property
    def remote_ip4(self) -> int:
        """Likewise; IPv6 sockets that connected rather than accepted have zero there."""
        if self.family == AF_INET6 and not self._mapped:
            return IPV4_OF_IPV6 if self.accepted and not self._bare else 0
        return mapped_ip4(self.remote)

    @property
    def _bare(self) -> bool:
        """True for a request for a connection to which the kernel gives no stand-ins, as Linux 7.2 does."""
        return not self.full and self.kernel.settings.kernel != "7.2"

    @property
    def _mapped(self) -> bool:
        """True if the packets are IPv4's, also if the socket is not."""
        return mapped_ip4(self.remote) != 0

    def ip6_word(self, end: Endpoint, index: int) -> int:
        """IPv4 addresses are mapped once there is a connection, and zero before."""
        return mapped_word(end, index) if self.remote.port or len(end.words) == 4 else 0

    @property
    def ethertype(self) -> int:
        return _ETHERTYPES[AF_INET if self._mapped else self.family]

    @property
    def rx_queue(self) -> int:
        return 0 if self.accepted and self.kernel.settings.kernel != "7.2" else -1

    # Maps

    @property
    def enterable(self) -> bool:
        return self.state in (State.ESTABLISHED, State.LISTEN)

    @property
    def takes_redirects(self) -> bool:
        return self.state is not State.LISTEN

    def enter(self, state: State) -> None:
        """Change the state; sock_ops programs that asked for it hear of that first."""
        if self.callback_flags & STATE_CB_FLAG:
            call_back(self, STATE_CB, (int(self.state), int(state)))
        self.state = state

    # Who holds the socket

    def locked(self) -> _Locked:
        """Hold the socket as a system call does; what arrived meanwhile is processed at the end."""
        return _Locked(self)

    def unlocked(self) -> _Unlocked:
        """Let go of a socket that is held, for as long as another one is worked on."""
        return _Unlocked(self)

    def release(self) -> None:
        """Let go of the socket and process its backlog."""
        self.owned = False
        while self._backlog:
            self._backlog.pop(0)()

    # Arrival

    def deliver(self, buffer: SocketBuffer, head: bytes | None = None) -> None:
        """A segment arrives; `head` is its header, if programs ask for headers."""
        if self.owned:
            self._backlog.append(lambda: self.deliver(buffer, head))
            return
        if self.lingers and not len(buffer):
            self.lingers = False
            acknowledge_last(self)
            return
        if head is not None and self.state is not State.CLOSE:
            parse(self, head, len(buffer))
        refuses = self.receive_shut and self.send_shut and not self.done
        if self.state is State.CLOSE or (len(buffer) and (self.dead or refuses)):
            if self.state is not State.CLOSE and not self.dead:
                self.reset()
            self.kernel.moved("lost", self.peer, self, buffer.content, "nobody reads any more")
            self.peer.reset()
            return
        tail = self.receive_queue[-1] if self.receive_queue else None
        if tail is None or not tail.merge(buffer):
            self.receive_queue.append(buffer)
        self.rcv_nxt = buffer.end_seq
        if self.psock is None or self.psock.handler is None:
            self.kernel.moved("arrived", self.peer, self, buffer.content)
        if buffer.fin:
            self._finish()
        if not self.dead:
            self.data_ready()
        if self._unsent:
            self.push_unsent()  # whatever arrives acknowledges, and nothing is under way any more
        elif head is not None:
            acknowledge(self)

    def acknowledged(self, head: bytes) -> None:
        """A bare acknowledgement arrives, of which programs are told. That of an end comes before anything else."""
        if self.owned and self.state in (State.ESTABLISHED, State.CLOSE_WAIT):
            self._backlog.append(lambda: parse(self, head, 0))
        else:
            parse(self, head, 0)

    def _finish(self) -> None:
        self.receive_shut = self.done = True
        if self.state is State.ESTABLISHED:
            self.enter(State.CLOSE_WAIT)
        elif self.state in (State.FIN_WAIT1, State.FIN_WAIT2):
            self.enter(State.CLOSE)
            self.send_shut = True

    def data_ready(self) -> None:
        """Tell whoever watches for data, unless the kernel believes that there is nothing unread."""
        psock = self.psock
        if self.rcv_nxt - self.copied_seq >= self.low_water or self.done:
            if self.inheritance is not None:
                self.inheritance.data_ready(self)
            elif psock is not None and psock.handler is not None:
                psock.handler()
        elif self.receive_queue and psock is not None and self.rcv_nxt <= self.copied_seq:
            psock.check_late_delivery()

    def reset(self) -> None:
        """A reset arrives."""
        if self.owned:
            self._backlog.append(self.reset)
            return
        if self.state is State.CLOSE:
            return
        self.error = int(Errno.EPIPE if self.state is State.CLOSE_WAIT else Errno.ECONNRESET)
        self.enter(State.CLOSE)
        self.receive_shut = self.send_shut = True
        self._unsent, self._cuts = b"", ()
        if not self.dead:
            self.kernel.changed(self.name, "connection reset")

    def buffer_at(self, seq: int) -> tuple[SocketBuffer, int] | None:
        """The first queued buffer and the offset of `seq` in it; buffers that do not hold `seq` are thrown
        away.

        For the end of a stream the offset may lie outside the buffer.
        """
        while self.receive_queue:
            buffer = self.receive_queue[0]
            offset = seq - buffer.seq
            if 0 <= offset < len(buffer) or buffer.fin:
                return buffer, offset
            self.receive_queue.popleft()
            if offset < 0:
                reason = "the kernel's read position is before it"
                self.kernel.moved("lost", self, None, buffer.content, reason)
        return None

    def eat(self, length: int) -> None:
        self.copied_seq += length

    def read_of(self, buffer: SocketBuffer) -> int:
        return min(max(self.copied_seq - buffer.seq, 0), len(buffer))

    def give_back(self, contents: list[bytes]) -> None:
        content = b"".join(contents)
        if content:
            end = self.receive_queue[0].seq if self.receive_queue else self.rcv_nxt - self.done
            self.copied_seq = end - len(content)
            self.receive_queue.appendleft(SocketBuffer(content, self.copied_seq, 0))

    def forget_read(self, buffer: SocketBuffer, length: int) -> None:
        super().forget_read(buffer, length)
        buffer.seq += length

    # Reading

    def read(self, length: int, peek: bool) -> Received:
        before = self.copied_seq
        with self.locked():
            if self.psock is not None:
                content = receive(self, self.psock, length, peek)
            else:
                content = self.receive(length, peek)
        if content and not peek:
            self._read_some(before)
        return Received(content)

    def _read_some(self, before: int) -> None:
        """There is room: for more to come from the other end, and for what was redirected."""
        if self.psock is not None:
            self.psock.backlog.resume()
        if self.other is not None and self.other.psock is not None and self.copied_seq != before:
            self.other.psock.backlog.resume()

    def receive(self, length: int, peek: bool) -> bytes:
        """Read up to `length` bytes of the receive queue; b"" at the end. Raises OSError."""
        seq = self.copied_seq
        parts: list[bytes] = []
        ended = not length
        while length and not ended:
            buffer = self._buffer_to_read(seq)
            if buffer is None:
                break
            part = bytes(buffer.content[seq - buffer.seq :][:length])
            parts.append(part)
            seq += len(part)
            length -= len(part)
            if seq - buffer.seq < len(buffer):
                break
            ended = buffer.fin
            seq += ended
            if not peek:
                self.receive_queue.remove(buffer)
        if not parts and not ended:
            self.check_readable()
        if not peek:
            self.copied_seq = seq
        return b"".join(parts)

    def _buffer_to_read(self, seq: int) -> SocketBuffer | None:
        for buffer in self.receive_queue:
            if seq < buffer.seq:
                return None  # verdicts took bytes that were never read; the kernel warns and finds nothing
            if seq - buffer.seq < len(buffer) or buffer.fin:
                return buffer
        return None

    def check_readable(self) -> None:
        """Return if an empty read means the end of the stream; otherwise raise OSError with the reason."""
        if self.done:
            return
        if self.error:
            raise socket_error(self.take_error(), f"{self.name}: receive")
        if self.receive_shut:
            return
        if self.state in (State.CLOSE, State.LISTEN):
            raise socket_error(Errno.ENOTCONN, f"{self.name}: receive")
        raise socket_error(Errno.EAGAIN, f"{self.name}: nothing to receive")

    def waiting(self) -> int:
        """Bytes that have arrived and were not read, in the kernel's reckoning (`tcp_inq`)."""
        if self.state is State.LISTEN:
            raise socket_error(Errno.EINVAL, f"{self.name}: FIONREAD of a listening socket")
        count = self.rcv_nxt - self.copied_seq
        return count - 1 if count and self.done else count

    def pending(self) -> int:
        psock = self.psock
        if psock is None or self.kernel.settings.kernel == "6.1":
            return self.waiting()
        waiting = psock.ingress.waiting
        return waiting if psock.programs.receiving is not None else waiting + self.waiting()

    # Writing

    def write(self, content: bytes, more: bool = False) -> int:
        psock = self.psock
        with self.locked():
            if psock is not None and psock.programs.msg_verdict is not None:
                return send_message(self, psock, memoryview(content), more)
            if content:
                # These bytes come to lie behind a corked message's, so that what continues that one does not
                # (sk_page_frag in tcp_sendmsg_locked, net/ipv4/tcp.c in Linux 6.1 to 7.2).
                self.kernel.page_fragment.renew()
            return self.send(content, more)

    def write_page(self, page: bytes, more: bool) -> int:
        """A `msg_verdict` gets the page itself from Linux 6.1, and a copy from later ones."""
        psock = self.psock
        with self.locked():
            if psock is None or psock.programs.msg_verdict is None:
                return self.send(page, more)
            if self.kernel.settings.kernel == "6.1":
                return send_pages(self, psock, page, more)
            return send_message(self, psock, memoryview(page), more)

    def send_redirected(self, piece: bytes, linear: bool, more: bool) -> int:
        """Through the socket's own msg_verdict, if it has one. Linux 6.1 hands over fragments as pages, and
        does not say that more follows."""
        psock, old = self.psock, self.kernel.settings.kernel == "6.1"
        assert psock is not None
        with self.locked():
            if psock.programs.msg_verdict is None:
                return self.send(piece, more and not old)
            if old and not linear:
                return send_pages(self, psock, piece, more=False)
            return send_message(self, psock, memoryview(piece), more and not old)

    def push_message(self, message: Message, count: int, more: bool) -> None:
        with self.locked():
            push(self, message, count, more)

    @property
    def room(self) -> int:
        """How many bytes can be sent before the other end reads."""
        if self.other is None:
            return 0
        waiting = self.snd_nxt + len(self._unsent) - self.other.copied_seq
        return self.send_buffer + self.other.receive_buffer - waiting

    def check_writable(self) -> None:
        """Raise OSError if nothing can be sent."""
        if self.state not in (State.ESTABLISHED, State.CLOSE_WAIT) or self.error or self.send_shut:
            raise socket_error(self.take_error() or Errno.EPIPE, f"{self.name}: send")

    def send(self, content: bytes | memoryview, more: bool = False) -> int:
        """Send `content` as far as there is room, each `PAGE` bytes of it a fragment. `more` announces that
        more follows at once. Raises OSError."""
        self.check_writable()
        if not content:
            return 0
        room = self.room
        if room < len(content):
            if room <= 0:
                raise socket_error(Errno.EAGAIN, f"{self.name}: the other end does not read")
            content = content[:room]
        begin = len(self._unsent)
        self._unsent = self._unsent + content if begin else bytes(content)
        end = len(self._unsent)
        self._cuts += (*range(begin + PAGE, end, PAGE), end)
        self._push(whole=more)
        if self._unsent:
            self.kernel.holds_unsent(self)
        return len(content)

    def push_unsent(self) -> None:
        """Send what was held back for more."""
        self._push()

    def _push(self, whole: bool = False, end: bool = False) -> None:
        """Send what is there, or what of it fills `whole` segments. The last one tells of the `end` of the stream, if
        that has come."""
        mss = self.mss
        asked = (self.callback_flags | self.peer.callback_flags) & ASKS
        if asked:
            mss = max(mss - room_taken(self), 1)
        least = mss if whole else 1
        while len(self._unsent) >= least or end:
            size = min(self.plan.pop(0) if self.plan and self._unsent else mss, len(self._unsent))
            last = size == len(self._unsent)
            if last:
                content, cuts = self._unsent, self._cuts
                self._unsent, self._cuts = b"", ()
            else:
                content, cuts = self._unsent[:size], (*(cut for cut in self._cuts if cut < size), size)
                self._unsent = self._unsent[size:]
                self._cuts = tuple(cut - size for cut in self._cuts if cut > size)
            fin = end and last
            segment = SocketBuffer(content, self.snd_nxt, self.kernel.settings.linear, cuts, fin)
            head = outgoing(self, ACK | (FIN if fin else PUSH * last), size) if asked else None
            self.snd_nxt += size + fin
            end = end and not last
            self.peer.deliver(segment, head)

    # Ending

    def shut(self, receive: bool, send: bool) -> None:
        """Raises OSError ENOTCONN if the connection is gone."""
        if self.state is State.CLOSE:
            raise socket_error(Errno.ENOTCONN, f"{self.name}: shutdown")
        with self.locked():
            self.receive_shut |= receive
            if send and not self.send_shut:
                self.send_shut = True
                self._send_fin()

    def _send_fin(self) -> None:
        """Announce the end of the stream, with the last bytes if some were held back; the other end acknowledges it
        at once."""
        after = _AFTER_FIN.get(self.state)
        if after is None:
            self.push_unsent()
            return
        sending, acknowledged = after
        self.enter(sending)
        self._push(end=True)
        if self.state is sending:
            self.enter(acknowledged)

    def leave(self) -> None:
        """Unread bytes in the receive queue make it a reset, as RFC 2525 wants."""
        with self.locked():
            unread = False
            for buffer in self.receive_queue:
                unread |= buffer.seq + len(buffer) > self.copied_seq
            self.receive_queue.clear()
            self.receive_shut = True
            if self.listener is not None:
                self.enter(State.CLOSE)
                self.listener.close()
            elif self.state is not State.CLOSE:
                if unread:
                    self.abort()
                elif not self.send_shut:
                    self._send_fin()
            self.send_shut = True
            self.dead = True
            if self.state is State.FIN_WAIT2:
                self.enter(State.CLOSE)
                self.lingers = True

    def abort(self) -> None:
        """Reset the connection."""
        self.enter(State.CLOSE)
        if self.callback_flags & WRITES:
            outgoing(self, RST | ACK)
        if self.other is not None:
            self.other.reset()
