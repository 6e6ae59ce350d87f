"""What programs see of sockets: `__sk_buff`, `sk_msg_md` and `bpf_sock_ops`, filled from the model.

Values are those of a Linux loopback connection, in each field's own byte order. What depends on time (round
trips, rates), on acknowledgements (counts of segments) and on the network driver (queues, hashes, stamps) is
zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skverdict.dsl.catalogue.contexts import KEPT
from skverdict.runtime.machine.context import Context, Structure
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.message import Message
from skverdict.runtime.sockets.sock import IPPROTO_TCP
from skverdict.runtime.sockets.state import State
from skverdict.runtime.sockets.structures import TCP_NUMBERS, BpfSock

if TYPE_CHECKING:
    from skverdict.runtime.sockets.headers import Segment, SynPacket
    from skverdict.runtime.sockets.sock import Sock
    from skverdict.runtime.sockets.tcp import TcpSocket


#: Fields of the connection, the same in all contexts: from the socket and the index into an array field.
_CONNECTION: dict[str, Callable[[Sock, int], int]] = {
    "family": lambda socket, _: socket.family,
    "remote_ip4": lambda socket, _: socket.remote_ip4,
    "local_ip4": lambda socket, _: socket.local_ip4,
    "remote_ip6": lambda socket, index: socket.ip6_word(socket.remote, index),
    "local_ip6": lambda socket, index: socket.ip6_word(socket.local, index),
    "remote_port": lambda socket, _: socket.remote.port,
    "local_port": lambda socket, _: socket.local.port,
}


class SocketContext(Context):
    """The part of a context that is about the socket."""

    socket: Sock

    def __init__(self, kind: str, socket: Sock) -> None:
        self.kind = kind
        self.socket = socket

    def field(self, name: str, index: int = 0) -> int:
        """The number in field `name`; zero for what the model does not have (see the module)."""
        connection = _CONNECTION.get(name)
        if connection is not None:
            return connection(self.socket, index)
        return self.own_field(name, index)

    def own_field(self, name: str, index: int) -> int:
        """A number that is not about the connection."""
        return 0

    def structure(self, name: str) -> Structure | None:
        """The socket."""
        return BpfSock(self.socket)


class SkBuffContext(SocketContext):
    """`__sk_buff`: a received buffer."""

    table = "__sk_buff"

    def __init__(self, kind: str, socket: Sock, buffer: SocketBuffer) -> None:
        super().__init__(kind, socket)
        self.buffer = buffer
        self._written: dict[str, int] = {}

    def own_field(self, name: str, index: int) -> int:
        if name == "len":
            return len(self.buffer)
        if name == "protocol":
            return self.socket.ethertype
        if name == "ingress_ifindex":
            return self.socket.interface
        if name == "gso_segs":
            return int(self.socket.protocol == IPPROTO_TCP)
        return self._written.get(name, 0)

    def set_field(self, name: str, value: int, index: int = 0) -> None:
        """`priority` and `tc_index` can be written, and nothing here looks at them."""
        self._written[name] = value & KEPT.get(name, value)

    def packet(self) -> memoryview:
        """The linear bytes."""
        if not self.buffer.linear:
            return memoryview(bytearray())
        return memoryview(self.buffer.own())[: self.buffer.linear]

    def buffer_bytes(self) -> bytes:
        return bytes(self.buffer.content)


class SkMsgContext(SocketContext):
    """`sk_msg_md`: a message being sent."""

    table = "sk_msg_md"

    def __init__(self, kind: str, socket: Sock, message: Message) -> None:
        super().__init__(kind, socket)
        self.message = message

    def own_field(self, name: str, index: int) -> int:
        return self.message.size if name == "size" else 0

    def packet(self) -> bytearray | memoryview:
        """The bytes of the window: the first element, or what was pulled."""
        return self.message.readable()


#: Fields about the segment of a callback.
_SEGMENT: dict[str, Callable[[Segment], int]] = {
    "skb_len": lambda segment: segment.length,
    "skb_tcp_flags": lambda segment: segment.flags,
}


class SockOpsContext(SocketContext):
    """`bpf_sock_ops`: callback `op` on a connection. `args` are what the kernel hands over, at most four
    numbers.

    `full` is False where the kernel has no more than a request for a connection. `segment` is what is read, written or
    about to be, and `syn` the request itself where it is at hand.
    """

    table = "bpf_sock_ops"
    socket: TcpSocket

    def __init__(
        self, socket: TcpSocket, op: int, args: tuple[int, ...] = (), full: bool = True,
        segment: Segment | None = None, syn: SynPacket | None = None,
    ) -> None:  # fmt: skip
        super().__init__("sock_ops", socket)
        self.op = op
        self.full = full
        self.segment = segment
        self.syn = socket.saved_syn if syn is None else syn
        self.reply = [*args, 0, 0, 0, 0][:4]

    def field(self, name: str, index: int = 0) -> int:
        """As of any socket; an accepted one that is reset has given its port away."""
        if name == "local_port" and self.socket.accepted and self.socket.state is State.CLOSE:
            return 0
        return super().field(name, index)

    def own_field(self, name: str, index: int) -> int:
        if name in ("args", "replylong", "reply"):
            return self.reply[index]
        if name == "op":
            return self.op
        if name == "is_fullsock":
            return int(self.full)
        if name in _SEGMENT:
            return 0 if self.segment is None else _SEGMENT[name](self.segment)
        socket = self.socket
        if name == "state":
            return int(socket.state)
        if not self.full:
            return 0
        if name in TCP_NUMBERS:
            return TCP_NUMBERS[name](socket)
        values = {"sk_txhash": socket.transmit_hash, "bpf_sock_ops_cb_flags": socket.callback_flags}
        return values.get(name, 0)

    def set_field(self, name: str, value: int, index: int = 0) -> None:
        """`reply` and `sk_txhash` can be written."""
        if name == "sk_txhash":
            self.socket.transmit_hash = value
        else:
            self.reply[0] = value

    def structure(self, name: str) -> Structure | None:
        """NULL where there is no full socket yet."""
        return super().structure(name) if self.full else None

    def packet(self) -> memoryview:
        """The header of the segment as far as it is written. No program may write to it but by a helper."""
        return memoryview(b"" if self.segment is None else self.segment.header)
