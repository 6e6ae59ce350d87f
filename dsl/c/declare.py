"""The declarations of a text for both byte orders, as what a policy names."""

from __future__ import annotations

from enum import IntEnum

from skverdict.dsl import scalars
from skverdict.dsl.c.classes import annotation_of, ir_type, layout_of_record, struct_class
from skverdict.dsl.c.errors import CError
from skverdict.dsl.c.model import CArray, CType, Record
from skverdict.dsl.c.reader import Declarations, Enum, read_declarations
from skverdict.dsl.ir import types as ir


def declare(
    text: str, core: bool = False
) -> tuple[dict[str, object], dict[str, str], dict[str, ir.Struct]]:
    """Things by name; the macros that are none, with the reason; and, with `core`, the kernel's structures by
    name. Raises CError."""
    little = read_declarations(text, "little", core)
    # Only bit-fields, and what asks for the byte order, make a difference.
    big = read_declarations(text, "big", core)
    _compare(little, big)
    things: dict[str, object] = dict(little.constants)
    for name, enum in little.enums.items():
        things[name] = _enum(name, enum)
    for name, type_ in little.typedefs.items():
        things[name] = _thing(type_, big.typedefs[name])
    records = {name: record for name, record in little.records.items() if record.fields or record.bits}
    for name, record in records.items():
        things[name] = struct_class(record, big.records[name])
    kernel_structs = {
        name: layout_of_record(record, big.records[name]) for name, record in records.items() if record.of_kernel
    }
    return things, little.others, kernel_structs


def _compare(little: Declarations, big: Declarations) -> None:
    """Raises CError for a structure of which more than bit-fields depends on the byte order."""
    if set(little.records) != set(big.records) or set(little.typedefs) != set(big.typedefs):
        raise CError("what is declared depends on the byte order", 1)
    for name, record in little.records.items():
        other = big.records[name]
        shapes = [
            (one.size, one.align, [(field.name, field.offset) for field in one.fields])
            for one in (record, other)
        ]
        if shapes[0] != shapes[1]:
            raise CError(f"the layout of `{name}` depends on the byte order", *little.places[name])


def _enum(name: str, enum: Enum) -> object:
    """An enumeration as Python's; without constants of its own it is only an integer type."""
    return IntEnum(name, enum.values) if enum.values else scalars.u32


def _thing(type_: CType, other: CType) -> object:
    if isinstance(type_, Record):
        assert isinstance(other, Record)
        return struct_class(type_, other)
    if isinstance(type_, CArray):
        ir_type(type_, other)
    found: ir.Type = ir_type(type_, other)
    return annotation_of(found)
