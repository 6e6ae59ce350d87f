"""`match`: each case is a comparison, in the order of the source."""

from __future__ import annotations

import ast
from collections.abc import Callable

from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.compare import compare, go
from skverdict.dsl.frontend.conditions import decide
from skverdict.dsl.frontend.convert import as_scalar
from skverdict.dsl.frontend.dispatch import evaluate, statement
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.names import assign
from skverdict.dsl.frontend.narrowing import OPPOSITE, compared
from skverdict.dsl.frontend.statements import body
from skverdict.dsl.frontend.values import (
    MaybeNumber,
    Operand,
    PacketByte,
    PacketValue,
    Reference,
    Scalar,
    Window,
    truth,
)
from skverdict.dsl.ir.types import BOOL


class Subject:
    """What is matched: its expression and its value, which is computed once."""

    __slots__ = ("maybe", "node", "number", "taken")

    def __init__(self, node: ast.expr, number: Scalar, maybe: MaybeNumber | None = None) -> None:
        self.node = node
        self.number = number
        # The numbers that cases without a guard have taken, and where.
        self.taken: dict[int, Place] = {}
        # The subject itself where it may be None.
        self.maybe = maybe


@statement(ast.Match)
def match_statement(lowering: Lowering, node: ast.Match) -> None:
    operand = evaluate(lowering, node.subject)
    if isinstance(operand, (Window, PacketValue, Reference)):
        from skverdict.dsl.frontend.byte_places import as_window

        window = as_window(lowering, node.subject, operand)
        if window is not None:
            from skverdict.dsl.frontend.byte_matching import match_bytes

            match_bytes(lowering, node, window)
            return
    subject = _subject(lowering, node.subject, operand)
    end = lowering.label(node, "end")
    for case in node.cases:
        _warn_of_hidden(lowering, case, subject)
        matched, following = lowering.label(case.pattern, "case"), lowering.label(case.pattern, "next")
        _go_by_pattern(lowering, case.pattern, subject, matched, following)
        if lowering.enter(matched):
            run_case(lowering, case, following, end)
        if not lowering.enter(following):
            break
        if subject.maybe is not None and case.guard is None and _takes_none(case.pattern):
            subject.maybe = subject.maybe.altered(nullable=False)
    if lowering.state is not None:
        lowering.jump(node.subject, end, f"when no case of the match on line {node.lineno} fits")
    lowering.enter(end)


def _warn_of_hidden(lowering: Lowering, case: ast.match_case, subject: Subject) -> None:
    """A number that an earlier case has taken for certain never comes to this one."""
    for part in ast.walk(case.pattern):
        if not isinstance(part, ast.MatchValue):
            continue
        operand = evaluate(lowering, part.value)
        number = operand.constant if isinstance(operand, Scalar) else None
        if number is None:
            continue
        if number in subject.taken:
            lowering.scope.reporter.warning(
                lowering.place(part), f"this case never fits: {number} was taken before", "remove it",
                [(subject.taken[number], "this case takes it")],
            )  # fmt: skip
        elif case.guard is None:
            subject.taken[number] = lowering.place(part)


def _takes_none(node: ast.pattern) -> bool:
    """True for a pattern that None fits."""
    if isinstance(node, ast.MatchOr):
        return any(_takes_none(part) for part in node.patterns)
    return isinstance(node, ast.MatchSingleton) and node.value is None


def _subject(lowering: Lowering, node: ast.expr, operand: Operand) -> Subject:
    """The subject as a number; one that may be None as a wider one, which no case of a number fits then."""
    if not isinstance(operand, (PacketByte, MaybeNumber)):
        return Subject(node, as_scalar(lowering, node, operand))
    from skverdict.dsl.frontend.maybe_numbers import as_maybe, wide

    maybe = as_maybe(lowering, node, operand)
    return Subject(node, wide(maybe), maybe)


