"""Reading from a socket that stands in a map (`tcp_bpf_recvmsg` and `tcp_bpf_recvmsg_parser`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets import hazards
from skverdict.runtime.sockets.errors import socket_error

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock
    from skverdict.runtime.sockets.tcp import TcpSocket


def receive(socket: TcpSocket, psock: Psock, length: int, peek: bool) -> bytes:
    """Read up to `length` bytes; b"" at the end of the stream. Raises OSError."""
    if not length:
        return b""
    if psock.programs.receiving is not None:
        return _receive_judged(socket, psock, length, peek)
    if socket.receive_queue and not psock.ingress:
        return socket.receive(length, peek)
    reading = psock.ingress.read(length, peek)
    if reading.stuck:
        raise socket_error(Errno.EFAULT, f"{socket.name}: receive")
    if not reading.content:
        if socket.receive_shut:
            return socket.receive(length, peek)
        raise socket_error(Errno.EAGAIN, f"{socket.name}: nothing to receive")
    return reading.content


def _receive_judged(socket: TcpSocket, psock: Psock, length: int, peek: bool) -> bytes:
    """Read what the verdict passed. What it has not seen yet is shown to it first, and what it then drops or redirects
    stays counted as unread: the position from before is written back, error or not."""
    seq = socket.copied_seq
    try:
        content, own = _take_judged(socket, psock, length, peek)
    except OSError:
        if not peek and not socket.kernel.ideal:
            socket.copied_seq = seq
        raise
    if not peek:
        socket.copied_seq = (socket.copied_seq if socket.kernel.ideal else seq) + own
    return content


def _take_judged(socket: TcpSocket, psock: Psock, length: int, peek: bool) -> tuple[bytes, int]:
    """The bytes, and how many positions of the socket's own stream they take. Raises OSError."""
    if socket.receive_queue:
        socket.data_ready()
        hidden = bool(psock.ingress.waiting)
        if socket.receive_queue and not (hidden and socket.kernel.ideal):
            if hidden:
                socket.kernel.hazard(socket, hazards.HIDDEN)
            raise socket_error(Errno.EAGAIN, f"{socket.name}: bytes wait for the verdict")
    reading = psock.ingress.read(length, peek)
    if reading.stuck:
        if not reading.stuck.fin:
            raise socket_error(Errno.EFAULT, f"{socket.name}: receive")
        return reading.content, 1  # the end of the stream takes a position, too
    if not reading.content:
        socket.check_readable()
    return reading.content, reading.own
