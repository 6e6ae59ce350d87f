"""The address space of one run: every pointer lives in a region that knows what may be done with it.

An address is a region's number in the upper 32 bits and, in the lower, `ORIGIN` plus the offset in the
region. Adding to a pointer, subtracting and comparing pointers and keeping them in memory are thus ordinary
arithmetic, and a pointer may stray 2 GiB to either side of its region and still be known for what it is. No
region has number 0: numbers below 4 GiB are no pointers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from skverdict.runtime.maps.base import Map
    from skverdict.runtime.maps.ring_buffer import Record

ByteOrder = Literal["little", "big"]

ORIGIN = 1 << 31
REGION_SHIFT = 32
OFFSET_BITS = (1 << REGION_SHIFT) - 1
ADDRESS = (1 << 64) - 1

#: The number of the region in which a program's instructions lie, one byte for each slot.
_INSTRUCTIONS = 0xFFFFFFF0
INSTRUCTIONS = _INSTRUCTIONS << REGION_SHIFT | ORIGIN
#: Bytes of an entry of a jump table.
_ENTRY = 8

#: Below this an access through a NULL pointer and a field's offset is recognised as such.
_NULL_PAGE = 4096


class AccessError(Exception):
    """An access that its region refuses: which region, at which offset, how many bytes, and why."""

    def __init__(self, reason: str, region: str, offset: int, size: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.region = region
        self.offset = offset
        self.size = size


class Region:
    """One area of memory. As it stands it refuses everything; kinds of memory allow what is theirs.

    `name` says what it is in a fault. Offsets count bytes from the start of the region and may be any
    integer. `atomic` tells whether atomic instructions may work on it.
    """

    atomic = False
    #: True if all of it can be read, and written too if it is `writable`, as the bytes that `content` is.
    plain = False
    writable = False
    content: bytearray | memoryview = bytearray()

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self, offset: int, size: int) -> int:
        """The unsigned number of `size` bytes (1, 2, 4 or 8) at `offset`."""
        raise self.refuse("cannot be read", offset, size)

    def store(self, offset: int, size: int, value: int) -> None:
        """Write the low `size` bytes of `value` at `offset`."""
        raise self.refuse("cannot be written", offset, size)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`, for a helper."""
        raise self.refuse("cannot be read", offset, size)

    def check_write(self, offset: int, size: int) -> None:
        """Raise unless a helper may write `size` bytes at `offset`."""
        raise self.refuse("cannot be written", offset, size)

    def write(self, offset: int, content: bytes) -> None:
        """Put `content` at `offset`, for a helper."""
        raise self.refuse("cannot be written", offset, len(content))

    def check_shared(self, offset: int, size: int, reads: bool, writes: bool) -> None:
        """Raise unless an atomic access may go there. It must be aligned, and to memory that allows it."""
        if not self.atomic:
            # Memory that allows no access at all has the better reason.
            self.load(offset, size)
            raise self.refuse("allows no atomic access", offset, size)
        if offset % size:
            raise self.refuse(f"must be accessed atomically at a multiple of {size} bytes", offset, size)
        if reads:
            self.read(offset, size)
        if writes:
            self.check_write(offset, size)

    def refuse(self, reason: str, offset: int, size: int) -> AccessError:
        """The error of an access at `offset`; `reason` continues the region's name."""
        return AccessError(f"{self.name} {reason}", self.name, offset, size)


class Nothing(Region):
    """What is behind NULL and behind other numbers that are no pointers: region `number`, 0 with NULL in
    it."""

    def __init__(self, number: int) -> None:
        super().__init__("no region")
        self.start = address_of(number)

    def refuse(self, reason: str, offset: int, size: int) -> AccessError:
        address = (self.start + offset) & ADDRESS
        if min(address, ADDRESS + 1 - address) < _NULL_PAGE:
            near = address if address < _NULL_PAGE else address - ADDRESS - 1
            return AccessError(f"NULL dereference: the access is at NULL{near:+d}", "NULL", near, size)
        return AccessError(f"{address:#x} is a number, not a pointer", self.name, address, size)


