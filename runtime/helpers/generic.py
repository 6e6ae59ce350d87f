"""Every helper that needs no sockets, by its name."""

from __future__ import annotations

from skverdict.runtime.helpers import (
    locks,
    loops,
    maps,
    perf_events,
    printing,
    ring_buffer,
    socket_storage,
    strings,
    timers,
    world,
)
from skverdict.runtime.machine.environment import HelperFunction

GENERIC: dict[str, HelperFunction] = {
    **locks.FUNCTIONS,
    **loops.FUNCTIONS,
    **maps.FUNCTIONS,
    **perf_events.FUNCTIONS,
    **printing.FUNCTIONS,
    **ring_buffer.FUNCTIONS,
    **socket_storage.FUNCTIONS,
    **strings.FUNCTIONS,
    **timers.FUNCTIONS,
    **world.FUNCTIONS,
}
