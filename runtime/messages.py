"""Many messages from one socket to the reader at the end of their redirect, the loop over them outside of Python.

That works for a connection that is idle whenever a message is sent: its server has a parser that takes each segment
for a message, and a verdict that drops it or sends it out of a socket at whose other end the reader is, and neither
program does anything else. Then all that a message does is known from what the programs gave, and those run as native
code for many messages at once. Any other message goes the ordinary way, one by one, and what comes of all is the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from skverdict.runtime.machine.memory import Memory
from skverdict.runtime.machine.semantics import signed
from skverdict.runtime.machine.structures import ContextRegion, Reader
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.sockmap import SocketMap
from skverdict.runtime.native.noted import Noted, noted
from skverdict.runtime.program import SimulatedProgram
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.contexts import SkBuffContext
from skverdict.runtime.sockets.socket import Socket, whole
from skverdict.runtime.sockets.tcp import TcpSocket
from skverdict.runtime.sockets.verdict import SK_PASS
from skverdict.runtime.trace import HEAD

if TYPE_CHECKING:
    from skverdict.runtime.native.columns import Done
    from skverdict.runtime.native.native_code import NativeCode

AT_ONCE = 8192
"""Messages that programs run for in one call, at most."""

BYTES_AT_ONCE = 32 << 20
"""Bytes of messages that are looked at together, about."""

WORTHWHILE = 256
"""Messages that are left to the ordinary way if there are no more: making native code takes as long as they do."""

MOST_PLACES = {"sockmap": 1 << 16, "sockhash": 64}
"""Entries in which native code looks: one for each index of a sockmap, and the filled ones of a sockhash."""

READ = 65536
"""Bytes that a reader asks for at once."""

LEN_FIELD = (0, 4)
"""Offset and size of `len` in `struct __sk_buff`."""

_LOW = 0xFFFFFFFF
_HELPERS = {"sockmap": "bpf_sk_redirect_map", "sockhash": "bpf_sk_redirect_hash"}


class Machine(NamedTuple):
    """What programs run with: the maps by name, and how many instructions a run may take."""

    maps: Mapping[str, Map]
    budget: int


class Route(NamedTuple):
    """The way of messages: from `sender` to `server`, whose programs send them out of `target` to `reader`.

    `parser` and `verdict` stand beside their native code; `map` is the one that the verdict redirects by,
    and `budget` the instructions that a run may take.
    """

    sender: TcpSocket
    server: TcpSocket
    target: TcpSocket
    reader: TcpSocket
    parser: tuple[SimulatedProgram, NativeCode]
    verdict: tuple[SimulatedProgram, NativeCode]
    map: SocketMap | None
    budget: int

    @property
    def longest(self) -> int:
        """The most bytes that a message may have: that of one segment, where others are cut to be too long."""
        most = min(READ, self.sender.room, self.target.room)
        return most if self.sender.mss <= self.segment else min(most, self.segment)

    @property
    def segment(self) -> int:
        """The most bytes that are sent as one segment, all the way."""
        return min(self.sender.mss, self.target.mss, self.server.receive_buffer)


class Asked(NamedTuple):
    """A redirect that the verdict asked for: the key, the flags, and what the helper gave."""

    key: int | bytes
    flags: int
    gave: int


class Outcome(NamedTuple):
    """What the verdict made of a segment: what it returned, the redirects that it asked for, and whether one counts;
    otherwise the segment is dropped."""

    result: int
    asked: Sequence[Asked]
    redirected: bool


def replay(sender: Socket, messages: Iterable[bytes], reader: Socket, machine: Machine) -> list[bytes]:
    """Send each message, and let the reader read all that has come; what it read after each. Raises as `send`, and
    what the messages themselves raise."""
    received: list[bytes] = []
    limit = AT_ONCE
    for chunk in _chunks(map(whole, messages)):
        at = 0
        while at < len(chunk):
            some = chunk[at : at + limit]
            done = _at_once(sender, some, reader, machine) if len(received) + len(chunk) - at > WORTHWHILE else []
            received += done
            at += len(done)
            if len(done) == len(some):
                limit = min(2 * limit, AT_ONCE)
                continue
            # The next one has to go the ordinary way; where none could go at once, several will.
            limit = max(len(done), WORTHWHILE)
            for message in chunk[at : at + (1 if done else WORTHWHILE)]:
                sender.send(message)
                received.append(reader.recv_all())
                at += 1
    return received


def _chunks(messages: Iterator[bytes]) -> Iterator[list[bytes]]:
    """The messages in parts of up to `AT_ONCE`, or `BYTES_AT_ONCE` and one more message.

    What comes before an error of the messages' own is a part, too, and then the error is raised.
    """
    failure: Exception | None = None
    more = True
    while more:
        chunk: list[bytes] = []
        size = 0
        while more and size < BYTES_AT_ONCE and len(chunk) < AT_ONCE:
            begin, wanted = len(chunk), _step(chunk, size)
            try:
                chunk.extend(islice(messages, wanted))
            except Exception as error:
                failure = error
            more = len(chunk) - begin == wanted
            size += sum(map(len, chunk[begin:]))
        if chunk:
            yield chunk
    if failure is not None:
        raise failure


def _step(chunk: Sequence[bytes], size: int) -> int:
    """How many messages to add, as many as there are and no more than are likely to fit."""
    fitting = (BYTES_AT_ONCE - size) * len(chunk) // (size + 1)
    return max(1, min(len(chunk), AT_ONCE - len(chunk), fitting))


def _at_once(sender: Socket, messages: Sequence[bytes], reader: Socket, machine: Machine) -> list[bytes]:
    """What the reader gets of as many of the messages as can be sent at once."""
    route = route_of(sender, reader, machine)
    if route is None:
        return []
    longest, segment = route.longest, route.segment
    fits = next((at for at, message in enumerate(messages) if not 0 < len(message) <= longest), len(messages))
    messages = messages[:fits]
    sizes = None
    segments = messages
    if max(map(len, messages), default=0) > segment:
        sizes = [-(-len(message) // route.sender.mss) for message in messages]
        segments = [part for message in messages for part in _cut(message, route.sender.mss)]
    outcomes = _outcomes(route, segments)
    if sizes is not None:
        messages = messages[: _whole(sizes, len(outcomes))]
        sizes = sizes[: len(messages)]
        del outcomes[sum(sizes) :]
    if not outcomes:
        return []
    lengths = array("Q", map(len, segments[: len(outcomes)]))
    _carry(route, outcomes, lengths)
    heads = [part[:HEAD] for part in segments[: len(outcomes)]]
    route.sender.kernel.trace.note_later(_Told(route, heads, lengths, outcomes, sizes))
    pairs = zip(segments, outcomes, strict=False)
    read = [part if outcome.redirected else b"" for part, outcome in pairs]
    if sizes is None:
        return read
    # What arrives whole is not put together again.
    groups = zip(messages, _grouped(read, sizes), strict=True)
    return [message if all(parts) else b"".join(parts) for message, parts in groups]


def _cut(message: bytes, size: int) -> list[bytes]:
    return [message[at : at + size] for at in range(0, len(message), size)]


def _whole(sizes: Sequence[int], done: int) -> int:
    """How many messages of so many segments each are within the first `done` segments."""
    ends = enumerate(accumulate(sizes))
    return next((at for at, end in ends if end > done), len(sizes))


def _grouped(items: Sequence[bytes], sizes: Sequence[int]) -> Iterator[Sequence[bytes]]:
    """The items in groups of these sizes."""
    end = 0
    for size in sizes:
        end += size
        yield items[end - size : end]


def route_of(sender: Socket, reader: Socket, machine: Machine) -> Route | None:
    """The way that messages can go at once now; None if there is none."""
    source, end = sender.kernel_socket, reader.kernel_socket
    if not (isinstance(source, TcpSocket) and isinstance(end, TcpSocket)):
        return None
    server, target = source.other, end.other
    if server is None or target is None or len({source, server, target, end}) < 4 or end.psock is not None:
        return None
    if source.kernel.busy or not (source.idle and server.idle and target.idle and end.idle):
        return None
    if (source.psock is not None and source.psock.programs.msg_verdict is not None) or not _sends(target):
        return None
    psock = server.psock
    if psock is None or psock.parser is None or psock.handler != psock.parser.data_ready or not psock.idle:
        return None
    parser, verdict = psock.programs.stream_parser, psock.programs.stream_verdict
    if not (isinstance(parser, SimulatedProgram) and isinstance(verdict, SimulatedProgram)):
        return None
    names = {reference.map for reference in verdict.code.maps.values()}
    name = names.pop() if names else ""
    map_ = machine.maps.get(name)
    if names or not (map_ is None or isinstance(map_, SocketMap)):
        return None
    if map_ is not None and map_.places > MOST_PLACES[map_.kind]:
        return None
    parses, judges = parser.alone(""), verdict.alone(name)
    if parses is None or judges is None or not (_looks_at_whole_fields(parses) and _looks_at_whole_fields(judges)):
        return None
    return Route(source, server, target, end, (parser, parses), (verdict, judges), map_, machine.budget)


def _sends(target: TcpSocket) -> bool:
    """True if what is redirected to a socket leaves it at once, whatever its programs."""
    psock = target.psock
    if psock is None or not psock.takes or not psock.idle or psock.programs.msg_verdict is not None:
        return False
    # Linux 6.1 sends the linear part of a buffer by itself.
    settings = target.kernel.settings
    return not settings.linear or settings.kernel != "6.1"


def _looks_at_whole_fields(code: NativeCode) -> bool:
    """True if `len` is looked at as a whole, or not at all."""
    return all(field == LEN_FIELD or field[0] >= sum(LEN_FIELD) for field in code.needs.fields)


def _outcomes(route: Route, segments: Sequence[bytes]) -> list[Outcome]:
    """What the programs make of segments, up to the first that they do something else with."""
    lengths = array("Q", map(len, segments))
    codes = (route.parser[1], route.verdict[1])
    shows = route.sender.kernel.settings.linear and any(code.needs.packet for code in codes)
    content = bytearray().join(segments) if shows else bytearray()
    parsed = _run(route, codes[0], lengths, content, bytearray())
    count = _alike(parsed.values, lengths)
    targets = bytearray() if route.map is None else route.map.targets()
    return _judged(route, _run(route, codes[1], lengths[:count], content, targets))


def _alike(values: array[int], lengths: array[int]) -> int:
    """How many segments the parser took for a message each, before the first that it did not."""
    if values == lengths:
        return len(lengths)
    pairs = enumerate(zip(values, lengths, strict=False))
    return next((at for at, (value, length) in pairs if value & _LOW != length), len(values))


def _run(route: Route, code: NativeCode, lengths: array[int], content: bytearray, targets: bytearray) -> Done:
    """Run a program for segments of these lengths."""
    from skverdict.runtime.native.columns import Columns
    from skverdict.runtime.native.engine import run_columns

    settings = route.sender.kernel.settings
    context = SkBuffContext(code.loaded.kind, route.server, SocketBuffer(b"", 0, 0))
    region = ContextRegion(Reader(Memory(code.loaded.order), context.kind, settings.kernel), context)
    fields = [lengths if field == LEN_FIELD else region.load(*field) for field in code.needs.fields]
    columns = Columns(code, fields, len(lengths))
    if content and code.needs.packet:
        starts = array("Q", accumulate(lengths[:-1], initial=0))
        columns.show_packets(content, starts, array("Q", [min(length, settings.linear) for length in lengths]))
    return run_columns(code, columns, targets, route.budget)


def _judged(route: Route, done: Done) -> list[Outcome]:
    """What the verdict's runs come to, up to the first that comes to something else."""
    known: dict[tuple[int, bytes], Outcome | None] = {}
    outcomes: list[Outcome] = []
    for value, calls in done.runs():
        if (value, calls) not in known:
            known[value, calls] = _outcome(route, value, noted(calls))
        outcome = known[value, calls]
        if outcome is None:
            break
        outcomes.append(outcome)
    return outcomes