def run_case(lowering: Lowering, case: ast.match_case, following: Label, end: Label) -> None:
    """The guard and the body of a case whose pattern fits."""
    if case.guard is not None:
        taken = lowering.label(case.guard, "guarded")
        decide(lowering, case.guard, taken, following)
        if not lowering.enter(taken):
            return
    body(lowering, case.body)
    if lowering.state is not None:
        lowering.jump(case.pattern, end, f"when the case on line {case.pattern.lineno} fits")


def _go_by_pattern(lowering: Lowering, node: ast.pattern, subject: Subject, yes: Label, no: Label) -> None:
    handler = _PATTERNS.get(type(node))
    if handler is None:
        raise lowering.refuse(
            node, "`match` compares only numbers and bytes", "write `case 1:`, `case A | B:` or `case _:`"
        )
    handler(lowering, node, subject, yes, no)


def _value(lowering: Lowering, node: ast.pattern, subject: Subject, yes: Label, no: Label) -> None:
    assert isinstance(node, ast.MatchValue)
    other = as_scalar(lowering, node.value, evaluate(lowering, node.value))
    if subject.maybe is not None:
        from skverdict.dsl.frontend.maybe_numbers import go_by_equality

        go_by_equality(lowering, node, (subject.node, node.value), subject.maybe, other, yes, no)
        return
    flag = compare(lowering, node, "eq", (subject.node, node.value), subject.number, other)
    if flag.constant is not None:
        go(lowering, node, flag, yes, no)
        return
    states = [compared(lowering.here, subject.node, name, other) for name in ("eq", OPPOSITE["eq"])]
    lowering.branch(node, lowering.value(node, flag), yes, no, *states)


def _singleton(lowering: Lowering, node: ast.pattern, subject: Subject, yes: Label, no: Label) -> None:
    assert isinstance(node, ast.MatchSingleton)
    if node.value is None and subject.maybe is not None:
        from skverdict.dsl.frontend.maybe_numbers import go_by_none

        go_by_none(lowering, node, subject.node, subject.maybe, yes, no)
        return
    if not isinstance(node.value, bool) or subject.number.type != BOOL:
        raise lowering.refuse(node, f"a number is never {node.value}")
    value = ast.copy_location(ast.Constant(node.value), node)
    flag = compare(lowering, node, "eq", (subject.node, value), subject.number, truth(node.value))
    go(lowering, node, flag, yes, no)


def _any_of(lowering: Lowering, node: ast.pattern, subject: Subject, yes: Label, no: Label) -> None:
    assert isinstance(node, ast.MatchOr)
    for part in node.patterns[:-1]:
        following = lowering.label(part, "or")
        _go_by_pattern(lowering, part, subject, yes, following)
        if not lowering.enter(following):
            return
    _go_by_pattern(lowering, node.patterns[-1], subject, yes, no)


def _capture(lowering: Lowering, node: ast.pattern, subject: Subject, yes: Label, no: Label) -> None:
    """`_`, a name, or `pattern as name`."""
    assert isinstance(node, ast.MatchAs)
    if node.pattern is not None:
        fits = lowering.label(node, "as")
        _go_by_pattern(lowering, node.pattern, subject, fits, no)
        if not lowering.enter(fits):
            return
    if node.name is not None:
        warn_of_shadow(lowering, node)
        assign(lowering, node, node.name, node, subject.maybe or subject.number)
    lowering.jump(node, yes)


def warn_of_shadow(lowering: Lowering, node: ast.MatchAs) -> None:
    """`case LIMIT:` takes anything and calls it LIMIT, whatever the module calls so."""
    constant = lowering.frame.function.__globals__.get(node.name or "")
    if node.pattern is None and isinstance(constant, (int, bytes)):
        from skverdict.dsl.frontend.imports import dotted

        lowering.scope.reporter.warning(
            lowering.place(node),
            f"this takes anything: `{node.name}` is a new name here, not the constant of the module",
            dotted(str(node.name)),
        )


_Handler = Callable[[Lowering, ast.pattern, Subject, Label, Label], None]
_PATTERNS: dict[type[ast.pattern], _Handler] = {
    ast.MatchValue: _value,
    ast.MatchSingleton: _singleton,
    ast.MatchOr: _any_of,
    ast.MatchAs: _capture,
}
