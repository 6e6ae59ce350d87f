"""Sockets of the machine, with the interface of the simulator's: thin covers of Python's own.

They do not block. Linux does a part of what programs cause in the background, so after each call that can
cause something they wait `settle` seconds.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import termios
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from skverdict.runtime.kernel.errors import KernelUseError

Content = bytes | bytearray | memoryview

SHUT_RD, SHUT_WR, SHUT_RDWR = socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR

FAMILIES = {"v4": socket.AF_INET, "v6": socket.AF_INET6}
LOOPBACK = {"v4": "127.0.0.1", "v6": "::1"}

#: include/uapi/asm-generic/socket.h; Python's socket module has no name for it.
SO_COOKIE = 57
#: How long a connection on this machine may take to come about, in seconds.
CONNECT_TIMEOUT = 10.0

#: include/net/tcp_states.h, by number; the first byte of TCP_INFO is one.
TCP_STATES = (
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
)


def state_of(seen: socket.socket) -> str:
    """The TCP state, such as `ESTABLISHED`; other kinds are in that one if connected and in `CLOSE` if not."""
    if seen.family != socket.AF_UNIX and seen.type == socket.SOCK_STREAM:
        return TCP_STATES[seen.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]
    try:
        seen.getpeername()
    except OSError:
        return "CLOSE"
    return "ESTABLISHED"


class KernelSocket:
    """A non-blocking socket. `python` is Python's own, `name` what tests call it."""

    def __init__(self, python: socket.socket, name: str, settle: float) -> None:
        python.setblocking(False)
        self.python = python
        self.name = name
        self.settle = settle
        self._peer: KernelSocket | None = None

    @property
    def cookie(self) -> int:
        """The kernel's number for the socket, as reading a socket map gives it."""
        return int.from_bytes(self.python.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)

    @property
    def peer(self) -> KernelSocket:
        """The other end. Raises ENOTCONN for a socket that was not made together with one."""
        if self._peer is None:
            raise OSError(107, f"{self.name} has no peer here")
        return self._peer

    @property
    def local(self) -> str:
        """Address and port of this end, such as `127.0.0.1:10000`."""
        return _address(self.python.getsockname())

    @property
    def remote(self) -> str:
        """Address and port of the other end."""
        return _address(self.python.getpeername())

    @property
    def local_port(self) -> int:
        return int(self.python.getsockname()[1])

    @property
    def remote_port(self) -> int:
        return int(self.python.getpeername()[1])

    @property
    def state(self) -> str:
        """What `state_of` tells of the socket."""
        return state_of(self.python)

    @property
    def connected(self) -> bool:
        """True until the connection is gone."""
        return self.python.fileno() >= 0 and self.state != "CLOSE"

    def fileno(self) -> int:
        """The descriptor, -1 when closed; so a socket map and `select` take it."""
        return self.python.fileno()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelSocket) and other.python is self.python

    def __hash__(self) -> int:
        return hash(self.python)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.python!r}>"

    def send(
        self,
        content: Content,
        *,
        segments: Iterable[int] = (),
        mss: int | None = None,
        more: bool = False,
    ) -> int:
        """Send `content`; returns how many bytes count as sent.

        `segments` are the sizes of the first segments: each is a send of its own, as is each `mss` bytes
        behind them, so a msg_verdict runs for each. `more` announces that more is to come (MSG_MORE). Raises
        OSError.
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
        plan = list(segments)
        if any(size < 1 for size in plan) or (mss is not None and mss < 1):
            raise KernelUseError("segments have at least one byte")
        try:
            if not plan and mss is None:
                return self.python.sendmsg(parts, (), socket.MSG_MORE if more else 0)
            return self._send_cut(b"".join(parts), plan, mss)
        finally:
            self._settle()

    def sendfile(self, content: Content) -> int:
        """Send `content` from a file, as `sendfile` does: programs may find its bytes not yet readable."""
        try:
            with open(os.memfd_create("skverdict", os.MFD_CLOEXEC), "wb") as file:
                file.write(content)
                file.flush()
                return os.sendfile(self.python.fileno(), file.fileno(), 0, len(content))
        finally:
            self._settle()

    def _send_cut(self, content: bytes, plan: list[int], mss: int | None) -> int:
        """Send in pieces, up to the first that the kernel does not take whole."""
        sent = 0
        while sent < len(content):
            size = plan.pop(0) if plan else mss or len(content)
            piece = content[sent : sent + size]
            taken = self.python.send(piece)
            sent += taken
            if taken < len(piece):
                break
        return sent

    def recv(self, length: int = 65536) -> bytes:
        """Read up to `length` bytes; b"" at the end of the stream. Raises BlockingIOError if nothing is
        there."""
        try:
            return self.python.recv(length)
        finally:
            self._settle()

    def peek(self, length: int = 65536) -> bytes:
        """As `recv`, leaving the bytes to be read again."""
        return self.python.recv(length, socket.MSG_PEEK)

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
        """Bytes that can be read now, as FIONREAD tells them: an `int`, which Linux 6.1 lets fall below 0 where
        redirected bytes, which it does not count, were read."""
        answer = bytearray(4)
        fcntl.ioctl(self.python, termios.FIONREAD, answer)
        return int.from_bytes(answer, sys.byteorder, signed=True)

    def set_buffers(self, size: int) -> None:
        """Bound what waits to be sent and to be read; Linux doubles `size` (bytes) for its own needs."""
        self.python.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        self.python.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def getsockopt(self, level: int, number: int) -> int:
        """An option that is a number, such as `(socket.SOL_SOCKET, socket.SO_KEEPALIVE)`. Raises OSError."""
        return self.python.getsockopt(level, number)

    @property
    def error(self) -> int:
        """SO_ERROR: the number of the pending error, 0 for none. Reading it clears it."""
        return self.python.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def shutdown(self, how: int = SHUT_WR) -> None:
        """Shut down reading (0), writing (1) or both (2). Raises ENOTCONN if the connection is gone."""
        self.python.shutdown(how)
        self._settle()

    def close(self) -> None:
        """Close; twice is once. The socket leaves its maps, and bytes that its programs kept are lost."""
        if self.python.fileno() >= 0:
            self.python.close()
            self._settle()

    def reset(self) -> None:
        """Close a TCP socket with a reset, as with SO_LINGER and a time of 0."""
        if self.python.fileno() >= 0:
            self.python.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def _settle(self) -> None:
        """Wait for what the kernel does in the background."""
        if self.settle:
            time.sleep(self.settle)


def _address(name: object) -> str:
    """A socket's name as text, IPv6 addresses in brackets."""
    if not isinstance(name, tuple):
        return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class End(NamedTuple):
    """Where one end of a connection is to be; port 0 lets the kernel choose."""

    address: str
    port: int


