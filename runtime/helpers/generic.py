"""Every helper that needs no sockets, by its name."""

from __future__ import annotations

from skverdict.runtime.helpers import loops, maps, printing, ring_buffer, strings, world
from skverdict.runtime.machine.environment import HelperFunction

GENERIC: dict[str, HelperFunction] = {
    **loops.FUNCTIONS,
    **maps.FUNCTIONS,
    **printing.FUNCTIONS,
    **ring_buffer.FUNCTIONS,
    **strings.FUNCTIONS,
    **world.FUNCTIONS,
}
