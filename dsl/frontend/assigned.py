"""Which names a piece of code assigns, and how often."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

# The name that an inline function's result goes by while it is expanded; no Python name can be equal to it.
RESULT = "return"


def _stores(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Every name once for each place that may assign it."""
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.Return):
                yield RESULT
            elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
                yield node.name


def assigned_names(nodes: Iterable[ast.AST]) -> set[str]:
    return set(_stores(nodes))


def assignment_counts(definition: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, int]:
    """How often each parameter and variable of a function is assigned."""
    arguments = definition.args
    counts: dict[str, int] = {}
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        counts[one.arg] = 1
    for name in _stores(definition.body):
        counts[name] = counts.get(name, 0) + 1
    for node in definition.body:
        for part in ast.walk(node):
            if isinstance(part, ast.AnnAssign) and part.value is None and isinstance(part.target, ast.Name):
                # A declaration alone assigns nothing.
                counts[part.target.id] -= 1
    return counts
