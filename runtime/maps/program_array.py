"""BPF_MAP_TYPE_PROG_ARRAY: the programs that a tail call can go on in (kernel/bpf/arraymap.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.array import IndexedMap
from skverdict.runtime.maps.user_side import BPF_ANY

if TYPE_CHECKING:
    from skverdict.runtime.machine.run import LoadedProgram


class ProgramArray(IndexedMap):
    """Programs at indices, put in and taken out by user space only.

    `insert` is user space's update: it takes the program itself in place of a file descriptor.
    """

    kind = "prog_array"
    batches = frozenset()

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._programs: dict[int, LoadedProgram] = {}

    def program(self, index: int) -> LoadedProgram | None:
        """What a tail call to `index` goes on in; None if it does not happen."""
        return self._programs.get(index)

    def insert(self, index: int, program: LoadedProgram) -> None:
        """Put `program` at `index`. Raises KernelError E2BIG, or EINVAL for one of another kind than the
        rest."""
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        if any(other.kind != program.kind for other in self._programs.values()):
            raise KernelError(Errno.EINVAL, f"map {self.name} has no {program.kind} programs, but others")
        self._programs[index] = program

    def lookup(self, key: bytes) -> bytearray | None:
        return None

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        raise KernelError(Errno.EBADF, f"map {self.name} takes programs, not numbers")

    def remove(self, key: bytes) -> None:
        index = self.index(key)
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        if self._programs.pop(index, None) is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no program at index {index}")
