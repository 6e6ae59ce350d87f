"""One end of a TCP connection: its queues, its state, and what happens when nobody's program interferes.

The network between the two ends loses nothing and takes no time; acknowledgements are immediate. Sequence
numbers do not wrap. Nothing is held back by windows or buffer sizes. Each push becomes a segment at once,
as with TCP_NODELAY, and arrives as one buffer, which merges with one that waits in the receive queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.address import AF_INET6, IPV4_OF_IPV6, Endpoint
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.callbacks import STATE_CB, STATE_CB_FLAG, call_back
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.kernel import Kernel
from skverdict.runtime.sockets.message import PAGE

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock

class State(IntEnum):
    """TCP states, numbered as in include/net/tcp_states.h. TIME_WAIT is CLOSED to the socket itself."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    NEW_SYN_RECV = 12


#: What sending a FIN does to the state, and what the acknowledgement of the FIN does then.
_AFTER_FIN = {
    State.ESTABLISHED: (State.FIN_WAIT1, State.FIN_WAIT2),
    State.CLOSE_WAIT: (State.LAST_ACK, State.CLOSE),
}


class TcpSocket:
    """One end. `other` is the other, None before there is one. `error` is the pending SO_ERROR, 0 for none.

    `rcv_nxt` is the stream position behind what has arrived and `copied_seq` the kernel's idea of the
    position behind what was read, which programs' verdicts move in ways of their own. `owned` is True while
    a system call holds the socket; segments that arrive meanwhile wait in a backlog.
    """

    type = 1  # SOCK_STREAM
    protocol = 6  # IPPROTO_TCP

    family: int
    local: Endpoint
    remote: Endpoint
    state: State
    mss: int
    rcv_nxt: int
    copied_seq: int
    snd_nxt: int

    def __init__(self, kernel: Kernel, name: str, family: int, local: Endpoint, remote: Endpoint) -> None:
        self.kernel = kernel
        self.name = name
        self.family = family
        self.local = local
        self.remote = remote
        self.cookie = kernel.cookie()
        self.other: TcpSocket | None = None
        self.state = State.CLOSE
        self.mss = kernel.settings.mss
        self.receive_buffer = kernel.settings.receive_buffer
        self.error = 0
        self.receive_shut = False
        self.send_shut = False
        self.done = False  # a FIN has arrived
        self.dead = False  # the application has closed it
        self.accepted = False  # it was made by accept, not by connect
        self.owned = False
        self.receive_queue: deque[SocketBuffer] = deque()
        self.rcv_nxt = self.copied_seq = self.snd_nxt = 0
        self.psock: Psock | None = None
        self.callback_flags = 0  # BPF_SOCK_OPS_*_CB_FLAG
        self.transmit_hash = 0
        self.plan: deque[int] = deque()  # sizes of the next segments
        self._unsent = bytearray()
        self._cuts: list[int] = []
        self._backlog: deque[Callable[[], None]] = deque()
        kernel.register(self)

    def __repr__(self) -> str:
        return f"<{self.name} {self.local} {self.remote} {self.state.name}>"

    @property
    def peer(self) -> TcpSocket:
        """The other end of a socket that is or was connected."""
        assert self.other is not None
        return self.other

    @property
    def full(self) -> bool:
        """False while there is no more than a request for a connection."""
        return self.state is not State.NEW_SYN_RECV

    @property
    def reachable(self) -> bool:
        """True if segments for its addresses find it."""
        return self.state is not State.CLOSE and not (self.dead and self.state is State.LISTEN)

    @property
    def local_ip4(self) -> int:
        """The IPv4 address that programs read; IPv6 sockets have a stand-in there."""
        return IPV4_OF_IPV6 if self.family == AF_INET6 else self.local.words[0]

    @property
    def remote_ip4(self) -> int:
        """Likewise; IPv6 sockets that connected rather than accepted have zero there."""
        if self.family == AF_INET6:
            return IPV4_OF_IPV6 if self.accepted else 0
        return self.remote.words[0]

    def enter(self, state: State) -> None:
        """Change the state; sock_ops programs that asked for it hear of that first."""
        if self.callback_flags & STATE_CB_FLAG:
            call_back(self, STATE_CB, (int(self.state), int(state)))
        self.state = state

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the socket as a system call does; what arrived meanwhile is processed at the end."""
        self.owned = True
        try:
            yield
        finally:
            self.release()

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Let go of a socket that is held, for as long as another one is worked on."""
        self.release()
        try:
            yield
        finally:
            self.owned = True

    def release(self) -> None:
        """Let go of the socket and process its backlog."""
        self.owned = False
        while self._backlog:
            self._backlog.popleft()()

    def take_error(self) -> int:
        """The pending error number, which this clears."""
        error, self.error = self.error, 0
        return error

    def unread(self) -> int:
        """Bytes that have arrived and were not read, in the kernel's reckoning (`tcp_inq`)."""
        count = self.rcv_nxt - self.copied_seq
        return count - 1 if count and self.done else count

    # Arrival

    def deliver(self, buffer: SocketBuffer) -> None:
        """A segment arrives."""
        if self.owned:
            self._backlog.append(lambda: self.deliver(buffer))
            return
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
        self.push_unsent()  # whatever arrives acknowledges, and nothing is under way any more

    def _finish(self) -> None:
        self.receive_shut = self.done = True
        if self.state is State.ESTABLISHED:
            self.enter(State.CLOSE_WAIT)
        elif self.state in (State.FIN_WAIT1, State.FIN_WAIT2):
            self.enter(State.CLOSE)
            self.send_shut = True

    def data_ready(self) -> None:
        """Tell whoever watches for data, unless the kernel believes that there is nothing unread."""
        if self.rcv_nxt - self.copied_seq > 0 or self.done:
            if self.psock is not None and self.psock.handler is not None:
                self.psock.handler()
        elif self.receive_queue and self.psock is not None:
            self.psock.check_late_delivery()

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
        self._unsent.clear()
        self._cuts.clear()
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

    # Reading

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

    # Writing

    def check_writable(self) -> None:
        """Raise OSError if nothing can be sent."""
        reason = f"{self.name}: send"
        if self.state not in (State.ESTABLISHED, State.CLOSE_WAIT) or self.error or self.send_shut:
            raise socket_error(self.take_error() or Errno.EPIPE, reason)

    def send(self, content: bytes | bytearray | memoryview, more: bool = False) -> int:
        """Send all of `content`, each `PAGE` bytes of it a fragment. `more` announces that more follows at
        once."""
        self.check_writable()
        if not content:
            return 0
        begin = len(self._unsent)
        self._unsent += content
        self._cuts += [*range(begin + PAGE, len(self._unsent), PAGE), len(self._unsent)]
        if more:
            self._push(self.mss)
            if self._unsent:
                self.kernel.holds_unsent(self)
        else:
            self._push(1)
        return len(content)

    def push_unsent(self) -> None:
        """Send what was held back for more."""
        self._push(1)

    def _push(self, least: int) -> None:
        while len(self._unsent) >= least and self._unsent:
            size = min(self.plan.popleft() if self.plan else self.mss, len(self._unsent))
            cuts = tuple(cut for cut in self._cuts if cut < size)
            segment = SocketBuffer(
                bytes(self._unsent[:size]), self.snd_nxt, self.kernel.settings.linear, (*cuts, size)
            )
            del self._unsent[:size]
            self._cuts = [cut - size for cut in self._cuts if cut > size]
            self.snd_nxt += size
            self.peer.deliver(segment)

    def shutdown(self, receive: bool, send: bool) -> None:
        """Shut down one direction or both. Raises OSError ENOTCONN if the connection is gone."""
        if self.state is State.CLOSE:
            raise socket_error(Errno.ENOTCONN, f"{self.name}: shutdown")
        self.receive_shut |= receive
        if send and not self.send_shut:
            self.send_shut = True
            self._send_fin()

    def _send_fin(self) -> None:
        """Announce the end of the stream; the other end acknowledges it at once."""
        self.push_unsent()
        after = _AFTER_FIN.get(self.state)
        if after is None:
            return
        sending, acknowledged = after
        self.enter(sending)
        fin = SocketBuffer(b"", self.snd_nxt, 0, fin=True)
        self.snd_nxt += 1
        self.peer.deliver(fin)
        if self.state is sending:
            self.enter(acknowledged)

    def close(self) -> None:
        """The application closes. Unread bytes in the receive queue make it a reset, as RFC 2525 wants."""
        unread = False
        for buffer in self.receive_queue:
            unread |= buffer.seq + len(buffer) > self.copied_seq
        self.receive_queue.clear()
        self.receive_shut = True
        if self.state is not State.CLOSE:
            if unread:
                self.enter(State.CLOSE)
                self.peer.reset()
            elif not self.send_shut:
                self._send_fin()
        self.send_shut = True
        self.dead = True
