"""`for x in (1, 2, 3)`: the body is lowered once for each element, for which the name stands in it."""

from __future__ import annotations

import ast
from enum import EnumMeta
from typing import NamedTuple

from skverdict.dsl.frontend.assigned import assigned_names
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.loops import body_of_loop
from skverdict.dsl.frontend.lowering import Loop, Lowering
from skverdict.dsl.frontend.names import assign
from skverdict.dsl.frontend.python_values import operand_of
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.state import Missing
from skverdict.dsl.frontend.statements import body
from skverdict.dsl.frontend.values import Operand, PythonValue, constant, describe

# Each element costs the whole body again.
MOST_ELEMENTS = 64


class Element(NamedTuple):
    """One element: where it is written, and what it is, or its parts if it is a tuple."""

    node: ast.expr
    value: Operand
    parts: tuple[Operand, ...] = ()


def elements_of(lowering: Lowering, node: ast.expr) -> list[Element] | None:
    """The elements of a tuple or the like, each evaluated once; None if it is something else."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return [_written(lowering, part) for part in node.elts]
    if isinstance(node, ast.Set):
        raise _no_order(lowering, node)
    if isinstance(node, ast.Call):
        return _of_call(lowering, node)
    if not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Constant)):
        return None
    operand = evaluate(lowering, node)
    if not isinstance(operand, PythonValue):
        return None
    if isinstance(operand.object, (tuple, list, dict, bytes, EnumMeta)):
        return [_given(lowering, node, operand.name, thing) for thing in operand.object]
    if isinstance(operand.object, (set, frozenset)):
        raise _no_order(lowering, node)
    return None


def _of_call(lowering: Lowering, node: ast.Call) -> list[Element] | None:
    """The elements of `enumerate`, `zip` or `reversed` of tuples, or those of a dict of the module."""
    function = evaluate(lowering, node.func) if isinstance(node.func, ast.Name) else None
    if isinstance(node.func, ast.Attribute) and node.func.attr in _OF_DICT and not (node.args or node.keywords):
        owner = evaluate(lowering, node.func.value)
        if isinstance(owner, PythonValue) and isinstance(owner.object, dict):
            things = getattr(owner.object, node.func.attr)()
            return [_given(lowering, node, owner.name, thing) for thing in things]
    if not isinstance(function, PythonValue) or node.keywords or not node.args:
        return None
    if function.object not in (enumerate, zip, reversed) or (function.object is not zip and len(node.args) > 1):
        return None
    rows = [elements_of(lowering, argument) for argument in node.args]
    found = [row for row in rows if row is not None]
    if len(found) < len(rows):
        return None
    if function.object is reversed:
        return found[0][::-1]
    if function.object is enumerate:
        numbers = [Element(node, constant(number)) for number in range(len(found[0]))]
        found.insert(0, numbers)
    tuple_ = PythonValue("this tuple", ())
    return [Element(node, tuple_, tuple(one.value for one in row)) for row in zip(*found, strict=False)]


# What a dict of the module gives to run through.
_OF_DICT = ("items", "keys", "values")


def _no_order(lowering: Lowering, node: ast.expr) -> Refused:
    return lowering.refuse(node, "a set has no order to run through", "use a tuple")


def _written(lowering: Lowering, node: ast.expr) -> Element:
    if isinstance(node, (ast.Tuple, ast.List)):
        parts = tuple(evaluate(lowering, part) for part in node.elts)
        return Element(node, PythonValue("this tuple", ()), parts)
    return Element(node, evaluate(lowering, node))


def _given(lowering: Lowering, node: ast.expr, name: str, thing: object) -> Element:
    parts = thing if isinstance(thing, (tuple, list)) else ()
    operands = tuple(operand_of(lowering.scope, name, part) for part in parts)
    return Element(node, operand_of(lowering.scope, name, thing), operands)


def unrolled(lowering: Lowering, node: ast.For, elements: list[Element]) -> None:
    """The loop over `elements`. Raises Refused."""
    if len(elements) > MOST_ELEMENTS:
        raise lowering.refuse(
            node.iter, f"{len(elements)} elements are more than are worth {len(elements)} copies of the body",
            f"use at most {MOST_ELEMENTS}, or an ArrayMap and `for i in range(...)`",
        )  # fmt: skip
    end = lowering.label(node, "end")
    outer = lowering.turns
    try:
        for number, element in enumerate(elements):
            # What begins in one turn is not what began at the same place in another.
            lowering.turns = (*outer, -1 - number)
            _bind(lowering, node.target, element)
            again = lowering.label(node, "next")
            body_of_loop(lowering, Loop(again, end), node.body)
            if lowering.state is not None:
                lowering.jump(node, again)
            if not lowering.enter(again):
                break
    finally:
        lowering.turns = outer
    if lowering.state is not None:
        for name in assigned_names([node], lowering.frame.source.has_walrus):
            why = f"when the loop on line {node.lineno} does not run"
            lowering.here.names.setdefault(name, Missing(lowering.place(node), why))
        body(lowering, node.orelse)
        if lowering.state is not None:
            lowering.jump(node, end, f"when the loop on line {node.lineno} runs to its end")
    lowering.enter(end)


def _bind(lowering: Lowering, target: ast.expr, element: Element) -> None:
    """Let the target stand for an element, or several names for its parts. Raises Refused."""
    if isinstance(target, ast.Name):
        _name(lowering, target, element.node, element.value)
        return
    names = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
    if not names or any(not isinstance(name, ast.Name) for name in names):
        what = "a `for` loop needs a name, or names in a row"
        raise lowering.refuse(target, what, "write `for a, b in ...`")
    if len(names) != len(element.parts):
        found = f"{len(element.parts)} parts" if element.parts else describe(element.value)
        raise lowering.refuse(
            element.node, f"{len(names)} names are to stand for an element, but this is {found}"
        )
    for name, part in zip(names, element.parts, strict=True):
        assert isinstance(name, ast.Name)
        _name(lowering, name, element.node, part)


def _name(lowering: Lowering, target: ast.Name, node: ast.expr, value: Operand) -> None:
    """Let a name stand for an element; it may be a string or the like, since it is known in each turn."""
    if isinstance(value, PythonValue):
        lowering.bind(target.id, value)
    else:
        assign(lowering, node, target.id, node, value)
