"""What sockets of all kinds are to programs, maps and each other (`struct sock`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.accounting import PAGE_SIZE
from skverdict.runtime.sockets.address import Endpoint
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.state import State

if TYPE_CHECKING:
    from skverdict.runtime.sockets.buffer import SocketBuffer
    from skverdict.runtime.sockets.kernel import Kernel
    from skverdict.runtime.sockets.message import Message
    from skverdict.runtime.sockets.psock import Psock

SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
IPPROTO_TCP, IPPROTO_UDP = 6, 17

#: Interface index of `lo`, where packets come in.
LOOPBACK_INTERFACE = 1

#: Bytes that `sendfile` hands on at a time: 16 pages.
_PIPE = 16 * PAGE_SIZE


class Received(NamedTuple):
    """What a read gave; `source` is the address of the sender, None where there is none to tell."""

    content: bytes
    source: str | None = None


class Sock(ABC):
    """A socket as the kernel has it. `error` is the pending SO_ERROR, 0 for none; `dead` is True when the
    application has closed it.

    `send_buffer` and `receive_buffer` (SO_SNDBUF and SO_RCVBUF, bytes) bound what waits. `mark` and
    `priority` are SO_MARK and SO_PRIORITY.
    """

    type: ClassVar[int]
    protocol: ClassVar[int]

    #: True if a verdict is shown all buffers that wait when one arrives, False if it is shown one.
    judges_all: ClassVar[bool] = False
    #: True if a stream parser can be had.
    parses: ClassVar[bool] = False

    __slots__ = (
        "__weakref__", "cookie", "dead", "error", "family", "kernel", "local", "mark", "name", "priority",
        "psock", "receive_buffer", "receive_queue", "receive_shut", "remote", "send_buffer", "send_shut",
        "state",
    )  # fmt: skip

    family: int
    local: Endpoint
    remote: Endpoint
    state: State
    mark: int
    priority: int

    def __init__(self, kernel: Kernel, name: str, family: int, local: Endpoint, remote: Endpoint) -> None:
        self.kernel = kernel
        self.name = name
        self.family = family
        self.local = local
        self.remote = remote
        self.cookie = kernel.cookie()
        self.state = State.CLOSE
        self.error = 0
        self.receive_shut = False
        self.send_shut = False
        self.dead = False
        self.mark = 0
        self.priority = 0
        self.send_buffer = 0
        self.receive_buffer = 0
        self.receive_queue: deque[SocketBuffer] = deque()
        self.psock: Psock | None = None

    def __repr__(self) -> str:
        return f"<{self.name} {self.local} {self.remote} {self.state.name}>"

    # What programs read

    @property
    def full(self) -> bool:
        """False while there is no more than a request for a connection."""
        return self.state is not State.NEW_SYN_RECV

    @property
    def reachable(self) -> bool:
        """True if packets for its addresses find it."""
        return not self.dead

    @property
    def local_ip4(self) -> int:
        """The IPv4 address that programs read."""
        return self.local.words[0] if len(self.local.words) == 1 else 0

    @property
    def remote_ip4(self) -> int:
        return self.remote.words[0] if len(self.remote.words) == 1 else 0

    def ip6_word(self, end: Endpoint, index: int) -> int:
        """One word of the IPv6 address of `end` that programs read; zero for an IPv4 address."""
        return end.words[index] if len(end.words) == 4 else 0

    @property
    def ethertype(self) -> int:
        """What the packets are that come in, by the number of the link layer; 0 for none."""
        return 0

    @property
    def interface(self) -> int:
        """Where packets come in; 0 where there are none."""
        return LOOPBACK_INTERFACE

    @property
    def rx_queue(self) -> int:
        """The receive queue of a driver that was noted for the socket; -1 for none."""
        return -1

    # Maps

    @property
    def connected(self) -> bool:
        return self.state is State.ESTABLISHED

    @property
    def enterable(self) -> bool:
        """True if user space may put it into a socket map."""
        return True

    @property
    def takes_redirects(self) -> bool:
        """True if a program can choose it as a target."""
        return self.connected

    # What the verdicts decided

    @abstractmethod
    def eat(self, length: int) -> None:
        """Count so many bytes as read that a verdict took away."""

    def read_of(self, buffer: SocketBuffer) -> int:
        """How many bytes of a buffer from the receive queue the application has read."""
        return 0

    @abstractmethod
    def give_back(self, contents: list[bytes]) -> None:
        """Let the application read again what programs have passed, in front of what waits."""

    def forget_read(self, buffer: SocketBuffer, length: int) -> None:
        """Take what was read out of a buffer."""
        buffer.drop(length)

    @abstractmethod
    def send_redirected(self, piece: bytes, linear: bool, more: bool) -> int:
        """Send what was redirected to the socket, one piece of memory; `more` announces that more follows.

        Returns how much was taken. Raises OSError, EAGAIN if there is no room now.
        """

    def push_message(self, message: Message, count: int, more: bool) -> None:
        """Send bytes that another socket's msg_verdict redirected here; only TCP sockets are chosen for
        that."""
        raise socket_error(Errno.EPIPE, f"{self.name} takes no messages")

    @property
    def ingress_room(self) -> bool:
        """True if what was redirected to the socket's reader can be queued."""
        return self.psock is None or self.psock.ingress.charged <= self.receive_buffer

    # Calls of the application

    def take_error(self) -> int:
        """The pending error number, which this clears."""
        error, self.error = self.error, 0
        return error

    @abstractmethod
    def write(self, content: bytes, more: bool = False) -> int:
        """Send `content`; returns how many bytes count as sent. Raises OSError."""

    def write_to(self, content: bytes, target: Sock) -> int:
        """Send `content` to the address of `target`."""
        raise socket_error(Errno.EISCONN, f"{self.name}: sendto")

    def write_pages(self, content: bytes) -> int:
        """Send `content` as pages of a file; returns how many bytes count as sent. Raises OSError.

        Linux 6.1 hands on one page at a time (`pipe_to_sendpage` of fs/splice.c), later ones what fits into a pipe
        (`splice_to_socket`).
        """
        size = PAGE_SIZE if self.kernel.settings.kernel == "6.1" else _PIPE
        sent = 0
        while sent < len(content):
            part = content[sent : sent + size]
            try:
                done = self.write_page(part, more=sent + len(part) < len(content))
            except OSError:
                if sent:
                    break
                raise
            sent += done
            if done < len(part):
                break
        return sent

    def write_page(self, page: bytes, more: bool) -> int:
        """Send what is handed on at a time; `more` announces that more follows. Raises OSError."""
        return self.write(page, more)

    @abstractmethod
    def read(self, length: int, peek: bool) -> Received:
        """Read up to `length` bytes; `peek` leaves them to be read again. Raises OSError."""

    @abstractmethod
    def waiting(self) -> int:
        """What FIONREAD says without a psock."""

    @abstractmethod
    def pending(self) -> int:
        """What FIONREAD says."""

    @abstractmethod
    def shut(self, receive: bool, send: bool) -> None:
        """Shut down one direction or both. Raises OSError."""

    @abstractmethod
    def leave(self) -> None:
        """The application closes the socket, which stands in no map any more."""
