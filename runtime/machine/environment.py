"""What programs see of the world besides context and maps: settable, so that every run can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from skverdict.dsl.catalogue.programs import KERNELS

if TYPE_CHECKING:
    from skverdict.runtime.machine.timers import Timer

#: What a helper does: called with a `Call` and one argument for each of the catalogue's, in this form:
#:   context          the `Context` of the run
#:   map              the `Map`
#:   key, value       `bytes` of the map's key or value size
#:   scalar           an int of the declared width and sign
#:   memory and size  together one argument: `bytes`
#:   buffer and size  together one argument: a `Buffer`
#:   value_buffer     a `Buffer` of the map's value size
#:   number           a `Buffer` of the number's size
#:   string           `bytes` up to the NUL
#:   socket           the `Structure` behind the pointer
#:   record           the `Record` of a ring buffer
#:   spin_lock, timer the `Place` of the member
#:   callback         the slot of the function, for `Call.call_back`
#:   callback_context an int, to be handed on
#:   varargs          a tuple of ints
#: What may be NULL is then None, and memory or a buffer of size 0.
#: It returns a number (negative ones reach the program in two's complement) or raises `KernelError`, whose
#: negated number is then the result. Pointers to return come from `Call.map_value` and `Call.structure`.
HelperFunction = Callable[..., int]

INSTRUCTION_BUDGET = 1_000_000


@dataclass
class Environment:
    """The machine's surroundings. Times are nanoseconds; nothing here reads the real clock or real
    randomness.

    `clock_ns` stands still until somebody moves it; `timers.elapse` does so and runs the timers that expire
    (`timers` are those that may be armed, `running_timer` is the one whose callback runs). `printed`
    collects what programs print with `bpf_trace_printk` and its kin, one line an entry.
    """

    helpers: Mapping[str, HelperFunction]
    kernel: str = KERNELS[-1]
    clock_ns: int = 1_000_000_000
    wall_clock_offset_ns: int = 1_700_000_000_000_000_000
    cpu: int = 0
    cpus: int = 1
    numa_node: int = 0
    random: Random = field(default_factory=lambda: Random(0))
    process: int = 1000
    thread: int = 1000
    user: int = 0
    group: int = 0
    command: bytes = b"skverdict"
    cgroup: int = 1
    network_namespace: int = 1
    printed: list[str] = field(default_factory=list)
    budget: int = INSTRUCTION_BUDGET
    timers: list[Timer] = field(default_factory=list)
    running_timer: Timer | None = None
