"""A received buffer (`struct sk_buff`), as queues hold it and as programs of kind sk_skb see it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from skverdict.runtime.sockets.sock import Sock


#: What a TCP buffer costs beside its bytes, about.
TCP_OVERHEAD = 1280

#: Fragments of a buffer (MAX_SKB_FRAGS).
MAX_FRAGMENTS = 17


class Payer(Protocol):
    """A socket that pays for what it has sent, until somebody has taken it."""

    def refund(self, cost: int) -> None:
        """Pay `cost` bytes less."""


class SocketBuffer:
    """Bytes that arrived together.

    `content` begins at stream position `seq` (TCP). Its first `linear` bytes are what a program may reach
    through `data` and `data_end`; the rest lies in fragments, whose ends (offsets into `content`) are `cuts`.
    `fin` marks the end of the stream. `consumed` bytes at the beginning were read by a unix socket's
    application.

    The stream parser makes clones and lets a clone grow over later buffers; `offset` and `full_length` then
    say where in `content` the message lies, and `gathered` how many of its bytes have come.

    A verdict leaves its decision in `target` (whom to redirect to) and `ingress`; `framed` says that only the
    message counts, not all of `content`. `owner` is the socket whose receive memory the buffer is charged to.
    `sender` is the unix socket that sent it. `payer` is a unix socket to which `cost`, the memory that it
    takes, is charged until it is read, passed on or dropped. `source` is the address that a datagram came
    from.
    """

    __slots__ = (
        "consumed", "content", "cost", "cuts", "fin", "framed", "full_length", "gathered", "ingress",
        "linear", "offset", "owner", "payer", "sender", "seq", "source", "target",
    )  # fmt: skip

    def __init__(
        self, content: bytes, seq: int, linear: int, cuts: tuple[int, ...] = (), fin: bool = False
    ) -> None:
        self.content: bytes | bytearray = content
        self.seq = seq
        self.linear = min(linear, len(content))
        self.cuts = cuts or ((len(content),) if content else ())
        self.fin = fin
        self.consumed = 0
        self.cost = 0
        self.offset = 0
        self.full_length = 0
        self.gathered = 0
        self.owner: Sock | None = None
        self.sender: Sock | None = None
        self.payer: Payer | None = None
        self.source: str | None = None
        self.target: Sock | None = None
        self.ingress = False
        self.framed = False

    def __len__(self) -> int:
        return len(self.content)

    @property
    def truesize(self) -> int:
        """What the buffer costs the socket that it is charged to."""
        return self.cost or TCP_OVERHEAD + len(self.content)

    def release(self) -> None:
        """Give the sender back what it paid."""
        if self.payer is not None:
            payer, self.payer = self.payer, None
            payer.refund(self.cost)

    @property
    def end_seq(self) -> int:
        """The stream position behind the buffer; the end of a stream takes one position of its own."""
        return self.seq + len(self.content) + self.fin

    def clone(self) -> SocketBuffer:
        """A second buffer over the same bytes; either gets its own copy when it is first written to."""
        self.content = bytes(self.content)
        clone = SocketBuffer(self.content, self.seq, self.linear, self.cuts, self.fin)
        clone.owner = self.owner
        return clone

    def merge(self, other: SocketBuffer) -> bool:
        """Take in `other`, which arrived next, while this one still waits; False if it does not fit.

        The sender's copy is gone by then, since it has been acknowledged; a copy would forbid it.
        """
        if self.fin or other.seq != self.end_seq or len(self.cuts) + len(other.cuts) > MAX_FRAGMENTS:
            return False
        self.append(other)
        self.fin = other.fin
        return True

    def append(self, other: SocketBuffer) -> None:
        """Hang the whole of `other` onto the end, as fragments."""
        length = len(self.content)
        try:
            self.own().extend(other.content)
        except BufferError:  # a program's view of the old bytes is still about
            self.content = bytearray(self.content) + other.content
        self.cuts += tuple(length + cut for cut in other.cuts)

    def pull(self, length: int) -> bool:
        """Make the first `length` bytes linear and the program's own; False if there are fewer."""
        if length > len(self.content):
            return False
        self.linear = max(self.linear, length)
        self.own()
        return True

    def own(self) -> bytearray:
        """The bytes as memory that may be written to without a clone noticing."""
        if not isinstance(self.content, bytearray):
            self.content = bytearray(self.content)
        return self.content

    def resize(self, length: int) -> None:
        """Cut bytes off the end or add zeros there; everything becomes linear."""
        self.content = bytearray(self.content[:length]) + bytes(max(0, length - len(self.content)))
        self.linear = length
        self.cuts = (length,) if length else ()

    def push(self, length: int) -> None:
        """Put zeros in front, which are linear."""
        self.content = bytearray(length) + self.content
        self.linear += length
        self.cuts = tuple(cut + length for cut in self.cuts)

    def drop(self, length: int) -> None:
        """Take bytes away from the front."""
        self.content = bytearray(self.content[length:])
        self.linear = max(self.linear - length, 0)
        self.cuts = tuple(cut - length for cut in self.cuts if cut > length)

    def clear_redirect(self) -> None:
        """Forget the decision of an earlier run."""
        self.target = None
        self.ingress = False
        self.framed = False

    def message(self) -> tuple[int, int]:
        """Offset and length of what a verdict decides on: the message, or everything without a parser."""
        return (self.offset, self.full_length) if self.framed else (0, len(self.content))

    def pieces(self, offset: int, length: int) -> list[tuple[int, int]]:
        """The parts of `content[offset:offset + length]` that lie in one piece of memory, as (start, end)."""
        end = min(offset + length, len(self.content))
        borders = [cut for cut in (self.linear, *self.cuts) if cut >= self.linear and offset < cut < end]
        edges = sorted({offset, *borders, end})
        return list(pairwise(edges))
