"""Helpers that call functions of the program (kernel/bpf/bpf_iter.c)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.run import MAX_LOOPS
from skverdict.runtime.maps.base import Map


def loop(call: Call, times: int, function: int, context: int, flags: int) -> int:
    """The number of calls made: `times`, or fewer if one returned other than zero."""
    if flags:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    if times > MAX_LOOPS:
        raise KernelError(Errno.E2BIG, f"{times} loops")
    return go_round(call, 0, times, function, context)


def go_round(call: Call, first: int, times: int, function: int, context: int) -> int:
    """What `loop` gives after so many calls, of which it makes those from number `first` on."""
    for index in range(first, times):
        if call.call_back(function, (index, context)):
            return index + 1
    return times


def for_each_map_elem(call: Call, map_: Map, function: int, context: int, flags: int) -> int:
    """The number of entries that the function was called for; the last if it returned other than zero."""
    if flags:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    keys, visited = map_.walk(), 0
    for key in keys:
        value = map_.pointer(call, key)
        if not value:
            # An earlier call has deleted it.
            continue
        visited += 1
        key_address = call.constant(f"a key of map {map_.name}", key)
        if call.call_back(function, (call.map(map_), key_address, value, context)):
            break
    return visited


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_loop": loop,
    "bpf_for_each_map_elem": for_each_map_elem,
}
