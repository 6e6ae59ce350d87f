"""The application's end of a socket: what a test reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.maps.sockmap import forget
from skverdict.runtime.sockets.errors import SimulationError, socket_error
from skverdict.runtime.sockets.reading import receive
from skverdict.runtime.sockets.sending import send_message
from skverdict.runtime.sockets.tcp import State, TcpSocket

Content = bytes | bytearray | memoryview

SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2


class Socket:
    """A non-blocking TCP socket. Errors are OSErrors with Linux's errno, as Python's own sockets raise
    them.

    After each call everything that the kernel would do by itself has been done: segments have arrived,
    programs have run, redirected bytes are where they go. A Fault of a program ends the call that made it
    run.
    """

    def __init__(self, kernel_socket: TcpSocket) -> None:
        self._socket = kernel_socket

    @property
    def kernel_socket(self) -> TcpSocket:
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
        if self._socket.other is None:
            raise socket_error(Errno.ENOTCONN, f"{self.name}: peer")
        return Socket(self._socket.other)

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
        """The TCP state, such as `ESTABLISHED`."""
        return self._socket.state.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Socket) and other._socket is self._socket

    def __hash__(self) -> int:
        return hash(self._socket)

    def __repr__(self) -> str:
        return repr(self._socket)

    def _check_open(self) -> None:
        if self._socket.dead:
            raise socket_error(Errno.EBADF, f"{self.name} is closed")

    def send(self, content: Content, *, segments: Iterable[int] = (), mss: int | None = None) -> int:
        """Send `content`; returns how many bytes count as sent.

        `segments` are the sizes of the first segments that leave the socket, and `mss` that of those behind
        them; without them the socket's segment size cuts. Raises EACCES if a msg_verdict dropped it, EPIPE
        and ECONNRESET as usual.
        """
        return self.sendmsg((content,), segments=segments, mss=mss)

    def sendmsg(
        self, parts: Sequence[Content], *, segments: Iterable[int] = (), mss: int | None = None
    ) -> int:
        """Send `parts` as one message, as `sendmsg` does with several buffers."""
        self._check_open()
        plan = list(segments)
        if any(size < 1 for size in plan) or (mss is not None and mss < 1):
            raise SimulationError("segments have at least one byte")
        socket = self._socket
        content = b"".join(parts)
        socket.plan.extend(plan)
        usual = socket.mss
        socket.mss = usual if mss is None else mss
        socket.kernel.moved("sent", socket, None, content)
        try:
            with socket.locked():
                if socket.psock is not None and socket.psock.programs.msg_verdict is not None:
                    sent = send_message(socket, socket.psock, memoryview(content), more=False)
                else:
                    sent = socket.send(content)
        finally:
            socket.kernel.settle()
            socket.plan.clear()
            socket.mss = usual
        return sent

    def recv(self, length: int = 65536) -> bytes:
        """Read up to `length` bytes; b"" at the end of the stream. Raises BlockingIOError if nothing is
        there."""
        return self._receive(length, peek=False)

    def peek(self, length: int = 65536) -> bytes:
        """As `recv`, leaving the bytes to be read again."""
        return self._receive(length, peek=True)

    def _receive(self, length: int, peek: bool) -> bytes:
        self._check_open()
        if length < 0:
            raise ValueError("a negative length")
        socket = self._socket
        try:
            with socket.locked():
                if socket.psock is not None:
                    content = receive(socket.psock, length, peek)
                else:
                    content = socket.receive(length, peek)
        finally:
            socket.kernel.settle()
        if not peek:
            socket.kernel.moved("received", socket, None, content)
        return content

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
        """Bytes that can be read now, as FIONREAD tells them; Linux 6.1 does not see redirected ones."""
        self._check_open()
        socket = self._socket
        if socket.psock is None or socket.kernel.settings.kernel == "6.1":
            return socket.unread()
        waiting = socket.psock.ingress.waiting
        return waiting if socket.psock.programs.receiving is not None else waiting + socket.unread()

    @property
    def error(self) -> int:
        """SO_ERROR: the number of the pending error, 0 for none. Reading it clears it."""
        return self._socket.take_error()

    def shutdown(self, how: int = SHUT_WR) -> None:
        """Shut down reading (0), writing (1) or both (2). Raises ENOTCONN if the connection is gone."""
        self._check_open()
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise socket_error(Errno.EINVAL, f"{self.name}: shutdown({how})")
        with self._socket.locked():
            self._socket.shutdown(receive=how != SHUT_WR, send=how != SHUT_RD)
        self._socket.kernel.settle()

    def close(self) -> None:
        """Close; twice is once. The socket leaves its maps, and bytes that its programs kept are lost."""
        socket = self._socket
        if socket.dead:
            return
        forget(socket)
        with socket.locked():
            socket.close()
        socket.kernel.settle()

    @property
    def connected(self) -> bool:
        """True until the connection is gone."""
        return self._socket.state is not State.CLOSE
