"""What happened in a simulation, as a list of events that each print on one line.

Sockets are recorded by name and bytes by their number and first few, so that a trace keeps nothing alive.
`trace_file` writes a trace as JSON and reads it back, `pictures.lanes` draws it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, overload

from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.machine.semantics import signed

_ERRNO_NAMES = {int(number): number.name for number in Errno}

#: Bytes of a message that an event keeps.
HEAD = 16


def _quote(head: bytes, length: int) -> str:
    return "" if not length else f" {head!r}{'...' if length > len(head) else ''}"


class Ran(NamedTuple):
    """A program ran on `socket` and saw `length` bytes that begin with `head`.

    `readable` of them lay between `data` and `data_end` when it began. `result` is what it returned. `verdict`
    says what that means: `pass`, `drop` or `redirect` for verdicts; `need more`, `message` or `error` for
    parsers; the name of the callback for sock_ops. For a redirect, `target` is the socket chosen and `ingress`
    its direction.
    """

    program: str
    kind: str
    socket: str
    length: int
    readable: int
    head: bytes
    result: int
    verdict: str
    target: str = ""
    ingress: bool = False

    def __str__(self) -> str:
        way = f" -> {'ingress' if self.ingress else 'egress'} of {self.target}" if self.target else ""
        readable = f" ({self.readable} readable)" if self.length else ""
        text = f"{self.kind} {self.program} on {self.socket}: len {self.length}{readable}"
        return f"{text}{_quote(self.head, self.length)} returned {self.result}: {self.verdict}{way}"


class Called(NamedTuple):
    """`program` called `helper` with `values`: numbers, bytes, and the names of all else. `gave` is r0 as an
    unsigned number of 64 bits, None if the helper gives nothing."""

    program: str
    helper: str
    values: tuple[int | bytes | str, ...]
    gave: int | None

    @property
    def arguments(self) -> str:
        """The values as text, bytes in hexadecimal."""
        return ", ".join(value.hex() if isinstance(value, bytes) else str(value) for value in self.values)

    @property
    def result(self) -> str:
        """What the helper gave: a number, an errno's name, or whether there was something to point to; empty
        for nothing. Of a helper that is not known, as a file may name one, it is the number."""
        if self.gave is None:
            return ""
        helper = HELPERS.get(self.helper)
        returns = "u64" if helper is None else helper.returns
        if returns in ("u64", "u32"):
            return str(self.gave)
        if returns != "i64":
            return "a pointer" if self.gave else "NULL"
        number = signed(self.gave, 64)
        return f"-{_ERRNO_NAMES[-number]}" if -number in _ERRNO_NAMES else str(number)

    def __str__(self) -> str:
        result = f" = {self.result}" if self.result else ""
        return f"{self.program}: {self.helper}({self.arguments}){result}"


class Moved(NamedTuple):
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


class Changed(NamedTuple):
    """Something about `subject`, a socket or a map, changed: `what` says it in words."""

    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"


class Hazard(NamedTuple):
    """A known kernel fault struck `socket`; `advice` says how a policy avoids it."""

    socket: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"HAZARD {self.socket}: {self.what}; {self.advice}"


class Faulted(NamedTuple):
    """`program` did on `socket` what the kernel would not have allowed."""

    program: str
    socket: str
    fault: str

    def __str__(self) -> str:
        return f"FAULT {self.program} on {self.socket}: {self.fault}"


Event = Ran | Called | Moved | Changed | Hazard | Faulted
_Kind = TypeVar("_Kind", Ran, Called, Moved, Changed, Hazard, Faulted)

#: The events by their names.
EVENTS: dict[str, type[Event]] = {each.__name__.lower(): each for each in Event.__args__}

#: The ways that say what a program decided about bytes, or that none was asked.
_DECISIONS = ("arrived", "passed", "egress", "ingress", "dropped", "lost")


#: An event as its name and its fields, and what gives some when it is called.
_Noted = tuple[Any, ...]
_Later = Callable[[], Iterable[_Noted]]


class Trace(Sequence[Event]):
    """The events in order, as a list has them: index it, slice it, search it, clear it.

    What happened is kept as plain tuples and becomes events when somebody looks, since most are never looked
    at; Python's garbage collector does not follow plain tuples of numbers and texts. Of what happened many times
    at once not even those are there before.
    """

    def __init__(self) -> None:
        self._written: list[_Noted | _Later] = []
        self._folded = False

    def note(self, event: str, *fields: Any) -> None:
        """Add an event, by its name in `EVENTS` and its fields."""
        self._written.append((event, *fields))

    def note_later(self, events: _Later) -> None:
        """Add events that `events` gives, as tuples of name and fields, once somebody looks."""
        self._written.append(events)
        self._folded = True

    def append(self, event: Event) -> None:
        """Add an event."""
        self._written.append((type(event).__name__.lower(), *event))

    def clear(self) -> None:
        """Forget everything."""
        self._written.clear()
        self._folded = False

    @property
    def _noted(self) -> list[_Noted]:
        """What was noted, all of it."""
        if self._folded:
            unfolded: list[_Noted | _Later] = []
            for noted in self._written:
                if callable(noted):
                    unfolded += noted()
                else:
                    unfolded.append(noted)
            self._written, self._folded = unfolded, False
        return self._written  # type: ignore[return-value]

    def __len__(self) -> int:
        return len(self._noted)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        if isinstance(index, slice):
            return [_event(noted) for noted in self._noted[index]]
        return _event(self._noted[index])

    def __iter__(self) -> Iterator[Event]:
        return map(_event, self._noted)

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, Trace) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} events>"

    def of(self, event: type[_Kind]) -> Iterator[_Kind]:
        """The events of one kind."""
        name = event.__name__.lower()
        return (event(*noted[1:]) for noted in self._noted if noted[0] == name)

    def runs(self, program: str | None = None) -> Iterator[Ran]:
        """The program runs, of one program or of all."""
        return (run for run in self.of(Ran) if program in (None, run.program))

    def hazards(self) -> list[Hazard]:
        """The known kernel faults that struck."""
        return list(self.of(Hazard))

    def verdicts(self) -> Counter[tuple[str, str]]:
        """How often each program came to each verdict: (program, verdict) -> runs."""
        return Counter((run.program, run.verdict) for run in self.runs())

    def destinations(self) -> Counter[tuple[str, str, str]]:
        """Where bytes went: (source socket, way, target socket) -> bytes; ways are those of `Moved`."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for event in self.of(Moved):
            if event.way in _DECISIONS:
                counts[event.source, event.way, event.target] += event.length
        return counts

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file of the kind that its name ends in: `.json` (`trace_file.read` takes it back), `.svg` or
        `.html` (the picture, with the timeline), `.txt` (the timeline).

        Raises ValueError for other names, and OSError.
        """
        from skverdict.runtime import trace_file
        from skverdict.runtime.pictures import lanes

        forms = {".json": trace_file.write, ".svg": lanes.picture, ".html": lanes.page, ".txt": "{}\n".format}
        suffix = os.path.splitext(path)[1]
        if suffix not in forms:
            raise ValueError(f"{os.fspath(path)} ends in none of {', '.join(forms)}")
        # Names and reasons may hold bytes that are no UTF-8.
        content = forms[suffix](self).encode(errors="backslashreplace")
        with open(path, "wb") as file:
            file.write(content)

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def _event(noted: tuple[Any, ...]) -> Event:
    name, *fields = noted
    return EVENTS[name](*fields)
