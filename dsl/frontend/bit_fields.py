"""Bit-fields of structures that came from C: parts of an integer, whose place depends on the byte order."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from skverdict.dsl.frontend.convert import as_scalar, convert
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import pointer, writable
from skverdict.dsl.frontend.values import Operand, Reference, Scalar
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import Int, Pointer

if TYPE_CHECKING:
    from skverdict.dsl.c.classes import BitField


def _limits(bits: BitField) -> tuple[int, int]:
    if bits.type.signed:
        return (-(1 << bits.width - 1), (1 << bits.width - 1) - 1)
    return (0, (1 << bits.width) - 1)


def _unit(lowering: Lowering, node: ast.AST, owner: Reference, bits: BitField) -> Value:
    """The address of the integer that holds the bits."""
    base = pointer(lowering, node, owner)
    return lowering.emit(node, "part", (base,), Pointer(bits.unit, owner.space), offset=bits.offset)


def _order(lowering: Lowering, node: ast.AST, type_: Int, little: int, big: int) -> Value:
    if little == big:
        return lowering.value(node, Scalar(type_, constant=little))
    return lowering.emit(node, "const.order", (), type_, little=little, big=big)


def load_bits(lowering: Lowering, node: ast.Attribute, owner: Reference, bits: BitField) -> Scalar:
    """The number in a bit-field."""
    unit = bits.unit
    number = lowering.emit(node, "load", (_unit(lowering, node.value, owner, bits),), unit)
    low, high = _limits(bits)
    if bits.type.signed:
        # To the top, and down again with the sign.
        up = _order(lowering, node, unit, *(unit.bits - bits.width - at for at in (bits.little, bits.big)))
        signed = Int(unit.bits, signed=True)
        number = lowering.emit(node, "convert", (lowering.emit(node, "shl", (number, up), unit),), signed)
        down = lowering.value(node, Scalar(signed, constant=unit.bits - bits.width))
        number = lowering.emit(node, "shr", (number, down), signed)
    else:
        down = _order(lowering, node, unit, bits.little, bits.big)
        number = lowering.emit(node, "shr", (number, down), unit)
        mask = lowering.value(node, Scalar(unit, constant=(1 << bits.width) - 1))
        number = lowering.emit(node, "and", (number, mask), unit)
    if number.type != bits.type:
        number = lowering.emit(node, "convert", (number,), bits.type)
    return Scalar(bits.type, number, low=low, high=high)


def store_bits(
    lowering: Lowering,
    node: ast.Attribute,
    owner: Reference,
    bits: BitField,
    value_node: ast.AST,
    value: Operand,
) -> None:
    """`owner.name = value` for a bit-field. Raises Refused for a number that may not fit."""
    writable(lowering, node, owner)
    low, high = _limits(bits)
    number = as_scalar(lowering, value_node, value)
    number = convert(lowering, value_node, number, bits.type)
    if number.low < low or number.high > high:
        text = lowering.operand(value_node)
        raise lowering.refuse(
            value_node, f"`{bits.name}` has {bits.width} bits ({low} to {high}), but this may be "
            f"{number.low} to {number.high}",
            f"write `{text} & {high:#x}`" if number.constant is None and not bits.type.signed else "",
        )  # fmt: skip
    unit, mask = bits.unit, (1 << bits.width) - 1
    address = _unit(lowering, node.value, owner, bits)
    whole = lowering.emit(node, "load", (address,), unit)
    everything = (1 << unit.bits) - 1
    others = _order(lowering, node, unit, *(everything ^ (mask << at) for at in (bits.little, bits.big)))
    kept = lowering.emit(node, "and", (whole, others), unit)
    new = lowering.value(value_node, number)
    if new.type != unit:
        new = lowering.emit(node, "convert", (new,), unit)
    if bits.type.signed:
        new = lowering.emit(node, "and", (new, lowering.value(node, Scalar(unit, constant=mask))), unit)
    up = _order(lowering, node, unit, bits.little, bits.big)
    new = lowering.emit(node, "shl", (new, up), unit)
    lowering.effect(node, "store", (address, lowering.emit(node, "or", (kept, new), unit)))