def _outcome(route: Route, value: int, redirects: Sequence[Noted]) -> Outcome | None:
    """What a run of the verdict comes to; None for what does not lead to the reader."""
    result, map_ = signed(value, 32), route.map
    targets = [] if map_ is None else [map_.target(noted.place) for noted in redirects]
    asked = [Asked(key, flags, gave) for (key, _), (_, flags, gave) in zip(targets, redirects, strict=True)]
    if result != SK_PASS:
        return Outcome(result, asked, redirected=False)
    chosen = [(target, noted.flags) for (_, target), noted in zip(targets, redirects, strict=True) if noted.gave]
    return Outcome(result, asked, redirected=True) if chosen and chosen[-1] == (route.target, 0) else None


def _carry(route: Route, outcomes: Sequence[Outcome], lengths: Sequence[int]) -> None:
    """Count the bytes where they have been."""
    whole = sum(lengths)
    route.sender.carried(whole)
    if whole:
        route.sender.kernel.page_fragment.renew()
    psock = route.server.psock
    assert psock is not None
    assert psock.parser is not None
    psock.parser.carried(whole)
    pairs = zip(outcomes, lengths, strict=True)
    route.target.carried(sum(length for outcome, length in pairs if outcome.redirected))


class _Told:
    """What the trace tells of segments that were sent at once: as what is noted of each, by the names of now.

    `sizes` are the numbers of segments of each message; None for one each.
    """

    def __init__(
        self,
        route: Route,
        heads: Sequence[bytes],
        lengths: Sequence[int],
        outcomes: Sequence[Outcome],
        sizes: Sequence[int] | None,
    ) -> None:
        self._segments = (heads, lengths, outcomes)
        self._sizes = sizes
        self._parser, self._verdict = ((program.name, program.kind) for program, _ in (route.parser, route.verdict))
        self._sender, self._server = route.sender.name, route.server.name
        self._target, self._reader = route.target.name, route.reader.name
        self._map, self._helper = ("", "") if route.map is None else (route.map.name, _HELPERS[route.map.kind])
        self._linear = route.sender.kernel.settings.linear

    def __call__(self) -> Iterator[tuple[Any, ...]]:
        segments = list(zip(*self._segments, strict=True))
        end = 0
        for size in self._sizes or [1] * len(segments):
            end += size
            yield from self._message(segments[end - size : end])

    def _message(self, segments: Sequence[tuple[bytes, int, Outcome]]) -> Iterator[tuple[Any, ...]]:
        head = segments[0][0] if len(segments) == 1 else b"".join(head for head, _, _ in segments)[:HEAD]
        yield "moved", "sent", self._sender, "", sum(length for _, length, _ in segments), head, ""
        for segment in segments:
            yield from self._segment(*segment)
        there = [(head, length) for head, length, outcome in segments if outcome.redirected]
        for head, length in there:
            yield "moved", "arrived", self._target, self._reader, length, head, ""
        if there:
            # Of a segment that is followed by another one there are more bytes than a head has.
            head = b"".join(head for head, _ in there)[:HEAD]
            yield "moved", "received", self._reader, "", sum(length for _, length in there), head, ""

    def _segment(self, head: bytes, length: int, outcome: Outcome) -> Iterator[tuple[Any, ...]]:
        seen = (self._server, length, min(length, self._linear), head)
        verdict, _ = self._verdict
        yield "ran", *self._parser, *seen, length, "message", "", False
        for key, flags, gave in outcome.asked:
            yield "called", verdict, self._helper, ("__sk_buff", self._map, key, flags), gave
        if outcome.redirected:
            yield "ran", *self._verdict, *seen, outcome.result, "redirect", self._target, False
            yield "moved", "egress", self._server, self._target, length, head, ""
        else:
            yield "ran", *self._verdict, *seen, outcome.result, "drop", "", False
            yield "moved", "dropped", self._server, "", length, head, ""
