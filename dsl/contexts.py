"""What a program is given. Fields and methods are the kernel's, from the tables in `catalogue`.

Inside programs their use is compiled; the stub beside this file declares them for editors and type checkers.
In ordinary Python, `SkSkb(len=5, remote_port=be32(80), data=b"hello")` is one to test functions with.
"""

from __future__ import annotations


class PacketData:
    """The readable bytes of the packet or message: `skb.data`, `msg.data`."""

    def __init__(self, content: bytes = b"") -> None:
        self._content = content

    def __getitem__(self, index: int | slice) -> object:
        """A byte as a u8, or None where there is none; of a slice the bytes that are there."""
        from skverdict.dsl.scalars import u8

        if isinstance(index, slice):
            return self._content[index]
        return u8(self._content[index]) if 0 <= index < len(self._content) else None

    def __contains__(self, content: bytes) -> bool:
        return content in self._content

    def startswith(self, prefix: bytes | tuple[bytes, ...]) -> bool:
        """Whether the packet begins with the bytes, or with one of several."""
        return self._content.startswith(prefix)


class Context:
    """The fields of a context by their names; those that are not given are zero.

    Raises TypeError for an unknown name, OverflowError for a number that does not fit.
    """

    def __init__(self, *, data: bytes = b"", **fields: object) -> None:
        from skverdict.dsl import scalars
        from skverdict.dsl.catalogue.contexts import CONTEXTS
        from skverdict.dsl.plain import take

        self.data = PacketData(data)
        for name, field in CONTEXTS[CONTEXT_CLASSES[type(self)]].fields.items():
            type_ = getattr(scalars, str(field.low or field.type), None)
            if type_ is not None and not field.role:
                setattr(self, name, take(type_, fields.pop(name, type_(0)), name))
            elif name in fields:
                setattr(self, name, fields.pop(name))
        if fields:
            raise TypeError(f"{type(self).__name__} has no field {next(iter(fields))!r}")


class SkSkb(Context):
    """What a socket received: `struct __sk_buff`, for parsers, stream verdicts and `skb_verdict`."""


class SkMsg(Context):
    """What an application sends: `struct sk_msg_md`, for `msg_verdict`."""


class Message:
    """A message of a stream, for the functions of `@framed`: its bytes, its length, and its connection."""


class SockOps(Context):
    """An event in the life of a TCP connection: `struct bpf_sock_ops`, for `sock_ops`."""


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
