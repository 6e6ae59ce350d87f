"""Listening TCP sockets: who waits to be accepted, and what a watched listener leaves to them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets import hazards
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.state import State

if TYPE_CHECKING:
    from skverdict.runtime.sockets.tcp import TcpSocket


class Inheritance:
    """A listener's way of noticing data, which the kernel copies into what it accepts.

    The copy has no psock. The way of a verdict reads buffers and finds nobody to give them to; that of a
    stream parser does nothing, and wakes nobody. Both wait for `accept`, before which there is no file to
    read for. With a psock, from any map, each calls itself until the stack is full.
    """

    def __init__(self, eats: bool) -> None:
        self.eats = eats
        self.accepted = False

    def data_ready(self, socket: TcpSocket) -> None:
        """Data has arrived at `socket`."""
        if not self.accepted:
            return
        kernel = socket.kernel
        if socket.psock is not None:
            kernel.crash(socket, hazards.PANIC_OF_ACCEPTED)
        if not self.eats:
            kernel.hazard(socket, hazards.ASLEEP)
            return
        lost = False
        while socket.receive_queue:
            buffer = socket.receive_queue.popleft()
            socket.eat(len(buffer))
            kernel.moved("lost", socket, None, buffer.content, "accepted from a watched listener")
            lost |= len(buffer) > 0
            if buffer.fin:
                break
        if lost:
            kernel.hazard(socket, hazards.EATEN)


class Listener:
    """What listening adds to a socket."""

    def __init__(self, socket: TcpSocket) -> None:
        self.socket = socket
        self._waiting: deque[TcpSocket] = deque()

    def inheritance(self) -> Inheritance | None:
        """What a connection that comes now gets; None if nothing watches the listener."""
        psock = self.socket.psock
        if psock is None or psock.handler is None or self.socket.kernel.ideal:
            return None
        return Inheritance(eats=psock.parser is None)

    def add(self, socket: TcpSocket) -> None:
        """A connection is there to be accepted."""
        self._waiting.append(socket)

    def accept(self) -> TcpSocket:
        """The connection that waits longest. Raises OSError EAGAIN if there is none."""
        if not self._waiting:
            raise socket_error(Errno.EAGAIN, f"{self.socket.name}: nothing to accept")
        socket = self._waiting.popleft()
        if socket.inheritance is not None:
            socket.inheritance.accepted = True
        return socket

    def close(self) -> None:
        """Reset what was not accepted."""
        for socket in self._waiting:
            socket.dead = True
            if socket.state is not State.CLOSE:
                socket.abort()
        self._waiting.clear()
