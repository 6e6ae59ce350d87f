"""What a program is given. Fields and methods are the kernel's, from the tables in `catalogue`.

Inside programs their use is compiled; the stub beside this file declares them for editors and type checkers.
In ordinary Python, `SkSkb(len=5, remote_port=be32(80), data=b"hello")` is one to test functions with.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# What a message has of its connection, which is the same for all of it.
MESSAGE_FIELDS = (
    "family",
    "local_ip4",
    "local_ip6",
    "local_port",
    "remote_ip4",
    "remote_ip6",
    "remote_port",
    "sk",
)


class PacketBytes:
    """A slice of the packet. What the packet does not have equals nothing."""

    __slots__ = ("_content", "_open", "_size")

    def __init__(self, content: bytes, size: int, open_: bool) -> None:
        self._content = content
        self._size = size
        # A slice without an end: what it equals is what it begins with.
        self._open = open_

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, bytes):
            return NotImplemented
        return self.startswith(other) and (self._open or len(other) == self._size)

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, content: bytes) -> bool:
        return content in self._content

    def startswith(self, prefix: bytes | tuple[bytes, ...]) -> bool:
        """Whether it begins with the bytes, or with one of several."""
        return self._content.startswith(prefix)

    def __repr__(self) -> str:
        return repr(self._content)


# The verifier follows packet offsets up to here (`MAX_PACKET_OFF` of kernel/bpf/verifier.c).
FARTHEST = 0xFFFF


class PacketData:
    """The readable bytes of the packet or message: `skb.data`, `msg.data`."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)

    def __getitem__(self, index: int | slice) -> object:
        """A byte as a u8, or None where there is none; of a slice the bytes that are there.

        As in a program, a plain number that is added to a position is not cut to its type, and there is nothing
        behind what the kernel lets a program reach.
        """
        from skverdict.dsl.positions import position_of
        from skverdict.dsl.scalars import u8

        if isinstance(index, slice):
            start = 0 if index.start is None else position_of(index.start)
            stop = None if index.stop is None else position_of(index.stop)
            if start < 0 or (stop is not None and stop < 0):
                raise IndexError("positions count from the start, never from the end")
            end = FARTHEST if stop is None else min(stop, FARTHEST)
            return PacketBytes(bytes(self.content[start:end]), 0 if stop is None else stop - start, stop is None)
        place = position_of(index)
        if place < 0:
            raise IndexError(f"positions count from the start, never from the end: {place}")
        return u8(self.content[place]) if place < min(len(self.content), FARTHEST) else None

    def view(self, type: type, offset: int) -> object:
        """The `type` at `offset` bytes, read and written in place, or None where the packet ends before its end."""
        from skverdict.dsl.places import place, size

        if offset < 0:
            raise IndexError(f"an offset counts bytes from the start, but this is {offset}")
        start = int(offset)
        is_there = start + size(type) <= min(len(self.content), FARTHEST)
        return place(type, self.content, start) if is_there else None

    def __contains__(self, content: bytes) -> bool:
        return content in self.content

    def __len__(self) -> int:
        return len(self.content)

    def __eq__(self, other: object) -> bool:
        """True for bytes that the packet begins with, as the cases of `match` have it."""
        return self.startswith(other) if isinstance(other, bytes) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def startswith(self, prefix: bytes | tuple[bytes, ...]) -> bool:
        """Whether the packet begins with the bytes, or with one of several."""
        return self.content.startswith(prefix)

    def __repr__(self) -> str:
        return repr(bytes(self.content))


