"""Which statement a line of source belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_COMPOUND = (ast.If, ast.For, ast.While, ast.Match, ast.FunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Statement(NamedTuple):
    """A statement that begins at `line`, in the function whose first line, a decorator's perhaps, is
    `function`.

    A `compound` one has statements inside; the pattern of a `case` counts as one, too.
    """

    line: int
    function: int
    compound: bool


def statements_by_line(lines: Sequence[str]) -> dict[int, Statement]:
    """The innermost statement at each line that is inside a function; lines count from 1."""
    found: dict[int, Statement] = {}
    for node in ast.walk(_parse(lines)):
        if isinstance(node, Function):
            start = first_line(node)
            for line, end, compound in _inside(node.body):
                found.update(dict.fromkeys(range(line, end + 1), Statement(line, start, compound)))
    return found


def entries(lines: Sequence[str]) -> set[tuple[int, int]]:
    """The arcs by which functions are entered: minus the first line, and that of the first statement."""
    return {
        (-first_line(node), _first_statement(node).lineno)
        for node in ast.walk(_parse(lines))
        if isinstance(node, Function)
    }


def _first_statement(node: Function) -> ast.stmt:
    """Python runs nothing for a docstring, unless there is nothing else."""
    return node.body[1] if len(node.body) > 1 and ast.get_docstring(node, clean=False) else node.body[0]


def _parse(lines: Sequence[str]) -> ast.Module:
    return ast.parse("\n".join(line.rstrip("\r\n") for line in lines))


def first_line(node: Function) -> int:
    """The line at which a function begins, as Python and coverage.py count it."""
    return node.decorator_list[0].lineno if node.decorator_list else node.lineno


def _inside(body: Sequence[ast.stmt]) -> Iterator[tuple[int, int, bool]]:
    """First and last line of each statement, outer ones before those inside."""
    for node in body:
        yield node.lineno, node.end_lineno or node.lineno, isinstance(node, _COMPOUND)
        if isinstance(node, ast.Match):
            for case in node.cases:
                yield case.pattern.lineno, case.pattern.end_lineno or case.pattern.lineno, True
                yield from _inside(case.body)
        for part in ("body", "orelse"):
            yield from _inside(getattr(node, part, ()))
