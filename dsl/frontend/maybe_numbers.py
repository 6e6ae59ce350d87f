"""Numbers that may be None: a byte of the packet, and what an @inline function declares as `u8 | None`.

At run time such a number is a wider integer in which -1 stands for None.
"""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.annotations import Annotation
from skverdict.dsl.frontend.byte_places import is_known, load_byte, reach
from skverdict.dsl.frontend.compare import compare, go
from skverdict.dsl.frontend.convert import convert
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.memory import test_hint
from skverdict.dsl.frontend.narrowing import compared, not_none
from skverdict.dsl.frontend.values import (
    MaybeNumber,
    NoneValue,
    Operand,
    PacketByte,
    Scalar,
    limits,
    truth,
    with_article,
)
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import BOOL, I32, I64, U8, U16, U32, Bool, Int, Type

NOTHING = -1

# The integer that holds a number of each type, or None.
CARRIERS: dict[Type, Int] = {U8: I32, U16: I32, U32: I64}

_BYTE = "this byte of the packet"


def as_maybe(lowering: Lowering, node: ast.AST, operand: PacketByte | MaybeNumber) -> MaybeNumber:
    """Look at a byte of the packet now."""
    if isinstance(operand, MaybeNumber):
        return operand
    place, origin = operand.place, lowering.place(node)
    if is_known(lowering, place):
        short = lowering.label(node, "short")
        byte = load_byte(lowering, node, reach(lowering, node, place, 0, 1, short))
        return MaybeNumber(U8, _BYTE, origin, lowering.emit(node, "convert", (byte,), I32), nullable=False)
    short, end = lowering.label(node, "short"), lowering.label(node, "byte")
    local = lowering.new_local("byte", I32)
    byte = load_byte(lowering, node, reach(lowering, node, place, 0, 1, short))
    wide = lowering.emit(node, "convert", (byte,), I32)
    lowering.effect(node, "local.set", (wide,), local=local)
    lowering.jump(node, end)
    lowering.enter(short)
    lowering.effect(node, "local.set", (nothing(lowering, node, I32),), local=local)
    lowering.jump(node, end)
    lowering.enter(end)
    return MaybeNumber(U8, _BYTE, origin, lowering.emit(node, "local.get", (), I32, local=local))


def nothing(lowering: Lowering, node: ast.AST, carrier: Int) -> Value:
    """None in an integer of type `carrier`."""
    return lowering.value(node, Scalar(carrier, constant=NOTHING))


def sure_number(lowering: Lowering, node: ast.AST, operand: PacketByte | MaybeNumber) -> Scalar:
    """The number of what is known not to be None. Raises Refused otherwise."""
    if isinstance(operand, PacketByte) and is_known(lowering, operand.place):
        found = reach(lowering, node, operand.place, 0, 1, lowering.label(node, "short"))
        return Scalar(U8, load_byte(lowering, node, found))
    if isinstance(operand, PacketByte) or operand.nullable:
        what = _BYTE if isinstance(operand, PacketByte) else operand.what
        origin = operand.place.origin if isinstance(operand, PacketByte) else operand.origin
        notes = [(origin, "it comes from here")] if isinstance(node, ast.Name) else []
        raise lowering.refuse(node, f"{what} may be None here", test_hint(lowering, node), notes)
    assert operand.value is not None
    value = lowering.emit(node, "convert", (operand.value,), operand.type)
    return Scalar(operand.type, value, low=operand.low, high=operand.high)


def some_number(lowering: Lowering, node: ast.expr, operand: PacketByte | MaybeNumber, no: Label) -> Scalar:
    """The number, where there is one; goes to `no` where the operand, which `node` gave, is None."""
    if isinstance(operand, PacketByte):
        found = reach(lowering, node, operand.place, 0, 1, no)
        return Scalar(U8, load_byte(lowering, node, found))
    if operand.nullable:
        some = lowering.label(node, "some")
        go_by_none(lowering, node, node, operand, no, some)
        lowering.enter(some)
        operand = operand.altered(nullable=False)
    return sure_number(lowering, node, operand)


def go_by_none(
    lowering: Lowering,
    node: ast.AST,
    tested: ast.expr,
    operand: PacketByte | MaybeNumber,
    yes: Label,
    no: Label,
) -> None:
    """Go to `yes` if the operand, which `tested` gave, is None, else to `no`."""
    if isinstance(operand, PacketByte):
        reach(lowering, node, operand.place, 0, 1, yes)
        lowering.jump(node, no)
        return
    if not operand.nullable:
        go(lowering, node, truth(False), yes, no)
        return
    there = not_none(lowering.here, tested)
    lowering.branch(node, _is_nothing(lowering, node, operand), yes, no, no_state=there)


