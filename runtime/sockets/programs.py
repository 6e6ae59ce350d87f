"""The programs that a socket map has, and that its sockets inherit."""

from __future__ import annotations

from skverdict.runtime.sockets.program import Program

#: Where programs can be, in the order in which they are attached.
PLACES = ("stream_parser", "stream_verdict", "skb_verdict", "msg_verdict")


class Programs:
    """One program, or none, in each place (`struct sk_psock_progs`)."""

    __slots__ = PLACES

    def __init__(self) -> None:
        self.stream_parser: Program | None = None
        self.stream_verdict: Program | None = None
        self.skb_verdict: Program | None = None
        self.msg_verdict: Program | None = None

    @property
    def receiving(self) -> Program | None:
        """The verdict on what arrives."""
        return self.stream_verdict or self.skb_verdict

    def conflicts(self, other: Programs) -> bool:
        """True if a socket that has `other` cannot take these, too (EBUSY)."""
        return bool(
            (self.msg_verdict and other.msg_verdict)
            or (self.stream_parser and other.stream_parser)
            or (self.receiving and other.receiving)
        )

    def add(self, other: Programs) -> None:
        """Take over the programs that `other` has."""
        self.stream_parser = other.stream_parser or self.stream_parser
        self.stream_verdict = other.stream_verdict or self.stream_verdict
        self.skb_verdict = other.skb_verdict or self.skb_verdict
        self.msg_verdict = other.msg_verdict or self.msg_verdict
