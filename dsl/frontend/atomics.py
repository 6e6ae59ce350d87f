"""Atomic operations on a place in memory."""

from __future__ import annotations

import ast

from skverdict.dsl.atomics import Atomic
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.convert import convert
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import element, member, pointer, writable
from skverdict.dsl.frontend.values import (
    NONE,
    GlobalValue,
    Operand,
    Reference,
    Scalar,
    describe,
    with_article,
)
from skverdict.dsl.ir.types import Array, Int, Space, Struct, align_of, size_of

_SPACES = (Space.STACK, Space.MAP_VALUE, Space.RECORD)
_BITS = (32, 64)


def call_atomic(lowering: Lowering, node: ast.Call, atomic: Atomic) -> Operand:
    """`atomic_add(place, value)` and its kin. Raises Refused."""
    names = ["place", "value"] if atomic.count == 1 else ["place", "expected", "value"]
    given = assign_arguments(lowering, node, f"`{atomic.name}`", names)
    place_node = given["place"]
    place = _place(lowering, place_node)
    target = place.target
    if not isinstance(target, Int) or target.bits not in _BITS:
        raise lowering.refuse(
            place_node, f"only numbers of 32 and 64 bits change atomically, and this is {describe(place)}",
            "make it a u32 or u64",
        )  # fmt: skip
    if place.space not in _SPACES:
        raise lowering.refuse(
            place_node, "the kernel changes nothing atomically there", "it can in maps, variables and records"
        )
    writable(lowering, place_node, place)
    numbers = [
        convert(lowering, given[name], evaluate(lowering, given[name]), target) for name in names[1:]
    ]
    operands = (
        pointer(lowering, place_node, place),
        *(lowering.value(given[name], number) for name, number in zip(names[1:], numbers, strict=True)),
    )
    if lowering.discarded is node:
        lowering.effect(node, atomic.operation, operands)
        return NONE
    return Scalar(target, lowering.emit(node, atomic.operation, operands, target))


def _place(lowering: Lowering, node: ast.expr) -> Reference:
    """The place that an expression reads. Raises Refused if it is none, or may not be aligned."""
    operand: Operand | None = None
    owner: Operand | None = None
    if isinstance(node, ast.Attribute):
        owner = _owner(lowering, node.value)
        if isinstance(owner, GlobalValue):
            from skverdict.dsl.frontend.globals import place

            operand = place(lowering, node, owner)
        elif isinstance(owner, Reference) and isinstance(owner.target, Struct):
            operand = member(lowering, node, owner)
            _check_alignment(lowering, node, owner.target, operand)
        elif isinstance(owner, Reference) and node.attr == "value":
            operand = owner
    elif isinstance(node, ast.Subscript):
        owner = _owner(lowering, node.value)
        if isinstance(owner, Reference) and isinstance(owner.target, Array):
            operand = element(lowering, node, owner, evaluate(lowering, node.slice))
    elif isinstance(node, ast.Name):
        operand = evaluate(lowering, node)
    if not isinstance(operand, Reference):
        found = describe(operand) if operand is not None else "no place in memory"
        raise lowering.refuse(
            node, f"an atomic operation changes a place, and this is {found}",
            "such as `entry.value`, or a member of a structure",
        )  # fmt: skip
    return operand


def _owner(lowering: Lowering, node: ast.expr) -> Operand:
    """What a member or element is of: structures inside structures are looked at for their alignment."""
    if isinstance(node, ast.Attribute):
        outer = _owner(lowering, node.value)
        if isinstance(outer, Reference) and isinstance(outer.target, Struct):
            found = member(lowering, node, outer)
            _check_alignment(lowering, node, outer.target, found)
            return found
        if isinstance(outer, GlobalValue):
            from skverdict.dsl.frontend.globals import place

            return place(lowering, node, outer)
    return evaluate(lowering, node)


def _check_alignment(lowering: Lowering, node: ast.Attribute, owner: Struct, found: Reference) -> None:
    """A member of a packed structure may lie anywhere, which atomic operations do not take."""
    natural = align_of(found.target)
    if owner.align < natural:
        raise lowering.refuse(
            node, f"`{owner.name}` is packed, so its {size_of(found.target)} bytes here may not be aligned",
            f"leave out `packed=True`: {with_article(owner.name)} is then aligned by itself",
        )  # fmt: skip
