"""One direction of a TCP connection: segments in any order in, the bytes in their order out.

The rules are those of Linux's `tcp_data_queue`, `tcp_data_queue_ofo` and `tcp_ofo_queue`, for a receiver that
does not merge segments: bytes that were delivered stay as they were; of segments that wait behind a gap, one
that lies within another is dropped, one that covers others takes their place, and where two overlap in part
the one that begins first keeps its bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

WRAP = 1 << 32
HALF = 1 << 31
LARGEST_WINDOW = 1 << 30
"""Bytes: RFC 7323 lets no receiver announce more, so that what lies further ahead is not of this stream."""


class Piece(NamedTuple):
    """The bytes of one segment from stream position `start` on.

    `missing` bytes follow `data` that no packet of the capture holds. `fin` tells that the stream ends behind
    them; as in TCP it takes up one position. `packet` is the number of the packet that brought the piece.
    """

    start: int
    data: bytes
    missing: int
    fin: bool
    packet: int

    @property
    def end(self) -> int:
        """Position behind the piece."""
        return self.start + len(self.data) + self.missing + self.fin

    def behind(self, position: int) -> Piece:
        """What of the piece lies at `position` and after."""
        skip = position - self.start
        if skip <= 0:
            return self
        missing = min(self.missing, self.end - self.fin - position)
        return Piece(position, self.data[skip:], missing, self.fin, self.packet)


class Stream:
    """Receiver of one direction. A position is a sequence number that goes on counting past 2**32."""

    __slots__ = ("acknowledged", "ended", "highest", "position", "waiting")

    def __init__(self) -> None:
        self.position: int | None = None
        """Next position to deliver; None until a packet tells where the stream begins."""
        self.waiting: list[Piece] = []
        """Pieces ahead of `position`, by rising start and rising end."""
        self.acknowledged: int | None = None
        """The last acknowledgment number that the receiver sent."""
        self.highest: int | None = None
        """Position behind the furthest byte seen."""
        self.ended = False
        """Whether the end of the stream has been delivered."""

    def begin(self, sequence: int) -> None:
        """Let the stream begin at this sequence number, unless it has begun."""
        if self.position is None:
            self.position = self.highest = sequence

    def distance(self, sequence: int) -> int:
        """How far ahead of the next byte a sequence number lies, from -2**31 up to 2**31 - 1."""
        assert self.position is not None
        return (sequence - self.position + HALF) % WRAP - HALF

    def hold(self, data: bytes, missing: int, packet: int) -> None:
        """Keep the bytes that came in a SYN until the receiver acknowledges them."""
        assert self.position is not None
        self._wait(Piece(self.position, data, missing, False, packet))

    def takes_next(self, sequence: int, size: int) -> bool:
        """Deliver `size` bytes if they are just those that are due, and nothing waits; gives whether it did."""
        position = self.position
        if position is None or (sequence - position) % WRAP or self.waiting or self.ended:
            return False
        self.position = self.highest = position + size
        return True

    def receive(self, sequence: int, data: bytes, missing: int, fin: bool, packet: int) -> Iterator[Piece]:
        """Take a segment's bytes in; gives what can be delivered now."""
        self.begin(sequence)
        distance = self.distance(sequence)
        assert self.position is not None and self.highest is not None
        piece = Piece(self.position + distance, data, missing, fin, packet)
        self.highest = max(self.highest, piece.end)
        if distance > 0 or self.waiting:
            self._wait(piece)
            yield from self._deliver_waiting()
        elif piece.end > self.position and not self.ended:
            yield self._advance(piece)

    def acknowledge(self, acknowledgment: int) -> None:
        """Note what the receiver acknowledges."""
        self.begin(acknowledgment)
        self.acknowledged = acknowledgment

    def closes_gaps(self, acknowledgment: int) -> Iterator[Piece]:
        """What can be delivered since the receiver has acknowledged it.

        A gap before acknowledged bytes is the capture's: the receiver got what is missing in it.
        """
        while self.waiting and self.distance(acknowledgment) > 0:
            assert self.position is not None
            gap = self.waiting[0].start - self.position
            if gap > self.distance(acknowledgment):
                return
            if gap > 0:
                yield self._advance(Piece(self.position, b"", gap, False, self.waiting[0].packet))
            yield from self._deliver_waiting()

    def is_reset_by(self, sequence: int) -> bool:
        """Whether a receiver takes a reset with this sequence number (RFC 5961 and `tcp_reset_check`)."""
        return self.position is None or any(
            known is not None and (sequence - known) % WRAP == 0
            for known in (self.position, self.acknowledged, self.highest)
        )

    def _advance(self, piece: Piece) -> Piece:
        """Deliver of a piece what was not delivered yet."""
        assert self.position is not None
        piece = piece.behind(self.position)
        self.position = piece.end
        if piece.fin:
            self.ended = True
            self.waiting.clear()
        return piece

    def _deliver_waiting(self) -> Iterator[Piece]:
        """Deliver the pieces that wait without a gap before them."""
        assert self.position is not None
        while self.waiting and self.waiting[0].start <= self.position and not self.ended:
            piece = self.waiting.pop(0)
            if piece.end > self.position:
                yield self._advance(piece)

    def _wait(self, piece: Piece) -> None:
        """Put a piece among those that wait."""
        waiting = self.waiting
        at = bisect_right(waiting, piece.start, key=lambda other: other.start)
        if at and piece.end <= waiting[at - 1].end:
            return
        if at and waiting[at - 1].start == piece.start:
            at -= 1
        covered = at
        while covered < len(waiting) and waiting[covered].end <= piece.end:
            covered += 1
        waiting[at:covered] = [piece]
