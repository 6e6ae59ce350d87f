"""The connections of a capture, segment by segment, through a policy in the simulator.

Both ends of each captured connection become simulated sockets with the captured addresses and ports. Each
side sends what it sent, in the captured segments and order, whatever became of the other side's bytes, and
each side reads at once. So what a program changes in one direction does not change what the other says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from errno import errorcode

from skverdict.codegen.object import Object
from skverdict.runtime.capture.connections import Capture, Connection, Event
from skverdict.runtime.capture.entries import Entries, Entry, entry_text
from skverdict.runtime.capture.ledger import Ledger
from skverdict.runtime.capture.mapped import CaptureFile
from skverdict.runtime.capture.plan import HOLES, Plan
from skverdict.runtime.capture.report import ConnectionReport, Flow, Report, add_to
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.simulator import Simulator
from skverdict.runtime.sockets.errors import SimulationError
from skverdict.runtime.sockets.socket import Socket

LARGEST_FILLED_HOLE = 1 << 20
"""Bytes: a longer hole is not filled with zeros; the stream ends there."""

LEAST_EVENTS = 1000
"""Events that are replayed at least before a replay begins anew with more upstream sockets."""

MOST_UPSTREAMS = 1024
"""Sockets that are put in for the policy to redirect to, at most."""


def replay(
    capture: Capture | CaptureFile,
    content: Object,
    plan: Plan,
    *,
    kernel: str | None = None,
    trace: bool = False,
    observe: Callable[[Simulator], Callable[[Event], None]] | None = None,
) -> Report:
    """Replay a capture through the programs of an object; what a file holds is replayed as it is read.

    `kernel` is the release to simulate, the newest known by default; with `trace` the report holds all that
    happened. `observe` is given the simulator before anything happens, and what it returns is called after
    each event of the capture; it is asked again where the replay begins anew with more upstream sockets.

    A Fault of a program ends the replay and stands in the report. Raises LoadError, MapError or OSError for
    programs and maps that cannot be loaded, made or attached, and CaptureError for a file that turns out bad.
    """
    found: set[Entry] = set()
    while True:
        upstreams = [*plan.upstreams, *sorted(found)]
        may_add = plan.discover and len(upstreams) < MOST_UPSTREAMS
        replayer = Replayer(capture, content, plan, upstreams, kernel, trace)
        if replayer.run(observe, stop_for_missed=may_add):
            return replayer.report
        wanted = sorted(replayer.missed)
        found.update(wanted[: MOST_UPSTREAMS - len(upstreams)])


class Link:
    """A captured connection under way."""

    def __init__(self, connection: Connection, client: Socket, server: Socket) -> None:
        self.connection = connection
        self.client = client
        self.server = server
        self.report = ConnectionReport(connection)
        self.entries: list[Entry] = []
        """Where its ends stand in maps."""
        self.ended: set[bool] = set()
        """Directions (`from_client`) whose sender sends no more."""
        self.stopped: set[bool] = set()
        """Directions that end at a hole."""

    def ends(self, from_client: bool) -> tuple[Socket, Socket]:
        """Sender and receiver of a direction."""
        return (self.client, self.server) if from_client else (self.server, self.client)

    def flow(self, from_client: bool) -> Flow:
        """The counts of a direction."""
        return self.report.to_server if from_client else self.report.to_client


class Replayer:
    """One replay, with upstream sockets at given entries."""

    def __init__(
        self,
        capture: Capture | CaptureFile,
        content: Object,
        plan: Plan,
        upstreams: Sequence[Entry],
        kernel: str | None,
        trace: bool,
    ) -> None:
        self.report = Report(_without_events(capture))
        self.ledger = Ledger(content, self.report, trace)
        self._upstreams = frozenset(upstreams)
        self._capture = capture
        self._plan = plan
        self._content = content
        self._simulator = Simulator(content, kernel=kernel) if kernel else Simulator(content)
        self._entries = Entries(content, spare_first=plan.discover)
        self._links: dict[int, Link] = {}
        self._time = 0
        # Sockets put in before the programs are plain targets, and sock_ops programs do not see them.
        for entry in upstreams:
            self._add_upstream(entry)
        self._attach()
        self._simulator.trace.clear()

    def _add_upstream(self, entry: Entry) -> None:
        name = entry_text(self._content, entry)
        socket, backend = self._simulator.tcp_pair(names=(name, f"peer of {name}"))
        try:
            self._simulator.maps[entry.map][entry.key] = socket
        except OSError as error:
            self.report.problems.append(f"no upstream socket at {name}: {error.strerror or error}")
            return
        self._entries.take(entry)
        self.ledger.add_upstream(socket, backend)

    def _attach(self) -> None:
        for name, programs in self._plan.attached.items():
            for program in programs:
                kind = self._content.programs[program].kind
                self._simulator.attach(name, **{"parser" if kind == "stream_parser" else kind: program})
        for program in self._plan.cgroup:
            self._simulator.attach_cgroup(program)

    @property
    def missed(self) -> set[Entry]:
        """Entries that the policy has redirected to, that were empty, and that are not yet to hold a socket."""
        return self.ledger.missed - self._upstreams

    def run(
        self,
        observe: Callable[[Simulator], Callable[[Event], None]] | None = None,
        *,
        stop_for_missed: bool = False,
    ) -> bool:
        """Replay all events, or up to the first fault; gives whether this is the replay that counts.

        With `stop_for_missed` it is not where entries were missed. Then the replay ends early, but not before
        it has gone on as far as up to the first of them: several are often missed one after the other.
        """
        seen = observe(self._simulator) if observe is not None else None
        events, end = iter(self._capture.events), 0
        try:
            for number, event in enumerate(events):
                self._replay(event)
                if seen is not None:
                    seen(event)
                if stop_for_missed and self.ledger.missed and self.missed:
                    end = end or max(2 * number, LEAST_EVENTS)
                    if number >= end:
                        return False
        except Fault as fault:
            self.report.fault = f"packet {event.packet}, connection {event.connection.number}: {fault}"
            if event.connection.number in self._links:
                flow = self._links[event.connection.number].flow(event.from_client)
                self.ledger.count(self._simulator.trace, flow)
            deque(events, maxlen=0)  # so that the capture's packets are counted and its end is looked at
        self.report.printed = list(self._simulator.printed)
        self.report.capture = _without_events(self._capture)
        return not (stop_for_missed and self.missed)

    def _replay(self, event: Event) -> None:
        self._pass_time(event.time)
        if event.kind == "open":
            self._open(event.connection)
            return
        link = self._links.get(event.connection.number)
        if link is None:  # it could not be opened
            return
        if event.kind == "data":
            self._take_data(link, event)
        elif event.kind == "hole":
            self._take_hole(link, event)
        elif event.kind == "end":
            self._end(link, event.from_client)
        else:
            self._close(link, event.from_client)

    def _pass_time(self, time: int) -> None:
        """Move the simulated clock on as far as the capture's has gone."""
        if self._time and time > self._time:
            self._simulator.wait((time - self._time) / 1e9)
        self._time = max(self._time, time)

    def _open(self, connection: Connection) -> None:
        number, client, server = connection.number, connection.client, connection.server
        try:
            sockets = self._simulator.tcp_pair(
                client_address=str(client.address),
                client_port=client.port,
                server_address=str(server.address),
                server_port=server.port,
                family=f"v{server.address.version}",
                names=(f"client {number}", f"server {number}"),
            )
        except SimulationError as error:
            self.report.problems.append(f"connection {number} cannot be simulated: {error}")
            return
        link = self._links[number] = Link(connection, *sockets)
        self.report.connections.append(link.report)
        self.ledger.add_sockets(*sockets)
        for name in self._plan.attached:
            for side in self._plan.sides:
                self._watch(link, name, link.server if side == "server" else link.client)
        self._settle(link, True)

    def _watch(self, link: Link, name: str, socket: Socket) -> None:
        """Put an end of a connection into a map."""
        entry = self._entries.next(name)
        if entry is None:
            self.report.problems.append(f"{socket.name} is not in {name}: no entry is free")
            return
        try:
            self._simulator.maps[name][entry.key] = socket
        except OSError as error:
            self.report.problems.append(f"{socket.name} is not in {name}: {error.strerror or error}")
            return
        self._entries.take(entry)
        link.entries.append(entry)

    def _take_data(self, link: Link, event: Event) -> None:
        if event.from_client in link.stopped:
            link.flow(event.from_client).left_out += len(event.data)
        else:
            self._send(link, event.from_client, event.data)

    def _take_hole(self, link: Link, event: Event) -> None:
        """Deal as the plan says with bytes that the capture lacks."""
        if event.from_client in link.stopped:
            return
        treatment = self._plan.holes
        if treatment == "zero" and event.missing > LARGEST_FILLED_HOLE:
            treatment = "stop"
        sender, _ = link.ends(event.from_client)
        lacking = f"{event.missing} bytes of {sender.name} are not captured"
        self.report.problems.append(f"packet {event.packet}: {lacking}; {HOLES[treatment]}")
        if treatment == "zero":
            self._send(link, event.from_client, bytes(event.missing))
        elif treatment == "stop":
            link.stopped.add(event.from_client)

    def _send(self, link: Link, from_client: bool, data: bytes) -> None:
        """Let one side send a segment."""
        flow = link.flow(from_client)
        sender, _ = link.ends(from_client)
        gone = flow.dropped + flow.lost
        flow.sent += len(data)
        accepted = 0
        try:
            accepted = sender.send(data, segments=[len(data)])
        except OSError as error:
            add_to(flow.errors, errorcode.get(error.errno or 0, str(error)), 1)
        self._settle(link, from_client)
        # What a msg_verdict drops is not taken, either, and has been counted where the trace tells of it.
        flow.unsent += max(len(data) - accepted - (flow.dropped + flow.lost - gone), 0)

    def _end(self, link: Link, from_client: bool) -> None:
        """Let one side say that it sends no more; close when both have."""
        sender, _ = link.ends(from_client)
        with suppress(OSError):
            sender.shutdown()
        self._settle(link, from_client)
        link.ended.add(from_client)
        if len(link.ended) == 2:
            self._close(link, from_client)

    def _close(self, link: Link, from_client: bool) -> None:
        """Close both ends, the one of `from_client` first."""
        self.ledger.remove_sockets(link.client, link.server)
        for direction in (from_client, not from_client):
            sender, receiver = link.ends(direction)
            sender.close()
            flow, arriving = Flow(), link.flow(not direction)
            self.ledger.settle(self._simulator.trace, flow, sender, receiver)
            # A socket that closes loses what it held of arriving messages, and what it had yet to send.
            never_judged = min(flow.lost, arriving.held)
            arriving.lost += never_judged
            flow.lost -= never_judged
            link.flow(direction).add(flow)
        self._entries.free(link.entries)
        del self._links[link.connection.number]

    def _settle(self, link: Link, from_client: bool) -> None:
        """Put what has happened on the account of a direction."""
        self.ledger.settle(self._simulator.trace, link.flow(from_client), *link.ends(from_client))


def _without_events(capture: Capture | CaptureFile) -> Capture:
    """What a report keeps of a capture."""
    return capture.found if isinstance(capture, CaptureFile) else replace(capture, events=[])
