"""Dynptrs: pointers that know their length at run time, kept in 16 bytes of the stack (`struct bpf_dynptr`).

The bytes are the kernel's: while a dynptr is there, they cannot be read, and once the program writes over
them, it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import Bytes, Memory, StackFrame, offset_of

if TYPE_CHECKING:
    from skverdict.runtime.maps.ring_buffer import Record

SIZE = 16
ALIGNMENT = 8

#: Bytes that a dynptr can have at most (DYNPTR_MAX_SIZE).
LONGEST = (1 << 24) - 1


@dataclass(eq=False)
class Dynptr:
    """What a dynptr points to: bytes that others see too, or none if it could not be made.

    `owned`: it is of a ring buffer and must be submitted or discarded; `record` is then the record in which
    the bytes lie. `slices` are the addresses of memory that was handed out of it.
    """

    content: memoryview | None = None
    owned: bool = False
    record: Record | None = None
    slices: list[int] = field(default_factory=list)

    def part(self, offset: int, length: int) -> memoryview:
        """Some of the bytes. Raises KernelError EINVAL if there is nothing, E2BIG past the end."""
        if self.content is None:
            raise KernelError(Errno.EINVAL, "the dynptr points to nothing")
        if offset > len(self.content) or length > len(self.content) - offset:
            raise KernelError(Errno.E2BIG, f"the dynptr has {len(self.content)} bytes")
        return self.content[offset : offset + length]


class Slot(NamedTuple):
    """A place on the stack for a dynptr."""

    address: int
    frame: StackFrame
    offset: int


class Dynptrs:
    """The dynptrs of one run, by their addresses."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._known: dict[int, Dynptr] = {}

    def slot(self, address: int) -> Slot:
        """The place at `address`. Raises Misuse if no dynptr can be there."""
        region, offset = self._memory.region(address), offset_of(address)
        if not isinstance(region, StackFrame) or offset % ALIGNMENT:
            raise Misuse(f"is not on the stack at a multiple of {ALIGNMENT} bytes")
        region.check_write(offset, SIZE)
        return Slot(address, region, offset)

    def put(self, slot: Slot, dynptr: Dynptr) -> None:
        """Let `dynptr` be at `slot`. Raises Misuse if one is there that must be released first."""
        old = self._known.get(slot.address)
        if old is not None and old.owned:
            raise Misuse("a dynptr of a ring buffer is there that was neither submitted nor discarded")
        slot.frame.hide(slot.offset, SIZE)
        self._known[slot.address] = dynptr

    def at(self, address: int) -> Dynptr:
        """The dynptr at `address`. Raises Misuse if there is none."""
        dynptr = self._known.get(address)
        region = self._memory.region(address)
        if dynptr is None or not isinstance(region, StackFrame):
            raise Misuse("is not a dynptr")
        if not region.hidden(offset_of(address), SIZE):
            raise Misuse("is a dynptr no more: the program has written over it")
        return dynptr

    def slice(self, dynptr: Dynptr, part: memoryview) -> int:
        """The address of memory that is `part` of what `dynptr` points to."""
        address = self._memory.add(Bytes("a slice of a dynptr", part, self._memory.order))
        dynptr.slices.append(address)
        return address

    def release(self, dynptr: Dynptr, why: str) -> None:
        """Let `dynptr` be none any more; `why` tells what ended it, as a clause."""
        for address in dynptr.slices:
            self._memory.end(address, why)
        for address in [address for address, known in self._known.items() if known is dynptr]:
            del self._known[address]
