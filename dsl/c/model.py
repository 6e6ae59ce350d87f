"""C's types with their layout, for machines of one byte order."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.dsl.ir import types as ir

MOST_BYTES = (1 << 29) - 1
"""The most bytes of a structure: BTF counts the bits before a member in 32 bits (`struct btf_member`)."""


class CArray(NamedTuple):
    """`count` elements in a row; 0 for an array without a length at the end of a structure."""

    element: CType
    length: int


class Bits(NamedTuple):
    """A bit-field: `width` bits of an integer type, `start` bits from the start of its record.

    Bits count in the order of memory: on a little-endian machine from the lowest bit of the first byte, on a
    big-endian one from its highest. `place` is the line and column of its name.
    """

    name: str
    type: ir.Int
    start: int
    width: int
    place: tuple[int, int]


class Field(NamedTuple):
    """An ordinary member."""

    name: str
    type: CType
    offset: int


class Record(NamedTuple):
    """A structure or union; members of unnamed ones inside it are its own."""

    name: str
    fields: tuple[Field, ...]
    bits: tuple[Bits, ...]
    size: int
    align: int
    # Of the running kernel, which has it laid out in its own way.
    of_kernel: bool = False


CType = ir.Int | ir.BigEndian | ir.Bool | ir.Pointer | CArray | Record


def size_of(type_: CType) -> int:
    """Bytes of a type."""
    if isinstance(type_, CArray):
        return size_of(type_.element) * type_.length
    return type_.size if isinstance(type_, Record) else ir.size_of(type_)


def align_of(type_: CType) -> int:
    """Alignment of a type in bytes."""
    if isinstance(type_, CArray):
        return align_of(type_.element)
    return type_.align if isinstance(type_, Record) else ir.size_of(type_)


class Layout:
    """Places the members of one structure or union, in the order of the source, as clang does for BPF."""

    def __init__(self, kind: str, packed: bool) -> None:
        self._union = kind == "union"
        self._packed = packed
        # The next free bit.
        self._next = 0
        self._end = 0
        self._align = 1
        self._fields: list[Field] = []
        self._bits: list[Bits] = []

    def add(self, name: str | None, type_: CType, aligned: int = 1, packed: bool = False) -> None:
        """An ordinary member; one without a name gives its members to this record."""
        align = max(1 if self._packed or packed else align_of(type_), aligned)
        offset = self._begin(align * 8) // 8
        if name is not None:
            self._fields.append(Field(name, type_, offset))
        else:
            assert isinstance(type_, Record)
            self._fields += [one._replace(offset=one.offset + offset) for one in type_.fields]
            self._bits += [one._replace(start=one.start + offset * 8) for one in type_.bits]
        self._take(offset * 8 + size_of(type_) * 8)

    def add_bits(
        self,
        name: str | None,
        type_: ir.Int,
        width: int,
        packed: bool = False,
        place: tuple[int, int] = (1, 1),
    ) -> None:
        """A bit-field; width 0 ends the unit that the last one began."""
        unit = type_.bits
        start = 0 if self._union else self._next
        if width == 0:
            self._take(-(-start // unit) * unit)
            return
        if not (self._packed or packed) and start // unit != (start + width - 1) // unit:
            start = -(-start // unit) * unit
        if name is not None:
            if not (self._packed or packed):
                self._align = max(self._align, unit // 8)
            self._bits.append(Bits(name, type_, start, width, place))
        self._take(start + width)

    def _begin(self, align: int) -> int:
        """The first bit that is free and aligned."""
        self._align = max(self._align, align // 8)
        return 0 if self._union else -(-self._next // align) * align

    def _take(self, end: int) -> None:
        self._next = end
        self._end = max(self._end, end)

    def finish(self, name: str, aligned: int = 1) -> Record:
        """The record, its size rounded up to its alignment."""
        align = max(self._align, aligned)
        size = -(-self._end // (align * 8)) * align
        return Record(name, tuple(self._fields), tuple(self._bits), size, align)