class Context:
    """The fields of a context by their names; those that are not given are zero.

    Raises TypeError for an unknown name, OverflowError for a number that does not fit.
    """

    def __init__(self, *, data: bytes = b"", **fields: object) -> None:
        from skverdict.dsl import scalars
        from skverdict.dsl.catalogue.contexts import CONTEXTS
        from skverdict.dsl.ir.types import Array
        from skverdict.dsl.structs import ArrayOf, zero_of

        self._types: dict[str, Any]
        self.__dict__["_types"] = {"length": scalars.u32} if type(self) is Message else {}
        self.data = PacketData(data)
        name = CONTEXT_CLASSES[type(self)]
        table = CONTEXTS["__sk_buff" if name == "message" else name].fields
        if name == "message":
            table = {name: table[name] for name in MESSAGE_FIELDS}
        for name, field in table.items():
            type_ = getattr(scalars, str(field.low or field.type), None)
            if type_ is not None and not field.role:
                self._types[name] = type_
                setattr(self, name, fields.pop(name, type_(0)))
            elif isinstance(field.type, Array):
                zero = zero_of(ArrayOf(getattr(scalars, str(field.type.element)), field.type.count))
                setattr(self, name, fields.pop(name, zero))
            elif name in fields or field.role == "socket":
                setattr(self, name, fields.pop(name, None))
        if fields:
            raise TypeError(f"{type(self).__name__} has no field {next(iter(fields))!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """A number takes the type of its field, and loses what the kernel does not keep of it."""
        from skverdict.dsl.catalogue.contexts import KEPT
        from skverdict.dsl.plain import take

        if name in self._types:
            value = take(self._types[name], value, name)
            value = value & KEPT[name] if name in KEPT else value
        object.__setattr__(self, name, value)


class SkSkb(Context):
    """What a socket received: `struct __sk_buff`, for parsers, stream verdicts and `skb_verdict`."""

    def pull_data(self, len: int) -> int:
        """0 if the packet has as many bytes, which can be read then, else a negative errno."""
        return _answer(len <= self.data.__len__(), errno.ENOMEM)

    def load_bytes(self, offset: int, to: Any, len: int | None = None) -> int:
        """Copy bytes of the packet into a place: 0, or a negative errno where the packet ends before."""
        from skverdict.dsl.places import fill

        return _answer(fill(to, bytes(self.data.content[offset:]), len), errno.EFAULT)

    def store_bytes(self, offset: int, source: Any, len: int | None = None, flags: int = 0) -> int:
        """Copy a place into the packet: 0, or a negative errno where the packet ends before."""
        from skverdict.dsl.places import content_of

        content = content_of(source)[:len]
        start = int(offset)
        end = start + content.__len__()
        is_there = end <= self.data.__len__()
        if is_there:
            self.data.content[start:end] = content
        return _answer(is_there, errno.EFAULT)


class SkMsg(Context):
    """What an application sends: `struct sk_msg_md`, for `msg_verdict`."""

    def pull_data(self, start: int, end: int, flags: int = 0) -> int:
        """0 if the message has these bytes, which can be read then, else a negative errno."""
        return _answer(start <= end <= len(self.data), errno.EINVAL)

    def apply_bytes(self, bytes: int) -> int:
        """0: the verdict is for as many bytes, which a call by itself does not show."""
        return _answer(True, 0)

    cork_bytes = apply_bytes


class Message(Context):
    """A message of a stream, for the functions of `@framed`: its bytes, its length, and its connection."""

    def __init__(self, *, data: bytes = b"", length: int = 0, **fields: object) -> None:
        super().__init__(data=data, **fields)
        self.length = length


class SockOps(Context):
    """An event in the life of a TCP connection: `struct bpf_sock_ops`, for `sock_ops`."""


def _answer(is_done: bool, error: int) -> int:
    """What a helper gives: 0, or an errno, which is negative."""
    from skverdict.dsl.scalars import i64

    return i64(0 if is_done else -error)


class Sock:
    """A socket as the kernel shows it to programs: `struct bpf_sock`."""


class TcpSock:
    """What TCP knows of a connection: `struct bpf_tcp_sock`, from `bpf_tcp_sock(sk)`."""


# The UAPI name of the structure behind each class of a pointer to a socket.
SOCKET_CLASSES: dict[type, str] = {Sock: "bpf_sock", TcpSock: "bpf_tcp_sock"}

# The UAPI name of the structure behind each class.
CONTEXT_CLASSES: dict[type, str] = {
    SkSkb: "__sk_buff",
    SkMsg: "sk_msg_md",
    SockOps: "bpf_sock_ops",
    Message: "message",
}
