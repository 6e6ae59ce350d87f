"""Atomic operations on a place in memory."""

from __future__ import annotations

import ast

from skverdict.dsl.atomics import Atomic
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.convert import convert
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import pointer, writable
from skverdict.dsl.frontend.places import place_of
from skverdict.dsl.frontend.values import NONE, Operand, Reference, Scalar, describe
from skverdict.dsl.ir.types import Int, Space

_SPACES = (Space.STACK, Space.MAP_VALUE, Space.RECORD)
_BITS = (32, 64)


def call_atomic(lowering: Lowering, node: ast.Call, atomic: Atomic) -> Operand:
    """`atomic_add(place, value)` and its kin. Raises Refused."""
    names = ["place", "value"] if atomic.count == 1 else ["place", "expected", "value"]
    given = assign_arguments(lowering, node, f"`{atomic.name}`", names)
    place_node = given["place"]
    place = place_of(lowering, place_node)
    if not isinstance(place, Reference):
        found = describe(place) if place is not None else "no place in memory"
        raise lowering.refuse(
            place_node, f"an atomic operation changes a place, and this is {found}",
            "such as `entry.value`, or a member of a structure",
        )  # fmt: skip
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
