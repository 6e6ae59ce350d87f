"""What a replay found out: verdicts by program, and where the bytes of each direction went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from skverdict.runtime.capture.connections import Capture, Connection
from skverdict.runtime.trace import Event

Key = TypeVar("Key")


@dataclass(slots=True)  # there are two for each connection, and there may be very many of those
class Flow:
    """Bytes of one direction of a connection.

    `sent` were handed to the sender's socket, and `unsent` of them it did not take; `received` reached the
    application at the other end, `returned` came back to the sender's, `elsewhere` were read by others.
    `dropped` were dropped by a verdict and `lost` by the kernel. `redirected` counts bytes by way (`egress`
    or `ingress`) and socket, `errors` failed sends by the name of their errno. `left_out` were not sent, as
    they lie behind a hole of the capture. Bytes of several directions that a program joins, by corking, are
    on the account of the one that set them moving.
    """

    sent: int = 0
    unsent: int = 0
    received: int = 0
    returned: int = 0
    dropped: int = 0
    lost: int = 0
    elsewhere: int = 0
    left_out: int = 0
    redirected: dict[tuple[str, str], int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, other: Flow) -> None:
        """Add the counts of another direction."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for key, count in other.redirected.items():
            add_to(self.redirected, key, count)
        for error, count in other.errors.items():
            add_to(self.errors, error, count)

    @property
    def held(self) -> int:
        """Bytes still on their way at the end: part of a message, corked, or never delivered."""
        gone = self.unsent + self.received + self.returned + self.dropped + self.lost + self.elsewhere
        return max(self.sent - gone, 0)

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return {
            "sent": self.sent,
            "received": self.received,
            "returned": self.returned,
            "dropped": self.dropped,
            "lost": self.lost,
            "unsent": self.unsent,
            "held": self.held,
            "left_out": self.left_out,
            "redirected": [
                {"way": way, "socket": socket, "bytes": count}
                for (way, socket), count in self.redirected.items()
            ],
            "errors": dict(self.errors),
        }


_NUMBERS = tuple(each.name for each in fields(Flow) if each.type == "int")


def add_to(counts: dict[Key, int], key: Key, count: int) -> None:
    """Add to a count, from 0 on."""
    counts[key] = counts.get(key, 0) + count


@dataclass
class ProgramReport:
    """How often a program ran, and what it decided."""

    name: str
    kind: str
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        """Runs in all."""
        return self.verdicts.total()

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return {"name": self.name, "kind": self.kind, "runs": self.runs, "verdicts": dict(self.verdicts)}


@dataclass(slots=True)
class ConnectionReport:
    """A captured connection with both of its directions."""

    connection: Connection
    to_server: Flow = field(default_factory=Flow)
    to_client: Flow = field(default_factory=Flow)

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return {
            "number": self.connection.number,
            "client": str(self.connection.client),
            "server": str(self.connection.server),
            "from_start": self.connection.from_start,
            "to_server": self.to_server.as_json(),
            "to_client": self.to_client.as_json(),
        }


@dataclass
class UpstreamReport:
    """A socket that was put in for the policy to redirect to: what left through it, and what it received."""

    name: str
    egress: int = 0
    ingress: int = 0

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return {"socket": self.name, "egress": self.egress, "ingress": self.ingress}


@dataclass
class Report:
    """All of a replay.

    `problems` say what of the capture was not replayed as captured, `hazards` which kernel faults struck,
    `printed` what programs printed, and `fault` what ended the replay early, if anything did. `trace` has
    everything that happened if it was asked for.
    """

    capture: Capture
    programs: dict[str, ProgramReport] = field(default_factory=dict)
    connections: list[ConnectionReport] = field(default_factory=list)
    upstreams: list[UpstreamReport] = field(default_factory=list)
    hazards: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    trace: list[Event] = field(default_factory=list)
    fault: str = ""

    def as_json(self, connections: bool = True) -> dict[str, Any]:
        """Everything as plain data: bytes are counts, sockets are names. The list of connections can be left empty."""
        return {
            "capture": {
                "file": self.capture.file,
                "packets": self.capture.packets,
                "notes": [str(note) for note in self.capture.notes],
            },
            "programs": [program.as_json() for program in self.programs.values()],
            "connections": [row.as_json() for row in self.connections] if connections else [],
            "upstreams": [upstream.as_json() for upstream in self.upstreams],
            "hazards": self.hazards,
            "problems": self.problems,
            "printed": self.printed,
            "trace": [str(event) for event in self.trace],
            "fault": self.fault,
        }
