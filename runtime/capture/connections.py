"""From TCP segments to connections: who opened which, what each side received, and how each ended.

A capture may begin in the middle of a connection, and miss packets that the machines did get; what follows
from that is told in `Note`s and `hole` events, never made up and never left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from skverdict.runtime.capture.network import ACK, FIN, RST, SYN, Segment
from skverdict.runtime.capture.record import Content, Record
from skverdict.runtime.capture.stream import LARGEST_WINDOW, WRAP, Piece, Stream

UNANSWERED = "opens a connection that nobody answers"
REFUSED = "is answered with a reset, which refuses the connection"
OUTSIDE_WINDOW = "lies outside any receive window"
OUTSIDE_SEQUENCE = "is a reset out of sequence, which a receiver ignores"
AFTER_CLOSE = "has payload after its connection was closed"
NEVER_ACKNOWLEDGED = "has payload behind a gap that the receiver never acknowledged"


class Endpoint(NamedTuple):
    """An address and a port (host byte order)."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection; `number` counts from 1 in the order in which they opened.

    `from_start` is false where the capture has no SYN: then `server` is the side with the lower port.
    """

    number: int
    client: Endpoint
    server: Endpoint
    from_start: bool


class Event(NamedTuple):
    """Something that one side of a connection received, in the order of the capture.

    `kind` is `open` (the connection; no direction), `data` (the bytes of one segment), `hole` (`missing`
    bytes that the receiver got and the capture lacks), `end` (the sender's FIN) or `reset`. `from_client`
    names the sender. `time` is nanoseconds since the epoch, `packet` the number of the packet that let it
    happen.
    """

    connection: Connection
    kind: str
    from_client: bool
    data: bytes
    missing: int
    time: int
    packet: int


class Note(NamedTuple):
    """Packets that gave no event: why, how many, and the number of the first."""

    reason: str
    packets: int
    first: int

    def __str__(self) -> str:
        if self.packets == 1:
            return f"packet {self.first} {self.reason}"
        return f"{self.packets} packets, the first of them packet {self.first}: each {self.reason}"


@dataclass
class Capture:
    """What a capture file holds of TCP: `packets` counts all of its packets, `payload` the bytes of its events."""

    file: str
    packets: int = 0
    payload: int = 0
    connections: list[Connection] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


class _Side:
    """One of the two senders of a connection under way: the stream of what it sends, and its first SYN."""

    __slots__ = ("initial", "retry", "stream")

    def __init__(self) -> None:
        self.stream = Stream()
        self.initial: int | None = None
        self.retry: int | None = None
        """Sequence number of a SYN that came while the connection was open: the next one's, if answered."""


class _Tracked:
    """A connection under way. Sides are counted 0, the client, and 1, the server."""

    __slots__ = ("closed", "connection", "ends", "first", "sides")

    def __init__(self, client: Endpoint, server: Endpoint, first: int) -> None:
        self.first = first
        """Number of its first packet."""
        self.ends = (client, server)
        self.sides = (_Side(), _Side())
        self.connection: Connection | None = None
        """None until the SYN is answered."""
        self.closed = False

    def done(self) -> bool:
        """Whether nothing more of it can come, so that even a SYN with the same number is of another."""
        return self.closed or all(side.stream.ended for side in self.sides)

    def believes_reset(self, side: int, segment: Segment) -> bool:
        """Whether the receiver of a reset takes it (RFC 9293, 3.10.7.3 for a SYN; else RFC 5961)."""
        asked = self.sides[1 - side].initial
        if self.connection is None and asked is not None:
            return bool(segment.flags & ACK) and segment.acknowledgment == (asked + 1) % WRAP
        return self.sides[side].stream.is_reset_by(segment.sequence)

    def awaits(self, side: int) -> bool:
        """Whether a side's SYN may still come, as the answer to the other's or at the same time."""
        return self.connection is None and self.sides[side].initial is None

    def over(self) -> bool:
        """Whether a SYN with other numbers opens a new connection without asking."""
        return self.connection is None or self.closed or any(side.stream.ended for side in self.sides)


class Connections:
    """Takes the segments of a capture one by one and fills in a `Capture`, all but its events.

    Those are in `events` until somebody takes them out.
    """

    def __init__(self, capture: Capture) -> None:
        self.events: list[Event] = []
        self._capture = capture
        self._tracked: dict[bytes, tuple[_Tracked, int]] = {}
        self._notes: dict[str, tuple[int, int]] = {}

    def note(self, reason: str, packet: int) -> None:
        """Count a packet that gives no event."""
        count, first = self._notes.get(reason, (0, packet))
        self._notes[reason] = (count + 1, min(first, packet))

    def take(self, segment: Segment, content: Content, record: Record) -> None:
        """Let one segment arrive."""
        flow, sequence, acknowledgment, flags, start, end, missing = segment
        found = self._tracked.get(flow)
        if found is None or flags & SYN:
            found = self._find(segment, record)
        tracked, side = found
        if flags & (SYN | RST):
            if flags & RST:
                self._reset(tracked, side, segment, record)
                return
            if not self._synchronize(tracked, side, segment, content, record):
                return
        if tracked.closed:
            if end > start or missing:
                self.note(AFTER_CLOSE, record.number)
            return
        connection = tracked.connection or self._open(tracked, record)
        if flags & ACK:
            other = tracked.sides[1 - side].stream
            other.acknowledge(acknowledgment)
            if other.waiting:
                self._emit(tracked, 1 - side, other.closes_gaps(acknowledgment), record)
        plain = end > start and not missing and not flags & (SYN | FIN)
        if plain and tracked.sides[side].stream.takes_next(sequence, end - start):
            data = content[start:end]
            self.events.append(
                Event(connection, "data", side == 0, data, 0, record.time, record.number)
            )
        elif end > start or missing or flags & FIN:
            self._receive(tracked, side, segment, content[start:end], record)

    def finish(self) -> None:
        """The capture is at its end."""
        for tracked, side in self._tracked.values():
            if side == 0:
                self._give_up(tracked)
        self._capture.notes = [Note(reason, *counts) for reason, counts in self._notes.items()]

    def _find(self, segment: Segment, record: Record) -> tuple[_Tracked, int]:
        """The connection that the segment belongs to, a new one if need be, and its sender's side."""
        found = self._tracked.get(segment.flow)
        if found is None:
            return self._begin(segment, record)
        tracked, side = found
        if segment.flags & SYN and not segment.flags & RST:
            mine, other = tracked.sides[side], tracked.sides[1 - side]
            if segment.flags & ACK:
                if other.retry is not None and segment.acknowledgment == (other.retry + 1) % WRAP:
                    return self._replace(tracked, segment, record, other.retry)
                if tracked.closed and mine.initial != segment.sequence:
                    return self._replace(tracked, segment, record)
            elif tracked.done() or (mine.initial != segment.sequence and not tracked.awaits(side)):
                if tracked.over():
                    return self._replace(tracked, segment, record)
                mine.retry = segment.sequence
        return found

    def _begin(self, segment: Segment, record: Record) -> tuple[_Tracked, int]:
        """Track a new connection."""
        source, target = _ends(segment.flow)
        if segment.flags & SYN:
            from_client = not segment.flags & ACK
        else:
            from_client = source.port >= target.port
        client, server = (source, target) if from_client else (target, source)
        tracked = _Tracked(client, server, record.number)
        self._tracked[segment.flow] = tracked, 0 if from_client else 1
        self._tracked[_reversed(segment.flow)] = tracked, 1 if from_client else 0
        return self._tracked[segment.flow]

    def _replace(
        self, old: _Tracked, segment: Segment, record: Record, initial: int | None = None
    ) -> tuple[_Tracked, int]:
        """Track a new connection between the ends of an old one, its client's SYN known or not."""
        self._give_up(old)
        tracked, side = self._begin(segment, record)
        if initial is not None:
            tracked.sides[1 - side].initial = initial
            tracked.sides[1 - side].stream.begin((initial + 1) % WRAP)
        return tracked, side

    def _synchronize(
        self, tracked: _Tracked, side: int, segment: Segment, content: Content, record: Record
    ) -> bool:
        """Take a SYN in; gives whether it, as the answer to another, opens the connection."""
        mine = tracked.sides[side]
        answers = bool(segment.flags & ACK)
        if tracked.awaits(side):
            mine.initial = segment.sequence
            mine.stream.begin((segment.sequence + 1) % WRAP)
            if not answers and (segment.end > segment.start or segment.missing):
                mine.stream.hold(content[segment.start : segment.end], segment.missing, record.number)
        return answers

    def _open(self, tracked: _Tracked, record: Record) -> Connection:
        """Let the connection be open from this packet on."""
        from_start = any(side.initial is not None for side in tracked.sides)
        connection = Connection(len(self._capture.connections) + 1, *tracked.ends, from_start)
        tracked.connection = connection
        self._capture.connections.append(connection)
        self.events.append(Event(connection, "open", True, b"", 0, record.time, record.number))
        return connection

    def _receive(self, tracked: _Tracked, side: int, segment: Segment, data: bytes, record: Record) -> None:
        """Let the payload and the FIN of a segment arrive."""
        stream = tracked.sides[side].stream
        sequence = (segment.sequence + 1) % WRAP if segment.flags & SYN else segment.sequence
        stream.begin(sequence)
        if stream.distance(sequence) > LARGEST_WINDOW:
            self.note(OUTSIDE_WINDOW, record.number)
        elif stream.ended:
            if stream.distance(sequence + len(data) + segment.missing) > 0:
                self.note(AFTER_CLOSE, record.number)
        else:
            pieces = stream.receive(sequence, data, segment.missing, bool(segment.flags & FIN), record.number)
            self._emit(tracked, side, pieces, record)

    def _reset(self, tracked: _Tracked, side: int, segment: Segment, record: Record) -> None:
        """Close the connection, if its receiver believes the reset."""
        if tracked.closed:
            return
        if not tracked.believes_reset(side, segment):
            self.note(OUTSIDE_SEQUENCE, record.number)
            return
        tracked.closed = True
        for one in tracked.sides:
            self._abandon(one.stream)
        if tracked.connection is not None:
            self.events.append(
                Event(tracked.connection, "reset", side == 0, b"", 0, record.time, record.number)
            )

    def _emit(self, tracked: _Tracked, side: int, pieces: Iterable[Piece], record: Record) -> None:
        """Tell what a side's receiver got."""
        assert tracked.connection is not None
        for piece in pieces:
            happened: list[tuple[str, bytes, int]] = []
            if piece.data:
                happened.append(("data", piece.data, 0))
            if piece.missing:
                happened.append(("hole", b"", piece.missing))
            if piece.fin:
                happened.append(("end", b"", 0))
            self.events += [
                Event(tracked.connection, kind, side == 0, data, missing, record.time, record.number)
                for kind, data, missing in happened
            ]

    def _give_up(self, tracked: _Tracked) -> None:
        """Note what of a connection gave no event."""
        if tracked.connection is None and any(side.initial is not None for side in tracked.sides):
            self.note(REFUSED if tracked.closed else UNANSWERED, tracked.first)
        for side in tracked.sides:
            self._abandon(side.stream)

    def _abandon(self, stream: Stream) -> None:
        """Note the bytes behind a gap that never closed."""
        for piece in stream.waiting:
            self.note(NEVER_ACKNOWLEDGED, piece.packet)
        stream.waiting.clear()


def _ends(flow: bytes) -> tuple[Endpoint, Endpoint]:
    """The sender and the receiver of a flow."""
    size = len(flow) // 2 - 2
    source, target, ports = flow[:size], flow[size:-4], flow[-4:]
    return (
        Endpoint(ip_address(source), int.from_bytes(ports[:2], "big")),
        Endpoint(ip_address(target), int.from_bytes(ports[2:], "big")),
    )


def _reversed(flow: bytes) -> bytes:
    """The flow of the other direction."""
    size = len(flow) // 2 - 2
    return flow[size:-4] + flow[:size] + flow[-2:] + flow[-4:-2]
