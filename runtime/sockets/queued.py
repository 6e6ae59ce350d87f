"""Sockets whose receive queue holds messages as they were sent: UDP and unix sockets."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.accounting import DEFAULT_BUFFER
from skverdict.runtime.sockets.address import Endpoint
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.sock import Received, Sock

if TYPE_CHECKING:
    from skverdict.runtime.sockets.kernel import Kernel


class QueuedSocket(Sock):
    """One whose verdict sees a message at a time, one for each that arrives, and whose reader gets what was
    passed without borders and without the sender's address."""

    __slots__ = ()

    def __init__(self, kernel: Kernel, name: str, family: int, local: Endpoint, remote: Endpoint) -> None:
        super().__init__(kernel, name, family, local, remote)
        self.send_buffer = self.receive_buffer = DEFAULT_BUFFER

    def eat(self, length: int) -> None:
        """Messages have no positions to count on."""

    def give_back(self, contents: list[bytes]) -> None:
        self.receive_queue.extendleft(SocketBuffer(each, 0, len(each)) for each in reversed(contents))

    # Arrival

    def arrive(self, buffer: SocketBuffer, sender: Sock) -> None:
        """A message comes in."""
        self.receive_queue.append(buffer)
        self.notice(buffer.content, sender)

    def notice(self, content: bytes | bytearray, sender: Sock) -> None:
        """Something has come into the queue: programs look at what is there."""
        psock = self.psock
        if psock is None or psock.handler is None:
            self.kernel.moved("arrived", sender, self, content)
        else:
            psock.handler()

    # Reading

    @property
    def _judged(self) -> bool:
        """True if the next read is of what programs passed."""
        return self.psock is not None and bool(self.psock.ingress)

    def read(self, length: int, peek: bool) -> Received:
        psock = self.psock
        if psock is None:
            return self.read_queue(length, peek)
        if not length:
            return Received(b"")
        if not self._judged:
            return self._read_unjudged(length, peek)
        reading = psock.ingress.read(length, peek)
        if reading.stuck:
            raise socket_error(Errno.EFAULT, f"{self.name}: receive")
        if not peek:
            psock.backlog.resume()
        return Received(reading.content)

    def _read_unjudged(self, length: int, peek: bool) -> Received:
        """Read when programs have passed nothing that waits."""
        return self.read_queue(length, peek)

    @abstractmethod
    def read_queue(self, length: int, peek: bool) -> Received:
        """Read from the receive queue. Raises OSError."""

    def read_datagram(self, length: int, peek: bool) -> Received:
        """Read one message; what does not fit is lost. Raises OSError."""
        if not self.receive_queue:
            raise socket_error(Errno.EAGAIN, f"{self.name}: nothing to receive")
        buffer = self.receive_queue[0] if peek else self.receive_queue.popleft()
        if not peek:
            buffer.release()
        return Received(bytes(buffer.content[:length]), buffer.source)

    # Ending

    def clear(self) -> None:
        """Throw away what was not read."""
        while self.receive_queue:
            self.receive_queue.popleft().release()
