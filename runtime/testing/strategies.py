"""Hypothesis strategies for what a socket policy meets: messages, their segments, connections.

Needs hypothesis, which is not installed with the package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

if TYPE_CHECKING:
    from skverdict.runtime.simulator import Simulator
    from skverdict.runtime.sockets.socket import Socket

Framing = Callable[[bytes], bytes]
"""Makes the message that carries a body."""


def length_prefixed(size: int = 4, byte_order: str = "big", *, whole: bool = False) -> Framing:
    """Messages that begin with their length, an unsigned number of `size` bytes.

    It counts the body, or the `whole` message with itself. `byte_order` is `big` or `little`.
    """
    if byte_order not in ("big", "little"):
        raise ValueError(f"byte_order {byte_order!r} is neither big nor little")

    def framed(body: bytes) -> bytes:
        length = len(body) + (size if whole else 0)
        return length.to_bytes(size, "big" if byte_order == "big" else "little") + body

    return framed


def terminated(end: bytes = b"\n") -> Framing:
    """Messages that end with `end`, which is cut out of their bodies."""
    if not end:
        raise ValueError("the end of a message is at least one byte")

    def framed(body: bytes) -> bytes:
        while end in body + end[:-1]:
            body = body.replace(end[:1], b"")
        return body + end

    return framed


def messages(
    framing: Framing = bytes,
    *,
    bodies: st.SearchStrategy[bytes] | None = None,
    max_count: int = 8,
) -> st.SearchStrategy[list[bytes]]:
    """Lists of 1 to `max_count` messages with `bodies`, by default of 0 to 64 bytes; none is empty."""
    some = st.binary(max_size=64) if bodies is None else bodies
    return st.lists(some.map(framing).filter(len), min_size=1, max_size=max_count)


@st.composite
def segmentations(draw: st.DrawFn, content: bytes, boundaries: Sequence[int] = ()) -> list[int]:
    """Sizes of segments that `content` can arrive in: at least 1 each, in all its length.

    Cuts lie anywhere, and often at or one byte beside the `boundaries`, offsets where messages begin.
    """
    inner = range(1, len(content))
    near = sorted({at + step for at in boundaries for step in (-1, 0, 1)} & set(inner))
    cuts = draw(st.sets(st.integers(1, len(content) - 1), max_size=8)) if inner else set()
    if near:
        cuts |= draw(st.sets(st.sampled_from(near), max_size=8))
    edges = [0, *sorted(cuts), len(content)]
    return [end - start for start, end in pairwise(edges) if end > start]


class Stream(NamedTuple):
    """Messages, and the sizes of the segments in which their bytes arrive."""

    messages: list[bytes]
    segments: list[int]

    @property
    def content(self) -> bytes:
        """All bytes."""
        return b"".join(self.messages)

    def send(self, socket: Socket) -> int:
        """Send all bytes in these segments."""
        return socket.send(self.content, segments=self.segments)


@st.composite
def streams(
    draw: st.DrawFn,
    framing: Framing = bytes,
    *,
    bodies: st.SearchStrategy[bytes] | None = None,
    max_count: int = 8,
) -> Stream:
    """Messages as of `messages`, with segments as of `segmentations`, cut with a liking for their edges."""
    content = draw(messages(framing, bodies=bodies, max_count=max_count))
    edges = [0]
    for message in content:
        edges.append(edges[-1] + len(message))
    return Stream(content, draw(segmentations(b"".join(content), edges)))


class Connection(NamedTuple):
    """The two ends of a TCP connection; `family` is `v4` or `v6`."""

    server_port: int
    client_port: int
    family: str = "v4"
    server_address: str | None = None
    client_address: str | None = None

    def open(self, simulator: Simulator) -> tuple[Socket, Socket]:
        """The client's and the server's socket."""
        arguments: dict[str, Any] = self._asdict()
        return simulator.tcp_pair(**arguments)


_LOOPBACK = st.integers(0x7F000001, 0x7FFFFFFE).map(lambda number: str(IPv4Address(number)))


@st.composite
def connections(
    draw: st.DrawFn,
    *,
    server_ports: st.SearchStrategy[int] | None = None,
    families: Sequence[str] = ("v4", "v6"),
) -> Connection:
    """Connections over loopback, from and to any port."""
    server_port = draw(st.integers(1, 65535) if server_ports is None else server_ports)
    client_port = draw(st.integers(1, 65535).filter(lambda port: port != server_port))
    family = draw(st.sampled_from(list(families)))
    if family == "v6":
        return Connection(server_port, client_port, family)
    return Connection(server_port, client_port, family, draw(_LOOPBACK), draw(_LOOPBACK))
