"""The programs that a socket map has, and that its sockets inherit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


def places_of(
    given: Mapping[str, str | None], verdict: str | None, kind_of: Callable[[str], str | None], error: type[Exception]
) -> list[tuple[str, str]]:
    """The places that programs are meant for, in the order of `PLACES`, each with its program's name.

    `given` has a name or None by place, and `verdict` goes where its kind, which `kind_of` tells, belongs. Raises
    `error` for two programs in one place, and for none at all.
    """
    wanted = dict(given)
    if verdict is not None:
        place = "skb_verdict" if kind_of(verdict) == "skb_verdict" else "stream_verdict"
        if wanted[place] is not None:
            raise error(f"verdict and {place} are the same place")
        wanted[place] = verdict
    if not any(wanted.values()):
        raise error("no program is named")
    return [(place, name) for place in PLACES if (name := wanted[place]) is not None]
