"""A helper's view of the run that called it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from skverdict.runtime.machine.context import Context, Structure
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.memory import Bytes, MapRegion, Memory, RecordRegion
from skverdict.runtime.machine.structures import ContextRegion, Reader, structure_address

if TYPE_CHECKING:
    from skverdict.runtime.maps.base import Map
    from skverdict.runtime.maps.ring_buffer import Record


class Buffer(NamedTuple):
    """Memory of the program that a helper fills: `size` bytes, all of which may be written."""

    memory: Memory
    address: int
    size: int

    def read(self) -> bytes:
        """What is in the buffer now."""
        return self.memory.read(self.address, self.size)

    def write(self, content: bytes, offset: int = 0) -> None:
        """Put `content` at `offset`; the helper keeps it inside the buffer."""
        self.memory.write(self.address + offset, content)

    def put(self, number: int) -> None:
        """Fill the buffer with one number in the machine's byte order, taken modulo its width."""
        bits = 8 * self.size
        self.write((number & ((1 << bits) - 1)).to_bytes(self.size, self.memory.order))


#: Runs the program's function at a slot with some arguments; gives the unsigned 64 bits of its r0.
CallBack = Callable[[int, Sequence[int]], int]


class Call:
    """The run that calls helpers. A bad address given to `read` or `write` ends the run with a Fault.

    `context` and `environment` are those of the run, `kind` is the program's kind. `call_back` runs a
    function of the program that was given as a `callback`, with arguments for r1 and on, and gives its r0.
    """

    def __init__(
        self, context: Context, environment: Environment, memory: Memory, call_back: CallBack
    ) -> None:
        self.kind = context.kind
        self.context = context
        self.environment = environment
        self.memory = memory
        self.call_back = call_back
        self.reader = Reader(memory, context.kind, environment.kernel)
        self.context_region = ContextRegion(self.reader, context)
        self.context_address = memory.add(self.context_region)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of the program's memory, all of which must have been written before."""
        return self.memory.read(address, size)

    def write(self, address: int, content: bytes) -> None:
        """Overwrite the program's memory."""
        self.memory.write(address, content)

    def map_value(self, map_: Map, value: bytearray | None) -> int:
        """The address under which the program may use `value`, memory of an entry of `map_`; NULL for None.

        The same memory has the same address during a run.
        """
        if value is None:
            return 0
        memory, name = self.memory, f"a value of map {map_.name}"
        return memory.shared(value, lambda: Bytes(name, value, memory.order, map_.writable))

    def map(self, map_: Map) -> int:
        """The address of `map_` itself."""
        return self.memory.shared(map_, lambda: MapRegion(map_))

    def record(self, record: Record) -> int:
        """The address under which the program may fill `record`."""
        return self.memory.shared(record, lambda: RecordRegion(record, self.memory.order))

    def end_record(self, record: Record, why: str) -> None:
        """End every pointer to `record`; `why` tells what ended it, as a clause."""
        self.memory.end(self.record(record), why)

    def constant(self, name: str, content: bytes) -> int:
        """The address of new read-only memory that holds `content` and is called `name`."""
        return self.memory.add(Bytes(name, bytearray(content), self.memory.order, writable=False))

    def structure(self, structure: Structure | None) -> int:
        """The address under which the program may read the fields of `structure`; NULL for None."""
        return structure_address(self.reader, structure)
