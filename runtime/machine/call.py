"""A helper's view of the run that called it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.runtime.machine.context import Context, Structure
from skverdict.runtime.machine.environment import Environment

if TYPE_CHECKING:
    from skverdict.runtime.machine.memory import Memory


class Buffer(NamedTuple):
    """Memory of the program that a helper fills: `size` bytes, checked to be writable."""

    call: Call
    address: int
    size: int

    def write(self, content: bytes, offset: int = 0) -> None:
        """Store `content` at `offset`; what does not fit is a Fault."""
        self.call.write(self.address + offset, content)


class Call:
    """The run that calls helpers. Bad addresses given to `read` and `write` end the run with a Fault.

    `context` and `environment` are those of the run, `kind` the program's kind and `program` its name.
    """

    def __init__(
        self, program: str, kind: str, context: Context, environment: Environment, memory: Memory
    ) -> None:
        self.program = program
        self.kind = kind
        self.context = context
        self.environment = environment
        self.memory = memory

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of the program's memory, all of which must have been written before."""
        return self.memory.read(address, size)

    def write(self, address: int, content: bytes) -> None:
        """Overwrite the program's memory."""
        self.memory.write(address, content)

    def map_value(self, map_name: str, value: bytearray | None) -> int:
        """The address under which the program may use `value`, memory of an entry of a map; NULL for None.

        The same memory has the same address during a run.
        """
        return 0 if value is None else self.memory.map_value(map_name, value)

    def structure(self, structure: Structure | None) -> int:
        """The address under which the program may read the fields of `structure`; NULL for None."""
        return 0 if structure is None else self.memory.structure(structure)
