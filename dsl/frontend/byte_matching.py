"""`match` on bytes: a case fits where the subject begins with its byte string.

One check serves all cases: the first bytes, as many as the shortest case has. A packet without them goes to
the first case that takes anything.
"""

from __future__ import annotations

import ast

from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.byte_places import content_of, reach
from skverdict.dsl.frontend.byte_tests import begins, begins_if_long_enough, bytes_count
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.matching import run_case, warn_of_shadow
from skverdict.dsl.frontend.names import assign
from skverdict.dsl.frontend.values import Window, describe


class _Case:
    """One case: its byte strings (none: it takes anything), the names it binds, and where it goes."""

    __slots__ = ("case", "choices", "matched", "names", "next")

    def __init__(self, lowering: Lowering, case: ast.match_case) -> None:
        self.case = case
        self.names: list[str] = []
        self.choices: list[tuple[ast.expr, bytes]] | None = []
        self.matched = lowering.label(case.pattern, "case")
        self.next = lowering.label(case.pattern, "next")


def match_bytes(lowering: Lowering, node: ast.Match, window: Window) -> None:
    """The whole statement. Raises Refused."""
    cases = [_read_case(lowering, case, window) for case in node.cases]
    _warn_of_hidden(lowering, cases)
    end = lowering.label(node, "end")
    lengths = [len(content) for one in cases for _, content in one.choices or ()]
    shortest = min(lengths, default=0) if window.length is None else 0
    if shortest:
        _look(lowering, node, window, shortest, cases, end)
    for one in cases:
        _go_by_case(lowering, one, window, shortest)
        if lowering.enter(one.matched):
            run_case(lowering, one.case, one.next, end)
        if not lowering.enter(one.next):
            break
    if lowering.state is not None:
        lowering.jump(node.subject, end, f"when no case of the match on line {node.lineno} fits")
    lowering.enter(end)


def _look(
    lowering: Lowering, node: ast.Match, window: Window, size: int, cases: list[_Case], end: Label
) -> None:
    """Check for the first bytes; without them, go to what needs none."""
    short = lowering.label(node.subject, "short")
    reach(lowering, node.subject, window, 0, size, short)
    if not short.edges:
        return
    block, state = lowering.block, lowering.state
    lowering.enter(short)
    anything = next((one for one in cases if one.choices is None), None)
    if anything is None:
        lowering.jump(node.subject, end, f"when no case of the match on line {node.lineno} fits")
    else:
        _bind(lowering, anything, window)
        lowering.jump(node.subject, anything.matched)
    lowering.block, lowering.state = block, state


def _go_by_case(lowering: Lowering, one: _Case, window: Window, known: int) -> None:
    pattern = one.case.pattern
    if one.choices is None:
        _bind(lowering, one, window)
        lowering.jump(pattern, one.matched)
        return
    for number, (part, content) in enumerate(one.choices):
        fits = lowering.label(part, "fits") if one.names else one.matched
        is_last = number == len(one.choices) - 1
        following = one.next if is_last else lowering.label(part, "or")
        if window.length is None:
            begins(lowering, part, window, content, fits, following, known)
        else:
            begins_if_long_enough(lowering, part, window, content, fits, following)
        if one.names:
            lowering.enter(fits)
            _bind(lowering, one, window)
            lowering.jump(part, one.matched)
        if not is_last:
            lowering.enter(following)


def _bind(lowering: Lowering, one: _Case, window: Window) -> None:
    """Names of a case stand for the subject."""
    for name in one.names:
        assign(lowering, one.case.pattern, name, one.case.pattern, window)


def _read_case(lowering: Lowering, case: ast.match_case, window: Window) -> _Case:
    """Raises Refused for a pattern that is none of bytes, or longer than the subject."""
    one = _Case(lowering, case)
    _read_pattern(lowering, case.pattern, one)
    for part, content in one.choices or ():
        if window.size is not None and window.size < len(content):
            raise lowering.refuse(
                part,
                f"{bytes_count(window.size)} never begin with {bytes_count(len(content))}",
                "match on more bytes, such as `skb.data[0:8]`",
            )
    return one


def _read_pattern(lowering: Lowering, node: ast.pattern, one: _Case) -> None:
    if isinstance(node, ast.MatchAs):
        if node.name is not None:
            warn_of_shadow(lowering, node)
            one.names.append(node.name)
        if node.pattern is None:
            one.choices = None
        else:
            _read_pattern(lowering, node.pattern, one)
        return
    if isinstance(node, ast.MatchOr):
        for part in node.patterns:
            _read_pattern(lowering, part, one)
        return
    if isinstance(node, ast.MatchValue):
        operand = evaluate(lowering, node.value)
        content = content_of(lowering, node.value, operand)
        if content is None:
            raise lowering.refuse(
                node, f"bytes are matched with byte strings, but this is {describe(operand)}",
                'write `case b"GET ":`',
            )  # fmt: skip
        if one.choices is not None:
            one.choices.append((node.value, content))
        return
    raise lowering.refuse(node, "bytes are matched with byte strings", 'write `case b"GET ":` or `case _:`')


def _warn_of_hidden(lowering: Lowering, cases: list[_Case]) -> None:
    """A case behind one with a beginning of its byte string never fits."""
    seen: list[tuple[bytes, Place]] = []
    for one in cases:
        for part, content in one.choices or ():
            hiding = [(other, place) for other, place in seen if content.startswith(other)]
            if hiding:
                other, place = hiding[0]
                lowering.scope.reporter.warning(
                    lowering.place(part), f"this case never fits: `{other!r}` comes first",
                    "move the longer one up", [(place, "this case takes it")],
                )  # fmt: skip
            elif one.case.guard is None:
                seen.append((content, lowering.place(part)))
