"""What programs see of a socket behind a pointer: `struct bpf_sock` and `struct bpf_tcp_sock`.

As in contexts, what depends on time, on acknowledgements and on the network driver is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skverdict.runtime.machine.context import Structure

if TYPE_CHECKING:
    from skverdict.runtime.sockets.sock import Sock
    from skverdict.runtime.sockets.tcp import TcpSocket

U32 = 0xFFFFFFFF

_SOCK: dict[str, Callable[[Sock, int], int]] = {
    "family": lambda socket, _: socket.family,
    "type": lambda socket, _: socket.type,
    "protocol": lambda socket, _: socket.protocol,
    "mark": lambda socket, _: socket.mark,
    "priority": lambda socket, _: socket.priority,
    "src_ip4": lambda socket, _: socket.local_ip4,
    "src_ip6": lambda socket, index: socket.ip6_word(socket.local, index),
    "src_port": lambda socket, _: socket.local.port,
    "dst_ip4": lambda socket, _: socket.remote_ip4,
    "dst_ip6": lambda socket, index: socket.ip6_word(socket.remote, index),
    "dst_port": lambda socket, _: socket.remote.port,
    "state": lambda socket, _: int(socket.state),
    "rx_queue_mapping": lambda socket, _: socket.rx_queue,
}

#: Numbers of a TCP connection that `bpf_sock_ops` shows as well.
TCP_NUMBERS: dict[str, Callable[[TcpSocket], int]] = {
    "snd_cwnd": lambda socket: socket.congestion_window,
    "snd_ssthresh": lambda socket: socket.slow_start_threshold,
    "rcv_nxt": lambda socket: socket.rcv_nxt & U32,
    "snd_nxt": lambda socket: socket.snd_nxt & U32,
    "snd_una": lambda socket: socket.snd_nxt & U32,
    "mss_cache": lambda socket: socket.mss_cache,
}


class SocketStructure(Structure):
    """A structure of `socket`; the socket is what it is one with."""

    def __init__(self, socket: Sock) -> None:
        self.socket = socket
        self.full = socket.full

    @property
    def identity(self) -> object:
        return self.socket


class BpfSock(SocketStructure):
    """`struct bpf_sock`."""

    table = "bpf_sock"

    def field(self, name: str, index: int = 0) -> int:
        number = _SOCK.get(name)
        return 0 if number is None else number(self.socket, index)


class BpfTcpSock(SocketStructure):
    """`struct bpf_tcp_sock`."""

    table = "bpf_tcp_sock"
    socket: TcpSocket

    def field(self, name: str, index: int = 0) -> int:
        number = TCP_NUMBERS.get(name)
        return 0 if number is None else number(self.socket)
