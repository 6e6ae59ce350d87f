"""What a program is given. Fields and methods are the kernel's, from the tables in `catalogue`.

Inside programs their use is compiled; the stub beside this file declares them for editors and type checkers.
"""

from __future__ import annotations


class PacketData:
    """The readable bytes of the packet or message: `skb.data`, `msg.data`."""


class SkSkb:
    """What a socket received: `struct __sk_buff`, for parsers, stream verdicts and `skb_verdict`."""


class SkMsg:
    """What an application sends: `struct sk_msg_md`, for `msg_verdict`."""


class Message:
    """A message of a stream, for the functions of `@framed`: its bytes, its length, and its connection."""


class SockOps:
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