class Ended(Region):
    """Memory that is gone. `why` tells what ended it, as a clause: `popped by ... at ...`."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name)
        self.why = why

    def refuse(self, reason: str, offset: int, size: int) -> AccessError:
        return AccessError(f"{self.name} is no longer there: {self.why}", self.name, offset, size)


_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_SIGNS = {"little": "<", "big": ">"}
_FORMATS = {
    order: {size: struct.Struct(sign + code) for size, code in _CODES.items()}
    for order, sign in _SIGNS.items()
}
#: Readers and writers of a number in a buffer, by byte order and size in bytes.
UNPACK = {order: {size: one.unpack_from for size, one in sizes.items()} for order, sizes in _FORMATS.items()}
PACK = {order: {size: one.pack_into for size, one in sizes.items()} for order, sizes in _FORMATS.items()}


class Bytes(Region):
    """Plain bytes: a map value, a packet, a data section. `content` is live: it is what others see too."""

    atomic = True
    plain = True

    def __init__(
        self, name: str, content: bytearray | memoryview, order: ByteOrder, writable: bool = True
    ) -> None:
        super().__init__(name)
        self.content = content
        self.writable = writable
        self._unpack, self._pack = UNPACK[order], PACK[order]

    def load(self, offset: int, size: int) -> int:
        if offset < 0 or offset + size > len(self.content):
            raise self._outside(offset, size)
        return self._unpack[size](self.content, offset)[0]  # type: ignore[no-any-return]

    def store(self, offset: int, size: int, value: int) -> None:
        self.check_write(offset, size)
        self._pack[size](self.content, offset, value)

    def read(self, offset: int, size: int) -> bytes:
        if offset < 0 or offset + size > len(self.content):
            raise self._outside(offset, size)
        return bytes(self.content[offset : offset + size])

    def check_write(self, offset: int, size: int) -> None:
        if offset < 0 or offset + size > len(self.content):
            raise self._outside(offset, size)
        if not self.writable:
            raise self.refuse("is read-only", offset, size)

    def write(self, offset: int, content: bytes) -> None:
        self.check_write(offset, len(content))
        self.content[offset : offset + len(content)] = content

    def _outside(self, offset: int, size: int) -> AccessError:
        return self.refuse(
            f"has {len(self.content)} bytes; bytes {offset}..{offset + size - 1} are outside", offset, size
        )


class MapValue(Bytes):
    """A value of a map that programs may not use as they like.

    `special` are the members that only helpers reach; `readable` is False where programs may only write.
    """

    plain = False

    def __init__(self, map_: Map, content: bytearray, order: ByteOrder) -> None:
        super().__init__(f"a value of map {map_.name}", content, order, map_.writable)
        self.content: bytearray = content
        self.map = map_
        self.special = map_.special
        self.readable = map_.readable

    def load(self, offset: int, size: int) -> int:
        self._check_read(offset, size)
        return super().load(offset, size)

    def read(self, offset: int, size: int) -> bytes:
        self._check_read(offset, size)
        return super().read(offset, size)

    def check_write(self, offset: int, size: int) -> None:
        self._check_special(offset, size)
        super().check_write(offset, size)

    def _check_read(self, offset: int, size: int) -> None:
        self._check_special(offset, size)
        if not self.readable:
            raise self.refuse("is for programs to write only", offset, size)

    def _check_special(self, offset: int, size: int) -> None:
        for member in self.special:
            if offset < member.offset + member.size and member.offset < offset + size:
                raise self.refuse(
                    f"has a {member.name} in bytes {member.offset}..{member.offset + member.size - 1}, "
                    "which only helpers may touch",
                    offset,
                    size,
                )


class Packet(Bytes):
    """The linear bytes of a packet or message; no atomic instruction may touch them (verifier.c)."""

    atomic = False


STACK_SIZE = 512
#: What ends the stack of a function.
FRAME_ENDED = "its function has returned"
_BITS = {size: (1 << size) - 1 for size in range(STACK_SIZE + 1)}


class StackFrame(Region):
    """The 512 bytes below r10 of one function call, none of which may be read before it was written.

    Bit n of `unwritten` is set as long as byte n was not.
    """

    atomic = True

    def __init__(self, order: ByteOrder) -> None:
        super().__init__("the stack")
        self.content = bytearray(STACK_SIZE)
        self.unwritten = _BITS[STACK_SIZE]
        self._unpack, self._pack = UNPACK[order], PACK[order]

    def load(self, offset: int, size: int) -> int:
        if offset < 0 or offset + size > STACK_SIZE or self.unwritten >> offset & _BITS[size]:
            raise self._unreadable(offset, size)
        return self._unpack[size](self.content, offset)[0]  # type: ignore[no-any-return]

    def store(self, offset: int, size: int, value: int) -> None:
        if offset < 0 or offset + size > STACK_SIZE:
            raise self._outside(offset, size)
        self._pack[size](self.content, offset, value)
        if self.unwritten >> offset & _BITS[size]:
            self.unwritten &= ~(_BITS[size] << offset)

    def read(self, offset: int, size: int) -> bytes:
        if offset < 0 or offset + size > STACK_SIZE or self.unwritten >> offset & _BITS[size]:
            raise self._unreadable(offset, size)
        return bytes(self.content[offset : offset + size])

    def check_write(self, offset: int, size: int) -> None:
        if offset < 0 or offset + size > STACK_SIZE:
            raise self._outside(offset, size)

    def write(self, offset: int, content: bytes) -> None:
        size = len(content)
        self.check_write(offset, size)
        self.content[offset : offset + size] = content
        self.unwritten &= ~(_BITS[size] << offset)

    def hide(self, offset: int, size: int) -> None:
        """Make bytes count as unwritten, because the kernel keeps something there."""
        self.unwritten |= _BITS[size] << offset

    def hidden(self, offset: int, size: int) -> bool:
        """True if none of the bytes was written since."""
        return self.unwritten >> offset & _BITS[size] == _BITS[size]

    def _unreadable(self, offset: int, size: int) -> AccessError:
        if offset < 0 or offset + size > STACK_SIZE:
            return self._outside(offset, size)
        first = next(byte for byte in range(offset, offset + size) if self.unwritten >> byte & 1)
        return self.refuse(f"at r10-{STACK_SIZE - first} was never written", offset, size)

    def _outside(self, offset: int, size: int) -> AccessError:
        return self.refuse(
            f"is the {STACK_SIZE} bytes below r10; {size} bytes at r10{offset - STACK_SIZE:+d} are outside",
            offset,
            size,
        )

    def refuse(self, reason: str, offset: int, size: int) -> AccessError:
        return AccessError(f"{self.name} {reason}", self.name, offset - STACK_SIZE, size)


class RecordRegion(Bytes):
    """A record of a ring buffer from its reservation to its submission."""

    def __init__(self, record: Record, order: ByteOrder) -> None:
        super().__init__("a ring buffer's record", record.content, order)
        self.record = record


class MapRegion(Region):
    """A map as the wide instruction loads it: good for helper calls, not for access."""

    def __init__(self, map_: Map) -> None:
        super().__init__(f"map {map_.name}")
        self.map = map_


class FunctionRegion(Region):
    """A function of the program as the wide instruction loads it, to be handed to a helper as a callback."""

    def __init__(self, slot: int) -> None:
        super().__init__(f"the function at instruction {slot}")
        self.slot = slot


class JumpTable(Region):
    """A table of instructions, `targets` by their slots. Only whole addresses can be read (`check_mem_access`,
    kernel/bpf/verifier.c in Linux 7.2)."""

    def __init__(self, targets: Sequence[int]) -> None:
        super().__init__("a jump table")
        self.targets = targets

    def load(self, offset: int, size: int) -> int:
        if not 0 <= offset < _ENTRY * len(self.targets):
            raise self.refuse(f"has {len(self.targets)} entries of {_ENTRY} bytes", offset, size)
        if size != _ENTRY or offset % _ENTRY:
            raise self.refuse(f"is read by whole entries of {_ENTRY} bytes", offset, size)
        return INSTRUCTIONS + self.targets[offset // _ENTRY]


class Regions(dict[int, Region]):
    """The regions of a run under their numbers; any other number is `Nothing`.

    But those from 1 to `last` that are not here were frames of functions that have returned, or are `reserved`
    for stacks that nobody has touched yet.
    """

    last = 0

    def __init__(self, order: ByteOrder) -> None:
        self.reserved: set[int] = set()
        self._order: ByteOrder = order

    def __missing__(self, number: int) -> Region:
        if number in self.reserved:
            self.reserved.remove(number)
            frame = self[number] = StackFrame(self._order)
            return frame
        if number == _INSTRUCTIONS:
            return Region("an instruction of the program")
        if 0 < number <= self.last:
            return Ended("the stack", FRAME_ENDED)
        return Nothing(number)


class Memory:
    """The address space of one run. `order` is the byte order of the machine that is modelled.

    Addresses are unsigned 64-bit numbers, and sums that were not cut to that yet. Every access to what is not
    there raises AccessError.

    `readable`, `writable` and `sharable` have the bytes of the plain regions, by their numbers: those that can
    be read and written without a look at the region, and those for atomic access.
    """

    def __init__(self, order: ByteOrder) -> None:
        self.order: ByteOrder = order
        self.regions = Regions(order)
        self.readable: dict[int, bytearray | memoryview] = {}
        self.writable: dict[int, bytearray | memoryview] = {}
        self.sharable: dict[int, bytearray | memoryview] = {}
        self._shared: dict[tuple[int, str], int] = {}

    def add(self, region: Region) -> int:
        """Give `region` a place; the address of its offset 0."""
        number = self.regions.last = self.regions.last + 1
        self.regions[number] = region
        if region.plain:
            self.readable[number] = region.content
            if region.writable:
                self.writable[number] = region.content
                if region.atomic:
                    self.sharable[number] = region.content
        return address_of(number)

    def adopt(self, thing: object, region: Region, address: int) -> None:
        """Let `region` stand for `thing`, as in `shared`, at an address that was taken for it elsewhere."""
        self.regions[address >> REGION_SHIFT] = region
        self._shared[id(thing), ""] = address

    def known(self, thing: object) -> int:
        """The address of the region that stands for `thing`; 0 if there is none yet."""
        return self._shared.get((id(thing), ""), 0)

    def shared(self, thing: object, make: Callable[[], Region], aspect: str = "") -> int:
        """The address of the region that stands for `thing`, made on first use and the same from then on.

        A thing may be seen in several aspects, each a region. The region that `make` gives must keep `thing`
        alive.
        """
        key = (id(thing), aspect)
        known = self._shared.get(key)
        if known is None:
            known = self._shared[key] = self.add(make())
        return known

    def end(self, address: int, why: str) -> None:
        """Make the region of `address` refuse every later access; `why` tells what ended it."""
        number = address >> REGION_SHIFT
        self.regions[number] = Ended(self.regions[number].name, why)
        for plain in (self.readable, self.writable, self.sharable):
            plain.pop(number, None)

    def load(self, address: int, size: int) -> int:
        """The unsigned number of `size` bytes (1, 2, 4 or 8)."""
        address &= ADDRESS
        return self.regions[address >> REGION_SHIFT].load((address & OFFSET_BITS) - ORIGIN, size)

    def store(self, address: int, size: int, value: int) -> None:
        """Write `value` as `size` bytes, which it fits into."""
        address &= ADDRESS
        self.regions[address >> REGION_SHIFT].store((address & OFFSET_BITS) - ORIGIN, size, value)

    def atomic_place(
        self, address: int, size: int, reads: bool = True, writes: bool = True
    ) -> tuple[bytearray | memoryview, int]:
        """Where an atomic access goes: the bytes, and the offset in them. It must be aligned, and to memory
        that allows it."""
        address &= ADDRESS
        place = (address & OFFSET_BITS) - ORIGIN
        content = self.sharable.get(address >> REGION_SHIFT)
        if content is not None and not place % size and 0 <= place <= len(content) - size:
            return content, place
        region = self.regions[address >> REGION_SHIFT]
        region.check_shared(place, size, reads, writes)
        return region.content, place

    def region(self, address: int) -> Region:
        """The region that `address` points into or strays from."""
        return self.regions[address >> REGION_SHIFT]

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes, all of which must have been written."""
        return self.region(address).read(offset_of(address), size)

    def check_write(self, address: int, size: int) -> None:
        """Raise unless `size` bytes may be written."""
        self.region(address).check_write(offset_of(address), size)

    def write(self, address: int, content: bytes) -> None:
        self.region(address).write(offset_of(address), content)


def address_of(number: int) -> int:
    """The address of offset 0 of region `number`."""
    return number << REGION_SHIFT | ORIGIN


def offset_of(address: int) -> int:
    """The offset of `address` in its region."""
    return (address & OFFSET_BITS) - ORIGIN
