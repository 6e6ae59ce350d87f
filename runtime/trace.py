"""What happened in a simulation, as a list of events that each print on one line.

Sockets are recorded by name and bytes by their number and first few, so that a trace keeps nothing alive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

#: Bytes of a message that an event keeps.
HEAD = 16


def _quote(head: bytes, length: int) -> str:
    return "" if not length else f" {head!r}{'...' if length > len(head) else ''}"


@dataclass(frozen=True)
class Ran:
    """A program ran on `socket` and saw `length` bytes that begin with `head`.

    `result` is what it returned. `verdict` says what that means: `pass`, `drop` or `redirect` for verdicts;
    `need more`, `message` or `error` for parsers; the name of the callback for sock_ops. For a redirect,
    `target` is the socket chosen and `ingress` its direction.
    """

    program: str
    kind: str
    socket: str
    length: int
    head: bytes
    result: int
    verdict: str
    target: str = ""
    ingress: bool = False

    def __str__(self) -> str:
        way = f" -> {'ingress' if self.ingress else 'egress'} of {self.target}" if self.target else ""
        text = f"{self.kind} {self.program} on {self.socket}: len {self.length}"
        return f"{text}{_quote(self.head, self.length)} returned {self.result}: {self.verdict}{way}"


@dataclass(frozen=True)
class Called:
    """`program` called `helper`; `arguments` and `result` are as text, the latter empty if there is none."""

    program: str
    helper: str
    arguments: str
    result: str

    def __str__(self) -> str:
        result = f" = {self.result}" if self.result else ""
        return f"{self.program}: {self.helper}({self.arguments}){result}"


@dataclass(frozen=True)
class Moved:
    """`length` bytes that begin with `head` went somewhere.

    `way` is one of `sent` (an application wrote them), `arrived` (into the plain receive queue of `target`),
    `passed` (a verdict left them to `target`), `egress` and `ingress` (redirected to `target`), `corked`
    (held back), `dropped` (by a verdict), `lost` (nobody will get them, `reason` says why) and `received` (an
    application read them).
    """

    way: str
    source: str
    target: str
    length: int
    head: bytes
    reason: str = ""

    def __str__(self) -> str:
        target = f" -> {self.target}" if self.target else ""
        reason = f" ({self.reason})" if self.reason else ""
        quoted = _quote(self.head, self.length)
        return f"{self.way} {self.source}{target}: {self.length} bytes{quoted}{reason}"


@dataclass(frozen=True)
class Changed:
    """Something about `subject`, a socket or a map, changed: `what` says it in words."""

    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"


@dataclass(frozen=True)
class Hazard:
    """A known kernel fault struck `socket`; `advice` says how a policy avoids it."""

    socket: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"HAZARD {self.socket}: {self.what}; {self.advice}"


@dataclass(frozen=True)
class Faulted:
    """`program` did on `socket` what the kernel would not have allowed."""

    program: str
    socket: str
    fault: str

    def __str__(self) -> str:
        return f"FAULT {self.program} on {self.socket}: {self.fault}"


Event = Ran | Called | Moved | Changed | Hazard | Faulted

#: The ways that say what a program decided about bytes, or that none was asked.
_DECISIONS = ("arrived", "passed", "egress", "ingress", "dropped", "lost")


class Trace(list[Event]):
    """The events in order. It is a list: clear it, slice it, search it."""

    def runs(self, program: str | None = None) -> Iterator[Ran]:
        """The program runs, of one program or of all."""
        return (event for event in self if isinstance(event, Ran) and program in (None, event.program))

    def verdicts(self) -> Counter[tuple[str, str]]:
        """How often each program came to each verdict: (program, verdict) -> runs."""
        return Counter((run.program, run.verdict) for run in self.runs())

    def destinations(self) -> Counter[tuple[str, str, str]]:
        """Where bytes went: (source socket, way, target socket) -> bytes; ways are those of `Moved`."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for event in self:
            if isinstance(event, Moved) and event.way in _DECISIONS:
                counts[event.source, event.way, event.target] += event.length
        return counts

    def __str__(self) -> str:
        return "\n".join(str(event) for event in self)
