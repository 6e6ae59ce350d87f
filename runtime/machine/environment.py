"""What programs see of the world besides context and maps: settable, so that every run can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, NamedTuple

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
#:   dynptr           the `Dynptr`
#:   new_dynptr       the `Slot` for one
#:   callback         the slot of the function, for `Call.call_back`
#:   callback_context an int, to be handed on
#:   varargs          a tuple of ints
#: What may be NULL is then None, and memory or a buffer of size 0.
#: It returns a number (negative ones reach the program in two's complement) or raises `KernelError`, whose
#: negated number is then the result. Pointers to return come from `Call.map_value` and `Call.structure`.
HelperFunction = Callable[..., int]

INSTRUCTION_BUDGET = 1_000_000


#: Where the first namespace of process numbers is found: the device of nsfs, and the inode that the kernel
#: has set for it (PROC_PID_INIT_INO).
NSFS_DEVICE = 4
FIRST_PID_NAMESPACE = 0xEFFFFFFC


class Signal(NamedTuple):
    """A signal that a program has sent to the current process, or to the current thread only."""

    number: int
    whole_process: bool


@dataclass
class Environment:
    """The machine's surroundings. Times are nanoseconds; nothing here reads the real clock or real
    randomness.

    `clock_ns` stands still until somebody moves it; `timers.elapse` does so and runs the timers that expire
    (`timers` are those that may be armed, `running_timer` is the one whose callback runs). `printed`
    collects what programs print with `bpf_trace_printk` and its kin, one line an entry, and `signals` the
    signals that they send.

    `process`, `thread`, `user`, `group` and `command` are those of whoever runs when a program does.
    `cgroup_ancestors` are the cgroups above `cgroup`, the root first; `cgroup_class` is the class that the
    network classifier's cgroup gives; `pid_namespace` is device and inode of the namespace.
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
    cgroup_ancestors: tuple[int, ...] = ()
    cgroup_class: int = 0
    pid_namespace: tuple[int, int] = (NSFS_DEVICE, FIRST_PID_NAMESPACE)
    network_namespace: int = 1
    printed: list[str] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    budget: int = INSTRUCTION_BUDGET
    timers: list[Timer] = field(default_factory=list)
    running_timer: Timer | None = None
