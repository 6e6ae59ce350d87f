"""Helpers for timers in map values (kernel/bpf/helpers.c)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.timers import Clock, Timer
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.special import Place

BPF_F_TIMER_ABS = 1
BPF_F_TIMER_CPU_PIN = 2

#: The flags of a start, by kernel; newer ones are those of the last.
_START_FLAGS = {"6.1": 0}
_NEWEST_START_FLAGS = BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN


def _timer(place: Place) -> Timer:
    """The timer at `place`. Raises KernelError EINVAL if it was not initialised."""
    timer = place.map.timers.get(id(place.memory))
    if timer is None:
        raise KernelError(Errno.EINVAL, f"the timer in map {place.map.name} is not initialised")
    return timer


def timer_init(call: Call, place: Place, map_: Map, flags: int) -> int:
    if map_ is not place.map:
        raise Misuse(f"the timer is in map {place.map.name}, and the map given is {map_.name}")
    if flags not in tuple(Clock):
        raise KernelError(Errno.EINVAL, f"there is no clock {flags}")
    if id(place.memory) in map_.timers:
        raise KernelError(Errno.EBUSY, f"the timer in map {map_.name} is initialised")
    map_.timers[id(place.memory)] = Timer(map_, place.memory, Clock(flags))
    return 0


def timer_set_callback(call: Call, place: Place, function: int) -> int:
    timer = _timer(place)
    timer.program, timer.slot = call.run.program, function
    return 0


def timer_start(call: Call, place: Place, nanoseconds: int, flags: int) -> int:
    """Arm the timer, anew if it is armed. EINVAL for one without a callback."""
    environment = call.environment
    if flags & ~_START_FLAGS.get(environment.kernel, _NEWEST_START_FLAGS):
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    timer = _timer(place)
    if timer.program is None:
        raise KernelError(Errno.EINVAL, f"the timer in map {place.map.name} has no callback")
    begin = environment.clock_ns
    if flags & BPF_F_TIMER_ABS:
        begin = -environment.wall_clock_offset_ns if timer.clock is Clock.REALTIME else 0
    timer.due = max(begin + nanoseconds, environment.clock_ns)
    if timer in environment.timers:
        environment.timers.remove(timer)
    environment.timers.append(timer)
    return 0


def timer_cancel(call: Call, place: Place) -> int:
    """1 if it was armed. It has no callback afterwards. EDEADLK from its own callback."""
    timer = _timer(place)
    if timer is call.environment.running_timer:
        raise KernelError(Errno.EDEADLK, "a timer's callback cannot cancel the timer itself")
    timer.program = None
    return int(timer.disarm())


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_timer_init": timer_init,
    "bpf_timer_set_callback": timer_set_callback,
    "bpf_timer_start": timer_start,
    "bpf_timer_cancel": timer_cancel,
}
