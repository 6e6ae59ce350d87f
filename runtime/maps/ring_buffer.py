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
#: In it are the record's length, with a bit for one that was discarded, and the number of its page in the map's memory,
#: of which the first three are for other things (struct bpf_ringbuf_hdr).
_DISCARDED = 1 << 30
_FIRST_PAGE = 3
_PAGE = 4096
#: A record's length has two bits less than a u32 (RINGBUF_MAX_RECORD_SZ).
_LONGEST = 0xFFFFFFFF // 4


class State(Enum):
    """What has become of a record."""

    BUSY = "reserved"
    SUBMITTED = "submitted"
    DISCARDED = "discarded"


class _Memory:
    """What lies in the ring, by positions in the stream of all records. It is made as far as it is written."""

    def __init__(self, size: int, order: ByteOrder) -> None:
        self.order: ByteOrder = order
        self._size = size
        self._content = bytearray()

    def read(self, at: int, count: int) -> bytearray:
        """A copy of `count` bytes, 0 where nothing was written yet."""
        found = bytearray()
        for part in self._parts(at, count):
            found += self._content[part].ljust(part.stop - part.start, b"\0")
        return found

    def write(self, at: int, content: bytes | bytearray) -> None:
        taken = 0
        for part in self._parts(at, len(content)):
            length = part.stop - part.start
            self._content.extend(bytes(max(0, part.stop - len(self._content))))
            self._content[part] = content[taken : taken + length]
            taken += length

    def _parts(self, at: int, count: int) -> tuple[slice, slice]:
        """Up to the end of the ring, and from its beginning."""
        begin = at % self._size
        end = min(begin + count, self._size)
        return slice(begin, end), slice(0, count - (end - begin))


@dataclass
class Record:
    """A record: its bytes, and its place in the stream of all records, head included."""

    content: bytearray
    begin: int
    end: int
    memory: _Memory
    page: int
    state: State = State.BUSY

    def finish(self, state: State) -> None:
        """The program lets go of it: from now on its bytes are what lies in the ring there."""
        self.state = state
        length = len(self.content) | (_DISCARDED if state is State.DISCARDED else 0)
        head = b"".join(number.to_bytes(4, self.memory.order) for number in (length, self.page))
        self.memory.write(self.begin, head + self.content)


class RingBuffer(Map):
    """A ring of `max_entries` bytes. Positions count all bytes since the map was made."""

    kind = "ringbuf"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._records: deque[Record] = deque()
        self._memory = _Memory(self.max_entries, order)
        self.produced = 0
        self.consumed = 0
        self._shared = False

    @property
    def available(self) -> int:
        """Bytes of records that user space has not consumed, heads and unfinished records included."""
        return self.produced - self.consumed

    def reserve(self, size: int) -> Record | None:
        """A new record of `size` bytes, which must be submitted or discarded; None if there is no room.

        It begins with what earlier records left in its place.
        """
        length = -(-(size + _HEAD) // 8) * 8
        if size > _LONGEST or self.available + length > self.max_entries - 1:
            return None
        begin = self.produced
        page = _FIRST_PAGE + begin % self.max_entries // _PAGE
        record = Record(self._memory.read(begin + _HEAD, size), begin, begin + length, self._memory, page)
        self.produced = record.end
        self._records.append(record)
        return record

    def output(self, content: bytes) -> None:
        """Add a finished record. Raises KernelError EAGAIN if there is no room."""
        record = self.reserve(len(content))
        if record is None:
            raise KernelError(Errno.EAGAIN, f"map {self.name} has no room for {len(content)} bytes")
        record.content[:] = content
        record.finish(State.SUBMITTED)

    def consume(self) -> list[bytes]:
        """User space takes the records that are submitted, up to the first that is still reserved.

        For that it shares the ring's memory with the kernel from the first time on. Raises KernelError EPERM if the map
        was frozen before.
        """
        if not self._shared:
            self.check_writable()
            self._shared = True
        taken = []
        while self._records and self._records[0].state is not State.BUSY:
            record = self._records.popleft()
            self.consumed = record.end
            if record.state is State.SUBMITTED:
                taken.append(bytes(record.content))
        return taken

    def freeze(self) -> None:
        """As with every map, and EBUSY once user space consumes: it writes how far it has come."""
        if self._shared:
            raise KernelError(Errno.EBUSY, f"user space consumes the records of map {self.name}")
        super().freeze()

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
