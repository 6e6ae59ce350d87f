"""Every helper that needs no sockets, by its name."""

from __future__ import annotations

from skverdict.runtime.helpers import (
    dynptrs,
    locks,
    loops,
    maps,
    perf_events,
    printing,
    probing,
    ring_buffer,
    socket_storage,
    strings,
    timers,
    world,
)
from skverdict.runtime.machine.environment import HelperFunction

GENERIC: dict[str, HelperFunction] = {
    **dynptrs.FUNCTIONS,
    **locks.FUNCTIONS,
    **loops.FUNCTIONS,
    **maps.FUNCTIONS,
    **perf_events.FUNCTIONS,
    **printing.FUNCTIONS,
    **probing.FUNCTIONS,
    **ring_buffer.FUNCTIONS,
    **socket_storage.FUNCTIONS,
    **strings.FUNCTIONS,
    **timers.FUNCTIONS,
    **world.FUNCTIONS,
}
