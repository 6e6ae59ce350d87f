"""Which names a piece of code assigns, and how often."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

# The name that an inline function's result goes by while it is expanded; no Python name can be equal to it.
RESULT = "return"

_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")

# A name, and 1 for an assignment or 0 for a declaration alone.
_Store = tuple[str, int]


def _stores(nodes: Iterable[ast.AST], walrus: bool) -> Iterator[_Store]:
    """Every place that may assign a name; `walrus`: expressions may do so, too."""
    for node in nodes:
        if walrus:
            for part in ast.walk(node):
                if isinstance(part, ast.NamedExpr):
                    yield part.target.id, 1
        yield from _statement(node)


def _statement(node: ast.AST) -> Iterator[_Store]:
    if isinstance(node, ast.Return):
        yield RESULT, 1
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _target(target, 1)
    elif isinstance(node, ast.AugAssign):
        yield from _target(node.target, 1)
    elif isinstance(node, ast.For):
        yield from _target(node.target, _times(node))
    elif isinstance(node, ast.AnnAssign):
        yield from _target(node.target, 0 if node.value is None else 1)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        # These are refused, and what they are called then stands for an error already told.
        yield node.name, 1
    elif isinstance(node, ast.Global):
        yield from ((name, 0) for name in node.names)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name.partition(".")[0], 1) for alias in node.names)
    elif isinstance(node, ast.match_case):
        for part in ast.walk(node.pattern):
            if isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
                yield part.name, 1
    for block in _BLOCKS:
        inner = getattr(node, block, None)
        if isinstance(inner, list):
            for part in inner:
                yield from _statement(part)


def is_counter(definition: ast.AST, name: str, count: int) -> bool:
    """True if nothing but loops over ranges and literals assigns a name that is assigned `count` times."""
    return count == sum(
        times
        for node in ast.walk(definition)
        if isinstance(node, ast.For) and _counts(node.iter)
        for target, times in _target(node.target, _times(node))
        if target == name
    )


def _counts(iterated: ast.expr) -> bool:
    """True for a range or the like, and for literals in a row."""
    if isinstance(iterated, (ast.Tuple, ast.List)):
        return all(map(_counts, iterated.elts))
    return isinstance(iterated, (ast.Call, ast.Constant))


def direction_of(node: ast.AST, name: str) -> int | None:
    """1 if a piece of code only adds positive literals to a name, -1 if it only takes some away, else None."""
    steps = {
        part.target: _step(part)
        for part in ast.walk(node)
        if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name)
    }
    found = {
        steps.get(part)
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
    }
    return found.pop() if len(found) == 1 else None


def _step(node: ast.AugAssign) -> int | None:
    value = node.value
    if not isinstance(value, ast.Constant) or type(value.value) is not int or value.value <= 0:
        return None
    return {ast.Add: 1, ast.Sub: -1}.get(type(node.op))


def _times(node: ast.For) -> int:
    """How often a loop assigns its name: 2 over a tuple that `break` may leave, since it may be any element then."""
    if isinstance(node.iter, ast.Call):
        return 1
    return 2 if any(isinstance(part, ast.Break) for part in ast.walk(node)) else 1


def _target(node: ast.AST, count: int) -> Iterator[_Store]:
    if isinstance(node, ast.Name):
        yield node.id, count
    elif isinstance(node, ast.Tuple | ast.List):
        for part in node.elts:
            yield from _target(part, count)


def assigned_names(nodes: Iterable[ast.AST], walrus: bool) -> set[str]:
    """The names that `nodes` may assign; `walrus` as `Source.has_walrus` says."""
    return {name for name, _ in _stores(nodes, walrus)}


def assignment_counts(definition: ast.FunctionDef | ast.AsyncFunctionDef, walrus: bool) -> dict[str, int]:
    """How often each parameter and variable of a function is assigned."""
    arguments = definition.args
    counts: dict[str, int] = {}
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        counts[one.arg] = 1
    for name, count in _stores(definition.body, walrus):
        counts[name] = counts.get(name, 0) + count
    return counts