def _is_nothing(lowering: Lowering, node: ast.AST, operand: MaybeNumber) -> Value:
    assert operand.value is not None
    carrier = CARRIERS[operand.type]
    return lowering.emit(
        node, "eq", (operand.value, nothing(lowering, node, carrier)), BOOL
    )


def go_by_truth(
    lowering: Lowering, node: ast.expr, operand: PacketByte | MaybeNumber, yes: Label, no: Label
) -> None:
    """Go to `yes` if the operand is neither None nor 0."""
    number = as_maybe(lowering, node, operand)
    assert number.value is not None
    zero = lowering.value(node, Scalar(CARRIERS[number.type], constant=0))
    flag = lowering.emit(node, "gt", (number.value, zero), BOOL)
    lowering.branch(node, flag, yes, no, yes_state=not_none(lowering.here, node))


def go_by_equality(
    lowering: Lowering,
    node: ast.AST,
    nodes: tuple[ast.expr, ast.expr],
    left: Operand,
    right: Scalar | PacketByte | MaybeNumber,
    yes: Label,
    no: Label,
) -> None:
    """Go to `yes` if a number that may be None equals another; None equals no number. Raises Refused."""
    assert isinstance(left, (PacketByte, MaybeNumber))
    if not isinstance(right, Scalar):
        first, second = as_maybe(lowering, nodes[0], left), as_maybe(lowering, nodes[1], right)
        flag = compare(lowering, node, "eq", nodes, wide(first), wide(second))
        go(lowering, node, flag, yes, no)
        return
    type_ = U8 if isinstance(left, PacketByte) else left.type
    _refuse_other(lowering, nodes[1], right, type_)
    if isinstance(left, PacketByte):
        found = reach(lowering, nodes[0], left.place, 0, 1, no)
        number = Scalar(U8, load_byte(lowering, nodes[0], found))
        go(lowering, node, compare(lowering, node, "eq", nodes, number, right), yes, no)
        return
    if left.nullable and right.low <= NOTHING <= right.high:
        # The other number may be what stands for None.
        some = lowering.label(node, "some")
        go_by_none(lowering, nodes[0], nodes[0], left, no, some)
        lowering.enter(some)
    flag = compare(lowering, node, "eq", nodes, wide(left), right)
    if flag.constant is not None:
        go(lowering, node, flag, yes, no)
        return
    there = compared(not_none(lowering.here, nodes[0]), nodes[0], "eq", right)
    lowering.branch(node, lowering.value(node, flag), yes, no, yes_state=there)


def _refuse_other(lowering: Lowering, node: ast.expr, number: Scalar, type_: Int) -> None:
    """Raises Refused for a constant that no number of the type is."""
    low, high = limits(type_)
    if number.constant is not None and not low <= number.constant <= high:
        raise lowering.refuse(
            node, f"this comparison never changes: {with_article(type_)} is {low} to {high}, "
            f"never {number.text}",
        )  # fmt: skip


def wide(number: MaybeNumber) -> Scalar:
    """The number as its carrier, for comparisons that None may take part in."""
    low = NOTHING if number.nullable else number.low
    return Scalar(CARRIERS[number.type], number.value, low=low, high=number.high)


def holdable(lowering: Lowering, node: ast.AST, annotation: Annotation) -> Int:
    """The type of a number that is annotated as `T | None`. Raises Refused if there is no room for None."""
    type_ = annotation.type
    if isinstance(type_, Int) and type_ in CARRIERS:
        return type_
    raise lowering.refuse(
        node, f"`{annotation.text} | None` is not supported: only u8, u16 and u32 can be None",
        "use a bool beside the number",
    )  # fmt: skip


def assigned(
    lowering: Lowering, value_node: ast.AST, value: Operand, type_: Int, what: str
) -> MaybeNumber | None:
    """A number, None, or one that may be either, as a `type_ | None`; None if it is something else.

    `what` names it for messages. Raises Refused for a number that does not fit.
    """
    carrier = CARRIERS[type_]
    origin = lowering.place(value_node)
    if isinstance(value, NoneValue):
        return MaybeNumber(type_, what, origin, nothing(lowering, value_node, carrier))
    if isinstance(value, PacketByte):
        value = as_maybe(lowering, value_node, value)
    if isinstance(value, MaybeNumber):
        if value.type == type_:
            return value
        if not value.nullable:
            value = sure_number(lowering, value_node, value)
    if isinstance(value, Scalar) and not isinstance(value.type, Bool):
        number = convert(lowering, value_node, value, type_)
        held = lowering.value(value_node, convert(lowering, value_node, number, carrier))
        return MaybeNumber(type_, what, origin, held, nullable=False, within=(number.low, number.high))
    return None
