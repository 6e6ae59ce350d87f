"""The worker behind redirection (`sk_psock_backlog`): sends buffers out of a socket, or lets it read them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.sending import send_message, send_shared

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock


class Backlog:
    """The buffers that wait for one socket, in order; `Kernel.settle` runs the work."""

    def __init__(self, psock: Psock) -> None:
        self.psock = psock
        self.socket = psock.socket
        self._buffers: deque[SocketBuffer] = deque()

    def __bool__(self) -> bool:
        return bool(self._buffers)

    def add(self, buffer: SocketBuffer) -> None:
        """Queue a buffer and call the worker."""
        self._buffers.append(buffer)
        self.socket.kernel.schedule(self.work)

    def work(self) -> None:
        """Handle what waits. The first error breaks the socket for redirects for good."""
        while self._buffers and self.psock.enabled:
            buffer = self._buffers[0]
            offset, length = buffer.message()
            ingress = buffer.ingress
            buffer.clear_redirect()
            try:
                self._handle(buffer, offset, length, ingress)
            except OSError as error:
                self.psock.enabled = False
                self.socket.error = error.errno or Errno.EIO
                what = f"takes no redirects any more, error {self.socket.error}"
                self.socket.kernel.changed(self.socket.name, what)
                return
            self._buffers.popleft()

    def lose(self, reason: str) -> None:
        """Throw away what waits."""
        for buffer in self._buffers:
            self.psock.lose(buffer, reason)
        self._buffers.clear()

    def _handle(self, buffer: SocketBuffer, offset: int, length: int, ingress: bool) -> None:
        """All of one buffer, in as many goes as it takes. A go that does nothing is an error: EPIPE."""
        while True:
            if self.socket.dead:
                raise socket_error(Errno.EIO, f"{self.socket.name} is closed")
            if ingress:
                done = self.psock.queue(buffer, offset, length, own=buffer.owner is self.socket)
            else:
                done = self._send(buffer, offset, length)
            if not done:
                raise socket_error(Errno.EPIPE, f"redirect to {self.socket.name} of nothing")
            offset += done
            length -= done
            if not length:
                return

    def _send(self, buffer: SocketBuffer, offset: int, length: int) -> int:
        """Send part of a buffer out of this socket, piece by piece, as its application would."""
        sent = 0
        for start, end in buffer.pieces(offset, length):
            piece = bytes(buffer.content[start:end])
            more = sent + len(piece) < length and self.socket.kernel.settings.kernel != "6.1"
            try:
                done = self._send_piece(piece, start < buffer.linear, more)
            except OSError:
                if sent:
                    return sent
                raise
            sent += done
            if done < len(piece):
                return sent
        return sent

    def _send_piece(self, piece: bytes, linear: bool, more: bool) -> int:
        """Through the socket's own msg_verdict, if it has one. Linux 6.1 hands over fragments as pages."""
        socket = self.socket
        with socket.locked():
            if self.psock.programs.msg_verdict is None:
                return socket.send(piece, more)
            if socket.kernel.settings.kernel == "6.1" and not linear:
                return send_shared(socket, self.psock, piece, more)
            return send_message(socket, self.psock, memoryview(piece), more)
