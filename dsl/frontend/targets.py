"""What stands left of `=`: a name, a member, an element, a context field, the value of a cell."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial

from skverdict.dsl.frontend.context_fields import array_element, context_attribute, store_field
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import element, load, member, store
from skverdict.dsl.frontend.names import assign, read
from skverdict.dsl.frontend.values import (
    ContextArray,
    ContextValue,
    GlobalValue,
    MapValue,
    MessageValue,
    Operand,
    PacketValue,
    Reference,
    describe,
)
from skverdict.dsl.ir.types import Array, Struct
from skverdict.dsl.layout import bit_field

# What has several targets or values side by side.
ROWS = (ast.Tuple, ast.List)


def pairs(lowering: Lowering, target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Which value goes to which target. Raises Refused if there are more of the ones than of the others."""
    if not isinstance(target, ROWS) or not isinstance(value, ROWS):
        yield target, value
        return
    if len(target.elts) != len(value.elts):
        count = len(target.elts)
        raise lowering.refuse(value, f"{count} targets take {count} values, not {len(value.elts)}")
    for one_target, one_value in zip(target.elts, value.elts, strict=True):
        yield from pairs(lowering, one_target, one_value)


class Target:
    """A target whose parts are evaluated: `get` reads it, `put(node, value)` assigns what `node` gave."""

    __slots__ = ("get", "put")

    def __init__(self, get: Callable[[], Operand], put: Callable[[ast.AST, Operand], None]) -> None:
        self.get = get
        self.put = put


def target_of(lowering: Lowering, node: ast.expr) -> Target:
    """Evaluate the parts of a target, once. Raises Refused."""
    if isinstance(node, ast.Name):
        return Target(partial(read, lowering, node, node.id), partial(assign, lowering, node, node.id))
    if isinstance(node, ast.Attribute):
        return _attribute(lowering, node)
    if isinstance(node, ast.Subscript):
        return _subscript(lowering, node)
    if isinstance(node, ROWS):
        raise lowering.refuse(
            node, "several targets take as many values", "write `a, b = x, y`, or assign them one by one"
        )
    raise lowering.refuse(node, "this cannot be assigned to")


def _memory(lowering: Lowering, node: ast.AST, place: Reference) -> Target:
    return Target(partial(load, lowering, node, place), partial(store, lowering, node, place))


def _attribute(lowering: Lowering, node: ast.Attribute) -> Target:
    owner = evaluate(lowering, node.value)
    if isinstance(owner, MessageValue):
        raise lowering.refuse(node, "a message cannot be changed")
    if isinstance(owner, ContextValue):
        return Target(
            partial(context_attribute, lowering, node, owner),
            partial(store_field, lowering, node, owner, node.attr, None),
        )
    if isinstance(owner, Reference):
        bits = bit_field(owner.target, node.attr)
        if bits is not None:
            from skverdict.dsl.frontend.bit_fields import load_bits, store_bits

            return Target(
                partial(load_bits, lowering, node, owner, bits),
                partial(store_bits, lowering, node, owner, bits),
            )
        if isinstance(owner.target, Struct):
            return _memory(lowering, node, member(lowering, node, owner))
        if node.attr == "value" and not isinstance(owner.target, Array):
            return _memory(lowering, node.value, owner)
    if isinstance(owner, GlobalValue):
        from skverdict.dsl.frontend.globals import place

        return _memory(lowering, node, place(lowering, node, owner))
    raise lowering.refuse(node, f"{describe(owner)} has no `{node.attr}` that can be assigned")


def _subscript(lowering: Lowering, node: ast.Subscript) -> Target:
    owner = evaluate(lowering, node.value)
    if isinstance(owner, MapValue):
        key = lowering.segment(node.slice)
        raise lowering.refuse(
            node, "a map is not assigned to by index: an update may fail",
            f"write `{owner.map.name}.update({key}, value)`, or change the entry that `lookup` gives",
        )  # fmt: skip
    if isinstance(owner, PacketValue):
        raise lowering.refuse(
            node, "a byte of the packet may not be there, so it is not assigned to by index",
            "make a view, test it for None, and write `view.value = x`",
        )  # fmt: skip
    if isinstance(owner, ContextArray):
        index = evaluate(lowering, node.slice)
        return Target(
            partial(array_element, lowering, node, owner, index),
            partial(store_field, lowering, node, owner.context, owner.field, index),
        )
    if isinstance(owner, Reference) and isinstance(owner.target, Array):
        return _memory(lowering, node, element(lowering, node, owner, evaluate(lowering, node.slice)))
    raise lowering.refuse(node, f"{describe(owner)} cannot be assigned to by index")
