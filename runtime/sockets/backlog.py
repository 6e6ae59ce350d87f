"""The worker behind redirection (`sk_psock_backlog`): sends buffers out of a socket, or lets it read them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.errors import WouldBlock, socket_error

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock


class Backlog:
    """The buffers that wait for one socket, in order; `Kernel.settle` runs the work.

    Where the socket has no room the work stops in the middle of a buffer, and goes on when it is called
    again.
    """

    __slots__ = ("_buffers", "_rest", "psock", "socket")

    def __init__(self, psock: Psock) -> None:
        self.psock = psock
        self.socket = psock.socket
        self._buffers: deque[SocketBuffer] | None = None  # most sockets never need one
        self._rest: tuple[int, int] | None = None  # offset and length of what is left of the first buffer

    def __bool__(self) -> bool:
        return bool(self._buffers)

    def add(self, buffer: SocketBuffer) -> None:
        """Queue a buffer and call the worker."""
        if self._buffers is None:
            self._buffers = deque()
        self._buffers.append(buffer)
        self.resume()

    def resume(self) -> None:
        """Call the worker: there is work, or room for it."""
        if self._buffers and self.psock.enabled:
            self.socket.kernel.schedule(self.work)

    def work(self) -> None:
        """Handle what waits, as far as there is room. The first error breaks the socket for redirects for
        good."""
        while self._buffers and self.psock.enabled:
            buffer = self._buffers[0]
            offset, length = self._rest or buffer.message()
            self.socket.kernel.count_redirect(length)
            try:
                self._handle(buffer, offset, length)
            except WouldBlock:
                return
            except OSError as error:
                self.psock.enabled = False
                self.socket.error = error.errno or Errno.EIO
                what = f"takes no redirects any more, error {self.socket.error}"
                self.socket.kernel.changed(self.socket.name, what)
                return
            self._rest = None
            self._buffers.popleft()
            buffer.release()

    def lose(self, reason: str) -> None:
        """Throw away what waits."""
        for buffer in self._buffers or ():
            offset, length = self._rest or buffer.message()
            self.socket.kernel.moved(
                "lost", self.socket, None, buffer.content[offset : offset + length], reason
            )
            buffer.release()
            self._rest = None
        self._buffers = None

    def _handle(self, buffer: SocketBuffer, offset: int, length: int) -> None:
        """All of one buffer, in as many goes as it takes. A go that does nothing is an error: EPIPE."""
        while True:
            if self.socket.dead:
                raise socket_error(Errno.EIO, f"{self.socket.name} is closed")
            try:
                act = self._read if buffer.ingress else self._send
                done = act(buffer, offset, length)
            except WouldBlock:
                self._rest = (offset, length)
                raise
            if not done:
                raise socket_error(Errno.EPIPE, f"redirect to {self.socket.name} of nothing")
            offset += done
            length -= done
            if not length:
                return

    def _read(self, buffer: SocketBuffer, offset: int, length: int) -> int:
        """Let the application read part of a buffer."""
        own = buffer.owner is self.socket
        if not own and not self.socket.ingress_room:
            raise WouldBlock(Errno.EAGAIN, f"{self.socket.name} has too much to read already")
        return self.psock.queue(buffer, offset, length, own)

    def _send(self, buffer: SocketBuffer, offset: int, length: int) -> int:
        """Send part of a buffer out of this socket, piece by piece, as its application would."""
        sent = 0
        for start, end in buffer.pieces(offset, length):
            piece = bytes(buffer.content[start:end])
            more = sent + len(piece) < length
            try:
                done = self.socket.send_redirected(piece, start < buffer.linear, more)
            except OSError:
                if sent:
                    return sent
                raise
            sent += done
            if done < len(piece):
                return sent
        return sent
