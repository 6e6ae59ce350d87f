"""Which function lowers which kind of Python syntax. The modules of this package fill the tables.

Most policies use a part of the language only, and importing takes longer than compiling, so modules for the
rest are imported when their syntax is met.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, TypeVar

from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.values import Operand

Evaluate = Callable[[Lowering, Any], Operand]
Execute = Callable[[Lowering, Any], None]
Decide = Callable[[Lowering, Any, Label, Label], None]

EXPRESSIONS: dict[type[ast.AST], Evaluate] = {}
STATEMENTS: dict[type[ast.AST], Execute] = {}
CONDITIONS: dict[type[ast.AST], Decide] = {}

_LATE: dict[type[ast.AST], str] = {
    ast.For: "loops",
    ast.While: "loops",
    ast.Break: "loops",
    ast.Continue: "loops",
    ast.Match: "matching",
    ast.With: "locking",
}

E = TypeVar("E", bound=Evaluate)
X = TypeVar("X", bound=Execute)
D = TypeVar("D", bound=Decide)


def expression(*kinds: type[ast.AST]) -> Callable[[E], E]:
    """Marks the function that evaluates these kinds of expression."""

    def register(function: E) -> E:
        EXPRESSIONS.update(dict.fromkeys(kinds, function))
        return function

    return register


def statement(*kinds: type[ast.AST]) -> Callable[[X], X]:
    """Marks the function that lowers these kinds of statement."""

    def register(function: X) -> X:
        STATEMENTS.update(dict.fromkeys(kinds, function))
        return function

    return register


def condition(*kinds: type[ast.AST]) -> Callable[[D], D]:
    """Marks the function that lowers these kinds of expression where only their truth counts."""

    def register(function: D) -> D:
        CONDITIONS.update(dict.fromkeys(kinds, function))
        return function

    return register


def evaluate(lowering: Lowering, node: ast.expr) -> Operand:
    """Lower an expression. Raises Refused."""
    handler = EXPRESSIONS.get(type(node))
    if handler is None:
        raise unsupported(lowering, node)
    return handler(lowering, node)


def execute(lowering: Lowering, node: ast.stmt) -> None:
    """Lower a statement. Raises Refused."""
    kind = type(node)
    if kind in _LATE and kind not in STATEMENTS:
        from importlib import import_module

        import_module(f"{__package__}.{_LATE[kind]}")
    handler = STATEMENTS.get(kind)
    if handler is None:
        raise unsupported(lowering, node)
    handler(lowering, node)


def unsupported(lowering: Lowering, node: ast.AST) -> Refused:
    from skverdict.dsl.frontend.unsupported import explain

    message, hint = explain(node)
    return lowering.refuse(node, message, hint)


