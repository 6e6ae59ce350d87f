"""Bookkeeping of a replay: from the simulator's trace, and from what applications read, to the report."""

from __future__ import annotations

from contextlib import suppress

from skverdict.codegen.object import Object
from skverdict.runtime.capture.entries import Entry, index_key
from skverdict.runtime.capture.report import Flow, ProgramReport, Report, UpstreamReport, add_to
from skverdict.runtime.sockets.socket import Socket
from skverdict.runtime.trace import Called, Event, Hazard, Moved, Ran, Trace

REDIRECTS = frozenset(
    ("bpf_sk_redirect_map", "bpf_sk_redirect_hash", "bpf_msg_redirect_map", "bpf_msg_redirect_hash")
)
"""Helpers whose arguments are the context, a map, a key and flags."""

_AT_ONCE = 65536
"""Bytes that applications ask for."""

FOUND_NOTHING = "0"
"""What the trace tells as their result where the entry is empty."""


class Ledger:
    """Fills a `Report` in. `missed` are entries that a redirect asked for and that were empty."""

    def __init__(self, content: Object, report: Report, keep_trace: bool) -> None:
        self.missed: set[Entry] = set()
        self._content = content
        self._report = report
        self._keep_trace = keep_trace
        self._sockets: dict[str, Socket] = {}
        self._outlets: dict[str, tuple[UpstreamReport, str]] = {}
        report.programs = {
            program.name: ProgramReport(program.name, program.kind) for program in content.programs.values()
        }

    def add_upstream(self, socket: Socket, backend: Socket) -> None:
        """Count what is read at an upstream socket and at its peer."""
        row = UpstreamReport(socket.name)
        self._report.upstreams.append(row)
        self._outlets[socket.name] = row, "ingress"
        self._outlets[backend.name] = row, "egress"
        self.add_sockets(socket, backend)

    def add_sockets(self, *sockets: Socket) -> None:
        """Let applications read from sockets whenever something comes to them."""
        self._sockets.update({socket.name: socket for socket in sockets})

    def remove_sockets(self, *sockets: Socket) -> None:
        """The sockets are closed."""
        for socket in sockets:
            del self._sockets[socket.name]

    def settle(self, trace: Trace, flow: Flow, sender: Socket, receiver: Socket) -> None:
        """Count what has happened on account of a direction, and let applications read all that has come."""
        while trace:
            targets = dict.fromkeys(event.target for event in trace.of(Moved))
            self.count(trace, flow)
            for socket in [self._sockets[name] for name in targets if name in self._sockets]:
                self._count_read(_read(socket), socket, flow, sender, receiver)

    def count(self, trace: Trace, flow: Flow) -> None:
        """Count what the trace tells on account of a direction, and empty it."""
        for event in trace:
            self._count(event, flow)
        if self._keep_trace:
            self._report.trace += trace
        trace.clear()

    def _count_read(self, count: int, socket: Socket, flow: Flow, sender: Socket, receiver: Socket) -> None:
        """Count bytes that an application has read from a socket."""
        if socket == receiver:
            flow.received += count
        elif socket == sender:
            flow.returned += count
        else:
            flow.elsewhere += count
        if socket.name in self._outlets:
            row, way = self._outlets[socket.name]
            setattr(row, way, getattr(row, way) + count)

    def _count(self, event: Event, flow: Flow) -> None:
        """Count one event of the trace."""
        if isinstance(event, Ran):
            self._report.programs[event.program].verdicts[_verdict(event)] += 1
        elif isinstance(event, Called):
            self._look_for_miss(event)
        elif isinstance(event, Hazard):
            if str(event) not in self._report.hazards:
                self._report.hazards.append(str(event))
        elif isinstance(event, Moved):
            if event.way == "dropped":
                flow.dropped += event.length
            elif event.way == "lost":
                flow.lost += event.length
            elif event.way in ("egress", "ingress"):
                add_to(flow.redirected, (event.way, event.target), event.length)

    def _look_for_miss(self, event: Called) -> None:
        """Note the entry that a redirect has found empty."""
        if event.helper not in REDIRECTS or event.result != FOUND_NOTHING:
            return
        _, name, key, _ = event.values
        assert isinstance(name, str)
        if isinstance(key, bytes):
            self.missed.add(Entry(name, key))
        elif isinstance(key, int) and key < self._content.maps[name].max_entries:
            self.missed.add(Entry(name, index_key(self._content, name, key)))


def _verdict(event: Ran) -> str:
    """What a run came to, in a word: a parser's message lengths and errors are told as one."""
    if event.kind != "stream_parser":
        return event.verdict
    return "message" if event.result > 0 else "error" if event.result < 0 else "need more"


def _read(socket: Socket) -> int:
    """Bytes that can be read from a socket now, which are read."""
    count = 0
    with suppress(OSError):
        while content := socket.recv(_AT_ONCE):
            count += len(content)
            # Of a socket in a map there may be more in its other queue.
            if len(content) < _AT_ONCE and socket.kernel_socket.psock is None:
                break
    return count
