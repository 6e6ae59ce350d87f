"""Contexts and other kernel structures in the address space: which bytes a program may touch, and their
values.

The rules are the verifier's, as measured on Linux 6.1, 6.12 and 7.2 (`sk_skb_is_valid_access`,
`sk_msg_is_valid_access` and `sock_ops_is_valid_access` of net/core/filter.c): a number can be read whole,
some also by an aligned part, `__sk_buff.cb` also by two words at once, and a write covers its field
exactly.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from skverdict.dsl.catalogue.contexts import CONTEXTS, Field
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.dsl.catalogue.sockets import STRUCTURES
from skverdict.dsl.ir.types import Array, BigEndian, Int, size_of
from skverdict.runtime.machine.context import Context, Structure
from skverdict.runtime.machine.memory import REGION_SHIFT, AccessError, Memory, Packet, Region
from skverdict.runtime.machine.semantics import mask

_TABLES = {**CONTEXTS, **STRUCTURES}

#: Numbers of `__sk_buff` that are read whole only.
_WHOLE_ONLY_OF_SKB = ("remote_ip4", "local_ip4", "remote_ip6", "local_ip6")
#: Numbers of other structures of which any aligned part may be read, or a part at the beginning.
_ADDRESSES = ("src_ip4", "src_ip6", "dst_ip4", "dst_ip6", "dst_port")
_ANY_PART = {"bpf_sock": _ADDRESSES, "sock_common": _ADDRESSES}
_SOCK_BEGINNINGS = ("family", "type", "protocol", "src_port", "state", "rx_queue_mapping")
_BEGINNINGS = {
    "bpf_sock_ops": ("skb_tcp_flags",),
    "bpf_sock": _SOCK_BEGINNINGS,
    "sock_common": _SOCK_BEGINNINGS,
}
#: A be16 that is read by 4 bytes as well, as in the days when it was one with the zeros behind it.
_PADDED = "dst_port"

#: What a pointer field leads to, by its structure.
_LEADS_TO = {"__sk_buff": "sock_common", "sk_msg_md": "bpf_sock", "bpf_sock_ops": "bpf_sock"}


class Element(NamedTuple):
    """One number of a structure: a field, or element `number` of an array field."""

    field: Field
    number: int
    offset: int
    type: Int | BigEndian


class Access(NamedTuple):
    """A permitted access: `size` bytes from `start` on in the bytes of `elements`, laid end to end.

    Where there are fewer, zeros make up the number. `plain`: it is the whole of one number in the machine's
    byte order.
    """

    elements: tuple[Element, ...]
    start: int
    size: int
    plain: bool = False


class Layout(NamedTuple):
    """The permitted accesses to a structure, each under its offset and size in bytes."""

    reads: dict[tuple[int, int], Access]
    writes: dict[tuple[int, int], Access]


def _elements(field: Field) -> list[Element]:
    if isinstance(field.type, Array):
        width = size_of(field.type.element)
        assert isinstance(field.type.element, (Int, BigEndian))
        return [
            Element(field, index, field.offset + index * width, field.type.element)
            for index in range(field.type.count)
        ]
    return [Element(field, 0, field.offset, field.type)]


def _parts(table: str, field: Field, whole: int) -> list[tuple[int, int]]:
    """Start and size of every part of a number of `whole` bytes that may be read, itself included."""
    parts = [(start, size) for size in (1, 2, 4, 8) if size <= whole for start in range(0, whole, size)]
    if field.name == _PADDED:
        parts.append((0, 4))
    if table == "__sk_buff" and not field.role and field.name not in _WHOLE_ONLY_OF_SKB:
        return parts
    if field.name in _ANY_PART.get(table, ()):
        return parts
    if field.name in _BEGINNINGS.get(table, ()):
        return [(start, size) for start, size in parts if start == 0]
    return [(0, whole)]


@cache
def layout(table: str, kind: str, kernel: str) -> Layout:
    """What a program of `kind` may do with structure `table` of the catalogue on Linux `kernel`.

    Where fields share their place (a union), the first in the table is the one that is read.
    """
    reads: dict[tuple[int, int], Access] = {}
    writes: dict[tuple[int, int], Access] = {}
    for field in _TABLES[table].fields.values():
        if KERNELS.index(field.since) > KERNELS.index(kernel):
            continue
        elements = _elements(field)
        for element in elements:
            whole = size_of(element.type)
            if kind in field.readers:
                simple = isinstance(element.type, Int) and field.low is None
                for start, size in _parts(table, field, whole):
                    access = Access((element,), start, size, simple and size == whole)
                    reads.setdefault((element.offset + start, size), access)
            if kind in field.writers:
                writes[element.offset, whole] = Access((element,), 0, whole)
        if table == "__sk_buff" and field.name == "cb":
            for first, second in ((0, 1), (2, 3)):
                pair = (elements[first], elements[second])
                reads[elements[first].offset, 8] = Access(pair, 0, 8)
    return Layout(reads, writes)


def plain_fields(table: str, kind: str, kernel: str) -> dict[tuple[int, int], tuple[str, int]]:
    """The loads by offset and size that give a number of the structure as it is: its field, and which element
    of that."""
    return {
        place: (access.elements[0].field.name, access.elements[0].number)
        for place, access in layout(table, kind, kernel).reads.items()
        if access.plain and not access.elements[0].field.role
    }


class Reader(NamedTuple):
    """Who reads structures: a program of `kind` on Linux `kernel`, in its `memory`."""

    memory: Memory
    kind: str
    kernel: str


class StructureRegion(Region):
    """A structure behind a pointer; its numbers come from, and go to, `structure`.

    `table` names what of it the pointer lets a program see; it is the structure's own if none is given.
    """

    def __init__(self, reader: Reader, structure: Structure, table: str = "") -> None:
        self.table = table or structure.table
        super().__init__(self.table)
        self.reader = reader
        self.memory = reader.memory
        self.structure = structure
        self.layout = layout(self.table, reader.kind, reader.kernel)

    def load(self, offset: int, size: int) -> int:
        access = self.layout.reads.get((offset, size))
        if access is None:
            raise self._forbidden("read", offset, size)
        if access.elements[0].field.role:
            return self.pointer(access.elements[0].field)
        if access.plain:
            element = access.elements[0]
            return self.structure.field(element.field.name, element.number) & mask(8 * size)
        content = b"".join(self._bytes(element) for element in access.elements)
        return int.from_bytes(content[access.start : access.start + size], self.memory.order)

    def store(self, offset: int, size: int, value: int) -> None:
        access = self.layout.writes.get((offset, size))
        if access is None:
            raise self._forbidden("written", offset, size)
        (element,) = access.elements
        if isinstance(element.type, BigEndian):
            value = int.from_bytes(value.to_bytes(size, self.memory.order), "big")
        self.structure.set_field(element.field.name, value, element.number)

    def pointer(self, field: Field) -> int:
        """The address in pointer field `field`."""
        return structure_address(self.reader, self.structure.structure(field.name), _LEADS_TO[self.table])

    def _bytes(self, element: Element) -> bytes:
        number = self.structure.field(element.field.name, element.number)
        size = size_of(element.type)
        if isinstance(element.type, BigEndian):
            return number.to_bytes(size, "big")
        if element.field.low is not None:
            low = number.to_bytes(size_of(element.field.low), "big")
            number = int.from_bytes(low, self.memory.order)
        return (number & mask(8 * size)).to_bytes(size, self.memory.order)

    def _forbidden(self, verb: str, offset: int, size: int) -> AccessError:
        inside = [
            element
            for field in _TABLES[self.table].fields.values()
            for element in _elements(field)
            if element.offset <= offset < element.offset + size_of(element.type)
        ]
        if not inside:
            return self.refuse(f"has no field at offset {offset}", offset, size)
        name = inside[0].field.name
        allowed = self.layout.reads if verb == "read" else self.layout.writes
        if any(element.field.name == name for access in allowed.values() for element in access.elements):
            return self.refuse(
                f"field {name} cannot be {verb} by {size} bytes at offset {offset}", offset, size
            )
        return self.refuse(f"field {name} cannot be {verb} by a {self.reader.kind} program", offset, size)


def structure_address(reader: Reader, structure: Structure | None, table: str = "") -> int:
    """The address under which `reader` has what `table` shows of `structure`; NULL for None."""
    if structure is None:
        return 0
    table = table or structure.table
    return reader.memory.shared(
        structure.identity, lambda: StructureRegion(reader, structure, table), table
    )


class ContextRegion(StructureRegion):
    """The context of a run. It also keeps the packet, which exists from the first load of its bounds on."""

    def __init__(self, reader: Reader, context: Context) -> None:
        super().__init__(reader, context)
        self.context = context
        #: The address of the packet; 0 until the program asks for it.
        self.packet_address = 0
        self._packet_length = 0

    def pointer(self, field: Field) -> int:
        if field.role not in ("data", "data_end"):
            return super().pointer(field)
        if not self.packet_address:
            packet = self.make_packet()
            self.place_packet(packet, self.memory.add(packet))
        return self.packet_address + (0 if field.role == "data" else self._packet_length)

    def make_packet(self) -> Packet:
        """The packet as it lies now."""
        content = self.context.packet()
        writable = not (isinstance(content, memoryview) and content.readonly)
        return Packet("the packet", content, self.memory.order, writable)

    def place_packet(self, packet: Packet, address: int) -> None:
        """Let the program see `packet`, whose place in memory is `address`."""
        self.memory.regions[address >> REGION_SHIFT] = packet
        self.packet_address, self._packet_length = address, len(packet.content)

    def end_packet(self, why: str) -> None:
        """End every pointer into the packet, since a helper may have moved it; `why` names the helper."""
        if self.packet_address:
            self.memory.end(self.packet_address, why)
            self.packet_address = 0
