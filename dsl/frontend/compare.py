"""One comparison of two numbers, and branching on a truth value."""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.convert import convert, unify_to_compare
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.values import Scalar, ScalarType, limits, truth, with_article
from skverdict.dsl.ir.types import BOOL, BigEndian, Bool

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("eq", "=="),
    ast.NotEq: ("ne", "!="),
    ast.Lt: ("lt", "<"),
    ast.LtE: ("le", "<="),
    ast.Gt: ("gt", ">"),
    ast.GtE: ("ge", ">="),
}


def compare(
    lowering: Lowering,
    node: ast.AST,
    name: str,
    nodes: tuple[ast.expr, ast.expr],
    first: Scalar,
    second: Scalar,
) -> Scalar:
    """`first name second` as a bool. Raises Refused."""
    if (first.type is None and second.type is None) or (
        first.constant is not None and second.constant is not None and first.type == second.type
    ):
        assert first.constant is not None and second.constant is not None
        return truth(_holds(name, first.constant, second.constant))
    _fits_other(lowering, nodes[1], second, first)
    _fits_other(lowering, nodes[0], first, second)
    type_ = unify_to_compare(lowering, nodes, first, second)
    _has_order(lowering, node, name, nodes[0], type_)
    first, second = convert(lowering, nodes[0], first, type_), convert(lowering, nodes[1], second, type_)
    operands = (lowering.value(node, first), lowering.value(node, second))
    return Scalar(BOOL, lowering.emit(node, name, operands, BOOL))


def _holds(name: str, first: int, second: int) -> bool:
    return {
        "eq": first == second,
        "ne": first != second,
        "lt": first < second,
        "le": first <= second,
        "gt": first > second,
        "ge": first >= second,
    }[name]


def _fits_other(lowering: Lowering, node: ast.expr, literal: Scalar, other: Scalar) -> None:
    """A literal outside of the other operand's type makes a comparison that never changes."""
    if literal.type is None and isinstance(other.type, Bool | BigEndian):
        return
    if literal.type is None and other.type is not None:
        low, high = limits(other.type)
        assert literal.constant is not None
        if not low <= literal.constant <= high:
            raise lowering.refuse(
                node,
                f"this comparison never changes: {with_article(other.type)} is {low} to {high}, "
                f"never {literal.text}",
            )


def _has_order(lowering: Lowering, node: ast.AST, name: str, left: ast.expr, type_: ScalarType) -> None:
    if name in ("eq", "ne"):
        return
    if isinstance(type_, BigEndian):
        raise lowering.refuse(
            node,
            f"{with_article(type_)} has no order: its bytes are in network order",
            f"compare the numbers: `{lowering.operand(left)}.host()`",
        )
    if isinstance(type_, Bool):
        raise lowering.refuse(node, "a bool has no order", "combine truth values with `and`, `or`, `not`")


def go(lowering: Lowering, node: ast.AST, flag: Scalar, yes: Label, no: Label) -> None:
    """Branch on a bool; only one way if it is known."""
    if flag.constant is not None:
        lowering.jump(node, yes if flag.constant else no)
    else:
        lowering.branch(node, lowering.value(node, flag), yes, no)
