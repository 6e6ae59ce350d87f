"""What all sockets of a simulation share: settings, time-free work queue, and the trace of what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from skverdict.runtime.machine.context import Context
from skverdict.runtime.sockets.address import Endpoint
from skverdict.runtime.sockets.errors import HazardError
from skverdict.runtime.sockets.message import PageFragment
from skverdict.runtime.sockets.program import Program
from skverdict.runtime.trace import HEAD, Changed, Faulted, Hazard, Moved, Ran, Trace

if TYPE_CHECKING:
    from skverdict.runtime.sockets.tcp import TcpSocket

#: Largest segment on Linux's loopback: half the window that the ends offer each other at first.
LOOPBACK_MSS = 32768

#: What a socket may hold unread, and thereby the longest message of a stream parser (tcp_rmem's default).
RECEIVE_BUFFER = 131072


#: How long bytes wait for more that was announced (TCP_RTO_MIN, the least of the timer that sends them).
PROBE_NS = 200_000_000


@dataclass(frozen=True)
class Settings:
    """How the simulated machine behaves.

    `kernel` is the release whose rules hold. `linear` bytes at the start of each received TCP buffer are
    readable without a pull: none on loopback, some with network cards that copy headers. `mss` cuts what is
    sent into segments. `receive_buffer` is each socket's SO_RCVBUF. `hazards` is `kernel` (known kernel
    faults happen, and the trace says so), `error` (they raise HazardError) or `ideal` (they do not happen).
    """

    kernel: str = "7.2"
    linear: int = 0
    mss: int = LOOPBACK_MSS
    receive_buffer: int = RECEIVE_BUFFER
    hazards: str = "kernel"


class Seen(NamedTuple):
    """What a program sees: so many bytes, beginning with these."""

    length: int
    head: bytes


def seen(content: bytes | bytearray | memoryview) -> Seen:
    """What a program that gets `content` will see of it."""
    return Seen(len(content), bytes(content[:HEAD]))


@dataclass
class Kernel:
    """The machine that sockets live on. Time passes when told to: work runs in the order in which it was
    queued."""

    settings: Settings = field(default_factory=Settings)
    trace: Trace = field(default_factory=Trace)
    sock_ops: list[Program] = field(default_factory=list)
    page_fragment: PageFragment = field(default_factory=PageFragment)
    _work: dict[Callable[[], None], None] = field(default_factory=dict)
    _unsent: dict[TcpSocket, int] = field(default_factory=dict)  # when to send what was held back, ns
    _now: int = 0
    _cookies: int = 0
    _by_addresses: WeakValueDictionary[tuple[int, Endpoint, Endpoint], TcpSocket] = field(
        default_factory=WeakValueDictionary
    )

    def cookie(self) -> int:
        """The next socket cookie: 1, 2, ..."""
        self._cookies += 1
        return self._cookies

    def register(self, socket: TcpSocket) -> None:
        """Let `socket` be found by its addresses; of those that share them, the newest is."""
        self._by_addresses[socket.protocol, socket.local, socket.remote] = socket

    def find(self, protocol: int, source: Endpoint, destination: Endpoint) -> TcpSocket | None:
        """The socket that a packet goes to: a connected one, else one that takes from anybody, on the
        address itself before one on all addresses."""
        zeros = (0,) * len(source.words)
        nobody = Endpoint(zeros, 0)
        everywhere = Endpoint(zeros, destination.port)
        for local, remote in ((destination, source), (destination, nobody), (everywhere, nobody)):
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

    def settle(self) -> None:
        """Do all queued work, and what that queues."""
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
            self.trace.append(Faulted(program.name, socket, str(fault)))
            raise

    def ran(
        self, program: Program, socket: str, seen: Seen, result: int,
        verdict: str, target: TcpSocket | None = None, ingress: bool = False,
    ) -> None:  # fmt: skip
        """Record a run that saw `seen` and what its result means."""
        name = "" if target is None else target.name
        self.trace.append(Ran(program.name, program.kind, socket, *seen, result, verdict, name, ingress))

    def moved(
        self, way: str, source: TcpSocket, target: TcpSocket | None, content: bytes | bytearray | memoryview,
        reason: str = "",
    ) -> None:  # fmt: skip
        """Record where bytes went; no bytes, no event."""
        if len(content):
            name = "" if target is None else target.name
            self.trace.append(Moved(way, source.name, name, len(content), bytes(content[:HEAD]), reason))

    def changed(self, subject: str, what: str) -> None:
        """Record a change of a socket or map."""
        self.trace.append(Changed(subject, what))

    def hazard(self, socket: TcpSocket, what: str, advice: str) -> None:
        """Record that a known kernel fault strikes. Raises HazardError if the settings say so."""
        event = Hazard(socket.name, what, advice)
        if event != next((old for old in reversed(self.trace) if isinstance(old, Hazard)), None):
            self.trace.append(event)
        if self.settings.hazards == "error":
            raise HazardError(str(event))
