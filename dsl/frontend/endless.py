"""`while` loops that never end, or that no verifier can follow to their end."""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.assigned import assigned_names, direction_of
from skverdict.dsl.frontend.loops import MOST_TURNS
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.state import Slot, State
from skverdict.dsl.frontend.values import Scalar

_PURE = ("min", "max", "abs", "len", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "bool")


def check_ends(
    lowering: Lowering, node: ast.While, head: State, reaches_end: bool, returns: bool
) -> None:
    """Raises Refused for a loop that the kernel would not take. It was lowered without mistakes.

    `head` is what holds where each turn begins; `reaches_end`: something goes on behind the loop; `returns`:
    there is a `return` in it that is reached.
    """
    if not reaches_end and not returns:
        raise lowering.refuse(
            node.test, "this loop never ends, and the kernel takes only programs that do",
            "use `for i in range(n)`, or leave the loop with `break`",
        )  # fmt: skip
    leaves = returns or _breaks(node)
    if not leaves and not _may_change(lowering, node):
        raise lowering.refuse(
            node.test, f"once begun, this loop never ends: nothing in it changes `{lowering.segment(node.test)}`",
            "use `for i in range(n)`, or change what is tested",
        )  # fmt: skip
    _check_turns(lowering, node, head)


def _breaks(node: ast.AST) -> bool:
    """True if a `break` belongs to this loop."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Break):
            return True
        if not isinstance(child, (ast.For, ast.While)) and _breaks(child):
            return True
    return False


def _may_change(lowering: Lowering, node: ast.While) -> bool:
    """True if a turn may change what the test looks at."""
    names, reads_memory = set(), False
    for part in ast.walk(node.test):
        if isinstance(part, ast.NamedExpr):
            return True
        if isinstance(part, ast.Call) and not (isinstance(part.func, ast.Name) and part.func.id in _PURE):
            return True
        if isinstance(part, ast.Name):
            names.add(part.id)
        reads_memory |= isinstance(part, (ast.Attribute, ast.Subscript))
    if names & assigned_names(node.body, lowering.frame.source.has_walrus):
        return True
    return reads_memory and any(
        isinstance(part, ast.Call)
        or (isinstance(part, (ast.Attribute, ast.Subscript)) and isinstance(part.ctx, ast.Store))
        for statement in node.body
        for part in ast.walk(statement)
    )


def _check_turns(lowering: Lowering, node: ast.While, head: State) -> None:
    """A number that a loop raises by literals up to a limit, or lowers, and that may take very many steps."""
    test = node.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return
    rises = isinstance(test.ops[0], (ast.Lt, ast.LtE))
    if not rises and not isinstance(test.ops[0], (ast.Gt, ast.GtE)):
        return
    for part, direction in ((test.left, 1 if rises else -1), (test.comparators[0], -1 if rises else 1)):
        binding = head.names.get(part.id) if isinstance(part, ast.Name) else None
        if not isinstance(part, ast.Name) or not isinstance(binding, Slot) or _compares_in(node, part.id):
            continue
        shape = binding.shape
        if direction_of(node, part.id) != direction or not isinstance(shape, Scalar):
            continue
        turns = (shape.high - shape.low) // _longest_step(node, part.id)
        if turns > MOST_TURNS:
            raise lowering.refuse(
                test,
                f"this loop may take {turns} turns, more than the kernel's verifier follows ({MOST_TURNS})",
                "put an end to it that is known, such as `min(n, 64)`",
            )


def _compares_in(node: ast.While, name: str) -> bool:
    """True if a turn compares the number itself with something, so that it may leave the loop by its size."""
    return any(
        isinstance(part, ast.Compare) and any(_is_part_of(name, side) for side in (part.left, *part.comparators))
        for statement in node.body
        for part in ast.walk(statement)
    )


def _is_part_of(name: str, expression: ast.expr) -> bool:
    """True if an expression computes with the number; what lies at an index is not the index."""
    if isinstance(expression, ast.Subscript):
        return False
    if isinstance(expression, ast.Name):
        return expression.id == name
    parts = ast.iter_child_nodes(expression)
    return any(_is_part_of(name, part) for part in parts if isinstance(part, ast.expr))


def _longest_step(node: ast.While, name: str) -> int:
    """All that one turn can add to a number, or take from it."""
    return sum(
        int(str(step.value.value))
        for step in ast.walk(node)
        if isinstance(step, ast.AugAssign)
        and isinstance(step.target, ast.Name)
        and step.target.id == name
        and isinstance(step.value, ast.Constant)
    )