def end(address: str | None, port: int | None, family: str) -> End:
    """An end as a caller gives it, on the loopback interface unless an address is given."""
    if family not in FAMILIES:
        raise KernelUseError(f"family {family!r} is neither v4 nor v6")
    return End(address or LOOPBACK[family], port or 0)


def tcp_socket(family: str, at: End | None = None) -> socket.socket:
    """A TCP socket, bound if `at` says where."""
    made = socket.socket(FAMILIES[family], socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if at is not None:
            made.bind(at)
    except BaseException:
        made.close()
        raise
    return made


def tcp_listener(family: str, at: End) -> socket.socket:
    """A listening TCP socket."""
    made = tcp_socket(family, at)
    try:
        made.listen()
    except BaseException:
        made.close()
        raise
    return made


def tcp_pair(
    family: str, client_end: End | None, listener: socket.socket
) -> tuple[socket.socket, socket.socket]:
    """A connection to `listener`: the client's socket and the server's, neither of which waits to fill
    segments. An IPv4 client reaches an IPv6 listener that takes both."""
    address, port = listener.getsockname()[:2]
    mapped = family == "v4" and listener.family == socket.AF_INET6
    client = tcp_socket(family, client_end)
    timeout = listener.gettimeout()
    try:
        listener.settimeout(CONNECT_TIMEOUT)
        client.settimeout(CONNECT_TIMEOUT)
        client.connect((LOOPBACK["v4"] if mapped else address, port))
        server, _ = listener.accept()
    except BaseException:
        client.close()
        raise
    finally:
        listener.settimeout(timeout)
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def udp_socket(family: str, at: End | None = None) -> socket.socket:
    """A UDP socket, bound if `at` says where."""
    made = socket.socket(FAMILIES[family], socket.SOCK_DGRAM)
    try:
        if at is not None:
            made.bind(at)
    except BaseException:
        made.close()
        raise
    return made


def udp_pair(family: str, one: End, other: End) -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets that are connected to each other."""
    first = udp_socket(family, one)
    try:
        second = udp_socket(family, other)
    except BaseException:
        first.close()
        raise
    first.connect(second.getsockname())
    second.connect(first.getsockname())
    return first, second


UNIX_KINDS = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}


def unix_pair(kind: str) -> tuple[socket.socket, socket.socket]:
    """Two unix sockets that are connected to each other."""
    if kind not in UNIX_KINDS:
        raise KernelUseError(f"kind {kind!r} is none of {', '.join(UNIX_KINDS)}")
    return socket.socketpair(socket.AF_UNIX, UNIX_KINDS[kind])


def pair_up(one: KernelSocket, other: KernelSocket) -> tuple[KernelSocket, KernelSocket]:
    """Let two sockets know each other as peers."""
    one._peer, other._peer = other, one
    return one, other
