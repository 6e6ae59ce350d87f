"""Truth: comparisons, `and`, `or`, `not`, and what each way of a branch knows."""

from __future__ import annotations

import ast
from functools import partial

from skverdict.dsl.frontend.assigned import assigned_names
from skverdict.dsl.frontend.compare import COMPARISONS, compare, go
from skverdict.dsl.frontend.convert import as_scalar, truth_value
from skverdict.dsl.frontend.dispatch import CONDITIONS, Decide, condition, evaluate, expression
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.memory import is_null
from skverdict.dsl.frontend.narrowing import MIRRORED, OPPOSITE, compared, name_of, not_none
from skverdict.dsl.frontend.values import (
    MaybeNumber,
    Method,
    NoneValue,
    Operand,
    PacketByte,
    PythonValue,
    Reference,
    Scalar,
    Window,
    describe,
    truth,
)
from skverdict.dsl.ir.types import BOOL


def decide(lowering: Lowering, node: ast.expr, yes: Label, no: Label) -> None:
    """Go to `yes` or `no` by the truth of `node`. Raises Refused."""
    handler = CONDITIONS.get(type(node))
    if handler is not None:
        handler(lowering, node, yes, no)
    else:
        go_by_truth(lowering, node, evaluate(lowering, node), yes, no)


def as_bool(lowering: Lowering, node: ast.expr) -> Scalar:
    """The truth of `node` as a bool. Raises Refused."""
    if not isinstance(node, (ast.BoolOp, ast.Compare)):
        operand = evaluate(lowering, node)
        if isinstance(operand, Scalar):
            return truth_value(lowering, node, operand)
        if isinstance(operand, Reference) and operand.nullable:
            null = is_null(lowering, node, operand)
            return Scalar(BOOL, lowering.emit(node, "not", (null,), BOOL))
        if isinstance(operand, (PacketByte, MaybeNumber)):
            return materialise(lowering, node, partial(_go_by_maybe, operand))
        return _always(lowering, node, operand)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        found = _compare_once(lowering, node)
        if found is not None:
            return found
    return materialise(lowering, node, decide)


def materialise(lowering: Lowering, node: ast.expr, each: Decide) -> Scalar:
    """The truth of a condition that is decided by branches, as a value."""
    yes, no, end = (lowering.label(node, name) for name in ("true", "false", "decided"))
    each(lowering, node, yes, no)
    if not yes.edges or not no.edges:
        flag = bool(yes.edges)
        lowering.enter(yes if flag else no)
        return truth(flag)
    local = lowering.new_local("truth", BOOL)
    for label, flag in ((yes, True), (no, False)):
        lowering.enter(label)
        lowering.effect(node, "local.set", (lowering.value(node, truth(flag)),), local=local)
        lowering.jump(node, end)
    lowering.enter(end)
    return Scalar(BOOL, lowering.emit(node, "local.get", (), BOOL, local=local))


def _go_by_maybe(
    operand: PacketByte | MaybeNumber, lowering: Lowering, node: ast.expr, yes: Label, no: Label
) -> None:
    from skverdict.dsl.frontend import maybe_numbers

    maybe_numbers.go_by_truth(lowering, node, operand, yes, no)


def go_by_truth(lowering: Lowering, node: ast.expr, operand: Operand, yes: Label, no: Label) -> None:
    """Branch on the truth of an operand that `node` gave."""
    if isinstance(operand, (PacketByte, MaybeNumber)):
        _go_by_maybe(operand, lowering, node, yes, no)
        return
    if isinstance(operand, Reference) and operand.nullable:
        _go_by_null(lowering, node, node, operand, yes, no, true_if_null=False)
        return
    flag = (
        truth_value(lowering, node, operand)
        if isinstance(operand, Scalar)
        else _always(lowering, node, operand)
    )
    go(lowering, node, flag, yes, no)


def _always(lowering: Lowering, node: ast.expr, operand: Operand) -> Scalar:
    if isinstance(operand, NoneValue):
        return truth(False)
    if isinstance(operand, Reference):
        return truth(True)
    raise lowering.refuse(node, f"{describe(operand)} is not a condition", "compare it with something")


