"""The programs that a socket map has, and that its sockets inherit."""

from __future__ import annotations

from dataclasses import dataclass, fields

from skverdict.runtime.sockets.program import Program


@dataclass
class Programs:
    """One program, or none, in each place (`struct sk_psock_progs`)."""

    msg_verdict: Program | None = None
    stream_parser: Program | None = None
    stream_verdict: Program | None = None
    skb_verdict: Program | None = None

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
        for field in fields(Programs):
            program = getattr(other, field.name)
            if program is not None:
                setattr(self, field.name, program)
