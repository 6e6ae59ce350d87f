"""BPF_MAP_TYPE_PROG_ARRAY: the programs that a tail call can go on in (kernel/bpf/arraymap.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.array import IndexedMap
from skverdict.runtime.maps.base import MapError
from skverdict.runtime.maps.user_side import BPF_ANY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.runtime.machine.run import LoadedProgram
    from skverdict.runtime.maps.base import Map


class ProgramArray(IndexedMap):
    """Programs at indices, put in and taken out by user space only.

    `owner` is the kind of program that the array is for: that of the first program which names it or is put
    in.
    """

    kind = "prog_array"
    batches = frozenset()

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._programs: dict[int, LoadedProgram] = {}
        self._numbers: dict[int, int] = {}
        self.owner: str | None = None

    def claim(self, kind: str) -> bool:
        """True if programs of `kind` may name the array and stand in it, which from now on only they may."""
        if self.owner is None:
            self.owner = kind
        return self.owner == kind

    def program(self, index: int) -> LoadedProgram | None:
        """What a tail call to `index` goes on in; None if it does not happen."""
        return self._programs.get(index)

    def insert(self, index: int, program: LoadedProgram, flags: int = BPF_ANY, number: int = 1) -> None:
        """User space's update: `program` in place of a file descriptor; `number` is what is read back.

        Raises KernelError: EINVAL for flags or for a program of another kind than the owner, E2BIG.
        """
        if flags != BPF_ANY:
            raise KernelError(Errno.EINVAL, f"map {self.name}: update flags {flags:#x}")
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        if not self.claim(program.kind):
            raise KernelError(Errno.EINVAL, f"map {self.name} is for {self.owner} programs")
        self._programs[index] = program
        self._numbers[index] = number

    def lookup(self, key: bytes) -> bytearray | None:
        return None

    def copy(self, key: bytes) -> bytes:
        """The number of the program."""
        number = self._numbers.get(self.index(key))
        if number is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no program there")
        return number.to_bytes(self.value_size, self.order)

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        raise KernelError(Errno.EBADF, f"map {self.name} takes programs, not numbers")

    def remove(self, key: bytes) -> None:
        index = self.index(key)
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        self._numbers.pop(index, None)
        if self._programs.pop(index, None) is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no program at index {index}")


def insert_programs(maps: Mapping[str, Map], programs: Mapping[str, LoadedProgram]) -> None:
    """Put the programs into the arrays whose declarations name them, numbered in their order from 1.

    Raises KernelError, or MapError for a name that no program has.
    """
    numbers = {name: number for number, name in enumerate(programs, 1)}
    for map_ in maps.values():
        if isinstance(map_, ProgramArray):
            for index, name in map_.spec.initial:
                if name not in programs:
                    raise MapError(map_.spec, f"it names program {name}, which there is not")
                map_.insert(index, programs[name], number=numbers[name])
