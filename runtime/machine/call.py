"""A helper's view of the run that called it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from skverdict.runtime.machine.context import Context, Structure
from skverdict.runtime.machine.dynptr import Dynptrs
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.memory import Bytes, MapRegion, MapValue, Memory, RecordRegion
from skverdict.runtime.machine.structures import (
    ContextRegion,
    Reader,
    StructureRegion,
    structure_address,
)

if TYPE_CHECKING:
    from skverdict.runtime.machine.run import LoadedProgram
    from skverdict.runtime.maps.base import Map
    from skverdict.runtime.maps.ring_buffer import Record
    from skverdict.runtime.maps.special import Place


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


class Runner(Protocol):
    """The run, as its helpers know it. `program` is the one that runs now."""

    program: LoadedProgram

    def call_back(self, slot: int, arguments: Sequence[int]) -> int:
        """Run the program's function at `slot` with `arguments` in r1 and on; the 64 bits of its r0."""

    def acquire(self, address: int) -> None:
        """Note that the helper which is called now gives a reference at `address`."""


class Call:
    """The run that calls helpers. A bad address given to `read` or `write` ends the run with a Fault.

    `context` and `environment` are those of the run, `kind` is the program's kind. `lock` is the spin lock
    that the program holds, and `dynptrs` are those that it has made.
    """

    def __init__(self, context: Context, environment: Environment, memory: Memory, run: Runner) -> None:
        self.kind = context.kind
        self.context = context
        self.environment = environment
        self.memory = memory
        self.run = run
        self.lock: Place | None = None
        self.dynptrs = Dynptrs(memory)
        self.reader = Reader(memory, context.kind, environment.kernel)
        self.context_region = ContextRegion(self.reader, context)
        self.context_address = memory.add(self.context_region)

    def call_back(self, slot: int, arguments: Sequence[int]) -> int:
        """Run a function of the program that was given as a `callback`, and give its r0."""
        return self.run.call_back(slot, arguments)

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
        if map_.special or not map_.readable:
            return memory.shared(value, lambda: MapValue(map_, value, memory.order))
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

    def acquired(self, structure: Structure | None, table: str = "") -> int:
        """The address of a new reference to `structure`, which the program must release; NULL for None.

        `table` names what of it the program may see, if not all.
        """
        if structure is None:
            return 0
        address = self.memory.add(StructureRegion(self.reader, structure, table))
        self.run.acquire(address)
        return address
