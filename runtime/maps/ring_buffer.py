"""BPF_MAP_TYPE_RINGBUF: records from programs to user space, in order (kernel/bpf/ringbuf.c)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.user_side import BPF_ANY

#: Every record has a head of 8 bytes before it, and starts at a multiple of 8.
_HEAD = 8
#: A record's length has two bits less than a u32 (RINGBUF_MAX_RECORD_SZ).
_LONGEST = 0xFFFFFFFF // 4


class State(Enum):
    """What has become of a record."""

    BUSY = "reserved"
    SUBMITTED = "submitted"
    DISCARDED = "discarded"


@dataclass
class Record:
    """A record: its bytes, and its place in the stream of all records, head included."""

    content: bytearray
    begin: int
    end: int
    state: State = State.BUSY


class RingBuffer(Map):
    """A ring of `max_entries` bytes. Positions count all bytes since the map was made."""

    kind = "ringbuf"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._records: deque[Record] = deque()
        self.produced = 0
        self.consumed = 0

    @property
    def available(self) -> int:
        """Bytes of records that user space has not consumed, heads and unfinished records included."""
        return self.produced - self.consumed

    def reserve(self, size: int) -> Record | None:
        """A new record of `size` bytes, which must be submitted or discarded; None if there is no room."""
        length = -(-(size + _HEAD) // 8) * 8
        if size > _LONGEST or self.available + length > self.max_entries - 1:
            return None
        record = Record(bytearray(size), self.produced, self.produced + length)
        self.produced = record.end
        self._records.append(record)
        return record

    def output(self, content: bytes) -> None:
        """Add a finished record. Raises KernelError EAGAIN if there is no room."""
        record = self.reserve(len(content))
        if record is None:
            raise KernelError(Errno.EAGAIN, f"map {self.name} has no room for {len(content)} bytes")
        record.content[:] = content
        record.state = State.SUBMITTED

    def consume(self) -> list[bytes]:
        """User space takes the records that are submitted, up to the first that is still reserved."""
        taken = []
        while self._records and self._records[0].state is not State.BUSY:
            record = self._records.popleft()
            self.consumed = record.end
            if record.state is State.SUBMITTED:
                taken.append(bytes(record.content))
        return taken

    def lookup(self, key: bytes) -> bytearray | None:
        return None

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        raise self._unsupported()

    def remove(self, key: bytes) -> None:
        raise self._unsupported()

    def copy(self, key: bytes) -> bytes:
        raise self._unsupported()

    def walk(self) -> Iterator[bytes]:
        raise self._unsupported()

    def _unsupported(self) -> KernelError:
        return KernelError(Errno.ENOTSUPP, f"map {self.name} is a ring buffer, whose records are consumed")
