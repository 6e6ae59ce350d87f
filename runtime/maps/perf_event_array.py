"""BPF_MAP_TYPE_PERF_EVENT_ARRAY: buffers of records, one for each CPU (kernel/bpf/arraymap.c, bpf_trace.c).

What stands at an index is an event that user space has opened: here always one that takes what programs put
out (PERF_COUNT_SW_BPF_OUTPUT) on one CPU. At first there are none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.array import IndexedMap
from skverdict.runtime.maps.user_side import BPF_ANY

#: Bytes of a buffer if nobody says otherwise: 64 pages, as loaders usually take.
BUFFER_SIZE = 64 * 4096

_HEADER = 8
#: The count of a record's bytes, which is followed by the bytes and padded with them to a multiple of 8.
_COUNT = 4
#: What the kernel writes before a record if it has lost some.
_LOST_NOTE = 24
#: A record's header counts all of it with 16 bits.
_LONGEST = 0xFFFF


class PerfRecord(NamedTuple):
    """A record as user space gets it: of which CPU, and the bytes, with the kernel's padding at their end."""

    cpu: int
    content: bytes


@dataclass
class PerfEvent:
    """An opened event: the buffer of `cpu`, of `size` bytes. `lost` counts records that found no room."""

    cpu: int
    size: int = BUFFER_SIZE
    lost: int = 0
    _used: int = 0
    _untold: bool = False
    _records: deque[PerfRecord] = field(default_factory=deque)

    def put(self, content: bytes) -> None:
        """Add a record. Raises KernelError ENOSPC without room; the record is lost."""
        padded = -(-(len(content) + _COUNT) // 8) * 8
        if _HEADER + padded > _LONGEST:
            raise Misuse(f"a record of {len(content)} bytes is longer than the kernel can count")
        taken = _HEADER + padded + (_LOST_NOTE if self._untold else 0)
        # A buffer is full one byte before its end.
        if self._used + taken >= self.size:
            self.lost += 1
            self._untold = True
            raise KernelError(Errno.ENOSPC, f"the buffer of CPU {self.cpu} has no room for {taken} bytes")
        self._untold = False
        self._used += taken
        self._records.append(PerfRecord(self.cpu, content.ljust(padded - _COUNT, b"\0")))

    def consume(self) -> list[PerfRecord]:
        """User space takes all records."""
        taken = list(self._records)
        self._records.clear()
        self._used = 0
        return taken


class PerfEventArray(IndexedMap):
    """Events at indices, usually that of each CPU at its number."""

    kind = "perf_event_array"
    batches = frozenset()

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._events: dict[int, PerfEvent] = {}

    def insert(self, index: int, event: PerfEvent, flags: int = BPF_ANY) -> None:
        """User space's update: `event` in place of a file descriptor. Raises KernelError EINVAL, E2BIG."""
        if flags != BPF_ANY:
            raise KernelError(Errno.EINVAL, f"map {self.name}: update flags {flags:#x}")
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        self._events[index] = event

    def event(self, index: int) -> PerfEvent | None:
        """The event at `index`."""
        return self._events.get(index)

    def output(self, index: int, cpu: int, content: bytes) -> None:
        """A program on `cpu` puts a record out.

        Raises KernelError: E2BIG past the end, ENOENT where no event is open, EOPNOTSUPP for another CPU's
        event, ENOSPC without room.
        """
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        event = self._events.get(index)
        if event is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no open event at index {index}")
        if event.cpu != cpu:
            raise KernelError(Errno.EOPNOTSUPP, f"the event at index {index} is of CPU {event.cpu}")
        event.put(content)

    def lookup(self, key: bytes) -> bytearray | None:
        return None

    def copy(self, key: bytes) -> bytes:
        raise self.unsupported("lookup")

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        raise KernelError(Errno.EBADF, f"map {self.name} takes events, not numbers")

    def remove(self, key: bytes) -> None:
        index = self.index(key)
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        if self._events.pop(index, None) is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no event at index {index}")
