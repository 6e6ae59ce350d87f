"""Sockets, maps and programs for tests of the socket layer, with Python functions in place of programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from skverdict.codegen.object import MapSpec
from skverdict.runtime.helpers import sockets as helpers
from skverdict.runtime.machine.context import Context
from skverdict.runtime.maps.sockmap import SockHash, SockMap
from skverdict.runtime.sockets.address import AF_INET, Endpoint
from skverdict.runtime.sockets.handshake import connect
from skverdict.runtime.sockets.kernel import Kernel, Settings
from skverdict.runtime.sockets.socket import Socket
from skverdict.runtime.sockets.tcp import TcpSocket

LOOPBACK = 0x7F000001
SK_DROP, SK_PASS = 0, 1
INGRESS = 1


class Python(NamedTuple):
    """A program that is a Python function of its context."""

    kind: str
    function: Callable[[Any], int]
    changes_packet: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    def run(self, context: Context) -> int:
        return self.function(context)


def parser(function: Callable[[Any], int]) -> Python:
    return Python("stream_parser", function)


def verdict(function: Callable[[Any], int]) -> Python:
    return Python("stream_verdict", function)


def msg_verdict(function: Callable[[Any], int]) -> Python:
    return Python("msg_verdict", function)


def redirect(context: Any, socket_map: SockMap, key: int, flags: int = 0) -> int:
    """`bpf_sk_redirect_map` or `bpf_msg_redirect_map`, whichever the context is for."""
    helper = helpers.msg_redirect_map if context.table == "sk_msg_md" else helpers.sk_redirect_map
    return helper(None, context, socket_map, key, flags)


def watching(lengths: list[int]) -> Python:
    """A verdict that passes and notes the length of what it saw."""

    def watch(skb: Any) -> int:
        lengths.append(skb.field("len"))
        return SK_PASS

    return verdict(watch)


def key(index: int) -> bytes:
    return index.to_bytes(4, "little")


class Lab:
    """A machine with sockets."""

    def __init__(self, **settings: Any) -> None:
        self.kernel = Kernel(Settings(**settings))
        self.ports = 40000

    def pair(self, name: str = "") -> tuple[Socket, Socket]:
        """A connection: the client's end and the server's, named NAMEc and NAMEs."""
        ends = [Endpoint((LOOPBACK,), self.ports + each) for each in (0, 1)]
        self.ports += 2
        client = TcpSocket(self.kernel, f"{name}c", AF_INET, ends[0], ends[1])
        server = TcpSocket(self.kernel, f"{name}s", AF_INET, ends[1], ends[0])
        connect(client, server)
        return Socket(client), Socket(server)

    def sockmap(self, *programs: Python, name: str = "map", entries: int = 4) -> SockMap:
        """A sockmap with programs attached."""
        made = SockMap(MapSpec(name, 15, 4, 8, entries))
        for program in programs:
            setattr(made.programs, program.kind, program)
        return made

    def sockhash(self, *programs: Python, key_size: int = 8, entries: int = 4) -> SockHash:
        """A sockhash with programs attached."""
        made = SockHash(MapSpec("hash", 18, key_size, 8, entries))
        for program in programs:
            setattr(made.programs, program.kind, program)
        return made

    def put(self, socket_map: SockMap, index: int, socket: Socket, flags: int = 0) -> None:
        socket_map.put(key(index), socket.kernel_socket, flags)
