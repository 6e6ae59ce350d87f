"""The application's end of a socket: what a test reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.errors import SimulationError, socket_error
from skverdict.runtime.sockets.options import INT, LEAST_RECEIVE_BUFFER, LEAST_SEND_BUFFER, doubled, read
from skverdict.runtime.sockets.sock import Received, Sock
from skverdict.runtime.sockets.state import State
from skverdict.runtime.sockets.tcp import TcpSocket
from skverdict.runtime.sockets.udp import UdpSocket
from skverdict.runtime.sockets.unix import UnixDatagrams, UnixSocket

Content = bytes | bytearray | memoryview

SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2


def whole(content: Content) -> bytes:
    """The bytes of what is sent. Raises TypeError for a number, of which `bytes` would make as many zeros."""
    return content if type(content) is bytes else bytes(memoryview(content))


class Socket:
    """A non-blocking socket. Errors are OSErrors with Linux's errno, as Python's own sockets raise them.

    After each call everything that the kernel would do by itself has been done: segments have arrived,
    programs have run, redirected bytes are where they go. A Fault of a program ends the call that made it
    run.
    """

    __slots__ = ("_socket",)

    def __init__(self, kernel_socket: Sock) -> None:
        self._socket = kernel_socket

    @property
    def kernel_socket(self) -> Sock:
        """The socket as the model has it."""
        return self._socket

    @property
    def name(self) -> str:
        """The name in traces; can be set."""
        return self._socket.name

    @name.setter
    def name(self, name: str) -> None:
        self._socket.name = name

    @property
    def cookie(self) -> int:
        """The kernel's number for the socket, as reading a socket map gives it."""
        return self._socket.cookie

    @property
    def peer(self) -> Socket:
        """The other end. Raises ENOTCONN for a socket that has none."""
        other = self._other()
        if other is None:
            raise socket_error(Errno.ENOTCONN, f"{self.name}: peer")
        return Socket(other)

    def _other(self) -> Sock | None:
        socket = self._socket
        if isinstance(socket, TcpSocket):
            return socket.other
        if isinstance(socket, UnixSocket):
            return socket.peer
        return socket.kernel.find(socket.protocol, socket.local, socket.remote) if socket.connected else None

    @property
    def local(self) -> str:
        """Address and port of this end, such as `127.0.0.1:10000`."""
        return str(self._socket.local)

    @property
    def remote(self) -> str:
        """Address and port of the other end."""
        return str(self._socket.remote)

    @property
    def local_port(self) -> int:
        return self._socket.local.port

    @property
    def remote_port(self) -> int:
        return self._socket.remote.port

    @property
    def state(self) -> str:
        """The TCP state, such as `ESTABLISHED`; other kinds are in that one if connected and in `CLOSE` if
        not."""
        return self._socket.state.name

    @property
    def mark(self) -> int:
        """SO_MARK, 0 to 0xffffffff; can be set."""
        return self._socket.mark

    @mark.setter
    def mark(self, mark: int) -> None:
        self._socket.mark = _u32(mark)

    @property
    def priority(self) -> int:
        """SO_PRIORITY; can be set."""
        return self._socket.priority

    @priority.setter
    def priority(self, priority: int) -> None:
        self._socket.priority = _u32(priority)

    def set_buffers(self, size: int) -> None:
        """Bound what waits to be sent and to be read; Linux doubles `size` (bytes) for its own needs, but of no
        more than it allows."""
        self._check_open()
        kernel = self._socket.kernel.settings.kernel
        self._socket.send_buffer = doubled(size, LEAST_SEND_BUFFER, kernel)
        self._socket.receive_buffer = doubled(size, LEAST_RECEIVE_BUFFER, kernel)

    def getsockopt(self, level: int, number: int) -> int:
        """A TCP socket's option that is a number, such as `(socket.SOL_SOCKET, socket.SO_KEEPALIVE)`, as a program may
        have set it. Raises OSError EINVAL for one that programs cannot read."""
        self._check_open()
        if not isinstance(self._socket, TcpSocket):
            raise SimulationError(f"{self.name} is not TCP; options are simulated for that")
        return int.from_bytes(read(self._socket, level, number, INT, "little"), "little", signed=True)

    def enable_ktls(self) -> None:
        """kTLS is out of the simulator's scope: raises SimulationError."""
        raise SimulationError(
            "the simulator has no kTLS; Linux refuses to put a socket with it into a socket map (EINVAL)"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Socket) and other._socket is self._socket

    def __hash__(self) -> int:
        return hash(self._socket)

    def __repr__(self) -> str:
        return repr(self._socket)

    def _check_open(self) -> None:
        if self._socket.dead:
            raise socket_error(Errno.EBADF, f"{self.name} is closed")

    # Connections

    def accept(self, name: str | None = None) -> Socket:
        """Accept a connection to a listening TCP socket.

        Raises BlockingIOError if there is none, EINVAL if the socket does not listen, EOPNOTSUPP for
        datagrams.
        """
        self._check_open()
        socket = self._socket
        if not isinstance(socket, TcpSocket):
            raise socket_error(Errno.EOPNOTSUPP, f"{self.name}: accept")
        if socket.listener is None:
            raise socket_error(Errno.EINVAL, f"{self.name} does not listen")
        accepted = socket.listener.accept()
        accepted.name = name or accepted.name
        return Socket(accepted)

    def connect(self, peer: Socket) -> None:
        """Connect a datagram socket to another one's address."""
        self._check_open()
        socket, to = self._socket, peer.kernel_socket
        if isinstance(socket, UdpSocket) and isinstance(to, UdpSocket):
            if not socket.local.port:
                socket.bind(socket.kernel.free_port())
            socket.connect(to.local)
        elif isinstance(socket, UnixDatagrams) and isinstance(to, UnixDatagrams):
            socket.connect(to)
        else:
            raise SimulationError(f"{self.name} cannot be connected to {peer.name} afterwards")

    # Sending

    def send(
        self, content: Content, *, segments: Iterable[int] = (), mss: int | None = None, more: bool = False
    ) -> int:
        """Send `content`; returns how many bytes count as sent.

        `segments` are the sizes of the first segments that leave a TCP socket, and `mss` that of those behind
        them; without them the socket's segment size cuts. `more` announces that more is to come (MSG_MORE).
        Raises EACCES if a msg_verdict dropped it, EAGAIN if nothing fits, EPIPE and ECONNRESET as usual.
        """
        return self.sendmsg((content,), segments=segments, mss=mss, more=more)

    def sendmsg(
        self,
        parts: Sequence[Content],
        *,
        segments: Iterable[int] = (),
        mss: int | None = None,
        more: bool = False,
    ) -> int:
        """Send `parts` as one message, as `sendmsg` does with several buffers."""
        self._check_open()
        content = whole(parts[0]) if len(parts) == 1 else b"".join(parts)
        socket = self._socket
        plan = list(segments)
        if not isinstance(socket, TcpSocket):
            if plan or mss is not None:
                raise SimulationError(f"{self.name} is not TCP and has no segments")
            return self._call("sent", content, lambda: socket.write(content, more))
        if any(size < 1 for size in plan) or (mss is not None and mss < 1):
            raise SimulationError("segments have at least one byte")
        usual = socket.mss
        socket.plan += plan
        socket.mss = usual if mss is None else mss
        try:
            return self._call("sent", content, lambda: socket.write(content, more))
        finally:
            socket.plan.clear()
            socket.mss = usual

    def sendfile(self, content: Content) -> int:
        """Send `content` from a file, as `sendfile` does: programs may find its bytes not yet readable."""
        self._check_open()
        pages = whole(content)
        return self._call("sent", pages, lambda: self._socket.write_pages(pages))

    def sendto(self, content: Content, to: Socket) -> int:
        """Send a datagram to the address of another socket."""
        self._check_open()
        datagram = whole(content)
        return self._call("sent", datagram, lambda: self._socket.write_to(datagram, to.kernel_socket))

    def _call(self, way: str, content: bytes, perform: Callable[[], int]) -> int:
        kernel = self._socket.kernel
        kernel.moved(way, self._socket, None, content)
        try:
            return perform()
        finally:
            kernel.settle()

    # Receiving

    def recv(self, length: int = 65536) -> bytes:
        """Read up to `length` bytes; b"" at the end of the stream. Raises BlockingIOError if nothing is
        there."""
        return self._receive(length, peek=False).content

    def recvfrom(self, length: int = 65536) -> tuple[bytes, str | None]:
        """As `recv`, with the sender's address; None for what came through a verdict and where there is
        none."""
        received = self._receive(length, peek=False)
        return received.content, received.source

    def peek(self, length: int = 65536) -> bytes:
        """As `recv`, leaving the bytes to be read again."""
        return self._receive(length, peek=True).content

    def _receive(self, length: int, peek: bool) -> Received:
        self._check_open()
        if length < 0:
            raise ValueError("a negative length")
        socket = self._socket
        try:
            received = socket.read(length, peek)
        finally:
            socket.kernel.settle()
        if not peek:
            socket.kernel.moved("received", socket, None, received.content)
        return received

    def recv_all(self) -> bytes:
        """Read what is there to be read now, b"" if nothing is."""
        parts = []
        try:
            while part := self.recv():
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)

    @property
    def pending(self) -> int:
        """Bytes that can be read now, as FIONREAD tells them. For datagrams these are the next one's.

        Linux 6.1 does not see what came through a verdict, and no kernel sees that at unix sockets.
        """
        self._check_open()
        return self._socket.pending()

    @property
    def error(self) -> int:
        """SO_ERROR: the number of the pending error, 0 for none. Reading it clears it. Raises EBADF once closed."""
        self._check_open()
        return self._socket.take_error()

    # Ending

    def shutdown(self, how: int = SHUT_WR) -> None:
        """Shut down reading (0), writing (1) or both (2). Raises ENOTCONN if the connection is gone."""
        self._check_open()
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise socket_error(Errno.EINVAL, f"{self.name}: shutdown({how})")
        try:
            self._socket.shut(receive=how != SHUT_WR, send=how != SHUT_RD)
        finally:
            self._socket.kernel.settle()

    def close(self) -> None:
        """Close; twice is once. The socket leaves its maps, and bytes that its programs kept are lost."""
        self._close(reset=False)

    def reset(self) -> None:
        """Close a TCP socket with a reset, as with SO_LINGER and a time of 0."""
        self._close(reset=True)

    def _close(self, reset: bool) -> None:
        socket = self._socket
        if socket.dead:
            return
        if socket.psock is not None:
            socket.psock.leave_maps()
        try:
            if reset and isinstance(socket, TcpSocket) and socket.state is not State.CLOSE:
                socket.abort()
            socket.leave()
        finally:
            socket.kernel.settle()

    @property
    def connected(self) -> bool:
        """True until the connection is gone."""
        return self._socket.state is not State.CLOSE


def _u32(number: int) -> int:
    if not 0 <= number <= 0xFFFFFFFF:
        raise SimulationError(f"{number} is not within 32 bits")
    return number
