"""How far into the packet a conjunction looks: `data[0] == 1 and data[1] == 2` needs one check for both.

Nothing tells the difference: a test of bytes has no effect, and bytes that are not there make it false.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence


def reach_of(tests: Sequence[ast.expr]) -> int:
    """The bytes from the start of the packet that the tests of bytes at the head of `tests` need."""
    farthest, first = 0, ""
    for test in tests:
        found = _test_of_bytes(test)
        if found is None or (first and found[0] != first):
            break
        first = found[0]
        farthest = max(farthest, found[1])
    return farthest


def _test_of_bytes(node: ast.expr) -> tuple[str, int] | None:
    """What is indexed, and where the last byte ends that the test looks at, if it is one of bytes."""
    if isinstance(node, ast.Call):
        is_prefix = isinstance(node.func, ast.Attribute) and node.func.attr == "startswith"
        if not is_prefix or len(node.args) != 1 or not isinstance(node.args[0], ast.Constant):
            return None
        assert isinstance(node.func, ast.Attribute)
        return _prefixed(node.func.value, node.args[0].value)
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq):
        return None
    if not isinstance(node.comparators[0], (ast.Constant, ast.Name, ast.Attribute)):
        return None
    return _indexed(node.left)


def _prefixed(node: ast.expr, prefix: object) -> tuple[str, int] | None:
    if not isinstance(prefix, bytes):
        return None
    if not isinstance(node, ast.Subscript):
        return ast.dump(node), len(prefix)
    if not isinstance(node.slice, ast.Slice):
        return None
    start = 0 if node.slice.lower is None else _number(node.slice.lower)
    return None if start is None else (ast.dump(node.value), start + len(prefix))


def _indexed(node: ast.expr) -> tuple[str, int] | None:
    """`data[3]` ends at 4, `data[0:4]` too."""
    if not isinstance(node, ast.Subscript):
        return None
    if not isinstance(node.slice, ast.Slice):
        index = _number(node.slice)
        return None if index is None else (ast.dump(node.value), index + 1)
    if node.slice.lower is not None and _number(node.slice.lower) is None:
        return None
    end = _number(node.slice.upper) if node.slice.upper is not None else None
    return None if end is None else (ast.dump(node.value), end)


def _number(node: ast.expr) -> int | None:
    """A literal position."""
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value >= 0:
        return node.value
    return None
