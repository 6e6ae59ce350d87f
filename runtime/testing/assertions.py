"""Assertions about what became of bytes. One that fails shows everything that happened up to there.

They read the trace, which only a simulator has: a test that is to run on a kernel, too, asserts what sockets
receive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skverdict.runtime.simulator import Simulator
    from skverdict.runtime.sockets.socket import Socket
    from skverdict.runtime.trace import Event, Moved

MOST_EVENTS = 200
"""Events that a failure shows, the last ones."""

_PASSED = ("passed", "arrived")
_DECISIONS = (*_PASSED, "egress", "ingress", "dropped", "lost", "corked")


def assert_redirected(
    simulator: Simulator,
    source: Socket,
    to: Socket,
    *,
    ingress: bool | None = None,
    length: int | None = None,
) -> None:
    """Bytes of `source`, the watched socket, were redirected to `to`.

    `ingress` asks for that direction, or with False for egress; `length` for exactly so many bytes in all.
    """
    __tracebackhide__ = True
    ways = ("egress", "ingress") if ingress is None else ("ingress",) if ingress else ("egress",)
    moved = [event for event in _moves(simulator, source) if event.way in ways and event.target == to.name]
    _hold(simulator, source, moved, length, f"redirected to {' or '.join(ways)} of {to.name}")


def assert_passed(simulator: Simulator, source: Socket, *, length: int | None = None) -> None:
    """Bytes of `source`, a socket watched by a verdict or one that sends, went where they go without a
    policy."""
    __tracebackhide__ = True
    moved = [event for event in _moves(simulator, source) if event.way in _PASSED]
    _hold(simulator, source, moved, length, "passed")


def assert_dropped(simulator: Simulator, source: Socket, *, length: int | None = None) -> None:
    """Bytes of `source`, the watched socket, were dropped by a verdict."""
    __tracebackhide__ = True
    moved = [event for event in _moves(simulator, source) if event.way == "dropped"]
    _hold(simulator, source, moved, length, "dropped")


def assert_verdicts(simulator: Simulator, program: str, expected: Mapping[str, int]) -> None:
    """`program` came to these verdicts so often and to no others: `{"pass": 2, "drop": 1}`."""
    __tracebackhide__ = True
    counts = {
        verdict: count for (name, verdict), count in simulator.trace.verdicts().items() if name == program
    }
    if counts != {verdict: count for verdict, count in expected.items() if count}:
        _fail(simulator, f"the verdicts of {program} were {_counts(counts)}, not {_counts(expected)}")


def _moves(simulator: Simulator, source: Socket) -> Iterator[Moved]:
    from skverdict.runtime.trace import Moved

    if not hasattr(simulator, "trace"):
        raise TypeError(f"{type(simulator).__name__} has no trace to look at; assert what sockets receive")
    for event in simulator.trace:
        if isinstance(event, Moved) and event.source == source.name and event.way in _DECISIONS:
            yield event


def _hold(
    simulator: Simulator, source: Socket, moved: Iterable[Moved], length: int | None, what: str
) -> None:
    """Fail unless something moved, or `length` bytes did."""
    __tracebackhide__ = True
    found = sum(event.length for event in moved)
    if length is None and any(True for _ in moved):
        return
    if length is not None and found == length:
        return
    wanted = "no bytes" if length is None or not found else f"{found} bytes, not {length},"
    instead = [
        f"{event.length} {event.way}{f' to {event.target}' if event.target else ''}"
        for event in _moves(simulator, source)
    ]
    also = f"of its bytes, {', '.join(instead)}" if instead else _why_unseen(simulator, source)
    _fail(simulator, f"{wanted} of {source.name} were {what}; {also}")


def _why_unseen(simulator: Simulator, source: Socket) -> str:
    """Why nothing became of a socket's bytes: mostly because no program watches it."""
    from skverdict.runtime.trace import Changed

    put, watched, attached = False, False, set()
    for event in simulator.trace:
        if isinstance(event, Changed):
            if event.what.endswith(" attached"):
                attached.add(event.subject)
            elif event.subject == source.name and event.what.startswith("put into map "):
                put = True
                watched |= event.what.removeprefix("put into map ") in attached
    if watched:
        return "no program or socket saw any of its bytes"
    if put:
        return "it was put into a map before any program was attached there, so none runs for it"
    return "it is in no map, so no program runs for it"


def _fail(simulator: Simulator, reason: str) -> None:
    __tracebackhide__ = True
    raise AssertionError(f"{reason}\nwhat happened:\n{timeline(simulator.trace)}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items())) or "none"


def timeline(events: Iterable[Event]) -> str:
    """The events as numbered lines, the last MOST_EVENTS of them."""
    every = list(events)
    first = max(0, len(every) - MOST_EVENTS)
    lines = [f"  {number:4} {event}" for number, event in enumerate(every[first:], first + 1)]
    if first:
        lines.insert(0, f"  ... {first} events before")
    return "\n".join(lines) or "  nothing"