def _go_by_null(
    lowering: Lowering,
    node: ast.AST,
    tested: ast.expr,
    operand: Reference,
    yes: Label,
    no: Label,
    true_if_null: bool,
) -> None:
    null = is_null(lowering, tested, operand)
    there, absent = not_none(lowering.here, tested), lowering.here
    if operand.lease is not None:
        from skverdict.dsl.frontend.leases import null_state

        absent = null_state(absent, operand)
    if true_if_null:
        lowering.branch(node, null, yes, no, absent, there)
    else:
        # Branching on "is not NULL" keeps the order of the source: the true way first.
        some = lowering.emit(node, "not", (null,), BOOL)
        lowering.branch(node, some, yes, no, there, absent)


@condition(ast.BoolOp)
def bool_operation(lowering: Lowering, node: ast.BoolOp, yes: Label, no: Label) -> None:
    _short_circuit(lowering, node, yes, no, decide)


def _short_circuit(lowering: Lowering, node: ast.BoolOp, yes: Label, no: Label, each: Decide) -> None:
    conjunction = isinstance(node.op, ast.And)
    for number, part in enumerate(node.values):
        is_last = number == len(node.values) - 1
        following = (yes if conjunction else no) if is_last else (
            lowering.label(part, "and" if conjunction else "or")
        )  # fmt: skip
        if conjunction:
            if isinstance(part, (ast.Compare, ast.Call)):
                lowering.reach = _reach(node.values[number:])
            each(lowering, part, following, no)
            lowering.reach = 0
        else:
            each(lowering, part, yes, following)
        if not is_last and not lowering.enter(following):
            return


def _reach(parts: list[ast.expr]) -> int:
    """How far into the packet the tests in a row look that begin a conjunction."""
    if not any(isinstance(part, ast.Subscript) for test in parts[:1] for part in ast.walk(test)):
        return 0
    from skverdict.dsl.frontend.lookahead import reach_of

    return reach_of(parts)


@expression(ast.BoolOp)
def bool_operation_value(lowering: Lowering, node: ast.BoolOp) -> Operand:
    return materialise(lowering, node, _decide_bool)


def _decide_bool(lowering: Lowering, node: ast.expr, yes: Label, no: Label) -> None:
    """Like `decide`, for `and` and `or` as a value, which in Python is one of the operands: only bools."""
    if isinstance(node, ast.BoolOp):
        _short_circuit(lowering, node, yes, no, _decide_bool)
    elif type(node) in CONDITIONS:
        decide(lowering, node, yes, no)
    else:
        operand = evaluate(lowering, node)
        if not isinstance(operand, Scalar) or operand.type != BOOL:
            raise lowering.refuse(
                node, f"as a value, `and` and `or` combine only bools, but this is {describe(operand)}",
                "compare it, such as `x != 0` or `x is not None`, or write `a if c else b`",
            )  # fmt: skip
        go(lowering, node, operand, yes, no)


@condition(ast.Call)
def call_condition(lowering: Lowering, node: ast.Call, yes: Label, no: Label) -> None:
    """`.startswith(...)` goes its ways directly; what other calls give is tested."""
    if isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
        method = evaluate(lowering, node.func)
        if isinstance(method, Method):
            from skverdict.dsl.frontend.byte_tests import startswith

            startswith(lowering, node, node.func.value, method.receiver, yes, no)
            return
    go_by_truth(lowering, node, evaluate(lowering, node), yes, no)


@condition(ast.UnaryOp)
def negation(lowering: Lowering, node: ast.UnaryOp, yes: Label, no: Label) -> None:
    if isinstance(node.op, ast.Not):
        decide(lowering, node.operand, no, yes)
    else:
        go_by_truth(lowering, node, evaluate(lowering, node), yes, no)


@condition(ast.Compare)
def comparison(lowering: Lowering, node: ast.Compare, yes: Label, no: Label) -> None:
    """A chain `a < b < c` is `a < b and b < c` with b evaluated once."""
    left_node = node.left
    left = evaluate(lowering, left_node)
    for number, (operation, right_node) in enumerate(zip(node.ops, node.comparators, strict=True)):
        last = number == len(node.ops) - 1
        target = yes if last else lowering.label(right_node, "and")
        if isinstance(operation, (ast.In, ast.NotIn)):
            hit, miss = (target, no) if isinstance(operation, ast.In) else (no, target)
            if not last:
                raise lowering.refuse(node, "`in` cannot be part of a chain", "write two tests with `and`")
            from skverdict.dsl.frontend.membership import contains

            contains(lowering, right_node, left_node, left, hit, miss)
            return
        right = evaluate(lowering, right_node)
        _go_by_comparison(lowering, node, operation, (left_node, right_node), left, right, target, no)
        if not last and not lowering.enter(target):
            return
        left_node, left = right_node, right


