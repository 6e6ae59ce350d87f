"""What all sockets of a simulation share: settings, time-free work queue, and the trace of what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from skverdict.runtime.machine.context import Context
from skverdict.runtime.sockets.address import NOBODY6, Endpoint, unmapped
from skverdict.runtime.sockets.errors import HazardError, SimulationError
from skverdict.runtime.sockets.hazards import Fault
from skverdict.runtime.sockets.message import PageFragment
from skverdict.runtime.sockets.program import Program
from skverdict.runtime.trace import HEAD, Hazard, Trace

if TYPE_CHECKING:
    from skverdict.runtime.sockets.sock import Sock
    from skverdict.runtime.sockets.tcp import TcpSocket

#: Largest segment on Linux's loopback: half the window that the ends offer each other at first.
LOOPBACK_MSS = 32768

#: What a socket may hold unread, and thereby the longest message of a stream parser (tcp_rmem's default).
RECEIVE_BUFFER = 131072

#: What a TCP socket accepts for a peer that does not read, beside what the peer can hold: about as far as
#: Linux's buffers grow then (2.6 to 2.7 MB on loopback, sent in pieces of 64 KiB).
SEND_BUFFER = 2_490_368
#: How long bytes wait for more that was announced (TCP_RTO_MIN, the least of the timer that sends them).
PROBE_NS = 200_000_000

#: Unnamed ports (net.ipv4.ip_local_port_range begins so).
FIRST_EPHEMERAL_PORT = 32768
LAST_PORT = 65535

#: Buffers, and bytes in them, that are redirected because of one call of an application, at most.
MOST_REDIRECTS = 100_000
MOST_REDIRECTED = 1 << 28


@dataclass(frozen=True)
class Settings:
    """How the simulated machine behaves.

    `kernel` is the release whose rules hold. `linear` bytes at the start of each received TCP buffer are
    readable without a pull: none on loopback, some with network cards that copy headers. `mss` cuts what is
    sent into segments. `receive_buffer` and `send_buffer` are each TCP socket's SO_RCVBUF and SO_SNDBUF at
    first. `hazards` is `kernel` (known kernel faults happen, and the trace says so), `error` (they raise
    HazardError) or `ideal` (they do not happen).
    """

    kernel: str = "7.2"
    linear: int = 0
    mss: int = LOOPBACK_MSS
    receive_buffer: int = RECEIVE_BUFFER
    send_buffer: int = SEND_BUFFER
    hazards: str = "kernel"


@dataclass
class Kernel:
    """The machine that sockets live on. Time passes when told to: work runs in the order in which it was
    queued."""

    settings: Settings = field(default_factory=Settings)
    trace: Trace = field(default_factory=Trace)
    sock_ops: list[Program] = field(default_factory=list)
    #: Told of each new connection at a listener: the listener, and the socket that it will accept.
    on_connection: list[Callable[[Sock, Sock], None]] = field(default_factory=list)
    page_fragment: PageFragment = field(default_factory=PageFragment)
    _work: dict[Callable[[], None], None] = field(default_factory=dict)
    _unsent: dict[TcpSocket, int] = field(default_factory=dict)  # when to send what was held back, ns
    _now: int = 0
    _cookies: int = 0
    _redirects: int = 0
    _redirected: int = 0
    _ports: set[int] = field(default_factory=set)  # chosen by somebody, in this round of unnamed ones
    _next_port: int = FIRST_EPHEMERAL_PORT
    _last_hazard: Hazard | None = None
    _by_addresses: WeakValueDictionary[tuple[int, Endpoint, Endpoint], Sock] = field(
        default_factory=WeakValueDictionary
    )

    @property
    def ideal(self) -> bool:
        """True if known kernel faults are not to happen."""
        return self.settings.hazards == "ideal"

    @property
    def milliseconds(self) -> int:
        """How much time has passed, as time stamps of segments count it: modulo 2**32."""
        return self._now // 1_000_000 & 0xFFFFFFFF

    @property
    def busy(self) -> bool:
        """True if work is queued."""
        return bool(self._work)

    def cookie(self) -> int:
        """The next socket cookie: 1, 2, ..."""
        self._cookies += 1
        return self._cookies

    def take_port(self, port: int) -> None:
        """Note that somebody chose `port`; unnamed ones are to be others."""
        self._ports.add(port)

    def free_port(self) -> int:
        """An unnamed port, one after the other from `FIRST_EPHEMERAL_PORT` on. When all were used they come
        again."""
        while True:
            port = self._next_port
            self._next_port = port + 1 if port < LAST_PORT else FIRST_EPHEMERAL_PORT
            if port == LAST_PORT:
                self._ports.clear()
            if port not in self._ports:
                return port

    def register(self, socket: Sock) -> None:
        """Let `socket` be found by its addresses; of those that share them, the newest is."""
        self._by_addresses[socket.protocol, unmapped(socket.local), unmapped(socket.remote)] = socket

    def find(self, protocol: int, source: Endpoint, destination: Endpoint) -> Sock | None:
        """The socket that a packet goes to: a connected one, else one that takes from anybody, on the
        address itself before one on all addresses."""
        source, destination = unmapped(source), unmapped(destination)
        zeros = (0,) * len(source.words)
        nobody = Endpoint(zeros, 0)
        everywhere = Endpoint(zeros, destination.port)
        candidates = [(destination, source), (destination, nobody), (everywhere, nobody)]
        if len(zeros) == 1:  # an IPv6 socket on all addresses takes IPv4, too
            candidates.append((Endpoint(NOBODY6.words, destination.port), NOBODY6))
        for local, remote in candidates:
            socket = self._by_addresses.get((protocol, local, remote))
            if socket is not None and socket.reachable:
                return socket
        return None

    def schedule(self, work: Callable[[], None]) -> None:
        """Queue `work` behind what is queued; the same work waits only once, as in the kernel."""
        self._work[work] = None

    def holds_unsent(self, socket: TcpSocket) -> None:
        """Note that `socket` holds back bytes for which more was announced."""
        self._unsent.setdefault(socket, self._now + PROBE_NS)

    def count_redirect(self, length: int) -> None:
        """Note that a buffer of `length` bytes is redirected. Raises SimulationError for more than a call can cause by
        right."""
        self._redirects += 1
        self._redirected += length
        if self._redirects > MOST_REDIRECTS or self._redirected > MOST_REDIRECTED:
            self._work.clear()
            raise SimulationError(
                f"{self._redirects} redirects of {self._redirected} bytes for one call: they go round in a circle"
            )

    def settle(self) -> None:
        """Do all queued work, and what that queues."""
        if not self._work:
            return
        self._redirects = self._redirected = 0
        while self._work:
            work = next(iter(self._work))
            del self._work[work]
            work()

    def elapse(self, nanoseconds: int) -> None:
        """Let time pass. Bytes that were held back for more are sent when it did not come in time."""
        self._now += nanoseconds
        for socket in [socket for socket, due in self._unsent.items() if due <= self._now]:
            del self._unsent[socket]
            socket.push_unsent()
        self.settle()

    def run(self, program: Program, context: Context, socket: str) -> int:
        """Run `program`; what goes wrong in it stands in the trace when it reaches the caller."""
        try:
            return program.run(context)
        except Exception as fault:
            self.trace.note("faulted", program.name, socket, str(fault))
            raise

    @staticmethod
    def head(content: bytes | bytearray | memoryview) -> bytes:
        """The first bytes of what a program sees, as the trace keeps them."""
        return bytes(content[:HEAD])

    def ran(
        self, program: Program, socket: str, length: int, readable: int, head: bytes, result: int,
        verdict: str, target: Sock | None = None, ingress: bool = False,
    ) -> None:  # fmt: skip
        """Record a run that saw `length` bytes, beginning with `head`, and what its result means."""
        name = "" if target is None else target.name
        self.trace.note(
            "ran", program.name, program.kind, socket, length, readable, head, result, verdict, name, ingress
        )

    def moved(
        self, way: str, source: Sock, target: Sock | None, content: bytes | bytearray | memoryview,
        reason: str = "",
    ) -> None:  # fmt: skip
        """Record where bytes went; no bytes, no event."""
        if content:
            name = "" if target is None else target.name
            self.trace.note("moved", way, source.name, name, len(content), bytes(content[:HEAD]), reason)

    def changed(self, subject: str, what: str) -> None:
        """Record a change of a socket or map."""
        self.trace.note("changed", subject, what)

    def hazard(self, socket: Sock, fault: Fault) -> None:
        """Record that a known kernel fault strikes, once if it does so again and again. Raises HazardError if
        the settings say so."""
        event = Hazard(socket.name, fault.what, fault.advice)
        if event != self._last_hazard:
            self._last_hazard = event
            self.trace.append(event)
        if self.settings.hazards == "error":
            raise HazardError(str(event))

    def crash(self, socket: Sock, fault: Fault) -> None:
        """The kernel dies of a fault. Raises HazardError, unless faults are not to happen."""
        if not self.ideal:
            event = Hazard(socket.name, fault.what, fault.advice)
            self.trace.append(event)
            raise HazardError(str(event))
