"""Packet bytes: `data.view(T, offset)` is a bounds check that gives a typed place, or None."""

from __future__ import annotations

import ast

from skverdict.dsl.contexts import FARTHEST
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.convert import annotation_hint, as_scalar, convert
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.values import (
    MessageBytes,
    Operand,
    PacketValue,
    Reference,
    Scalar,
    TypeValue,
    describe,
)
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import U32, BigEndian, Bool, Pointer, Space, Type, holds_context, size_of


def view(lowering: Lowering, node: ast.Call, packet: PacketValue) -> Reference:
    """`packet.view(T, offset)`. Raises Refused."""
    given = assign_arguments(lowering, node, "`view`", ["type", "offset"])
    type_node, offset_node = given["type"], given["offset"]
    target = _viewed_type(lowering, type_node)
    offset = as_scalar(lowering, offset_node, evaluate(lowering, offset_node))
    if offset.low < 0 or isinstance(offset.type, (BigEndian, Bool)):
        raise no_offset(lowering, offset_node, offset)
    if offset.low + size_of(target) > FARTHEST:
        raise lowering.refuse(
            offset_node, f"the kernel lets a program read no farther than byte {FARTHEST} of a packet"
        )
    if isinstance(packet, MessageBytes):
        from skverdict.dsl.frontend.message import message_view

        return message_view(lowering, node, packet, target, offset_node, offset)
    operands: tuple[Value, ...] = (packet.context.value,)
    base, limit = offset.constant or 0, 0
    if offset.constant is None:
        number = convert(lowering, offset_node, offset, U32)
        operands = (packet.context.value, lowering.value(offset_node, number))
        limit = offset.high
    type_ = Pointer(target, Space.PACKET, nullable=True)
    address = lowering.emit(node, "packet.view", operands, type_, offset=base, limit=limit)
    return Reference(
        target,
        Space.PACKET,
        "this view of the packet",
        lowering.place(node),
        pointer=address,
        nullable=True,
        epoch=lowering.here.epoch,
    )


def no_offset(lowering: Lowering, node: ast.AST, number: Scalar) -> Exception:
    """The refusal of a number that is no offset."""
    hint = ""
    if isinstance(number.type, BigEndian):
        hint = f"write `{lowering.operand(node)}.host()`"
    elif number.constant is None:
        hint = annotation_hint(lowering, number, U32) or f"write `u32({lowering.segment(node)})`"
    return lowering.refuse(
        node, f"an offset counts bytes from the start, but this is {describe(number)}", hint
    )


def _viewed_type(lowering: Lowering, node: ast.expr) -> Type:
    operand: Operand = evaluate(lowering, node)
    if not isinstance(operand, TypeValue):
        raise lowering.refuse(
            node, f"`view` needs a type first, but this is {describe(operand)}", "write `view(u16, offset)`"
        )
    if isinstance(operand.type, Bool):
        raise lowering.refuse(node, "a byte of the packet may be neither 0 nor 1", "write `view(u8, offset)`")
    if holds_context(operand.type):
        raise lowering.refuse(node, f"{describe(operand)} holds a context, which no packet has")
    return operand.type


