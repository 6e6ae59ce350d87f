"""Timers in map values (`struct bpf_timer`): armed by programs, run when the environment's clock gets there.

The rules are those of kernel/bpf/helpers.c. A callback runs at the very nanosecond that it was armed for, and
timers of one time in the order in which they were armed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from skverdict.runtime.machine.context import Context

if TYPE_CHECKING:
    from skverdict.runtime.machine.environment import Environment
    from skverdict.runtime.machine.run import LoadedProgram, Result
    from skverdict.runtime.maps.base import Map


class Clock(IntEnum):
    """The clocks that a timer may count by."""

    REALTIME = 0
    MONOTONIC = 1
    BOOTTIME = 7


@dataclass(eq=False)
class Timer:
    """A timer: the entry that it is in, what runs, and when (`due`, by the monotonic clock; None: never)."""

    map: Map
    memory: bytearray
    clock: Clock
    program: LoadedProgram | None = None
    slot: int = 0
    due: int | None = None

    def disarm(self) -> bool:
        """Stop it; True if it was to run."""
        armed, self.due = self.due is not None, None
        return armed


class Expiry(NamedTuple):
    """A callback that has run."""

    timer: Timer
    result: Result


class _NoContext(Context):
    """What a callback of a timer has for a context: none."""

    def __init__(self, kind: str, table: str) -> None:
        self.kind = kind
        self.table = table

    def field(self, name: str, index: int = 0) -> int:
        raise AssertionError("a timer's callback has no context to read")


def elapse(environment: Environment, until: int) -> list[Expiry]:
    """Let time pass until `until` (nanoseconds) and run the timers that expire. Raises Fault."""
    expired = []
    while True:
        armed = [timer for timer in environment.timers if timer.due is not None]
        environment.timers[:] = armed
        timer = min(armed, key=_due, default=None)
        if timer is None or _due(timer) > until:
            break
        environment.clock_ns = max(environment.clock_ns, _due(timer))
        timer.due = None
        expired.append(Expiry(timer, _run(timer, environment)))
    environment.clock_ns = max(environment.clock_ns, until)
    return expired


def _due(timer: Timer) -> int:
    assert timer.due is not None
    return timer.due


def _run(timer: Timer, environment: Environment) -> Result:
    """Run the callback with the map, the entry's key and its value."""
    from skverdict.dsl.catalogue.programs import PROGRAMS
    from skverdict.runtime.machine.run import run_function

    assert timer.program is not None
    kind = timer.program.kind
    environment.running_timer = timer
    try:
        return run_function(
            timer.program,
            timer.slot,
            _NoContext(kind, PROGRAMS[kind].context),
            environment,
            lambda call: (
                call.map(timer.map),
                call.constant(f"a key of map {timer.map.name}", timer.map.key_of(timer.memory)),
                call.map_value(timer.map, timer.memory),
            ),
        )
    finally:
        environment.running_timer = None
