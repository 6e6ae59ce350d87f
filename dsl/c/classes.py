"""Structures and unions of C as classes of a policy, bit-fields as parts of the integers that hold them."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from skverdict.dsl import scalars
from skverdict.dsl.c.errors import CError
from skverdict.dsl.c.model import Bits, CArray, CType, Record
from skverdict.dsl.ir import types as ir
from skverdict.dsl.layout import LayoutError
from skverdict.dsl.structs import ArrayOf, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable


IrType = ir.Bool | ir.Int | ir.BigEndian | ir.Struct | ir.Array | ir.Pointer


class BitField(NamedTuple):
    """A bit-field: `width` bits of the unsigned integer at `offset` bytes, which is of type `unit`.

    `little` and `big` say how far up its lowest bit is, on machines of either byte order.
    """

    name: str
    type: ir.Int
    unit: ir.Int
    offset: int
    width: int
    little: int
    big: int


class CStruct(ir.Struct):
    """A structure that has bit-fields beside its members; to the IR they are the integers that hold them."""

    bits: tuple[BitField, ...] = ()


class CRecord(Struct):
    """Base of what C declares. In ordinary Python the members of a union are kept apart."""

    # True for what the running kernel has laid out in its own way.
    _of_kernel = False

    if TYPE_CHECKING:
        # Annotations at run time would be members.
        _bits: tuple[BitField, ...]
        _overlaps: bool

    def __init__(self, **values: Any) -> None:
        bits = {one.name: values.pop(one.name) for one in self._bits if one.name in values}
        super().__init__(**values)
        for name, value in bits.items():
            setattr(self, name, value)

    def pack(self, byteorder: Literal["little", "big"] = sys.byteorder) -> bytes:
        """The bytes of the structure. Raises LayoutError if it has a union."""
        if self._overlaps:
            raise LayoutError(f"`{type(self).__name__}` has a union, whose bytes ordinary Python cannot tell")
        return super().pack(byteorder)


def class_of(record: Record, other: Record) -> type[Struct]:
    """The class of a record, whose layout on a big-endian machine is `other`. Raises CError."""
    bits = tuple(bit_fields(record, other))
    units = {(one.offset, one.unit) for one in bits}
    members = [
        ir.Member(one.name, ir_type(one.type, _field(other, one.name)), one.offset) for one in record.fields
    ]
    if not record.of_kernel:
        # The kernel may have its bit-fields elsewhere, and nothing finds the integers around them.
        members += [ir.Member(f"_bits{offset}", unit, offset) for offset, unit in units]
    members.sort(key=lambda member: member.offset)
    layout = CStruct(record.name, tuple(members), record.size, record.align)
    layout.bits = bits
    annotations = {one.name: annotation_of(one.type) for one in members}
    space: dict[str, object] = {
        "__annotations__": annotations,
        "__module__": __name__,
        "_layout": layout,
        "_bits": bits,
        "_of_kernel": record.of_kernel,
        "_overlaps": any(
            one.offset + ir.size_of(one.type) > following.offset for one, following in pairwise(members)
        ),
    }
    space.update((one.name, _property(one)) for one in bits)
    return type(record.name, (CRecord,), space)


def _field(record: Record, name: str) -> CType:
    return next(one.type for one in record.fields if one.name == name)


def ir_type(type_: CType, other: CType) -> IrType:
    """The IR's type; `other` is the same one on a big-endian machine."""
    if isinstance(type_, CArray):
        assert isinstance(other, CArray)
        return ir.Array(ir_type(type_.element, other.element), type_.length)
    if isinstance(type_, Record):
        assert isinstance(other, Record)
        return layout_of_record(type_, other)
    return type_


_CLASSES: dict[tuple[Record, Record], type[Struct]] = {}


def struct_class(record: Record, other: Record) -> type[Struct]:
    """`class_of`, the same class for the same record."""
    key = (record, other)
    if key not in _CLASSES:
        _CLASSES[key] = class_of(record, other)
    return _CLASSES[key]


def layout_of_record(record: Record, other: Record) -> ir.Struct:
    """The IR's structure of a record; `other` is the same one on a big-endian machine."""
    return struct_class(record, other)._layout


_BY_LAYOUT: dict[str, object] = {name: getattr(scalars, name) for name in ir.SCALARS if name != "bool"}


def annotation_of(type_: ir.Type) -> object:
    """What a policy writes for a type."""
    if isinstance(type_, ir.Pointer):
        return scalars.u64
    if isinstance(type_, ir.Array):
        return ArrayOf(annotation_of(type_.element), type_.count)
    if isinstance(type_, ir.Struct):
        return next(cls for cls in _CLASSES.values() if cls._layout is type_)
    return bool if isinstance(type_, ir.Bool) else _BY_LAYOUT[str(type_)]


def _property(bits: BitField) -> property:
    """A bit-field of an instance in ordinary Python, where the machine is this one."""
    holder, mask = f"_bits{bits.offset}", (1 << bits.width) - 1
    shift = bits.little if sys.byteorder == "little" else bits.big

    def get(self: Struct) -> int:
        number: int = int(getattr(self, holder)) >> shift & mask
        return number - (mask + 1) if bits.type.signed and number >> bits.width - 1 else number

    def put(self: Struct, value: int) -> None:
        others = int(getattr(self, holder)) & ~(mask << shift)
        setattr(self, holder, others | (value & mask) << shift)

    return property(get, put)


def bit_fields(record: Record, other: Record) -> Iterable[BitField]:
    """The bit-fields of a record with the integers that hold them. Raises CError.

    Such an integer is aligned to its own size, and none reaches into another.
    """
    twins = {one.name: one for one in other.bits}
    spans: dict[str, tuple[int, int]] = {}
    for one in record.bits:
        twin = twins.get(one.name)
        if twin is None:
            raise CError(f"the bit-field `{one.name}` is there for one byte order only", *one.place)
        spans[one.name] = _span(record, one, twin)
    merged = _merge(spans.values())
    for one in record.bits:
        offset, size = next(
            (start, length) for start, length in merged if start <= spans[one.name][0] < start + length
        )
        big = size * 8 - (twins[one.name].start - offset * 8) - one.width
        unit = ir.Int(size * 8, signed=False)
        yield BitField(one.name, one.type, unit, offset, one.width, one.start - offset * 8, big)


def _span(record: Record, one: Bits, twin: Bits) -> tuple[int, int]:
    """Offset and size of the smallest aligned integer that holds a bit-field for either byte order."""
    first = min(one.start, twin.start) // 8
    last = (max(one.start + one.width, twin.start + twin.width) - 1) // 8
    for size in (1, 2, 4, 8):
        offset = first // size * size
        if last < offset + size <= record.size:
            return offset, size
    raise CError(
        f"the bit-field `{one.name}` does not lie inside an aligned integer", *one.place,
        "declare its bytes instead",
    )  # fmt: skip


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans that lie in no other; aligned as they are, two either nest or do not meet."""
    found: list[tuple[int, int]] = []
    for offset, size in sorted(set(spans), key=lambda span: -span[1]):
        if not any(start <= offset < start + length for start, length in found):
            found.append((offset, size))
    return found