def _is_special(operand: Operand) -> bool:
    """True for bytes, and for numbers that may be None."""
    return isinstance(operand, (Window, PacketByte, MaybeNumber)) or (
        isinstance(operand, PythonValue) and isinstance(operand.object, bytes)
    )


def _go_by_comparison(
    lowering: Lowering,
    node: ast.Compare,
    operation: ast.cmpop,
    nodes: tuple[ast.expr, ast.expr],
    left: Operand,
    right: Operand,
    yes: Label,
    no: Label,
) -> None:
    left_node, right_node = nodes
    if _is_special(left) or _is_special(right):
        from skverdict.dsl.frontend.byte_tests import compare_bytes

        if compare_bytes(lowering, node, operation, nodes, left, right, yes, no):
            return
    if isinstance(operation, (ast.Is, ast.IsNot)):
        wants_null = isinstance(operation, ast.Is)
        tested, operand = _none_test(lowering, node, nodes, left, right)
        if isinstance(operand, Reference) and operand.nullable:
            _go_by_null(lowering, node, tested, operand, yes, no, wants_null)
        else:
            go(lowering, node, truth(isinstance(operand, NoneValue) == wants_null), yes, no)
        return
    name = _comparison_name(lowering, node, operation, nodes, left, right)
    first, second = as_scalar(lowering, left_node, left), as_scalar(lowering, right_node, right)
    flag = compare(lowering, node, name, nodes, first, second)
    if flag.constant is not None:
        go(lowering, node, flag, yes, no)
        return
    if name_of(left_node) in walrus_names(lowering, right_node):
        # The test was about what the name stood for before.
        lowering.branch(node, lowering.value(node, flag), yes, no)
        return
    states = []
    for relation in (name, OPPOSITE[name]):
        state = compared(lowering.here, left_node, relation, second)
        states.append(compared(state, right_node, MIRRORED[relation], first))
    lowering.branch(node, lowering.value(node, flag), yes, no, states[0], states[1])


def walrus_names(lowering: Lowering, node: ast.expr) -> set[str]:
    """The names that an expression assigns."""
    return assigned_names([node], walrus=True) if lowering.frame.source.has_walrus else set()


def _none_test(
    lowering: Lowering, node: ast.Compare, nodes: tuple[ast.expr, ast.expr], left: Operand, right: Operand
) -> tuple[ast.expr, Operand]:
    """The operand that is compared with None, and its node."""
    if isinstance(right, NoneValue):
        tested, operand = nodes[0], left
    elif isinstance(left, NoneValue):
        tested, operand = nodes[1], right
    else:
        raise lowering.refuse(node, "`is` compares only with None here", "compare numbers with `==`")
    if isinstance(operand, Scalar):
        raise lowering.refuse(tested, f"{describe(operand)} is never None")
    return tested, operand


def _comparison_name(
    lowering: Lowering,
    node: ast.Compare,
    operation: ast.cmpop,
    nodes: tuple[ast.expr, ast.expr],
    left: Operand,
    right: Operand,
) -> str:
    name, symbol = COMPARISONS[type(operation)]
    for operand, other, other_node in ((left, right, nodes[1]), (right, left, nodes[0])):
        if isinstance(operand, NoneValue) and not isinstance(other, Scalar):
            word = "is" if name == "eq" else "is not"
            raise lowering.refuse(
                node, f"compare with None by `{word}`, not by `{symbol}`",
                f"write `{lowering.segment(other_node)} {word} None`",
            )  # fmt: skip
    return name


def _compare_once(lowering: Lowering, node: ast.Compare) -> Scalar | None:
    """A single comparison of two numbers as a value, without a branch; None if it is something else."""
    operation, right_node = node.ops[0], node.comparators[0]
    if type(operation) not in COMPARISONS:
        return None
    nodes = (node.left, right_node)
    left, right = evaluate(lowering, node.left), evaluate(lowering, right_node)
    if _is_special(left) or _is_special(right):

        def decided(lowering: Lowering, _: ast.expr, yes: Label, no: Label) -> None:
            _go_by_comparison(lowering, node, operation, nodes, left, right, yes, no)

        return materialise(lowering, node, decided)
    name = _comparison_name(lowering, node, operation, nodes, left, right)
    first, second = as_scalar(lowering, node.left, left), as_scalar(lowering, right_node, right)
    return compare(lowering, node, name, nodes, first, second)


@expression(ast.Compare)
def comparison_value(lowering: Lowering, node: ast.Compare) -> Operand:
    return as_bool(lowering, node)
